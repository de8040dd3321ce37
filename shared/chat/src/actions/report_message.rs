//! `reportMessage`: tell the moderators of a message.

use crate::limits::REPORT_CHARS_MAX;
use crate::wire::Invalid;
use crate::{Caller, MessageId, Rejection, Reply, Request, RoomId, visible};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportMessage {
    pub room: RoomId,
    pub id: MessageId,
    pub reason: String,
}

impl ReportMessage {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let (id, reason) = (fields.message_id()?, fields.string("reason", "reason")?);
        if reason.chars().count() > REPORT_CHARS_MAX {
            return Err(Rejection::TooLarge { field: "reason", limit: REPORT_CHARS_MAX });
        }
        if visible::is_blank(reason) {
            return Err(Invalid::expected("a text that can be seen").in_field("reason"));
        }
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, id, reason: reason.into() })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportMessageReply {
    chatroom_id: RoomId,
    id: MessageId,
}

impl Reply {
    pub fn reported(asked: ReportMessage) -> Self {
        Self::ReportMessage(ReportMessageReply { chatroom_id: asked.room, id: asked.id })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_says_which_message_and_why() {
        let report = |reason: &str| json!({"chatroomId": 1, "id": 42, "reason": reason});
        refuses(
            ReportMessage::read,
            &[
                (report(&"光".repeat(REPORT_CHARS_MAX)), ""),
                (report(&"x".repeat(REPORT_CHARS_MAX + 1)), "tooLarge: reason is longer than 500 characters"),
                (report("\u{200b}"), "badRequest: reason must be a text that can be seen"),
                (json!({"chatroomId": 1, "id": 42}), "badRequest: reason is missing"),
                (json!({"chatroomId": 1, "reason": "spam"}), "badRequest: id is missing"),
                (json!({"chatroomId": 2, "id": 42, "reason": "spam"}), "notAllowed"),
            ],
        );
    }
}
