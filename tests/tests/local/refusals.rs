//! What a refusal leaves behind, and what a deployment refuses by default.

use chat_tests::{Client, Server, text_message};
use serde_json::json;

#[tokio::test]
async fn a_refused_request_is_not_even_counted() {
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    for (room, text) in [(json!(1), " "), (json!(1), &"x".repeat(4_001)), (json!(-1), "hi"), (json!("a\u{0}"), "hi")] {
        assert_eq!(client.ask(text_message(room, text)).await["type"], "error");
    }
    let of_another = json!({"action": "joinRoom", "chatroomId": 1, "userId": 2});
    assert_eq!(client.ask(of_another).await["type"], "error");
    assert!(!server.keys("ChatTable").await.iter().any(|key| key.starts_with("ROOM#")));
    server.stop().await;
}

#[tokio::test]
async fn a_token_without_rooms_gets_the_deployments_default() {
    for (default_rooms, first, second) in [("", "error", "error"), ("1", "ack", "error"), ("*", "ack", "ack")] {
        let server = Server::start_with_parameter("DefaultRooms", default_rooms).await;
        let mut client = Client::connect(&server.socket_url(&server.token(json!({"sub": "7"})))).await;
        for (room, expected) in [(1, first), (2, second)] {
            let reply = client.ask(json!({"action": "joinRoom", "chatroomId": room})).await;
            assert_eq!(reply["type"], expected, "default {default_rooms:?}, room {room}");
        }
        server.stop().await;
    }
}
