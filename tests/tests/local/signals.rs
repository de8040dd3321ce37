//! Signals and who is there, at the bounds of a deployment: how large a room may be, and how often somebody may.

use chat::limits::{LISTS_PER_SECOND, SENDS_BURST_SECONDS, SIGNALS_PER_SECOND};
use chat::{ConnectionId, Member};
use chat_tests::{Client, Server, enter, fresh, ghost, room};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn typing() -> Value {
    json!({"action": "signal", "chatroomId": 1, "kind": "typing"})
}

async fn members(server: &Server, count: u64) -> Vec<Client> {
    let mut clients = Vec::new();
    for user in 1..=count {
        let mut client = server.connect(user).await;
        client.join(1).await;
        clients.push(client);
    }
    join_all(clients.iter_mut().map(Client::pushed)).await;
    clients
}

#[tokio::test]
async fn in_a_room_that_is_too_large_signals_are_not_pushed() {
    for (up_to, count, pushed) in [("2", 2, true), ("2", 3, false), ("0", 2, false)] {
        let server = Server::start_with_parameter("SignalsUpTo", up_to).await;
        let mut clients = members(&server, count).await;
        let [sender, others @ ..] = &mut clients[..] else { panic!("nobody") };
        let ack = sender.ask(typing()).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        assert_eq!(ack["signals"] == false, !pushed, "who asks is told: {ack}");
        for other in others {
            assert_eq!(other.pushed().await.len(), usize::from(pushed), "{count} of {up_to}");
        }
        let asked = sender.ask(json!({"action": "joinRoom", "chatroomId": 1, "online": true})).await;
        assert_eq!(asked["signals"] == false, !pushed, "{asked}");
        let not_asked = sender.ask(json!({"action": "joinRoom", "chatroomId": 1})).await;
        assert_eq!(not_asked["signals"], Value::Null, "{not_asked}");
        server.stop().await;
    }
}

/// Nobody is told who comes to a quiet room and who goes, so a list would be wrong a moment later.
#[tokio::test]
async fn a_quiet_room_says_how_many_are_there_at_least_and_names_nobody() {
    for (up_to, count, at_least) in [("1", 3, 2), ("0", 2, 1)] {
        let server = Server::start_with_parameter("NoticesUpTo", up_to).await;
        let mut clients = members(&server, count).await;
        let ack = clients[0].ask(json!({"action": "joinRoom", "chatroomId": 1, "online": true})).await;
        let said = (&ack["quiet"], &ack["online"], &ack["onlineMore"]);
        assert_eq!(said, (&json!(true), &Value::Null, &json!(true)), "{ack}");
        let known = ack["onlineCount"].as_u64().expect("a count");
        assert!((at_least..=count).contains(&known), "{ack}");
        let listed = clients[0].ask(json!({"action": "listMembers", "chatroomId": 1})).await;
        assert_eq!((&listed["onlineCount"], &listed["onlineMore"]), (&json!(count), &Value::Null), "it reads them all");
        server.stop().await;
    }
}

#[tokio::test]
async fn who_signals_too_much_is_not_heard_and_told_only_if_it_asked() {
    let server = Server::start().await;
    let mut clients = members(&server, 2).await;
    let [flood, watcher] = &mut clients[..] else { panic!("two") };
    let burst = usize::try_from(u64::from(SIGNALS_PER_SECOND) * SENDS_BURST_SECONDS).expect("a few");
    for _ in 0..3 * burst {
        flood.send(typing()).await;
    }
    let refused = loop {
        let reply = flood.ask(typing()).await;
        if reply["type"] == "error" {
            break reply;
        }
    };
    assert_eq!((&refused["code"], refused["retryAfterMs"].is_u64()), (&json!("rateLimited"), true), "{refused}");
    assert!(flood.pushed().await.is_empty(), "of the others nothing is said");
    let heard = watcher.pushed().await.len();
    assert!((burst..3 * burst).contains(&heard), "{heard} were pushed");
    // Nobody else waits for it, and neither does what this user says.
    assert_eq!(watcher.ask(typing()).await["type"], "ack");
    flood.say(1, "hi").await;
    server.stop().await;
}

#[tokio::test]
async fn who_asks_for_the_members_again_and_again_is_told_when_to_ask_again() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    let list = json!({"action": "listMembers", "chatroomId": 1});
    let mut listed = 0;
    let refused = loop {
        let reply = client.ask(list.clone()).await;
        if reply["type"] == "error" {
            break reply;
        }
        assert_eq!((&reply["members"], &reply["onlineCount"]), (&json!([]), &json!(0)), "nobody is there");
        listed += 1;
    };
    assert_eq!(refused["code"], "rateLimited");
    let burst = u64::from(LISTS_PER_SECOND) * SENDS_BURST_SECONDS;
    assert!((burst..2 * burst).contains(&listed), "{listed} were let through");
    server.stop().await;
}

/// A push that meets a dead connection takes it out, whatever is pushed.
#[tokio::test]
async fn a_signal_finds_those_who_are_gone() {
    let server = Server::start().await;
    let mut client = members(&server, 1).await.remove(0);
    enter(&server.app(), &ghost("66"), &room("1")).await;
    client.send(typing()).await;
    assert_eq!(client.expect(json!({"type": "leaveRoom"})).await["userId"], 66);
    server.stop().await;
}

/// It was closed to make place for another one, and not ended yet.
#[tokio::test]
async fn a_closed_connection_that_signals_is_told_and_ended() {
    let server = Server::start().await;
    let app = server.app();
    let mut client = server.connect(7).await;
    client.pushed().await;
    let keys = server.keys("ConnectionsTable").await;
    let id = keys.iter().find_map(|key| key.strip_prefix("CONN#")?.strip_suffix(" CONN")).expect("a connection");
    app.connections.close(&ConnectionId::new(id)).await.expect("closed");
    client.send(typing()).await;
    let (frames, _) = client.rest().await;
    assert_eq!(frames.last().map(|frame| &frame["code"]), Some(&json!("gone")));
    server.stop().await;
}

#[tokio::test]
async fn a_client_of_socket_io_signals_and_lists_by_events() {
    let server = Server::start_with_parameter("SocketIo", "on").await;
    let mut watcher = members(&server, 1).await.remove(0);
    let mut client = server.connect_socket_io(2).await;
    // Without an ack, and without being in the room: nobody is told.
    let silent = r#"42["signal",{"chatroomId":1,"kind":"typing"}]"#;
    client.send_raw(tokio_tungstenite::tungstenite::Message::text(silent)).await;
    assert_eq!(client.text().await.as_deref(), Some("6"));
    assert_eq!(client.ask(typing()).await["code"], "notJoined");
    client.join(1).await;
    watcher.pushed().await;
    let ack = client.ask(typing()).await;
    assert_eq!((&ack["type"], &ack["action"]), (&json!("ack"), &json!("signal")));
    assert_eq!(watcher.expect(json!({"type": "signal"})).await["userId"], 2);
    let ack = client.ask(json!({"action": "listMembers", "chatroomId": 1})).await;
    assert_eq!(ack["onlineCount"], 2);
    watcher.send(typing()).await;
    assert_eq!(client.expect(json!({"type": "signal"})).await["userId"], 1, "an event of its own name");
    server.stop().await;
}

/// One answer of the database holds 1,100 members, and a hundred are named.
#[tokio::test]
async fn of_a_crowd_as_many_are_named_as_fit() {
    let server = Server::start().await;
    let (app, crowd) = (server.app(), fresh().to_string());
    for user in 0..150 {
        let connection = ConnectionId::new(format!("L0SM{user:08}hw=="));
        enter(&app, &Member { connection, ..ghost(&format!("9{user:03}")) }, &room(&crowd)).await;
    }
    let mut client = server.connect(7).await;
    let ack = client.ask(json!({"action": "listMembers", "chatroomId": crowd})).await;
    assert_eq!((ack["members"].as_array().map(Vec::len), &ack["onlineCount"]), (Some(100), &json!(150)));
    server.stop().await;
}
