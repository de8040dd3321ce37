//! The reply to one request: `ack`, `pong` or `error`.

use crate::limits::ECHO_CHARS_MAX;
use crate::{Rejection, Reply, Request};
use serde::Serialize;
use serde_json::Value;

/// A refusal or a fault, as a reply carries it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReply {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    message: String,
}

/// A reply as it goes to the client, with the request that it answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplyFrame<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a Value>,
    #[serde(flatten)]
    reply: Reply,
}

impl Reply {
    /// An expected refusal. It names the code, and when to try again if time is all that is needed.
    pub fn rejected(rejection: &Rejection) -> Self {
        Self::Error(ErrorReply {
            code: rejection.code(),
            retry_after_ms: rejection.retry_after_ms(),
            message: rejection.to_string(),
        })
    }

    /// Something on our side failed; `request_id` is the one to look for in the log.
    pub fn internal(request_id: &str) -> Self {
        let message = internal_message(request_id);
        Self::Error(ErrorReply { code: "internal", retry_after_ms: None, message })
    }

    /// The frame for the client. Without a request it names none: what the client sent could not be read.
    pub fn answering(self, request: Option<&Request>) -> ReplyFrame<'_> {
        let kind = match self {
            Self::Ping {} => "pong",
            Self::Error(_) => "error",
            _ => "ack",
        };
        // A `pong` names no action: its type says it.
        let action = request.and_then(Request::action).filter(|_| kind != "pong");
        ReplyFrame {
            kind,
            action: action.map(|action| action.chars().take(ECHO_CHARS_MAX).collect()),
            request_id: request.and_then(|request| request.request_id.as_ref()),
            reply: self,
        }
    }
}

/// What a client is told of a fault: nothing but where to look it up.
pub(super) fn internal_message(request_id: &str) -> String {
    format!("internal error; the log has it under request {request_id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(reply: Reply, request: Option<&str>) -> String {
        let request = request.map(|body| Request::parse(body).expect("a request"));
        serde_json::to_string(&reply.answering(request.as_ref())).expect("serializes")
    }

    #[test]
    fn a_reply_names_the_request_that_it_answers() {
        let rejected = || Reply::rejected(&Rejection::RateLimited { retry_after_ms: 200 });
        assert_eq!(
            text(rejected(), Some(r#"{"action":"sendMessage","requestId":5}"#)),
            r#"{"type":"error","action":"sendMessage","requestId":5,"code":"rateLimited","retryAfterMs":200,"message":"too much in this room, try again in 200 ms"}"#
        );
        assert_eq!(
            text(Reply::rejected(&Rejection::NotAnObject), None),
            r#"{"type":"error","code":"badRequest","message":"the frame must be a JSON object"}"#
        );
        assert_eq!(
            text(Reply::internal("r-1"), Some(r#"{"requestId":"a"}"#)),
            r#"{"type":"error","requestId":"a","code":"internal","message":"internal error; the log has it under request r-1"}"#
        );
    }

    #[test]
    fn a_long_action_is_not_echoed_whole() {
        let body = json!({"action": "x".repeat(30_000)}).to_string();
        let reply: Value = serde_json::from_str(&text(Reply::internal("r"), Some(&body))).expect("JSON");
        assert_eq!(reply["action"].as_str().map(str::len), Some(ECHO_CHARS_MAX));
    }
}
