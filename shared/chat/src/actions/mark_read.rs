//! `markRead`: say how far one has read in a room.

use crate::{Caller, MessageId, Push, Rejection, Reply, Request, RoomId, UserId};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRead {
    pub room: RoomId,
    /// The last message that was read.
    pub id: MessageId,
    /// Whether the room is to be told.
    pub tell: bool,
}

impl MarkRead {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let (id, tell) = (fields.message_id()?, fields.flag("tell")?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, id, tell })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkReadReply {
    chatroom_id: RoomId,
    id: MessageId,
}

/// What the room's other connections are pushed, the user's own among them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkReadPush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    id: MessageId,
}

impl Reply {
    /// The user's mark stands at `id`, which may be further than was asked for: marks only rise.
    pub fn marked(room: RoomId, id: MessageId) -> Self {
        Self::MarkRead(MarkReadReply { chatroom_id: room, id })
    }
}

impl<'a> Push<'a> {
    pub fn marked(room: &'a RoomId, user: &'a UserId, id: MessageId) -> Self {
        Self::MarkRead(MarkReadPush { chatroom_id: room, user_id: user, id })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mark_names_a_room_and_a_message() {
        let read = MarkRead::read(&request(&json!({"chatroomId": 1, "id": 42})), &caller());
        let room = RoomId::parse("1").expect("an id");
        assert_eq!(read, Ok(MarkRead { room, id: MessageId::new(42), tell: false }));
        refuses(
            MarkRead::read,
            &[
                (json!({"chatroomId": 1}), "badRequest: id is missing"),
                (json!({"chatroomId": 1, "id": "42"}), "badRequest: id must be"),
                (json!({"chatroomId": 1, "id": 1, "tell": 1}), "badRequest: tell must be a boolean"),
                (json!({"chatroomId": 2, "id": 1}), "notAllowed: the token does not grant"),
                (json!({"chatroomId": "g-AAAAAAAAAAAAAAAAAAAAAA", "id": 1, "tell": true}), ""),
            ],
        );
    }
}
