//! What goes to clients: pushes to the members of a room, and the reply to whoever asked.

use crate::limits::ECHO_CHARS_MAX;
use crate::{ClientMessageId, Message, MessageId, MessageKind, Profile, Rejection, Request, RoomId, Timestamp, UserId};
use serde::Serialize;
use serde_json::Value;

/// A frame that is pushed to the members of a room.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Push<'a> {
    JoinRoom {
        chatroom_id: &'a RoomId,
        user_id: &'a UserId,
        user: &'a Profile,
    },
    LeaveRoom {
        chatroom_id: &'a RoomId,
        user_id: &'a UserId,
        /// All who left, the first included; only in a frame for members that asked for [batches](crate::JoinRoom::batches).
        #[serde(skip_serializing_if = "Option::is_none")]
        user_ids: Option<&'a [UserId]>,
    },
    SendMessage {
        chatroom_id: &'a RoomId,
        user_id: &'a UserId,
        message: PushedMessage<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unused_id: Option<MessageId>,
    },
}

/// A message as a push carries it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PushedMessage<'a> {
    id: MessageId,
    #[serde(rename = "type")]
    kind: MessageKind,
    content: &'a str,
    chatroom_id: &'a RoomId,
    sender_id: &'a UserId,
    create_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<&'a ClientMessageId>,
    sender: &'a Profile,
}

impl<'a> Push<'a> {
    pub fn joined(room: &'a RoomId, user: &'a Profile) -> Self {
        Self::JoinRoom { chatroom_id: room, user_id: &user.id, user }
    }

    pub fn left(room: &'a RoomId, user: &'a UserId) -> Self {
        Self::LeaveRoom { chatroom_id: room, user_id: user, user_ids: None }
    }

    /// Several people left. Nothing for nobody; a single one is told of as always.
    pub fn left_together(room: &'a RoomId, users: &'a [UserId]) -> Option<Self> {
        let user_id = users.first()?;
        Some(Self::LeaveRoom { chatroom_id: room, user_id, user_ids: (users.len() > 1).then_some(users) })
    }

    /// A message that is stored. If this push repeats an earlier one, `unused` is the id that was counted for it: members who
    /// are told need not wait for a message under it.
    pub fn sent(message: &'a Message, sender: &'a Profile, unused: Option<MessageId>) -> Self {
        let pushed = PushedMessage {
            id: message.id,
            kind: message.content.kind(),
            content: message.content.text(),
            chatroom_id: &message.room,
            sender_id: &message.sender,
            create_time: message.create_time,
            client_message_id: message.client_message_id.as_ref(),
            sender,
        };
        Self::SendMessage { chatroom_id: &message.room, user_id: &message.sender, message: pushed, unused_id: unused }
    }
}

/// The reply to one request: `ack`, `pong` or `error`.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chatroom_id: Option<RoomId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    create_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Reply {
    fn ack(room: RoomId) -> Self {
        Self { kind: "ack", chatroom_id: Some(room), ..Self::default() }
    }

    /// The caller is in the room, whose newest message is `last_id`. A `quiet` room is too large to be told of each join and leave.
    pub fn joined(room: RoomId, last_id: MessageId, quiet: bool) -> Self {
        Self { last_id: Some(last_id), quiet: quiet.then_some(true), ..Self::ack(room) }
    }

    pub fn left(room: RoomId) -> Self {
        Self::ack(room)
    }

    /// The message is stored; by an earlier send with the same `clientMessageId` if the id counted for this one is `unused`.
    pub fn sent(message: &Message, unused: Option<MessageId>) -> Self {
        Self {
            id: Some(message.id),
            create_time: Some(message.create_time),
            duplicate: unused.map(|_| true),
            unused_id: unused,
            ..Self::ack(message.room.clone())
        }
    }

    pub fn pong() -> Self {
        Self { kind: "pong", ..Self::default() }
    }

    pub fn rejected(rejection: &Rejection) -> Self {
        Self { retry_after_ms: rejection.retry_after_ms(), ..Self::error(rejection.code(), rejection.to_string()) }
    }

    /// Something on our side failed; `request_id` is the one to look for in the log.
    pub fn internal(request_id: &str) -> Self {
        Self::error("internal", internal_message(request_id))
    }

    fn error(code: &'static str, message: String) -> Self {
        Self { kind: "error", code: Some(code), message: Some(message), ..Self::default() }
    }

    /// Names the request that this answers. `pong` needs no action: it says it all.
    pub fn answering(mut self, request: &Request) -> Self {
        let echo = |action: &str| action.chars().take(ECHO_CHARS_MAX).collect();
        self.action = request.action().filter(|_| self.kind != "pong").map(echo);
        self.request_id = request.request_id.clone();
        self
    }
}

/// What a client is told of a fault: nothing but where to look it up.
pub(crate) fn internal_message(request_id: &str) -> String {
    format!("internal error; the log has it under request {request_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Content;
    use serde_json::{Value, json};

    fn message() -> Message {
        Message {
            id: MessageId::new(42),
            room: RoomId::parse("1").expect("an id"),
            sender: UserId::parse("7").expect("an id"),
            content: Content::parse(MessageKind::Text, "hi").expect("content"),
            create_time: Timestamp::from_millis(1_741_746_165_123),
            client_message_id: None,
        }
    }

    fn wire(frame: impl Serialize) -> Value {
        serde_json::to_value(frame).expect("serializes")
    }

    #[test]
    fn a_pushed_message_is_what_the_seeds_client_reads_and_more() {
        let message = message();
        let sender = Profile::unknown(message.sender.clone());
        assert_eq!(
            wire(Push::sent(&message, &sender, None)),
            json!({"type": "sendMessage", "chatroomId": 1, "userId": 7, "message": {
                "id": 42, "type": "text", "content": "hi", "chatroomId": 1, "senderId": 7,
                "createTime": "2025-03-12T02:22:45.123Z",
                "sender": {"id": 7, "username": "7", "nickName": "7", "headPic": null}}})
        );
    }

    #[test]
    fn joins_and_leaves_name_room_and_user() {
        let (room, user) =
            (RoomId::parse("lobby").expect("an id"), Profile::unknown(UserId::parse("7").expect("an id")));
        let joined = wire(Push::joined(&room, &user));
        assert_eq!(
            (&joined["type"], &joined["chatroomId"], &joined["userId"]),
            (&json!("joinRoom"), &json!("lobby"), &json!(7))
        );
        let left = json!({"type": "leaveRoom", "chatroomId": "lobby", "userId": 7});
        assert_eq!(wire(Push::left(&room, &user.id)), left);
        let users = [user.id.clone(), UserId::parse("guang").expect("an id")];
        assert_eq!(wire(Push::left_together(&room, &users[..1])), left, "one frame for all clients");
        let together = json!({"type": "leaveRoom", "chatroomId": "lobby", "userId": 7, "userIds": [7, "guang"]});
        assert_eq!(wire(Push::left_together(&room, &users)), together);
        assert!(Push::left_together(&room, &[]).is_none());
    }

    #[test]
    fn a_join_says_that_a_room_is_quiet_only_where_it_is() {
        let joined = |quiet| wire(Reply::joined(RoomId::parse("1").expect("an id"), MessageId::new(41), quiet));
        assert_eq!(joined(false), json!({"type": "ack", "chatroomId": 1, "lastId": 41}));
        assert_eq!(joined(true), json!({"type": "ack", "chatroomId": 1, "lastId": 41, "quiet": true}));
    }

    #[test]
    fn a_reply_carries_the_action_and_the_request_id_as_sent() {
        let request = Request::parse(r#"{"action":"sendMessage","requestId":5}"#).expect("a request");
        assert_eq!(
            wire(Reply::sent(&message(), Some(MessageId::new(43))).answering(&request)),
            json!({"type": "ack", "action": "sendMessage", "requestId": 5, "chatroomId": 1, "id": 42,
                "createTime": "2025-03-12T02:22:45.123Z", "duplicate": true, "unusedId": 43})
        );
        assert_eq!(wire(Reply::pong().answering(&request)), json!({"type": "pong", "requestId": 5}));
    }

    #[test]
    fn a_long_action_is_not_echoed_whole() {
        let body = json!({"action": "x".repeat(30_000)}).to_string();
        let reply = wire(Reply::internal("r").answering(&Request::parse(&body).expect("a request")));
        assert_eq!(reply["action"].as_str().map(str::len), Some(ECHO_CHARS_MAX));
    }
}
