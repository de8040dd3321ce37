//! The stores with the real DynamoDB protocol: expired rows are ignored, and conditions hold.

use chat::{Content, Member, Message, MessageKind, Rejection};
use chat_aws::{Closed, Failure, JoinNumber, Kept, now};
use chat_tests::App;
use chat_tests::{Server, device_of, enter, frame, ghost, invoke, next_id, room, text_message, user, websocket_event};
use serde_json::json;
use std::collections::BTreeSet;

async fn message(app: &App, client_message_id: Option<&str>) -> Message {
    Message {
        id: next_id(&app.messages, &room("1")).await.expect("an id"),
        room: room("1"),
        sender: user("7"),
        content: Content::parse(MessageKind::Text, "hi").expect("content"),
        create_time: now(),
        client_message_id: client_message_id.map(|id| serde_json::from_value(json!(id)).expect("an id")),
        changed: None,
        reactions: chat::Reactions::default(),
    }
}

async fn members(app: &App) -> Vec<Member> {
    app.connections.members(&room("1")).await.expect("members").all().await.expect("members")
}

/// Moves a row's expiry into the past, as if DynamoDB had not removed it yet.
async fn expire(server: &Server, table: &str, partition: &str, sort: &str) {
    let past = (now().seconds() - 1).to_string();
    let update = json!({
        "TableName": table,
        "Key": {"PK": {"S": partition}, "SK": {"S": sort}},
        "UpdateExpression": "SET expiresAt = :past",
        "ConditionExpression": "attribute_exists(PK)",
        "ExpressionAttributeValues": {":past": {"N": past}},
    });
    server.dynamodb("UpdateItem", update).await;
}

#[tokio::test]
async fn rows_look_as_documented() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join("lobby").await;
    let mut request = text_message("lobby", "hi");
    request["clientMessageId"] = json!("a-1");
    client.ask(request).await;
    let mut chat = server.keys("ChatTable").await;
    chat.sort();
    assert_eq!(chat, ["ROOM#lobby HEAD", "ROOM#lobby MSG#0000000000000001", "ROOM#lobby SENT#7#a-1", "USER#7 PROFILE"]);
    let mut kinds: Vec<_> = server.keys("ConnectionsTable").await;
    kinds.iter_mut().for_each(|key| {
        *key = key.split(' ').map(|part| part.split('#').next().expect("a kind")).collect::<Vec<_>>().join(" ")
    });
    kinds.sort();
    assert_eq!(kinds, ["CONN CONN", "ROOM CONN"]);

    let scan = server.dynamodb("Scan", json!({"TableName": "ConnectionsTable"})).await;
    let soon = now().seconds() + 2 * 3_600;
    let expiries = scan["Items"].as_array().expect("items").iter().map(|item| &item["expiresAt"]["N"]);
    for expiry in expiries {
        let expiry: i64 = expiry.as_str().and_then(|text| text.parse().ok()).expect("a number");
        assert!((soon..soon + 3_600).contains(&expiry), "{expiry} is not two hours from now, and a little");
    }
    server.stop().await;
}

#[tokio::test]
async fn expired_rows_are_not_there() {
    let server = Server::start().await;
    let app = server.app_with(&[("MESSAGE_RETENTION_DAYS", "1")]);
    for _ in 0..20 {
        app.messages.store(message(&app, None).await).await.expect("stored");
    }
    for id in 1..=15 {
        expire(&server, "ChatTable", "ROOM#1", &format!("MSG#{id:016}")).await;
    }
    // More than twelve expired rows stand before the first valid one, and the page is full all the same.
    let page = server.history("chatroomId=1&after=0&limit=3").await;
    assert_eq!((page.ids(), page.link("next")), (vec![16, 17, 18], Some("chatroomId=1&limit=3&after=18".into())));
    let page = server.history("chatroomId=1&limit=10").await;
    assert_eq!((page.ids(), page.link("prev")), (vec![16, 17, 18, 19, 20], None));

    let member = ghost("7");
    enter(&app, &member, &room("1")).await;
    assert_eq!(members(&app).await, std::slice::from_ref(&member));
    expire(&server, "ConnectionsTable", "ROOM#1", &format!("CONN#{}", member.connection)).await;
    assert_eq!(members(&app).await, []);
    server.stop().await;
}

#[tokio::test]
async fn a_forgotten_send_may_be_sent_again() {
    let server = Server::start().await;
    let app = server.app();
    let first = app.messages.store(message(&app, Some("a")).await).await.expect("stored");
    let again = app.messages.store(message(&app, Some("a")).await).await.expect("stored");
    assert_eq!((again.unused.map(|id| id.get()), again.message), (Some(2), first.message));
    // Its row has expired, and DynamoDB has not removed it yet.
    expire(&server, "ChatTable", "ROOM#1", "SENT#7#a").await;
    let new = app.messages.store(message(&app, Some("a")).await).await.expect("stored");
    assert_eq!((new.unused, new.message.id.get()), (None, 3));
    server.stop().await;
}

/// The SDK repeats a call whose answer was lost. The message must not be taken for a retry of itself.
#[tokio::test]
async fn a_store_that_is_repeated_is_no_duplicate() {
    let server = Server::start().await;
    let app = server.app();
    for client_message_id in [None, Some("a")] {
        let message = message(&app, client_message_id).await;
        for _ in 0..2 {
            let stored = app.messages.store(message.clone()).await.expect("stored");
            assert_eq!((stored.unused, &stored.message), (None, &message));
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_are_given_once() {
    let server = Server::start().await;
    let app = server.app();
    let room = room("1");
    let ids = futures_util::future::join_all((0..64).map(|_| next_id(&app.messages, &room))).await;
    let mut ids: Vec<_> = ids.into_iter().map(|id| id.expect("an id").get()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=64).collect::<Vec<u64>>());
    server.stop().await;
}

/// A connection's rooms are known until it is forgotten. For an unknown connection no row is made.
#[tokio::test]
async fn a_connection_knows_its_rooms_to_its_end() {
    let server = Server::start().await;
    let app = server.app();
    let connection = ghost("7").connection;
    let rooms = ["1", "a room", "#2"].map(room);
    let add = async |room| app.connections.add_room(&connection, room).await;
    let remove =
        async |room, join| app.connections.remove_room(&connection, room, join).await.expect("removed, or not");
    let is_gone = |refused| matches!(refused, Err(Failure::Rejected(Rejection::ConnectionGone)));
    assert!(is_gone(add(&rooms[0]).await), "there is none yet");
    remove(&rooms[0], JoinNumber::FIRST).await;
    app.users.forget(&user("7"), &[device_of(&connection)]).await.expect("nothing to do");
    assert!(server.keys("ConnectionsTable").await.is_empty() && server.keys("ChatTable").await.is_empty());

    let open =
        async || app.connections.open(&device_of(&connection), &user("7"), Kept::default()).await.expect("an answer");
    assert!(open().await && open().await, "the SDK repeats a call whose answer was lost");
    let mut joins = Vec::new();
    for room in rooms.iter().chain(&rooms) {
        joins.push(add(room).await.expect("added"));
    }
    assert!(joins.is_sorted_by(|one, next| one < next), "{joins:?}");
    remove(&rooms[1], joins[1]).await;
    remove(&rooms[2], joins[5]).await;
    let expected: BTreeSet<_> = rooms[..2].iter().cloned().collect(); // the second was joined again since
    for _ in 0..2 {
        let closed = app.connections.close(&connection).await.expect("closed");
        assert_eq!(closed, Closed { user: Some(user("7")), rooms: expected.clone() }, "as often as it is asked");
    }
    assert!(is_gone(add(&rooms[2]).await));
    app.connections.forget(&connection).await.expect("forgotten");
    let closed = app.connections.close(&connection).await.expect("closed");
    assert_eq!(closed, Closed { user: None, rooms: BTreeSet::new() });
    assert!(server.keys("ConnectionsTable").await.is_empty());
    server.stop().await;
}

/// A join after `$disconnect` finds the connection closed and leaves nothing behind.
#[tokio::test]
async fn a_join_after_the_end_is_undone() {
    let server = Server::start().await;
    let vars = chat_aws::Vars::from_iter(server.vars());
    let event = |action: &str| websocket_event(&json!({"action": action, "chatroomId": 1}));
    assert_eq!(invoke("connect", &vars, event("")).await["statusCode"], 200);
    assert_eq!(invoke("disconnect", &vars, event("")).await["statusCode"], 200);
    let reply = frame(&invoke("join-room", &vars, event("joinRoom")).await);
    assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!("gone")));
    assert_eq!(server.keys("ConnectionsTable").await, Vec::<String>::new());
    server.stop().await;
}

/// What nobody uses is in no row, so old rows and new ones are alike; what is used is read by older versions all the same.
#[tokio::test]
async fn a_message_has_in_its_row_what_it_says_and_no_more() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.say(1, "hi").await;
    let mut reply = text_message(1, "hi");
    reply["message"]["replyTo"] = json!(1);
    reply["message"]["mentions"] = json!([7, "all"]);
    reply["message"]["metadata"] = json!({"n": 0.5});
    client.ask(reply).await;
    let key = |id: u64| json!({"PK": {"S": "ROOM#1"}, "SK": {"S": format!("MSG#{id:016}")}});
    let row = async |id| {
        let found = server.dynamodb("GetItem", json!({"TableName": "ChatTable", "Key": key(id)})).await;
        found["Item"].as_object().expect("a row").clone()
    };
    let (plain, full) = (row(1).await, row(2).await);
    let always = ["PK", "SK", "content", "createTime", "id", "kind", "roomId", "senderId"];
    assert_eq!(plain.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(always));
    let more: BTreeSet<_> = full.keys().filter(|name| !always.contains(&name.as_str())).map(String::as_str).collect();
    assert_eq!(more, BTreeSet::from(["mentions", "metadata", "replyTo"]));
    assert_eq!((&full["replyTo"], &full["metadata"]), (&json!({"N": "1"}), &json!({"S": r#"{"n":0.5}"#})));
    assert_eq!(full["mentions"], json!({"L": [{"N": "7"}, {"S": "all"}]}));
    server.stop().await;
}
