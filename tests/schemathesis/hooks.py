"""Rules that docs/openapi.yaml has only in words: schemathesis must not expect that requests which break them pass."""

import json

import schemathesis

# As in shared/chat/src/limits.rs.
ID_BYTES_MAX = 255
JSON_BYTES_MAX = 1024
# The largest number that a double holds; JSON may say larger ones.
NUMBER_MAX = 1.7e308


def is_long_id(value):
    return isinstance(value, str) and len(value.encode(errors="replace")) > ID_BYTES_MAX


def is_large(value):
    """Whether an application's own JSON has too many bytes, or a number that is none to most readers."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode(errors="replace")) > JSON_BYTES_MAX or has_endless_number(value)


def has_endless_number(value):
    if isinstance(value, dict):
        return any(has_endless_number(inner) for inner in value.values())
    if isinstance(value, list):
        return any(has_endless_number(inner) for inner in value)
    return isinstance(value, (int, float)) and not -NUMBER_MAX < value < NUMBER_MAX


def has_null(value):
    """A field that is null counts as one that is missing, and most may be missing."""
    return isinstance(value, dict) and any(inner is None or has_null(inner) for inner in value.values())


def is_written_with_a_point(*values):
    """A schema takes 1.0 for a whole number; the server takes 1."""
    return any(isinstance(value, float) for value in values)


# Whom and what a request for a kept room names.
USERS = ("friendId", "joinUserId", "quitUserId", "targetId", "userId1", "userId2")
NAME_CHARS_MAX = 64


def names_wrongly(fields):
    """An id that is too long in bytes, or written 1.0; and a group's name of which nothing is seen."""
    users = [fields.get(user) for user in USERS]
    name = fields.get("name")
    unseen = isinstance(name, str) and not any(char.isalnum() for char in name)
    return unseen or is_written_with_a_point(*users) or any(is_long_id(user) for user in users)


def is_cleaned_short(fields):
    """A name that is too long until it is cleaned of what nobody sees."""
    name = fields.get("name") if isinstance(fields, dict) else None
    return isinstance(name, str) and len(name) > NAME_CHARS_MAX


def breaks_a_rule(body):
    if names_wrongly(body):
        return True
    name = body.get("name", "a")
    # Something to see, and of so many bytes.
    if is_long_id(name) or not any(char.isalnum() for char in name) or is_written_with_a_point(body.get("size")):
        return True
    if is_written_with_a_point(body.get("chatroomId"), body.get("requestId")):
        return True
    before = body.get("before")
    if isinstance(before, dict) and (is_written_with_a_point(*before.values()) or is_long_id(before.get("userId"))):
        return True
    # Nobody bars oneself, and a reason can be seen.
    if str(body.get("targetId")) == "1" or is_written_with_a_point(body.get("seconds")):
        return True
    if not any(char.isalnum() for char in body.get("reason", "a")):
        return True
    message = body.get("message")
    if isinstance(message, dict):
        # Something to see; and which addresses are good is tried elsewhere.
        if message.get("type") != "text" or not any(char.isalnum() for char in message.get("content", "")):
            return True
        mentions = message.get("mentions", [])
        if is_written_with_a_point(message.get("replyTo"), *mentions) or any(is_long_id(user) for user in mentions):
            return True
        if is_large(message.get("metadata")):
            return True
    # What else is in it is passed over, but read.
    return is_long_id(body.get("chatroomId")) or is_large(body.get("data")) or has_endless_number(body)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out requests of which the document says more than a schema can: ids are of so many bytes (a schema counts
    characters), one cursor excludes the other, what is null is missing."""
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return not (has_null(case.body) or is_cleaned_short(case.body) or is_cleaned_short(case.query or {}))
    query = case.query or {}
    if names_wrongly(query):
        return False
    if is_long_id(query.get("chatroomId")) or ("before" in query and "after" in query):
        return False
    return not (isinstance(case.body, dict) and breaks_a_rule(case.body))
