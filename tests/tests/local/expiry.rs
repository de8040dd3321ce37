//! A connection does not outlive its token, and an operator can end both.

use chat_aws::{Ended, JoinNumber, now};
use chat_local::Limits;
use chat_tests::{
    Client, Closed, Held, HeldHandshakes, Recorder, Server, ghost, held, in_time, lose, room, text_message, until,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A token with eight seconds left, all within the minute by which clocks may differ: long enough to connect and join
/// on a busy machine.
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
        json!({"action": "signal", "chatroomId": 1, "kind": "typing"}),
        json!({"action": "listMembers", "chatroomId": 1}),
        json!("no object"),
    ];
    // All at once, since each waits for the end of its token.
    let ends = (11..).zip(actions).map(async |(user, action)| {
        let mut client = Client::connect(&server.socket_url(&nearly_over(&server, user))).await;
        client.join(1).await;
        let ended = in_time("the connection ends", until_ended(&mut client, action.clone())).await;
        assert!(ended.iter().all(|frame| frame["code"] != "internal"), "{action}: {ended:?}");
        user
    });
    for user in join_all(ends).await {
        // The room is told, as with every leave.
        other.expect(json!({"type": "leaveRoom", "userId": user})).await;
    }
    server.stop().await;
}

/// Repeats a frame until the server ends the connection. Returns the frames that came meanwhile.
async fn until_ended(client: &mut Client, action: Value) -> Vec<Value> {
    loop {
        client.send_into_the_void(tokio_tungstenite::tungstenite::Message::text(action.to_string())).await;
        // It does not wait for a reply: the end may come instead.
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
    app.connections.add_member(&silent, JoinNumber::FIRST, &room, good_until).await.expect("entered");
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
    let ended = app.sessions.end_all(&chat_tests::user("7")).await.expect("done");
    assert_eq!(ended, Ended { seen: true, connections: 3, missing: 0 });
    for device in &mut devices {
        device.closed().await;
    }
    other.expect(json!({"type": "leaveRoom", "userId": 7})).await;
    let nameless = server.token(json!({"userId": 7, "rooms": "*", "iat": null}));
    for token in [&old, &nameless] {
        assert_eq!(Client::refused(&server.socket_url(token)).await, 403);
        // Whether there are messages or not, and whoever sent them.
        for room in [1, 2] {
            let page = server.history_as(token, &format!("chatroomId={room}")).await;
            assert_eq!((page.status, &page.body["message"]), (403, &json!("the token was revoked")));
        }
    }
    // Only the row of the other user: a refusal leaves nothing behind.
    until("only the rows of user 8 are left", async || server.keys("ConnectionsTable").await.len() <= 2).await;

    // A token that is signed a minute from now is accepted: the application's clock may be that fast.
    let skewed = server.token(json!({"userId": 7, "rooms": "*", "iat": now().seconds() + 50}));
    assert_eq!(Client::refused(&server.socket_url(&skewed)).await, 403);
    // Two minutes later, by that clock.
    let earlier = Recorder::with_clock(server.dynamodb_url(), -120).await;
    let earlier = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", earlier.url())]);
    earlier.sessions.end_all(&chat_tests::user("7")).await.expect("done");
    let new = server.token_of(7);
    let mut back = Client::connect(&server.socket_url(&new)).await;
    back.join(1).await;
    other.say(1, "welcome back").await;
    assert_eq!(server.history_as(&new, "chatroomId=1").await.ids(), [1, 2, 3]);
    server.stop().await;
}

/// A connection in the middle of its handshake is not there to be ended. It comes in a moment later, and is closed.
#[tokio::test]
async fn an_operator_ends_a_connection_that_is_on_its_way_in() {
    let handshakes = Arc::new(HeldHandshakes::default());
    let server = Server::start_with(handshakes.clone(), Limits::default()).await;
    let app = server.app();
    let url = held(&server.socket_url(&server.token_of(7)), Held::Answered);
    let seven = chat_tests::user("7");
    let (mut device, ended, ()) = tokio::join!(
        Client::connect(&url),
        async {
            until("it is open", async || !server.keys("ConnectionsTable").await.is_empty()).await;
            app.sessions.end_all(&seven).await.expect("done")
        },
        // It is closed already when it comes in.
        async {
            until("it is closed", async || server.row("ConnectionsTable", "closedAt").await).await;
            handshakes.release();
        }
    );
    assert_eq!(ended, Ended { seen: true, connections: 1, missing: 0 });
    device.closed().await;
    server.stop().await;
}

/// A connection that is not open yet at that moment does not open.
#[tokio::test]
async fn a_handshake_that_is_revoked_on_its_way_is_refused() {
    let server = Server::start_with(Arc::new(HeldHandshakes::default()), Limits::default()).await;
    let app = server.app();
    lose(&app, "7").await;
    let url = held(&server.socket_url(&server.token_of(7)), Held::Displacing);
    let seven = chat_tests::user("7");
    let (status, ended) = tokio::join!(Client::refused(&url), async {
        until("both devices are known", async || server.devices("7").await.len() == 2).await;
        app.sessions.end_all(&seven).await.expect("done")
    });
    assert_eq!((status, ended), (429, Ended { seen: true, connections: 0, missing: 2 }));
    server.stop().await;
}

#[tokio::test]
async fn a_user_who_was_never_seen_can_be_kept_out() {
    let server = Server::start().await;
    let app = server.app();
    let ended = app.sessions.end_all(&chat_tests::user("9")).await.expect("done");
    assert_eq!(ended, Ended { seen: false, connections: 0, missing: 0 });
    let token = server.token(json!({"userId": 9, "rooms": "*", "iat": now().seconds() - 10}));
    assert_eq!(Client::refused(&server.socket_url(&token)).await, 403);
    let profile = app.users.profiles([chat_tests::user("9")].into(), &chat_tests::caller("8")).await.expect("profiles");
    assert_eq!(profile[&chat_tests::user("9")].username, "9");
    server.stop().await;
}

/// The time comes from DynamoDB: the clocks of the operator and of the function may be wrong.
#[tokio::test]
async fn a_revocation_goes_by_the_clock_of_dynamodb() {
    let server = Server::start().await;
    let device = server.connect(7).await;
    device.close().await;
    for ahead in [-240_i64, 240] {
        let dynamodb = Recorder::with_clock(server.dynamodb_url(), ahead).await;
        let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())]);
        let before = now().seconds();
        app.sessions.end_all(&chat_tests::user("7")).await.expect("done");
        let limit = before + ahead + 60;
        let revoked_at = server.number("ChatTable", "revokedAt").await;
        assert!((limit..limit + 10).contains(&revoked_at), "{revoked_at} is not {limit}, {ahead}");
    }
    let token = |iat: i64| server.token(json!({"userId": 7, "rooms": "*", "iat": iat}));
    for ahead in [-240_i64, -120] {
        let dynamodb = Recorder::with_clock(server.dynamodb_url(), ahead).await;
        let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url())]);
        let limit = now().seconds() + ahead + 60;
        app.sessions.end_all(&chat_tests::user("7")).await.expect("done");
        assert_eq!(Client::refused(&server.socket_url(&token(limit - 5))).await, 403, "{ahead}");
        Client::connect(&server.socket_url(&token(limit + 10))).await.close().await;
    }
    server.stop().await;
}

/// The operator named another deployment's management API, so the connections are not ended. They receive nothing, and
/// whatever they do ends them.
#[tokio::test]
async fn who_is_shut_out_by_another_deployments_api_is_out_all_the_same() {
    let (server, other) = (Server::start().await, Server::start().await);
    let (mut outcast, mut witness) = (server.connect(7).await, server.connect(8).await);
    outcast.join(1).await;
    witness.join(1).await;
    outcast.pushed().await;
    // It is not in the middle of a handshake: that would be waited for.
    server.age_devices("7").await;
    let url = other.vars()["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"].clone();
    let app = server.app_with(&[("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &url)]);
    let ended = app.sessions.end_all(&chat_tests::user("7")).await;
    assert_eq!(ended.expect("done"), Ended { seen: true, connections: 0, missing: 1 });
    witness.say(1, "where is 7?").await;
    witness.expect(json!({"type": "sendMessage"})).await;
    assert_eq!(outcast.pushed().await, Vec::<Value>::new());
    outcast.send(text_message(1, "here")).await;
    let (told, closed) = outcast.rest().await;
    assert!(told.len() == 1 && told[0]["code"] == "gone", "{told:?}");
    assert_eq!(closed, Closed(Some(1000)));
    other.stop().await;
    server.stop().await;
}

/// A backend invokes the function with its own rights.
#[tokio::test]
async fn a_backend_shuts_somebody_out_by_invoking_the_function() {
    let server = Server::start().await;
    let mut device = server.connect(7).await;
    let call = async |payload: Value| server.call("disconnect-user", &payload).await;
    assert_eq!(call(json!({})).await, Err("userId is missing".into()));
    let ended = json!({"userId": 7, "seen": true, "connectionsEnded": 1, "connectionsMissing": 0});
    assert_eq!(call(json!({"userId": 7})).await, Ok(ended));
    device.closed().await;
    assert_eq!(Client::refused(&server.socket_url(&server.token_of(7))).await, 403);
    let ended = json!({"userId": "07", "seen": false, "connectionsEnded": 0, "connectionsMissing": 0});
    assert_eq!(call(json!({"userId": "07"})).await, Ok(ended));
    assert_eq!(server.call("no-such-function", &json!({})).await, Err("refused".into()));
    let unsigned = server.function_url("disconnect-user");
    assert_eq!(server.http().post(unsigned).body(r#"{"userId":8}"#).send().await.expect("an answer").status(), 403);
    server.stop().await;
}

/// The reason comes first: a client that takes the close for a clean end would not come back.
#[tokio::test]
async fn who_is_ended_for_its_token_is_told_so_first() {
    let server = Server::start().await;
    let mut client = Client::connect(&server.socket_url(&nearly_over(&server, 7))).await;
    client.join(1).await;
    let mut told = json!({"type": "pong"});
    // It is repeated until the token is over, at a pace that the gateway lets through. On a busy machine a call may take
    // too long, and then the connection is not ended yet.
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    while told["type"] == "pong" || told["code"] == "internal" {
        pace.tick().await;
        client.send(json!({"action": "ping", "requestId": "mine"})).await;
        told = client.next().await;
    }
    let gone = json!({"type": "error", "action": "ping", "requestId": "mine", "code": "gone",
        "message": "the connection is gone"});
    assert_eq!(told, gone);
    assert_eq!(client.rest().await, (vec![], Closed(Some(1000))));
    server.stop().await;
}
