//! What a client asks for: one frame, and the fields of each action.

use crate::invalid::Invalid;
use crate::limits::{REQUEST_ID_CHARS_MAX, SAFE_INTEGER_MAX};
use crate::{ClientMessageId, Content, MessageKind, Rejection, RoomId, UserId};
use serde::Serialize;
use serde_json::{Map, Value};

/// A client's frame: an action, an optional `requestId` that comes back in the reply, and the action's own fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Kept as sent, so that even a refusal of this very request can carry it.
    pub(crate) request_id: Option<Value>,
    fields: Map<String, Value>,
}

impl Request {
    /// Reads a frame. Anything but a JSON object is refused.
    pub fn parse(body: &str) -> Result<Self, Rejection> {
        let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return Err(Rejection::NotAnObject) };
        let request_id = fields.get("requestId").filter(|id| is_request_id(id)).cloned();
        Ok(Self { request_id, fields })
    }

    /// The action as the client named it, if it named one.
    pub fn action(&self) -> Option<&str> {
        self.fields.get("action").and_then(Value::as_str)
    }

    /// The action, which every request has to name.
    pub fn require_action(&self) -> Result<&str, Rejection> {
        self.check()?;
        string(&self.fields, "action", "action")
    }

    /// What holds for every action: a `requestId`, if there is one, can be echoed.
    fn check(&self) -> Result<(), Rejection> {
        match present(&self.fields, "requestId") {
            Some(id) if !is_request_id(id) => {
                let expected = format!("a string of at most {REQUEST_ID_CHARS_MAX} characters, or a whole number");
                Err(Invalid::expected(expected).in_field("requestId"))
            }
            _ => Ok(()),
        }
    }
}

fn is_request_id(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= REQUEST_ID_CHARS_MAX,
        Value::Number(number) => number.as_u64().is_some_and(|n| n <= SAFE_INTEGER_MAX),
        _ => false,
    }
}

/// Who a body says that it comes from, by the names of the fields that say so. It is checked, and never believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed(pub(crate) Vec<(&'static str, UserId)>);

impl Claimed {
    fn parse(fields: &Map<String, Value>) -> Result<Self, Rejection> {
        let mut claimed = Vec::new();
        for field in ["userId", "sendUserId"] {
            claimed.extend(optional(fields, field, UserId::from_json)?.map(|user| (field, user)));
        }
        Ok(Self(claimed))
    }
}

/// `joinRoom`: enter a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRoom {
    pub room: RoomId,
    pub claimed: Claimed,
    /// Whether the client reads frames that name several people who left.
    pub batches: bool,
}

impl JoinRoom {
    pub fn parse(request: &Request) -> Result<Self, Rejection> {
        let RoomRequest { room, claimed } = RoomRequest::parse(request)?;
        let batches =
            optional(&request.fields, "batches", |value| value.as_bool().ok_or(Invalid::expected("a boolean")))?;
        Ok(Self { room, claimed, batches: batches.unwrap_or_default() })
    }
}

/// A request about a room and nothing else: `leaveRoom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRequest {
    pub room: RoomId,
    pub claimed: Claimed,
}

impl RoomRequest {
    pub fn parse(request: &Request) -> Result<Self, Rejection> {
        request.check()?;
        Ok(Self { room: room(request)?, claimed: Claimed::parse(&request.fields)? })
    }
}

/// `sendMessage`: say something in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendMessage {
    pub room: RoomId,
    pub claimed: Claimed,
    pub content: Content,
    pub client_message_id: Option<ClientMessageId>,
}

impl SendMessage {
    pub fn parse(request: &Request) -> Result<Self, Rejection> {
        request.check()?;
        let room = room(request)?;
        let claimed = Claimed::parse(&request.fields)?;
        let client_message_id = optional(&request.fields, "clientMessageId", ClientMessageId::from_json)?;
        let Value::Object(message) = required(&request.fields, "message", "message")? else {
            return Err(Invalid::expected("an object with type and content").in_field("message"));
        };
        let kind = string(message, "type", "message.type")?;
        let kind = MessageKind::parse(kind).map_err(|invalid| invalid.in_field("message.type"))?;
        let content = Content::parse(kind, string(message, "content", "message.content")?)?;
        Ok(Self { room, claimed, content, client_message_id })
    }
}

/// What a backend asks of `disconnect-user`: whom to shut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisconnectUser {
    pub user: UserId,
}

impl DisconnectUser {
    pub fn parse(payload: &Value) -> Result<Self, Rejection> {
        let user =
            payload.get("userId").filter(|user| !user.is_null()).ok_or(Rejection::Missing { field: "userId" })?;
        Ok(Self { user: UserId::from_json(user).map_err(|invalid| invalid.in_field("userId"))? })
    }
}

/// What the backend is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disconnected {
    pub user_id: UserId,
    /// Whether the user ever connected: an id that nobody knows may be mistyped.
    pub seen: bool,
    pub connections_ended: usize,
    /// How many more were known, and not there to be ended.
    pub connections_missing: usize,
}

fn room(request: &Request) -> Result<RoomId, Rejection> {
    let value = required(&request.fields, "chatroomId", "chatroomId")?;
    RoomId::from_json(value).map_err(|invalid| invalid.in_field("chatroomId"))
}

/// A field that is there; `null` counts as absent, as most clients mean it.
fn present<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

fn required<'a>(fields: &'a Map<String, Value>, key: &str, field: &'static str) -> Result<&'a Value, Rejection> {
    present(fields, key).ok_or(Rejection::Missing { field })
}

fn string<'a>(fields: &'a Map<String, Value>, key: &str, field: &'static str) -> Result<&'a str, Rejection> {
    required(fields, key, field)?.as_str().ok_or_else(|| Invalid::expected("a string").in_field(field))
}

fn optional<T>(
    fields: &Map<String, Value>,
    field: &'static str,
    parse: impl Fn(&Value) -> Result<T, Invalid>,
) -> Result<Option<T>, Rejection> {
    present(fields, field).map(|value| parse(value).map_err(|invalid| invalid.in_field(field))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(body: &Value) -> String {
        let request = Request::parse(&body.to_string()).expect("an object");
        let rejection = match request.action() {
            Some("sendMessage") => SendMessage::parse(&request).err(),
            Some("joinRoom") => JoinRoom::parse(&request).err(),
            _ => RoomRequest::parse(&request).err(),
        };
        rejection.map(|rejection| format!("{}: {rejection}", rejection.code())).unwrap_or_default()
    }

    #[test]
    fn the_payloads_of_the_course_are_taken() {
        assert_eq!(refusal(&json!({"action": "joinRoom", "chatroomId": 1, "userId": 1})), "");
        let message = json!({"type": "text", "content": "hi"});
        assert_eq!(
            refusal(&json!({"action": "sendMessage", "sendUserId": 1, "chatroomId": 1, "message": message})),
            ""
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "hello", "1", "null", "[]", "\"joinRoom\"", "{", "{\"a\":1}x"] {
            assert_eq!(Request::parse(body), Err(Rejection::NotAnObject), "{body}");
        }
    }

    #[test]
    fn every_field_is_named_when_it_is_missing_or_mistyped() {
        let text = json!({"type": "text", "content": "hi"});
        for (body, said) in [
            (json!({"action": "joinRoom"}), "badRequest: chatroomId is missing"),
            (json!({"action": "joinRoom", "chatroomId": null}), "badRequest: chatroomId is missing"),
            (json!({"action": "joinRoom", "chatroomId": {}}), "badRequest: chatroomId must be a whole number"),
            (json!({"action": "joinRoom", "chatroomId": 1, "userId": []}), "badRequest: userId must be"),
            (json!({"action": "joinRoom", "chatroomId": 1, "requestId": {}}), "badRequest: requestId must be"),
            (json!({"action": "joinRoom", "chatroomId": 1, "batches": 1}), "badRequest: batches must be a boolean"),
            (json!({"action": "leaveRoom", "chatroomId": -1}), "badRequest: chatroomId must be"),
            (json!({"action": "sendMessage", "message": text}), "badRequest: chatroomId is missing"),
            (json!({"action": "sendMessage", "chatroomId": 1}), "badRequest: message is missing"),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": "hi"}),
                "badRequest: message must be an object",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "sendUserId": 1.5, "message": text}),
                "badRequest: sendUserId must be",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": {"content": "hi"}}),
                "badRequest: message.type is missing",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": {"type": 0, "content": "hi"}}),
                "badRequest: message.type must be a string",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": {"type": "video", "content": "hi"}}),
                "badRequest: message.type must be \"text\"",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": {"type": "text"}}),
                "badRequest: message.content is missing",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": {"type": "text", "content": 7}}),
                "badRequest: message.content must be a string",
            ),
            (
                json!({"action": "sendMessage", "chatroomId": 1, "message": text, "clientMessageId": "a b"}),
                "badRequest: clientMessageId must be",
            ),
        ] {
            let refusal = refusal(&body);
            assert!(refusal.starts_with(said), "{body}: {refusal}");
        }
    }

    #[test]
    fn a_backend_names_the_user_that_it_shuts_out() {
        let user = |payload: Value| DisconnectUser::parse(&payload).map(|request| request.user.to_string());
        assert_eq!(
            (user(json!({"userId": 7})), user(json!({"userId": "auth0|5"}))),
            (Ok("7".into()), Ok("auth0|5".into()))
        );
        for nobody in [json!({}), json!({"userId": null}), json!("7")] {
            assert_eq!(user(nobody), Err(Rejection::Missing { field: "userId" }));
        }
        assert!(matches!(user(json!({"userId": [7]})), Err(Rejection::Invalid { field: "userId", .. })));
    }

    #[test]
    fn a_request_without_a_usable_action_says_so() {
        let action =
            |body: Value| Request::parse(&body.to_string()).expect("an object").require_action().map(String::from);
        assert_eq!(action(json!({"action": "ping"})), Ok("ping".into()));
        assert_eq!(action(json!({})), Err(Rejection::Missing { field: "action" }));
        assert!(matches!(action(json!({"action": 5})), Err(Rejection::Invalid { field: "action", .. })));
    }
}
