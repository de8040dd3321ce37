//! `deleteMessage`: take back what was said. Its place in the room stays, and is empty.

use super::edit_message::{ChangeMessagePush, ChangeMessageReply};
use crate::{Caller, Change, Message, MessageId, Push, Rejection, Reply, Request, RoomId, UserId};
use std::time::Duration;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteMessage {
    pub room: RoomId,
    pub id: MessageId,
    pub change: Change,
}

impl DeleteMessage {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed, id) = (fields.room()?, fields.claimed()?, fields.message_id()?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, id, change: Change::Recall })
    }
}

impl Reply {
    /// The message is recalled; a `duplicate` was so before. Where a courier pushes it, a round takes so long.
    pub fn deleted(message: &Message, duplicate: bool, round: Option<Duration>) -> Self {
        Self::DeleteMessage(ChangeMessageReply::of(message, duplicate, round))
    }
}

impl<'a> Push<'a> {
    pub fn deleted(message: &'a Message, by: &'a UserId) -> Self {
        Self::DeleteMessage(ChangeMessagePush::of(message, by))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recall_names_its_message() {
        refuses(
            DeleteMessage::read,
            &[
                (json!({"chatroomId": 1, "id": 42}), ""),
                (json!({"chatroomId": 1, "id": 42.0}), ""),
                (json!({"chatroomId": 1, "id": -42.0}), "badRequest: id must be"),
                (json!({"chatroomId": 1, "id": 1e300}), "badRequest: id must be"),
                (json!({"chatroomId": 1}), "badRequest: id is missing"),
                (json!({"chatroomId": 1, "id": 1.5}), "badRequest: id must be a message id"),
                (json!({"chatroomId": 2, "id": 42}), "notAllowed: the token does not grant"),
            ],
        );
    }
}
