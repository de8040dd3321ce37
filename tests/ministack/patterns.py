"""Asks MiniStack's EventBridge which rows of the table the template's pipe lets through.

    patterns.py TEMPLATE MINISTACK_URL

MiniStack's pipes have neither filters nor buses, so the pipe itself is not deployed there. Its patterns are EventBridge's, and
that is asked whether they mean what the local run takes them for.
"""

import json
import sys

import boto3
from samcli.yamlhelper import yaml_parse

KEY = "MSG#0000000000000042"


def row(sort, **attributes):
    return {"PK": {"S": "ROOM#1"}, "SK": {"S": sort}, **attributes}


def record(sort, old=None, new=None):
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
    return {"dynamodb": {"Keys": row(sort), **images}}


SENT, NUMBER = row(KEY, content={"S": "hi"}), {"N": "1"}
GOES_OUT = {
    "a message": record(KEY, new=SENT),
    "an edit": record(KEY, SENT, row(KEY, version=NUMBER)),
    "a later one": record(KEY, row(KEY, version=NUMBER), row(KEY, version=NUMBER)),
    "an erasure": record(KEY, SENT, row(KEY, eraseTime=NUMBER)),
    "a report": record("REPORT#0000000000000042#8", new=row("REPORT#0000000000000042#8")),
}
STAYS = {
    "a void row": record(KEY, new=row(KEY, isVoid={"BOOL": True})),
    "a reaction": record(KEY, SENT, row(KEY, reacted=NUMBER)),
    "what expired": record(KEY, row(KEY, version=NUMBER)),
    "a second report": record("REPORT#0000000000000042#8", row("REPORT#"), row("REPORT#")),
    "a counter": record("HEAD", new=row("HEAD")),
    "a place in the feed": record("CHG#0000000000000018", new=row("CHG#0000000000000018")),
}


def main(template, url):
    with open(template, encoding="utf-8") as file:
        pipe = yaml_parse(file.read())["Resources"]["EventPipe"]["Properties"]
    patterns = [json.loads(found["Pattern"]) for found in pipe["SourceParameters"]["FilterCriteria"]["Filters"]]
    events = boto3.client("events", endpoint_url=url)
    envelope = {"id": "1", "account": "1", "source": "x", "detail-type": "x", "region": "x", "resources": [], "time": "2025-03-12T02:22:46Z"}

    def matches(pattern, detail):
        event = json.dumps({**envelope, "detail": detail})
        return events.test_event_pattern(EventPattern=json.dumps({"detail": pattern}), Event=event)["Result"]

    def lets_through(detail):
        return any(matches(pattern, detail) for pattern in patterns)

    wrong = [name for name, detail in GOES_OUT.items() if not lets_through(detail)]
    wrong += [name for name, detail in STAYS.items() if lets_through(detail)]
    if wrong:
        sys.exit(f"EventBridge takes the pipe's filters otherwise: {wrong}")
    print(f"{len(patterns)} filters of the pipe mean what they should: {len(GOES_OUT)} rows go out, {len(STAYS)} stay")


main(*sys.argv[1:])
