//! `signal`: tell a room something that nobody keeps, such as that somebody is typing.

use crate::extras::must_be_small;
use crate::limits::SIGNAL_KIND_CHARS_MAX;
use crate::wire::Invalid;
use crate::{Caller, Push, Rejection, Reply, Request, RoomId, UserId};
use serde::Serialize;
use serde_json::Value;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub room: RoomId,
    /// The application's own name for it.
    pub kind: String,
    /// What the application says with it.
    pub data: Option<Value>,
}

impl Signal {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let kind = fields.string("kind", "kind")?;
        if !is_kind(kind) {
            let expected = format!("1 to {SIGNAL_KIND_CHARS_MAX} of A-Z a-z 0-9 _ - .");
            return Err(Invalid::expected(expected).in_field("kind"));
        }
        let data = fields.get("data");
        data.map_or(Ok(()), |data| must_be_small(data, "data"))?;
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, kind: kind.to_owned(), data: data.cloned() })
    }
}

fn is_kind(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=SIGNAL_KIND_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// What a client is answered that gave a `requestId`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalReply {
    chatroom_id: RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<bool>,
}

impl Reply {
    /// The signal was pushed, or the room is too large for signals.
    pub fn signalled(room: RoomId, pushed: bool) -> Self {
        Self::Signal(SignalReply { chatroom_id: room, signals: (!pushed).then_some(false) })
    }
}

/// What the room's other members are pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalPush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

impl<'a> Push<'a> {
    pub fn signal(signal: &'a Signal, user: &'a UserId) -> Self {
        let Signal { room, kind, data } = signal;
        Self::Signal(SignalPush { chatroom_id: room, user_id: user, kind, data: data.as_ref() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use crate::limits::JSON_BYTES_MAX;
    use serde_json::json;

    #[test]
    fn a_kind_and_data_of_any_shape_are_taken() {
        let longest = "x".repeat(JSON_BYTES_MAX - 2);
        for (kind, data) in [
            ("typing", None),
            ("a", Some(json!(0))),
            ("Call.offer_2-x", Some(json!({"sdp": [null, {"a": false}]}))),
            (&"k".repeat(SIGNAL_KIND_CHARS_MAX), Some(json!(longest))),
        ] {
            let read = Signal::read(&request(&json!({"chatroomId": 1, "kind": kind, "data": data})), &caller());
            let room = RoomId::parse("1").expect("an id");
            assert_eq!(read, Ok(Signal { room, kind: kind.to_owned(), data }));
        }
    }

    #[test]
    fn every_field_is_named_when_it_is_missing_or_wrong() {
        let with = |kind: Value, data: Value| json!({"chatroomId": 1, "kind": kind, "data": data});
        refuses(
            Signal::read,
            &[
                (json!({"chatroomId": 1}), "badRequest: kind is missing"),
                (with(json!(1), json!(null)), "badRequest: kind must be a string"),
                (with(json!(""), json!(null)), "badRequest: kind must be 1 to 32 of"),
                (with(json!("a b"), json!(null)), "badRequest: kind must be 1 to 32 of"),
                (with(json!("光"), json!(null)), "badRequest: kind must be 1 to 32 of"),
                (with(json!("x".repeat(33)), json!(null)), "badRequest: kind must be 1 to 32 of"),
                (with(json!("a"), json!("x".repeat(1_023))), "tooLarge: data is longer than 1024 bytes"),
                (with(json!("a"), json!("光".repeat(341))), "tooLarge: data is longer than 1024 bytes"),
                (json!({"chatroomId": 2, "kind": "a"}), "notAllowed: the token does not grant"),
            ],
        );
    }
}
