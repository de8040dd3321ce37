//! The actions, a file each: what a client asks for, what is allowed, what it is answered, and what others are pushed.
//!
//! An action that is new has its file here, a variant of [`Reply`], and one of [`Push`] if others are told of it.

mod disconnect_user;
mod join_room;
mod leave_room;
mod list_history;
mod ping;
mod send_message;

pub use disconnect_user::{DisconnectUser, DisconnectUserReply};
pub use join_room::{JoinRoom, JoinRoomPush, JoinRoomReply};
pub use leave_room::{LeaveRoom, LeaveRoomPush, LeaveRoomReply};
pub use list_history::{Cursor, HistoryItem, HistoryPage, ListHistory};
pub use send_message::{SendMessage, SendMessagePush, SendMessageReply};

use crate::wire::ErrorReply;
use serde::Serialize;

/// What a request is answered: an action's own reply, or an error.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    JoinRoom(JoinRoomReply),
    LeaveRoom(LeaveRoomReply),
    SendMessage(SendMessageReply),
    Ping {},
    Error(ErrorReply),
}

/// A frame that is pushed to the members of a room. Its `type` is the action that it tells of.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Push<'a> {
    JoinRoom(JoinRoomPush<'a>),
    LeaveRoom(LeaveRoomPush<'a>),
    SendMessage(SendMessagePush<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Caller, Grant, Profile, Rejection, Request, Timestamp, UserId};
    use serde_json::{Value, json};

    /// User 1, who may enter rooms 1 and lobby.
    pub(super) fn caller() -> Caller {
        Caller {
            profile: Profile::unknown(UserId::parse("1").expect("an id")),
            rooms: Grant::parse_default("1,lobby").expect("a list"),
            issued_at: 0,
            good_until: Timestamp::from_millis(0),
        }
    }

    pub(super) fn request(body: &Value) -> Request {
        Request::parse(&body.to_string()).expect("an object")
    }

    /// What a client reads.
    pub(super) fn text(frame: impl Serialize) -> String {
        serde_json::to_string(&frame).expect("serializes")
    }

    /// What `read` says of each body, as far as it is given; nothing where it takes it.
    pub(super) fn refuses<T>(read: impl Fn(&Request, &Caller) -> Result<T, Rejection>, bodies: &[(Value, &str)]) {
        for (body, said) in bodies {
            let refused = read(&request(body), &caller()).err();
            let refused = refused.map(|rejection| format!("{}: {rejection}", rejection.code())).unwrap_or_default();
            assert!(refused.starts_with(said) && refused.is_empty() == said.is_empty(), "{body}: {refused}");
        }
    }

    #[test]
    fn what_holds_for_every_action_is_checked_by_each() {
        let foreign = "notAllowed: userId is not the user this token was issued to";
        let cases = |body: Value| {
            let with = |field: &str, value: Value| {
                let mut body = body.clone();
                body[field] = value;
                body
            };
            vec![
                (with("chatroomId", Value::Null), "badRequest: chatroomId is missing"),
                (with("chatroomId", json!({})), "badRequest: chatroomId must be a whole number"),
                (with("chatroomId", json!(-1)), "badRequest: chatroomId must be"),
                (with("userId", json!([])), "badRequest: userId must be"),
                (with("userId", json!(2)), foreign),
                (with("sendUserId", json!(1.5)), "badRequest: sendUserId must be"),
                (with("requestId", json!({})), "badRequest: requestId must be"),
                (with("userId", json!(1)), ""),
            ]
        };
        refuses(JoinRoom::read, &cases(json!({"action": "joinRoom", "chatroomId": 1})));
        refuses(LeaveRoom::read, &cases(json!({"action": "leaveRoom", "chatroomId": 1})));
        let message = json!({"type": "text", "content": "hi"});
        refuses(SendMessage::read, &cases(json!({"action": "sendMessage", "chatroomId": 1, "message": message})));
    }
}
