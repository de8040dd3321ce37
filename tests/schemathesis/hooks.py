"""What docs/openapi.yaml says in words, since a schema cannot say it: schemathesis must not expect such requests to be taken."""

import schemathesis

# As in shared/chat/src/limits.rs.
ID_BYTES_MAX = 255


@schemathesis.hook
def filter_case(context, case):
    """Of the requests that shall be taken, leaves out ids of too many bytes (a schema counts characters), and both cursors at once."""
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return True
    query = case.query or {}
    room = query.get("chatroomId")
    too_long = isinstance(room, str) and len(room.encode(errors="replace")) > ID_BYTES_MAX
    return not too_long and not ("before" in query and "after" in query)
