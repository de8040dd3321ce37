//! How far people have read, and the list of rooms that shows it.

use chat_tests::{Client, Server, until};
use serde_json::{Value, json};

const LIST: &str = "GET /chatroom/list";
const READS: &str = "GET /chatroom/reads";

fn mark(room: impl Into<Value>, id: u64) -> Value {
    json!({"action": "markRead", "chatroomId": room.into(), "id": id})
}

async fn joined(server: &Server, user: u64, room: &str) -> Client {
    let mut client = server.connect_kept(user).await;
    let ack = client.ask(json!({"action": "joinRoom", "chatroomId": room})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    client
}

/// What the list of a user says of the one room that is in it.
async fn listed(server: &Server, user: u64) -> Value {
    let (status, list) = server.chatroom(user, LIST, "", &json!({})).await;
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(1)), "{list}");
    list[0].clone()
}

#[tokio::test]
async fn a_mark_only_rises() {
    let server = Server::start().await;
    let id = server.group(&[1, 2]).await;
    let mut guang = joined(&server, 1, &id).await;
    for (asked, stands) in [(3, 3), (5, 5), (4, 5), (5, 5), (6, 6)] {
        let mut frame = mark(id.as_str(), asked);
        // A pace of one a second, four at once.
        let ack = loop {
            let ack = guang.ask(frame.clone()).await;
            let Some(wait) = ack["retryAfterMs"].as_u64() else { break ack };
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            frame["requestId"] = Value::Null;
        };
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &json!(stands)), "{ack}");
    }
    assert_eq!(
        server.chatroom(2, READS, "", &json!({"chatroomId": id})).await.1,
        json!([{"userId": 1, "lastRead": 6}])
    );
    // Rooms of tokens have marks as well. They expire; those of kept rooms do not, with the right that is in their row.
    let ack = guang.ask(mark("lobby", 9)).await;
    assert_eq!(ack["id"], 9, "{ack}");
    let rows = server.dynamodb("Scan", json!({"TableName": "ChatTable"})).await;
    let rows = rows["Items"].as_array().cloned().expect("rows");
    let expires = |room: &str| {
        let row = rows.iter().find(|row| row["PK"]["S"] == "MINE#1" && row["SK"]["S"] == room);
        !row.expect("a row")["expiresAt"].is_null()
    };
    assert!(expires("MARK#lobby") && !expires(&format!("ROOM#{id}")));
    server.stop().await;
}

#[tokio::test]
async fn a_mark_is_told_where_that_is_asked_for_and_the_room_is_small() {
    let server = Server::start_with_parameter("SignalsUpTo", "3").await;
    let id = server.group(&[1, 2, 3]).await;
    let (mut guang, mut phone, mut dong) =
        (joined(&server, 1, &id).await, joined(&server, 1, &id).await, joined(&server, 2, &id).await);
    for client in [&mut guang, &mut phone, &mut dong] {
        client.pushed().await;
    }
    let told = |id: &str| json!({"type": "markRead", "chatroomId": id, "userId": 1, "id": 2});
    assert_eq!(guang.ask(mark(id.as_str(), 1)).await["type"], "ack");
    assert!(dong.pushed().await.is_empty(), "nobody asked");
    let mut frame = mark(id.as_str(), 2);
    frame["tell"] = json!(true);
    assert_eq!(guang.ask(frame.clone()).await["type"], "ack");
    assert_eq!(dong.pushed().await, [told(&id)]);
    assert_eq!(phone.pushed().await, [told(&id)], "one's other devices follow");
    assert!(guang.pushed().await.is_empty());
    // One more, and the room is too large.
    let mut third = joined(&server, 3, &id).await;
    for client in [&mut dong, &mut third] {
        client.pushed().await;
    }
    (frame["id"], frame["requestId"]) = (json!(3), Value::Null);
    assert_eq!(guang.ask(frame).await["id"], 3);
    assert!(dong.pushed().await.is_empty() && third.pushed().await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn the_list_says_what_is_new_and_who_is_meant() {
    let server = Server::start().await;
    let id = server.group(&[1, 2]).await;
    let mut guang = joined(&server, 1, &id).await;
    let before = listed(&server, 2).await;
    assert_eq!((&before["unread"], &before["lastRead"], &before["lastMessage"]), (&json!(0), &json!(0), &Value::Null));
    for text in ["one", "two"] {
        guang.say(id.as_str(), text).await;
    }
    let message = json!({"type": "text", "content": "光".repeat(300), "mentions": [2, "all", 9]});
    let ack = guang.ask(json!({"action": "sendMessage", "chatroomId": id, "message": message})).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let new = listed(&server, 2).await;
    assert_eq!((&new["unread"], &new["mentioned"]), (&json!(3), &json!(true)), "{new}");
    assert_eq!(new["lastMessage"]["id"], 3);
    assert_eq!(new["lastMessage"]["content"], "光".repeat(200));
    assert_eq!((&new["userCount"], &new["userIds"], &new["name"]), (&json!(2), &json!([1, 2]), &json!("Team")));
    assert_eq!(listed(&server, 1).await["mentioned"], json!(false));
    // Nobody is in a list whom somebody means who is not in the room.
    assert!(!server.keys("ChatTable").await.iter().any(|key| key.starts_with("MINE#9")));

    let mut dong = joined(&server, 2, &id).await;
    assert_eq!(dong.ask(mark(id.as_str(), 3)).await["type"], "ack");
    let read = listed(&server, 2).await;
    assert_eq!((&read["unread"], &read["mentioned"], &read["lastRead"]), (&json!(0), &json!(false), &json!(3)));
    // Whoever comes later has read what is there.
    assert_eq!(server.chatroom(1, "POST /chatroom/join/{id}", &id, &json!({"joinUserId": 3})).await.0, 200);
    assert_eq!((&listed(&server, 3).await["unread"], &listed(&server, 3).await["lastRead"]), (&json!(0), &json!(3)));
    // A recalled message is one that says nothing.
    assert_eq!(guang.ask(json!({"action": "deleteMessage", "chatroomId": id, "id": 3})).await["type"], "ack");
    let last = listed(&server, 1).await["lastMessage"].clone();
    assert_eq!((&last["content"], &last["deleted"]), (&json!(""), &json!(true)));
    server.stop().await;
}

#[tokio::test]
async fn what_was_active_last_comes_first_and_a_name_is_looked_for() {
    let server = Server::start().await;
    let (first, second) = (server.group(&[1, 2]).await, server.group(&[1]).await);
    let (_, pair) = server.chatroom(1, "POST /chatroom/create-one-to-one", "", &json!({"friendId": "dong"})).await;
    let named = server.token(json!({"userId": "dong", "nickName": "东", "rooms": "@mine"}));
    Client::connect(&server.socket_url(&named)).await.close().await;
    let mut guang = joined(&server, 1, &first).await;
    let ids = async |asked: Value| {
        let (_, list) = server.chatroom(1, LIST, "", &asked).await;
        list.as_array().expect("rooms").iter().map(|room| room["id"].clone()).collect::<Vec<_>>()
    };
    guang.say(first.as_str(), "hi").await;
    assert_eq!(ids(json!({})).await, [json!(first), pair.clone(), json!(second)]);
    assert_eq!(ids(json!({"name": "tea"})).await, [json!(first), json!(second)]);
    assert_eq!(ids(json!({"name": "东"})).await, [pair], "a pair is called after the other one");
    server.stop().await;
}

/// An id that was counted and never used stands in the counter, and nothing under it.
#[tokio::test]
async fn the_last_message_is_found_behind_an_id_that_nobody_used() {
    let server = Server::start().await;
    let id = server.group(&[1]).await;
    let room = chat::RoomId::parse(&id).expect("an id");
    let mut guang = joined(&server, 1, &id).await;
    guang.say(id.as_str(), "said").await;
    let messages = server.app().messages;
    chat_tests::next_id(&messages, &room).await.expect("counted");
    assert_eq!(listed(&server, 1).await["lastMessage"]["content"], "said");
    let void = chat_tests::next_id(&messages, &room).await.expect("counted");
    messages.seal(&room, void).await.expect("sealed");
    let listed = listed(&server, 1).await;
    assert_eq!((&listed["lastMessage"]["id"], &listed["unread"]), (&json!(1), &json!(3)));
    server.stop().await;
}

/// In rounds nobody reads the members for a message, and who is meant is told all the same.
#[tokio::test]
async fn who_is_meant_in_a_busy_room_finds_it_in_the_list() {
    let server = Server::start_with_parameters(&[("HotRoom", "1")], &[]).await;
    let id = server.group(&[1, 2]).await;
    let mut guang = joined(&server, 1, &id).await;
    let in_rounds = async || {
        guang.say(id.as_str(), "hi").await;
        server.row("ChatTable", "pushed").await
    };
    until("the room goes over into rounds", in_rounds).await;
    let message = json!({"type": "text", "content": "you", "mentions": [2]});
    let ack = guang.ask(json!({"action": "sendMessage", "chatroomId": id, "message": message})).await;
    assert!(ack["rounds"].is_number(), "{ack}");
    assert_eq!(listed(&server, 2).await["mentioned"], json!(true));
    server.stop().await;
}
