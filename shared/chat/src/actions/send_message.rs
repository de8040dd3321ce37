//! `sendMessage`: say something in a room.

use crate::wire::{Fields, Invalid};
use crate::{
    Attachment, Caller, ChangeNumber, ClientMessageId, Content, Extras, Message, MessageId, MessageKind, Profile, Push,
    Rejection, Reply, Request, RoomId, Timestamp, UserId,
};
use serde::Serialize;
use std::time::Duration;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    pub room: RoomId,
    pub content: Content,
    pub client_message_id: Option<ClientMessageId>,
}

impl SendMessage {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let client_message_id = fields.optional("clientMessageId", ClientMessageId::from_json)?;
        let message = fields.object("message", "message", "an object with type and content")?;
        let kind = message.string("type", "message.type")?;
        let kind = MessageKind::parse(kind).map_err(|invalid| invalid.in_field("message.type"))?;
        let content = match message.get("attachment") {
            None => Content::parse(kind, message.string("content", "message.content")?)?,
            Some(_) => Content::attached(kind, attachment(message, kind, &room, caller, client_message_id.as_ref())?),
        };
        let content = content.with(Extras::read(message)?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, content, client_message_id })
    }
}

/// The file that a message carries in place of content. Its key has the room, the sender and the send in it, which must be
/// those of the frame: so nobody can send what somebody else uploaded.
fn attachment(
    message: Fields<'_>,
    kind: MessageKind,
    room: &RoomId,
    caller: &Caller,
    client_message_id: Option<&ClientMessageId>,
) -> Result<Attachment, Rejection> {
    const FIELD: &str = "message.attachment";
    let client_message_id = client_message_id.ok_or(Rejection::Missing { field: "clientMessageId" })?;
    if kind == MessageKind::Text {
        return Err(Invalid::expected("\"image\" or \"file\" where there is an attachment").in_field("message.type"));
    }
    if message.get("content").is_some() {
        return Err(Invalid::expected("left out where there is an attachment").in_field("message.content"));
    }
    let attachment = Attachment::parse(message.string("attachment", FIELD)?);
    let attachment = attachment.map_err(|invalid| invalid.in_field(FIELD))?;
    let is_theirs = attachment.belongs_to(room, caller.user(), client_message_id);
    if is_theirs { Ok(attachment) } else { Err(Rejection::NotUploader) }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessageReply {
    chatroom_id: RoomId,
    id: MessageId,
    create_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<u64>,
}

impl Reply {
    /// The message is stored. If an earlier send with the same `clientMessageId` stored it, the id that was counted for this one is
    /// `unused`.
    pub fn sent(message: &Message, unused: Option<MessageId>) -> Self {
        Self::SendMessage(SendMessageReply {
            chatroom_id: message.room.clone(),
            id: message.id,
            create_time: message.create_time,
            duplicate: unused.map(|_| true),
            unused_id: unused,
            rounds: None,
        })
    }

    /// The same in a room in rounds, each of which takes so long: the message is pushed with the next or the one after.
    pub fn sent_in_rounds(message: &Message, unused: Option<MessageId>, round: Duration) -> Self {
        match Self::sent(message, unused) {
            Self::SendMessage(reply) => {
                let rounds = Some(u64::try_from(round.as_millis()).unwrap_or(u64::MAX));
                Self::SendMessage(SendMessageReply { rounds, ..reply })
            }
            other => other,
        }
    }
}

/// What the room's members are pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SendMessagePush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    message: SentMessage<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_id: Option<MessageId>,
}

/// A message as it is pushed: by itself, or among others in a round.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage<'a> {
    id: MessageId,
    /// This and the next three only of a message that was changed, and whose send is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<ChangeNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    update_time: Option<Timestamp>,
    #[serde(rename = "type")]
    kind: MessageKind,
    content: &'a str,
    /// Of a file that was uploaded, and whose address is the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<&'a Attachment>,
    /// The frame of a round says it once.
    #[serde(skip_serializing_if = "Option::is_none")]
    chatroom_id: Option<&'a RoomId>,
    sender_id: &'a UserId,
    create_time: Timestamp,
    /// Only of a message whose content was erased, and whose send is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<&'a ClientMessageId>,
    #[serde(flatten)]
    extras: &'a Extras,
    /// The frame of a round names each sender once.
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'a Profile>,
}

impl<'a> SentMessage<'a> {
    /// As one of many.
    pub(crate) fn in_round(message: &'a Message) -> Self {
        let changed = message.changed.as_ref();
        Self {
            id: message.id,
            version: changed.map(|changed| changed.version),
            deleted: message.deleted_by().map(|_| true),
            deleted_by: message.deleted_by(),
            update_time: changed.map(|changed| changed.time),
            kind: message.content.kind(),
            content: message.content.text(),
            attachment: message.content.attachment(),
            chatroom_id: None,
            sender_id: &message.sender,
            create_time: message.create_time,
            erase_time: message.content.erased_at(),
            client_message_id: message.client_message_id.as_ref(),
            extras: message.content.extras(),
            sender: None,
        }
    }
}

impl<'a> Push<'a> {
    /// A message that is stored. If this push repeats an earlier one, `unused` is the id that was counted for it:
    /// members who are told need not wait for a message under it.
    pub fn sent(message: &'a Message, sender: &'a Profile, unused: Option<MessageId>) -> Self {
        let pushed =
            SentMessage { chatroom_id: Some(&message.room), sender: Some(sender), ..SentMessage::in_round(message) };
        let (chatroom_id, user_id) = (&message.room, &message.sender);
        Self::SendMessage(SendMessagePush { chatroom_id, user_id, message: pushed, unused_id: unused })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_courses_message_is_taken() {
        let message = json!({"type": "text", "content": "hi"});
        let asked = request(&json!({"action": "sendMessage", "sendUserId": 1, "chatroomId": 1, "message": message}));
        let sent = SendMessage::read(&asked, &caller()).expect("it may");
        assert_eq!((sent.room.to_string().as_str(), sent.content.text()), ("1", "hi"));
    }

    #[test]
    fn what_was_uploaded_for_this_send_is_sent_with_it() {
        let attachment = "rooms/MQ/MQ/7f3a/cat.png";
        let message = json!({"type": "image", "attachment": attachment, "metadata": {"width": 640}});
        let asked = json!({"chatroomId": 1, "clientMessageId": "7f3a", "message": message});
        let sent = SendMessage::read(&request(&asked), &caller()).expect("it may");
        assert_eq!(sent.content.attachment().map(Attachment::key), Some(attachment));
        assert_eq!((sent.content.kind(), sent.content.text()), (MessageKind::Image, ""));
        assert!(sent.content.extras().metadata.is_some());
        let with = |field: &str, value: Value| {
            let mut asked = asked.clone();
            match field.strip_prefix("message.") {
                Some(field) => asked["message"][field] = value,
                None => asked[field] = value,
            }
            asked
        };
        let refused =
            "notAllowed: message.attachment was uploaded by another user, or for another room or clientMessageId";
        refuses(
            SendMessage::read,
            &[
                (with("message.type", json!("file")), ""),
                (with("chatroomId", json!("lobby")), refused),
                (with("clientMessageId", json!("7f3b")), refused),
                (with("message.attachment", json!("rooms/MQ/Mg/7f3a/cat.png")), refused),
                (
                    with("message.attachment", json!("rooms/MQ/MQ/7f3a/..")),
                    "badRequest: message.attachment must be what createUpload answered",
                ),
                (with("message.attachment", json!(7)), "badRequest: message.attachment must be a string"),
                (with("message.type", json!("text")), "badRequest: message.type must be \"image\" or \"file\""),
                (with("message.content", json!("https://a")), "badRequest: message.content must be left out"),
                (with("clientMessageId", Value::Null), "badRequest: clientMessageId is missing"),
            ],
        );
    }

    #[test]
    fn every_field_is_named_when_it_is_missing_or_wrong() {
        let text = json!({"type": "text", "content": "hi"});
        let with = |message: Value| json!({"chatroomId": 1, "message": message});
        refuses(
            SendMessage::read,
            &[
                (json!({"chatroomId": 1}), "badRequest: message is missing"),
                (with(json!("hi")), "badRequest: message must be an object"),
                (with(json!({"content": "hi"})), "badRequest: message.type is missing"),
                (with(json!({"type": 0, "content": "hi"})), "badRequest: message.type must be a string"),
                (with(json!({"type": "video", "content": "hi"})), "badRequest: message.type must be \"text\""),
                (with(json!({"type": "text"})), "badRequest: message.content is missing"),
                (with(json!({"type": "text", "content": 7})), "badRequest: message.content must be a string"),
                (with(json!({"type": "text", "content": "hi", "replyTo": 0})), "badRequest: message.replyTo must be"),
                (
                    json!({"chatroomId": 1, "message": text, "clientMessageId": "a b"}),
                    "badRequest: clientMessageId must be",
                ),
                (json!({"chatroomId": 2, "message": text}), "notAllowed: the token does not grant"),
            ],
        );
    }
}
