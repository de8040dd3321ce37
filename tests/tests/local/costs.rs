//! What each action asks of DynamoDB: the calls, exactly, since they are what it costs.

use chat_aws::Vars;
use chat_tests::{Recorder, Server, invoke, sample, text_message, websocket_event};
use serde_json::json;

#[tokio::test]
async fn every_action_makes_the_calls_it_needs_and_no_more() {
    let server = Server::start().await;
    let mut vars = server.vars();
    let recorder = Recorder::before(&vars["AWS_ENDPOINT_URL_DYNAMODB"]).await;
    vars.insert("AWS_ENDPOINT_URL_DYNAMODB", recorder.url().to_owned());
    let vars = Vars::from_iter(vars);
    // Two more are in the room, so that a push finds somebody.
    let (mut one, mut two) = (server.connect(1).await, server.connect(2).await);
    one.join(1).await;
    two.join(1).await;
    for _ in 0..150 {
        one.say(1, "hi").await;
    }
    let history = sample("list-history");
    let mut long_history = history.clone();
    long_history["rawQueryString"] = json!("chatroomId=1&limit=100");
    let mut named = text_message(1, "hi");
    named["clientMessageId"] = json!("a");
    let join = json!({"action": "joinRoom", "chatroomId": 1});
    let leave = json!({"action": "leaveRoom", "chatroomId": 1});
    for (name, event, calls) in [
        ("connect", websocket_event(&json!({})), "BatchWriteItem UpdateItem"),
        // The connection is not the gateway's, so its first push finds it gone, takes it out again and looks
        // who is left.
        ("join-room", websocket_event(&join), "BatchGetItem BatchWriteItem DeleteItem DeleteItem Query Query"),
        ("send-message", websocket_event(&text_message(1, "hi")), "PutItem Query UpdateItem"),
        ("send-message", websocket_event(&named), "Query TransactWriteItems UpdateItem"),
        ("send-message", websocket_event(&named), "GetItem Query TransactWriteItems UpdateItem"),
        ("send-message", websocket_event(&text_message(1, " ")), ""),
        ("list-history", history, "BatchGetItem Query"),
        ("list-history", long_history, "BatchGetItem Query"),
        ("leave-room", websocket_event(&leave), "DeleteItem DeleteItem"),
        ("disconnect", websocket_event(&json!({})), "BatchWriteItem Query"),
        ("default", websocket_event(&json!({"action": "ping"})), ""),
    ] {
        let answer = invoke(name, &vars, event).await;
        let made: Vec<_> = recorder.take().into_iter().map(|call| call.operation).collect();
        assert_eq!(made.join(" "), calls, "{name}: {answer}");
    }
    server.stop().await;
}
