use super::{Fields, Invalid};
use crate::limits::{REQUEST_ID_CHARS_MAX, SAFE_INTEGER_MAX};
use crate::{Rejection, RoomId, UserId};
use serde_json::{Map, Value};

/// A client's frame: an action, an optional `requestId` that comes back in the reply, and the action's own fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Kept as sent, so that even a refusal of this very request can carry it.
    pub(super) request_id: Option<Value>,
    fields: Map<String, Value>,
}

/// The users that a frame claims to come from, each with the name of its field. A claim is checked, and never believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed(pub(crate) Vec<(&'static str, UserId)>);

impl Request {
    /// Reads a frame. Anything but a JSON object is refused.
    pub fn parse(body: &str) -> Result<Self, Rejection> {
        let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return Err(Rejection::NotAnObject) };
        Ok(Self::of(fields))
    }

    /// This request as one of the action that its path names: in the body the action may be left out.
    pub fn on_path(mut self, action: &str) -> Result<Self, Rejection> {
        match self.fields.get("action") {
            Some(Value::String(named)) if named == action => Ok(self),
            None | Some(Value::Null) => {
                self.fields.insert("action".into(), action.into());
                Ok(self)
            }
            Some(_) => Err(Invalid::expected(format!("{action:?}, as the path says, or left out")).in_field("action")),
        }
    }

    /// Reads an event of Socket.IO: its name is the action, and its argument has the fields.
    pub fn of_event(name: String, argument: Value) -> Result<Self, Rejection> {
        let mut fields = match argument {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => return Err(Invalid::expected("an object").in_field("the event's argument")),
        };
        fields.insert("action".into(), name.into());
        Ok(Self::of(fields))
    }

    fn of(fields: Map<String, Value>) -> Self {
        let request_id = fields.get("requestId").filter(|id| is_request_id(id)).cloned();
        Self { request_id, fields }
    }

    /// The action as the client named it, if it named one.
    pub fn action(&self) -> Option<&str> {
        self.fields.get("action").and_then(Value::as_str)
    }

    /// The room that it is about, if it names one.
    pub fn room(&self) -> Option<RoomId> {
        RoomId::from_json(self.fields.get("chatroomId")?).ok()
    }

    /// Whether nobody waits for an answer: it is a signal, and named by nothing that an answer could repeat.
    pub fn is_unanswered(&self) -> bool {
        self.action() == Some("signal") && self.request_id.is_none()
    }

    /// The action, which every request has to name.
    pub fn require_action(&self) -> Result<&str, Rejection> {
        self.fields()?.string("action", "action")
    }

    /// The fields of the action. What holds for every action is checked here: a `requestId`, if there is one, can be
    /// echoed.
    pub(crate) fn fields(&self) -> Result<Fields<'_>, Rejection> {
        let fields = Fields(&self.fields);
        match fields.get("requestId") {
            Some(id) if !is_request_id(id) => {
                let expected = format!("a string of at most {REQUEST_ID_CHARS_MAX} characters, or a whole number");
                Err(Invalid::expected(expected).in_field("requestId"))
            }
            _ => Ok(fields),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["", "hello", "1", "null", "[]", "\"joinRoom\"", "{", "{\"a\":1}x"] {
            assert_eq!(Request::parse(body), Err(Rejection::NotAnObject), "{body}");
        }
    }

    #[test]
    fn an_events_name_is_its_action() {
        let read = |argument| Request::of_event("joinRoom".into(), argument);
        let expected = Request::parse(r#"{"action":"joinRoom","chatroomId":1,"requestId":"r"}"#);
        assert_eq!(read(json!({"chatroomId": 1, "requestId": "r", "action": "sendMessage"})), expected);
        assert_eq!(read(Value::Null), Request::parse(r#"{"action":"joinRoom"}"#));
        for argument in [json!(1), json!([]), json!("hi"), json!(true)] {
            let refused = read(argument).expect_err("no object");
            assert_eq!(refused.to_string(), "the event's argument must be an object");
        }
    }

    #[test]
    fn the_path_names_the_action_and_the_body_may() {
        let on_path = |body: &str| Request::parse(body).expect("an object").on_path("sendMessage");
        let expected = on_path(r#"{"action":"sendMessage","chatroomId":1}"#).expect("the same");
        assert_eq!(expected.action(), Some("sendMessage"));
        assert_eq!(on_path(r#"{"chatroomId":1}"#), Ok(expected.clone()));
        assert_eq!(on_path(r#"{"action":null,"chatroomId":1}"#), Ok(expected));
        for body in [r#"{"action":"joinRoom"}"#, r#"{"action":5}"#, r#"{"action":""}"#] {
            assert!(matches!(on_path(body), Err(Rejection::Invalid { field: "action", .. })), "{body}");
        }
    }

    #[test]
    fn a_signal_that_nothing_names_is_not_answered() {
        let unanswered = |body: Value| Request::parse(&body.to_string()).expect("an object").is_unanswered();
        assert!(unanswered(json!({"action": "signal"})) && unanswered(json!({"action": "signal", "requestId": {}})));
        assert!(!unanswered(json!({"action": "signal", "requestId": 0})) && !unanswered(json!({"action": "ping"})));
    }

    #[test]
    fn a_request_without_a_usable_action_says_so() {
        let action =
            |body: Value| Request::parse(&body.to_string()).expect("an object").require_action().map(String::from);
        assert_eq!(action(json!({"action": "ping"})), Ok("ping".into()));
        assert_eq!(action(json!({})), Err(Rejection::Missing { field: "action" }));
        assert!(matches!(action(json!({"action": 5})), Err(Rejection::Invalid { field: "action", .. })));
    }

    #[test]
    fn a_request_id_that_cannot_be_echoed_is_refused() {
        for id in [json!({}), json!(-1), json!(1.5), json!(true), json!("x".repeat(REQUEST_ID_CHARS_MAX + 1))] {
            let request = Request::parse(&json!({"action": "ping", "requestId": id}).to_string()).expect("an object");
            let refused = request.require_action();
            assert!(matches!(refused, Err(Rejection::Invalid { field: "requestId", .. })), "{id}: {refused:?}");
        }
    }
}
