//! Who gets a message, and who waits for whom: members that do not read, members that are gone, many of them at once,
//! and rooms too large for notices.

use chat::{ConnectionId, Member};
use chat_aws::Vars;
use chat_tests::App;
use chat_tests::{Management, Server, enter, frame, ghost, invoke, logged, room, text_message, websocket_event};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tracing::Level;

/// A server, a management API for the test, the variables of a function that uses both, and the stores. User 7 is
/// connected.
async fn start(more: &[(&'static str, &str)]) -> (Server, Management, Vars, App) {
    let (server, management) = (Server::start().await, Management::start().await);
    let mut vars = server.vars();
    vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management.url().to_owned());
    vars.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let vars = Vars::from_iter(vars);
    assert_eq!(invoke("connect", &vars, websocket_event(&json!({}))).await["statusCode"], 200);
    let app = App::new(&vars).expect("an app");
    (server, management, vars, app)
}

fn member(number: usize) -> Member {
    let connection = ConnectionId::new(format!("L0SM{number:08}hw=="));
    Member { connection, ..ghost(&format!("{}", 100 + number)) }
}

async fn members(app: &App) -> usize {
    app.connections.members(&room("1")).await.expect("members").all().await.expect("members").len()
}

/// A member that does not read answers 429. It is tried once, the others get the message at once, and the sender gets
/// its ack.
#[tokio::test]
async fn a_member_that_does_not_read_holds_nobody_up() {
    let (server, management, vars, app) = start(&[]).await;
    let (full, reads) = (member(1), member(2));
    enter(&app, &full, &room("1")).await;
    management.refuse(&full.connection, 429);
    // It is the only member; user 7 has not joined.
    let (answer, log) = logged(Level::INFO, "send-message", &vars, websocket_event(&text_message(1, "hi"))).await;
    assert_eq!(frame(&answer)["type"], "ack", "it is stored");
    assert!(log.iter().all(|line| line["level"] != "ERROR"), "{log:?}");
    assert!(log.iter().any(|line| line["throttledPushes"] == 1), "{log:?}");
    assert!(log.iter().all(|line| line["failedPushes"].is_null()), "no alarm is for it: {log:?}");
    enter(&app, &reads, &room("1")).await;
    let answer = invoke("send-message", &vars, websocket_event(&text_message(1, "hello"))).await;
    assert_eq!(frame(&answer)["type"], "ack");
    assert_eq!(management.attempts(&full.connection), 2, "once for each message");
    assert_eq!(management.take().len(), 1);
    assert_eq!(members(&app).await, 2, "and it stays a member");
    server.stop().await;
}

#[tokio::test]
async fn a_410_is_one_whatever_it_calls_itself() {
    let (server, management, vars, app) = start(&[]).await;
    let (gone, stays) = (member(1), member(2));
    enter(&app, &gone, &room("1")).await;
    enter(&app, &stays, &room("1")).await;
    management.refuse(&gone.connection, 410);
    let answer = invoke("send-message", &vars, websocket_event(&text_message(1, "hi"))).await;
    assert_eq!(frame(&answer)["type"], "ack");
    assert_eq!(members(&app).await, 1);
    let told: Vec<_> = management.take().into_iter().map(|(_, frame)| frame["type"].clone()).collect();
    assert_eq!(told, ["sendMessage", "leaveRoom"]);
    server.stop().await;
}

/// One frame names many who left, for clients that asked for it. Others get a frame for each. Nobody is told twice, and
/// the next push does what there was no time for.
#[tokio::test]
async fn many_who_are_gone_at_once_are_told_of_together() {
    const GONE: usize = 120;
    let (server, management, vars, app) = start(&[]).await;
    let (mut together, singly) = (member(1), member(2));
    together.batches = true;
    for member in [&together, &singly] {
        enter(&app, member, &room("1")).await;
    }
    let gone: Vec<_> = (0..GONE).map(|number| member(1_000 + number)).collect();
    for member in &gone {
        enter(&app, member, &room("1")).await;
        management.refuse(&member.connection, 410);
    }
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut sends = 0;
    while members(&app).await > 2 {
        sends += 1;
        assert!(sends <= GONE, "each push takes out some");
        let answer = invoke("send-message", &vars, websocket_event(&text_message(1, "hi"))).await;
        assert_eq!(frame(&answer)["type"], "ack");
        for (connection, frame) in management.take() {
            if frame["type"] == "leaveRoom" {
                told.entry(connection.to_string()).or_default().push(frame);
            }
        }
    }
    let users: BTreeSet<_> = gone.iter().map(|member| member.user.to_string()).collect();
    let named = |frame: &Value| match frame["userIds"].as_array() {
        Some(users) => {
            assert_eq!(users[0], frame["userId"], "whoever knows nothing of batches learns of one");
            users.iter().map(ToString::to_string).collect()
        }
        None => vec![frame["userId"].to_string()],
    };
    for (member, at_most) in [(&together, GONE / 2), (&singly, GONE)] {
        let frames = &told[member.connection.as_str()];
        let heard: Vec<_> = frames.iter().flat_map(named).collect();
        assert_eq!((heard.len(), heard.into_iter().collect::<BTreeSet<_>>()), (GONE, users.clone()));
        assert!(frames.len() <= at_most, "{} frames", frames.len());
    }
    assert!(told[singly.connection.as_str()].iter().all(|frame| frame["userIds"].is_null()));
    server.stop().await;
}

/// Joins and leaves of a large room are not pushed; messages are.
#[tokio::test]
async fn a_room_that_is_too_large_is_quiet() {
    let server = Server::start_with_parameter("NoticesUpTo", "2").await;
    let mut clients = Vec::new();
    for user in 1..=3 {
        clients.push(server.connect(user).await);
    }
    let acks = [clients[0].join(1).await, clients[1].join(1).await, clients[2].join(1).await];
    let quiet: Vec<_> = acks.iter().map(|ack| ack["quiet"].clone()).collect();
    assert_eq!(quiet, [Value::Null, Value::Null, json!(true)]);
    clients[2].say(1, "hi").await;
    let mut fourth = server.connect(4).await;
    fourth.join(1).await;
    fourth.ask(json!({"action": "leaveRoom", "chatroomId": 1})).await;
    let kinds = |frames: Vec<Value>| frames.iter().map(|frame| frame["type"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(clients[0].pushed().await), ["joinRoom", "sendMessage"], "of the second, and nobody else");
    assert_eq!(kinds(clients[2].pushed().await), ["sendMessage"]);
    // Once the last member above the limit has gone, the room gets notices again.
    clients.remove(2).close().await;
    assert_eq!(clients[0].expect(json!({"type": "leaveRoom"})).await["userId"], 3);
    server.stop().await;
}

#[tokio::test]
async fn a_room_may_be_quiet_from_the_first_on() {
    let server = Server::start_with_parameter("NoticesUpTo", "0").await;
    let mut client = server.connect(1).await;
    assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": 1})).await["quiet"], true);
    assert_eq!(client.pushed().await, Vec::<Value>::new());
    server.stop().await;
}

/// Only API Gateway sends `$connect` and `$disconnect`. A client's action of that name does nothing, whatever API
/// Gateway makes of it.
#[tokio::test]
async fn a_frame_neither_connects_nor_disconnects() {
    let (server, _management, vars, _) = start(&[]).await;
    let before = server.keys("ConnectionsTable").await;
    for name in ["connect", "disconnect"] {
        let mut event = websocket_event(&json!({"action": format!("${name}")}));
        event["requestContext"]["eventType"] = json!("MESSAGE");
        let (answer, log) = logged(Level::INFO, name, &vars, event).await;
        assert_eq!(answer, json!({"statusCode": 400}));
        assert!(log.is_empty(), "it is nobody's fault but the client's: {log:?}");
    }
    assert_eq!(server.keys("ConnectionsTable").await, before);
    assert_eq!(server.devices("7").await.len(), 1);
    server.stop().await;
}
