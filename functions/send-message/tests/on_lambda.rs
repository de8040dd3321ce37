//! The binary itself, as Lambda starts it. All functions are served by the same few lines; this one stands for them.

use chat_tests::{Lambda, Server, frame, sample};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_send-message");

#[tokio::test]
async fn it_serves_one_event_after_another() {
    let server = Server::start().await;
    let mut lambda = Lambda::start(BINARY, server.vars()).await;
    for (id, duplicate) in [(1, json!(null)), (1, json!(true))] {
        let (kind, answer) = lambda.invoke(sample("send-message")).await;
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(200)), "{answer}");
        let reply = frame(&answer);
        assert_eq!((&reply["type"], &reply["id"], &reply["duplicate"]), (&json!("ack"), &json!(id), &duplicate));
    }
    assert_eq!(server.history("chatroomId=1").await.ids(), [1]);
    server.stop().await;
}

#[tokio::test]
async fn it_does_not_start_without_its_environment_and_says_what_is_missing() {
    let server = Server::start().await;
    let mut vars = server.vars();
    vars.remove("CHAT_TABLE");
    let (status, log) = Lambda::start(BINARY, vars).await.end().await;
    assert!(!status.success());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["cause"]),
        (&json!("ERROR"), &json!("failed to start: CHAT_TABLE is not set"))
    );
    server.stop().await;
}
