//! Routes of the HTTP API with other methods than GET, and with bodies.

use chat_local::{Interference, Plan};
use chat_tests::Server;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// A second route of `list-history`, at the path of its first one.
const ROUTE: &str = "
        AddNote:
          Type: HttpApi
          Properties:
            ApiId: !Ref HistoryApi
            Method: POST
            Path: /chat-history/list
            PayloadFormatVersion: \"2.0\"";

/// Keeps the events that `list-history` is sent.
#[derive(Debug, Default)]
struct Events(Mutex<Vec<Value>>);

impl Events {
    fn last(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("an event")
    }
}

impl Interference for Events {
    fn plan(&self, function: &str, event: &Value) -> Plan {
        if function == "list-history" {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        }
        Plan::default()
    }
}

#[tokio::test]
async fn a_route_of_another_method_gets_its_body() {
    let events = Arc::new(Events::default());
    let first = "            Path: /chat-history/list\n            PayloadFormatVersion: \"2.0\"";
    let server =
        Server::start_with_template_and(&[(first, &format!("{first}{ROUTE}"))], Arc::clone(&events) as _).await;
    let url = server.url("/chat-history/list");
    let post = |content_type: &str, body: Vec<u8>| {
        let request = server.http().post(&url).bearer_auth(server.token_of(7)).header("content-type", content_type);
        request.body(body).send()
    };
    for (content_type, body, expected) in [
        ("application/json; charset=utf-8", r#"{"a":"猫"}"#.into(), json!([r#"{"a":"猫"}"#, false])),
        ("image/png", vec![0x89, 0xff], json!(["if8=", true])),
        ("text/plain", vec![0xff], json!(["/w==", true])),
        ("text/plain", vec![], json!([null, false])),
    ] {
        // The function has no such route.
        assert_eq!(post(content_type, body).await.expect("an answer").status(), 500, "{content_type}");
        let event = events.last();
        assert_eq!(json!([event["body"], event["isBase64Encoded"]]), expected, "{content_type}");
        let called = (&event["routeKey"], &event["requestContext"]["http"]["method"]);
        assert_eq!(called, (&json!("POST /chat-history/list"), &json!("POST")));
    }
    let get = server.http().get(format!("{url}?chatroomId=1")).bearer_auth(server.token_of(7)).send();
    assert_eq!(get.await.expect("an answer").status(), 200);
    assert_eq!(events.last()["routeKey"], "GET /chat-history/list");

    let put = server.http().put(&url).bearer_auth(server.token_of(7)).send();
    assert_eq!(put.await.expect("an answer").status(), 404, "no route has this method");
    let large = post("text/plain", vec![b'x'; 10 * 1_024 * 1_024 + 1]).await.expect("an answer");
    assert_eq!(large.status(), 413);
    server.stop().await;
}
