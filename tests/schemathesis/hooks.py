"""Rules that docs/openapi.yaml has only in words: schemathesis must not expect that requests which break them pass."""

import schemathesis

# As in shared/chat/src/limits.rs.
ID_BYTES_MAX = 255


@schemathesis.hook
def filter_case(context, case):
    """Leaves out valid requests with ids of too many bytes (a schema counts characters), or with both cursors."""
    if case.meta is not None and case.meta.generation.mode.is_negative:
        return True
    query = case.query or {}
    room = query.get("chatroomId")
    too_long = isinstance(room, str) and len(room.encode(errors="replace")) > ID_BYTES_MAX
    return not too_long and not ("before" in query and "after" in query)
