//! What a deployment refuses by default, and how often somebody may send and join.

use chat::limits::SENDS_BURST_SECONDS;
use chat_tests::{Client, Server, text_message};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

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

#[tokio::test]
async fn who_sends_too_much_is_told_when_to_send_again() {
    let server = Server::start_with_parameter("SendsPerSecond", "1").await;
    let (mut flood, mut other) = (server.connect(7).await, server.connect(8).await);
    for client in [&mut flood, &mut other] {
        client.join(1).await;
    }
    let mut said = 0;
    let refused: Value = loop {
        let reply = flood.ask(text_message(1, "spam")).await;
        if reply["type"] == "error" {
            break reply;
        }
        said += 1;
    };
    // The burst, and what the rate allows in the time that it took.
    assert!((SENDS_BURST_SECONDS..2 * SENDS_BURST_SECONDS).contains(&said), "{said} were let through");
    assert_eq!(refused["code"], "rateLimited", "{refused}");
    let wait = refused["retryAfterMs"].as_u64().expect("a time");
    assert!((1..=1_000).contains(&wait), "{refused}");

    // Others do not wait, nor does this user in another room. The refused message is neither stored, counted nor
    // pushed.
    other.say(1, "hello").await;
    flood.say(2, "elsewhere").await;
    assert_eq!(server.history("chatroomId=1").await.ids().len() as u64, said + 1);
    assert_eq!(server.history("chatroomId=1").await.ids().last(), Some(&(said + 1)));

    sleep_until(Instant::now() + Duration::from_millis(wait)).await;
    flood.say(1, "sorry").await;
    server.stop().await;
}

/// A join is pushed to all members too, so it is limited like a message.
#[tokio::test]
async fn who_joins_again_and_again_is_told_when_to_join_again() {
    let server = Server::start_with_parameter("SendsPerSecond", "1").await;
    let (mut flood, mut other) = (server.connect(7).await, server.connect(8).await);
    other.join(1).await;
    let join = json!({"action": "joinRoom", "chatroomId": 1});
    let mut joined = 0;
    let refused = loop {
        let reply = flood.ask(join.clone()).await;
        if reply["type"] == "error" {
            break reply;
        }
        joined += 1;
    };
    assert_eq!(refused["code"], "rateLimited", "{refused}");
    let told = other.pushed().await.iter().filter(|frame| frame["userId"] == 7).count() as u64;
    assert_eq!(told, joined, "what is refused is told to nobody");
    assert!((SENDS_BURST_SECONDS..2 * SENDS_BURST_SECONDS).contains(&joined), "{joined} were let through");
    // The user is still a member, and receives messages.
    other.say(1, "enough").await;
    flood.expect(json!({"type": "sendMessage"})).await;
    server.stop().await;
}
