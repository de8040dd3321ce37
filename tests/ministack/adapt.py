"""Writes the copy of a built template that MiniStack can deploy.

    adapt.py BUILT_TEMPLATE COPY MINISTACK_URL

What differs is MiniStack's to mend, so the template stays as AWS wants it. Each difference is named and counted here,
and a template to which one no longer applies is refused: the list must stay true.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse

MANAGEMENT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"


def without_route_responses(template, _):
    """MiniStack rejects AWS::ApiGatewayV2::RouteResponse, and sends every reply back without one."""
    resources = template["Resources"]
    names = [name for name, resource in resources.items() if resource["Type"] == "AWS::ApiGatewayV2::RouteResponse"]
    for name in names:
        del resources[name]
    return len(names)


def management_api_of_ministack(template, url):
    """The functions must post to MiniStack, not to amazonaws.com."""
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    variables[MANAGEMENT] = {"Fn::Sub": url + "/_aws/execute-api/${ChatApi}/${Stage}"}
    return 1


def http_api_piece_by_piece(template, _):
    """MiniStack does not read the OpenAPI body that SAM makes of an HttpApi and its events."""
    resources = template["Resources"]
    api = resources["HistoryApi"]["Properties"]
    cors = api["DefinitionBody"]["x-amazon-apigateway-cors"]
    authorizer = api["Auth"]["Authorizers"][api["Auth"]["DefaultAuthorizer"]]
    # OpenAPI's names for the settings, since MiniStack serves only those that begin with a small letter.
    resources["HistoryApi"] = piece("Api", Name="history", ProtocolType="HTTP", CorsConfiguration=cors)
    resources["HistoryApiStage"] = piece("Stage", ApiId=ref("HistoryApi"), StageName="$default", AutoDeploy=True)
    resources["HistoryApiAuthorizer"] = piece(
        "Authorizer",
        ApiId=ref("HistoryApi"),
        Name="TokenAuthorizer",
        AuthorizerType="REQUEST",
        AuthorizerUri=invocation_of(authorizer["FunctionArn"]),
        AuthorizerPayloadFormatVersion=authorizer["AuthorizerPayloadFormatVersion"],
        AuthorizerResultTtlInSeconds=authorizer["Identity"]["ReauthorizeEvery"],
        IdentitySource=["$request.header." + header for header in authorizer["Identity"]["Headers"]],
    )
    routes = 0
    for name, function in list(resources.items()):
        events = function["Properties"].get("Events", {}) if function["Type"] == "AWS::Serverless::Function" else {}
        for event_name, event in list(events.items()):
            if event["Type"] != "HttpApi":
                continue
            route = events.pop(event_name)["Properties"]
            resources[event_name + "Integration"] = piece(
                "Integration",
                ApiId=ref("HistoryApi"),
                IntegrationType="AWS_PROXY",
                IntegrationUri=invocation_of({"Fn::GetAtt": [name, "Arn"]}),
                PayloadFormatVersion=route["PayloadFormatVersion"],
            )
            resources[event_name + "Route"] = piece(
                "Route",
                ApiId=ref("HistoryApi"),
                RouteKey=route["Method"] + " " + route["Path"],
                Target={"Fn::Sub": "integrations/${%sIntegration}" % event_name},
                AuthorizationType="CUSTOM",
                AuthorizerId=ref("HistoryApiAuthorizer"),
            )
            routes += 1
    return routes


def alarms_on_their_first_metric(template, _):
    """MiniStack has no alarms on sums of metrics; on one metric it has."""
    alarms = 0
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]:
            first = resource["Properties"].pop("Metrics")[0]["MetricStat"]
            resource["Properties"].update(first["Metric"], Period=first["Period"], Statistic=first["Stat"])
            alarms += 1
    return alarms


ADAPTATIONS = [
    without_route_responses,
    management_api_of_ministack,
    http_api_piece_by_piece,
    alarms_on_their_first_metric,
]


def piece(kind, **properties):
    return {"Type": "AWS::ApiGatewayV2::" + kind, "Properties": properties}


def ref(name):
    return {"Ref": name}


def invocation_of(arn):
    path = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Arn}/invocations"
    return {"Fn::Sub": [path, {"Arn": arn}]}


def main(built, copy, url):
    with open(built, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for adaptation in ADAPTATIONS:
        count = adaptation(template, url)
        if count == 0:
            sys.exit(f"{adaptation.__name__} has nothing to adapt any more")
        print(f"adapted {count}: {adaptation.__doc__}")
    with open(copy, "w", encoding="utf-8") as file:
        json.dump(template, file, indent=2)


main(*sys.argv[1:])
