//! `ping`: keep the connection alive. Nothing is asked for but the answer.

use crate::Reply;

impl Reply {
    pub fn pong() -> Self {
        Self::Ping {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{request, text};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pong_names_its_request_and_no_action() {
        let asked = request(&json!({"action": "ping", "requestId": 5}));
        assert_eq!(text(Reply::pong().answering(Some(&asked))), r#"{"type":"pong","requestId":5}"#);
    }
}
