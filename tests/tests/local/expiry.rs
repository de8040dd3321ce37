//! A connection and its token: neither outlives the other, and an operator can end both.

use chat_aws::now;
use chat_local::{Limits, Running, disconnect_user};
use chat_tests::{
    Client, HeldHandshakes, Server, ghost, held, in_time, lost_device, remember, room, text_message, until,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A token that is good for eight seconds still, all of them within the minute that clocks may differ by: long enough to connect and
/// join on a busy machine.
fn nearly_over(server: &Server, user: u64) -> String {
    let expiry = now().seconds() - 52;
    server.token(json!({"userId": user, "rooms": "*", "exp": expiry}))
}

#[tokio::test]
async fn a_connection_is_ended_by_what_it_does_after_its_token_is_over() {
    let server = Server::start().await;
    let mut other = server.connect(1).await;
    other.join(1).await;
    let actions = [
        json!({"action": "ping"}),
        json!({"action": "dance"}),
        json!({"action": "joinRoom", "chatroomId": 2}),
        json!({"action": "leaveRoom", "chatroomId": 2}),
        text_message(1, "too late"),
    ];
    // Side by side, since each waits for the end of its token.
    let ends = (11..).zip(actions).map(async |(user, action)| {
        let mut client = Client::connect(&server.socket_url(&nearly_over(&server, user))).await;
        client.join(1).await;
        let ended = in_time("the connection ends", until_ended(&mut client, action.clone())).await;
        assert!(ended.iter().all(|frame| frame["code"] != "internal"), "{action}: {ended:?}");
        user
    });
    for user in join_all(ends).await {
        // The room is told, as of everybody who goes.
        other.expect(json!({"type": "leaveRoom", "userId": user})).await;
    }
    server.stop().await;
}

/// Does something again and again until the server ends the connection; answers what came meanwhile.
async fn until_ended(client: &mut Client, action: Value) -> Vec<Value> {
    loop {
        client.send_into_the_void(tokio_tungstenite::tungstenite::Message::text(action.to_string())).await;
        // No reply is waited for: the end may come instead of it.
        if let Ok((frames, _)) = timeout(Duration::from_millis(100), client.rest()).await {
            return frames;
        }
    }
}

#[tokio::test]
async fn who_says_nothing_hears_nothing_once_the_token_is_over() {
    let server = Server::start().await;
    let app = server.app();
    let (room, silent) = (room("1"), ghost("7"));
    let good_until = now().after(Duration::from_secs(2));
    app.connections.enter(&silent, &room, good_until).await.expect("entered");
    let members = async || app.connections.members(&room).await.expect("a page").all().await.expect("members");
    assert_eq!(members().await, [silent]);
    until("nobody is left", async || members().await.is_empty()).await;
    assert!(now().seconds() >= good_until.seconds(), "not before its time");
    server.stop().await;
}

#[tokio::test]
async fn an_operator_ends_all_connections_of_a_user_and_its_tokens() {
    let server = Server::start().await;
    let old = server.token(json!({"userId": 7, "rooms": "*", "iat": now().seconds() - 10}));
    let mut devices = Vec::new();
    for _ in 0..3 {
        let mut device = Client::connect(&server.socket_url(&old)).await;
        device.join(1).await;
        devices.push(device);
    }
    let mut other = server.connect(8).await;
    other.join(1).await;
    other.say(1, "hello").await;
    devices[0].say(1, "hello yourself").await;

    let app = server.app();
    assert_eq!(app.disconnect(&chat_tests::user("7")).await.expect("done"), 3);
    for device in &mut devices {
        device.closed().await;
    }
    other.expect(json!({"type": "leaveRoom", "userId": 7})).await;
    let nameless = server.token(json!({"userId": 7, "rooms": "*", "iat": null}));
    for token in [&old, &nameless] {
        assert_eq!(Client::refused(&server.socket_url(token)).await, 403);
        // Whether something was said there or not, and by whom.
        for room in [1, 2] {
            let page = server.history_as(token, &format!("chatroomId={room}")).await;
            assert_eq!((page.status, &page.body["message"]), (403, &json!("the token was revoked")));
        }
    }
    // Of the other alone: a refusal leaves nothing.
    until("only the rows of user 8 are left", async || server.keys("ConnectionsTable").await.len() <= 2).await;

    // What the application signs from now on is good.
    let new = server.token(json!({"userId": 7, "rooms": "*", "iat": now().seconds() + 1}));
    let mut back = Client::connect(&server.socket_url(&new)).await;
    back.join(1).await;
    other.say(1, "welcome back").await;
    assert_eq!(server.history_as(&new, "chatroomId=1").await.ids(), [1, 2, 3]);
    server.stop().await;
}

/// Whoever connects at that very moment is not there to be ended, and comes in a moment later.
#[tokio::test]
async fn an_operator_ends_a_connection_that_is_on_its_way_in() {
    let server = Server::start_with(Arc::new(HeldHandshakes::default()), Limits::default()).await;
    let app = server.app();
    remember(&app, "7", lost_device()).await;
    let (mut device, ended) =
        tokio::join!(async { Client::connect(&held(&server.socket_url(&server.token_of(7)))).await }, async {
            until("both devices are known", async || server.devices("7").await.len() == 2).await;
            app.disconnect(&chat_tests::user("7")).await.expect("done")
        },);
    assert_eq!(ended, 1);
    device.closed().await;
    server.stop().await;
}

#[tokio::test]
async fn a_user_who_was_never_seen_can_be_kept_out() {
    let server = Server::start().await;
    let app = server.app();
    assert_eq!(app.disconnect(&chat_tests::user("9")).await.expect("done"), 0);
    let token = server.token(json!({"userId": 9, "rooms": "*", "iat": now().seconds() - 10}));
    assert_eq!(Client::refused(&server.socket_url(&token)).await, 403);
    let profile = app.users.profiles([chat_tests::user("9")].into(), &chat_tests::caller("8")).await.expect("profiles");
    assert_eq!(profile[&chat_tests::user("9")].username, "9");
    server.stop().await;
}

/// What `cargo run -- disconnect-user` does, to the run on these ports.
#[tokio::test]
async fn the_command_speaks_to_the_run_that_is_up() {
    let server = Server::start().await;
    let mut device = server.connect(7).await;
    device.join(1).await;
    let port =
        |url: &str| url.rsplit(':').next().and_then(|port| port.split('/').next()?.parse().ok()).expect("a port");
    let running = Running { port: port(server.websocket_url()), dynamodb_port: port(server.dynamodb_url()) };
    let template = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
    assert_eq!(disconnect_user(template, "7", running).await.expect("done"), 1);
    device.closed().await;
    let error = disconnect_user(template, "", running).await.expect_err("no id");
    assert!(error.to_string().contains("is no user's id"), "{error}");
    server.stop().await;
}
