//! `editMessage`: say something else in the place of what was said.

use super::send_message::in_ms;
use crate::wire::Invalid;
use crate::{
    Caller, Change, ChangeNumber, ClientMessageId, Content, Extras, Message, MessageId, MessageKind, Push, Rejection,
    Reply, Request, RoomId, Timestamp, UserId,
};
use serde::Serialize;
use std::time::Duration;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditMessage {
    pub room: RoomId,
    pub id: MessageId,
    pub change: Change,
}

impl EditMessage {
    /// Reads the request of a caller, who needs a grant for the room. The `clientMessageId` is required: without it, a
    /// late repeat of an earlier edit would be a new one, and bring the old text back.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed, id) = (fields.room()?, fields.claimed()?, fields.message_id()?);
        let client_message_id = fields.required("clientMessageId", "clientMessageId")?;
        let client_message_id = ClientMessageId::from_json(client_message_id);
        let client_message_id = client_message_id.map_err(|invalid| invalid.in_field("clientMessageId"))?;
        let message = fields.object("message", "message", "an object with type and content")?;
        if message.string("type", "message.type")? != "text" {
            return Err(Invalid::expected("\"text\": nothing else is edited").in_field("message.type"));
        }
        let content = Content::parse(MessageKind::Text, message.string("content", "message.content")?)?;
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, id, change: Change::Edit { content, client_message_id } })
    }
}

/// What the client is answered of an edit or a recall.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeMessageReply {
    chatroom_id: RoomId,
    id: MessageId,
    version: ChangeNumber,
    update_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<u64>,
}

/// What the room's members are pushed of one: the state that the message has now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeMessagePush<'a> {
    chatroom_id: &'a RoomId,
    /// Who changed it.
    user_id: &'a UserId,
    message: ChangedMessage<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangedMessage<'a> {
    id: MessageId,
    version: ChangeNumber,
    #[serde(rename = "type")]
    kind: MessageKind,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<&'a UserId>,
    chatroom_id: &'a RoomId,
    sender_id: &'a UserId,
    create_time: Timestamp,
    update_time: Timestamp,
    #[serde(flatten)]
    extras: &'a Extras,
}

impl Reply {
    /// The edit is stored; a `duplicate` was so before. Where a courier pushes it, a round takes so long.
    pub fn edited(message: &Message, duplicate: bool, round: Option<Duration>) -> Self {
        Self::EditMessage(ChangeMessageReply::of(message, duplicate, round))
    }
}

impl<'a> Push<'a> {
    pub fn edited(message: &'a Message, by: &'a UserId) -> Self {
        Self::EditMessage(ChangeMessagePush::of(message, by))
    }
}

impl ChangeMessageReply {
    pub(super) fn of(message: &Message, duplicate: bool, round: Option<Duration>) -> Self {
        Self {
            chatroom_id: message.room.clone(),
            id: message.id,
            version: message.version(),
            update_time: message.update_time(),
            duplicate: duplicate.then_some(true),
            rounds: round.map(in_ms),
        }
    }
}

impl<'a> ChangeMessagePush<'a> {
    pub(super) fn of(message: &'a Message, by: &'a UserId) -> Self {
        let deleted_by = message.deleted_by();
        let message = ChangedMessage {
            id: message.id,
            version: message.version(),
            kind: message.content.kind(),
            content: message.content.text(),
            deleted: deleted_by.map(|_| true),
            deleted_by,
            chatroom_id: &message.room,
            sender_id: &message.sender,
            create_time: message.create_time,
            update_time: message.update_time(),
            extras: message.content.extras(),
        };
        Self { chatroom_id: message.chatroom_id, user_id: by, message }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::{Value, json};

    fn body() -> Value {
        let message = json!({"type": "text", "content": "hi there"});
        json!({"action": "editMessage", "chatroomId": 1, "id": 42, "message": message, "clientMessageId": "9c1e"})
    }

    #[test]
    fn an_edit_says_which_message_and_what_it_says_then() {
        let edit = EditMessage::read(&request(&body()), &caller()).expect("it may");
        let Change::Edit { content, client_message_id } = edit.change else { panic!("no edit") };
        let said = (edit.id.get(), content.text().to_owned(), client_message_id.to_string());
        assert_eq!(said, (42, "hi there".into(), "9c1e".into()));
    }

    #[test]
    fn every_field_is_named_when_it_is_missing_or_wrong() {
        let with = |field: &str, value: Value| {
            let mut body = body();
            body[field] = value;
            body
        };
        refuses(
            EditMessage::read,
            &[
                (with("id", Value::Null), "badRequest: id is missing"),
                (with("id", json!(0)), "badRequest: id must be a message id: a whole number from 1"),
                (with("id", json!("42")), "badRequest: id must be a message id"),
                (with("clientMessageId", Value::Null), "badRequest: clientMessageId is missing"),
                (with("clientMessageId", json!("a b")), "badRequest: clientMessageId must be"),
                (with("message", json!("hi")), "badRequest: message must be an object"),
                (with("message", json!({"content": "hi"})), "badRequest: message.type is missing"),
                (with("message", json!({"type": "image", "content": "https://a"})), "badRequest: message.type must be"),
                (with("message", json!({"type": "text", "content": " "})), "badRequest: message.content must be"),
                (with("chatroomId", json!(2)), "notAllowed: the token does not grant"),
            ],
        );
    }
}
