//! Review before storing: by whatever answers at an address, asked as a function on AWS is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use chat_tests::{Client, Server, text_message};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A reviewer: it denies what is rude, stars what is nearly so, and does odd things where it is told to.
#[derive(Clone, Default)]
struct Reviewer(Arc<Mutex<Vec<Value>>>);

impl Reviewer {
    async fn start(&self) -> (String, JoinHandle<()>) {
        let router = axum::Router::new().route("/review", post(answer)).with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}/review", listener.local_addr().expect("an address"));
        #[allow(clippy::disallowed_methods, reason = "its test ends it")]
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        (address, serving)
    }

    /// A local run that asks it.
    async fn server(&self, parameters: &[(&str, &str)]) -> (Server, JoinHandle<()>) {
        let (address, serving) = self.start().await;
        (Server::start_reviewed(&address, parameters).await, serving)
    }

    fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().expect("what was asked"))
    }
}

async fn answer(State(reviewer): State<Reviewer>, Json(asked): Json<Value>) -> impl IntoResponse {
    reviewer.0.lock().expect("what was asked").push(asked.clone());
    let content = asked["Content"].as_str().expect("a text").to_owned();
    let said = |result: &str, content: &str, reason: Value| {
        Ok(Json(json!({"ReviewResult": result, "Content": content, "Attributes": {"Reason": reason}})))
    };
    match content.as_str() {
        "damn you" => said("DENY", "", json!("rude")),
        "damn" => said("ALLOW", "****", Value::Null),
        "fail" => Err(StatusCode::INTERNAL_SERVER_ERROR),
        "nonsense" => Ok(Json(json!("yes"))),
        "blank" => said("ALLOW", "   ", Value::Null),
        "sleep" => {
            std::future::pending::<()>().await;
            Err(StatusCode::IM_A_TEAPOT)
        }
        content => said("ALLOW", content, Value::Null),
    }
}

async fn said(client: &mut Client, text: &str, id: &str) -> Value {
    let mut frame = text_message(1, text);
    frame["clientMessageId"] = json!(id);
    client.ask(frame).await
}

#[tokio::test]
async fn a_reviewer_allows_changes_or_refuses_what_is_said() {
    let reviewer = Reviewer::default();
    let (server, serving) = reviewer.server(&[]).await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    assert_eq!(said(&mut client, "hi", "a-1").await["id"], 1);
    let asked = reviewer.asked();
    let expected = json!([{"Content": "hi", "MessageId": "a-1", "RoomArn": "1",
        "Attributes": {"action": "sendMessage", "type": "text"},
        "Sender": {"UserId": "7", "Ip": "127.0.0.1", "Attributes": {"username": "7", "nickName": "7"}}}]);
    assert_eq!(json!(asked), expected);

    assert_eq!(said(&mut client, "damn", "a-2").await["id"], 2);
    let refused = said(&mut client, "damn you", "a-3").await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("rejected"), &json!("rude")));
    let (status, _, refused) =
        server.post(&server.token_of(7), "/sendMessage", text_message(1, "damn you").to_string()).await;
    assert_eq!((status, &refused["code"]), (422, &json!("rejected")));
    let pushed: Vec<_> = client.pushed().await.iter().map(|push| push["message"]["content"].clone()).collect();
    assert_eq!(pushed, ["hi", "****"], "what is pushed is what is stored");
    // Nothing is left of it, and what there was is not to be said.
    assert_eq!(said(&mut client, "blank", "a-5").await["code"], "rejected");
    // What is refused takes no number.
    assert_eq!(said(&mut client, "fine", "a-4").await["id"], 3);

    // An edit is asked for as well, and a recall is not.
    reviewer.asked();
    let edit = |text: &str, id: &str| {
        json!({"action": "editMessage", "chatroomId": 1, "id": 3, "clientMessageId": id,
            "message": {"type": "text", "content": text}})
    };
    assert_eq!(client.ask(edit("damn you", "e-1")).await["code"], "rejected");
    assert_eq!(client.ask(edit("damn", "e-2")).await["type"], "ack");
    assert_eq!(reviewer.asked()[1]["Attributes"], json!({"action": "editMessage", "type": "text"}));
    let newest = server.history("chatroomId=1&limit=1").await;
    assert_eq!(newest.body[0]["content"], "****");
    assert_eq!(client.ask(json!({"action": "deleteMessage", "chatroomId": 1, "id": 3})).await["type"], "ack");
    assert!(reviewer.asked().is_empty());
    server.stop().await;
    serving.abort();
}

/// A client that got no answer says it again, and by then the reviewer may have changed its mind.
#[tokio::test]
async fn what_is_stored_is_not_refused_when_it_is_said_again() {
    let reviewer = Reviewer::default();
    let (server, serving) = reviewer.server(&[]).await;
    let mut client = server.connect(7).await;
    let first = said(&mut client, "hi", "a-1").await;
    let again = said(&mut client, "damn you", "a-1").await;
    assert_eq!(
        (&again["type"], &again["id"], &again["createTime"]),
        (&json!("ack"), &first["id"], &first["createTime"])
    );
    let edit = |text: &str| {
        json!({"action": "editMessage", "chatroomId": 1, "id": 1, "clientMessageId": "e-1",
            "message": {"type": "text", "content": text}})
    };
    assert_eq!(client.ask(edit("hello")).await["version"], 1);
    let again = client.ask(edit("damn you")).await;
    assert_eq!((&again["duplicate"], &again["version"]), (&json!(true), &json!(1)), "{again}");
    assert_eq!(server.history("chatroomId=1").await.body[0]["content"], "hello");
    server.stop().await;
    serving.abort();
}

#[tokio::test]
async fn no_answer_is_what_the_deployment_says_it_is() {
    for (fallback, kind) in [("ALLOW", "ack"), ("DENY", "error")] {
        let reviewer = Reviewer::default();
        let (server, serving) = reviewer.server(&[("ReviewFallback", fallback), ("ReviewTimeoutMs", "300")]).await;
        let mut client = server.connect(7).await;
        for text in ["fail", "nonsense", "sleep"] {
            let began = Instant::now();
            let reply = said(&mut client, text, text).await;
            assert_eq!(reply["type"], kind, "{text}: {reply}");
            if kind == "error" {
                assert_eq!(reply["code"], "rejected", "{reply}");
            }
            assert_eq!(began.elapsed() >= Duration::from_millis(300), text == "sleep", "{text}: {:?}", began.elapsed());
        }
        assert_eq!(reviewer.asked().len(), 3, "each is asked for once");
        server.stop().await;
        serving.abort();
    }
    // Nobody is there at all.
    let server = Server::start_reviewed("http://127.0.0.1:9/", &[]).await;
    let mut client = server.connect(7).await;
    assert_eq!(said(&mut client, "hi", "a-1").await["type"], "ack");
    server.stop().await;
}
