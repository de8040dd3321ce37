//! `erase-user`: what a user wrote is nowhere, everything else is as it was, and clients read on.

use crate::account::{Account, SESSION};
use crate::{end, ops, rows, upload};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::{Content, Message, MessageKind, Timestamp};
use chat_aws::{Kept, Vars, now};
use chat_tests::{
    Management, Recorder, Server, frame, invoke, next_id, room, signed_for_s3, text_message, until, user,
    websocket_event,
};
use serde_json::{Value, json};

/// What user 7 says here, and says of itself.
const TEXT: &str = "marked words of user 7";
const NAME: &str = "marked name";
const PICTURE: &str = "https://example.com/marked.png";

/// Whether a row is of user 7, by who it says it is of: its sender, its user, or its key.
fn is_of_7(row: &Value) -> bool {
    let seven = json!({"N": "7"});
    let sort = row["SK"]["S"].as_str().expect("a key");
    row["senderId"] == seven
        || row["userId"] == seven
        || (sort.starts_with("SENT#7#") && sort.matches('#').count() == 2)
}

/// The rows of everybody else, to the byte.
async fn others(server: &Server) -> Vec<Value> {
    let mut rows = rows(server, "ChatTable").await;
    rows.retain(|row| !is_of_7(row));
    rows
}

/// The keys of the files that there are.
async fn files(server: &Server) -> Vec<String> {
    let url = format!("{}/FilesBucket?list-type=2&prefix=rooms%2F", server.s3_url());
    let request = server.http().get(&url).headers(signed_for_s3("GET", &url));
    let list = request.send().await.expect("an answer").text().await.expect("a body");
    list.split("<Key>").skip(1).map(|key| key.split('<').next().expect("a key").to_owned()).collect()
}

fn with_id(room: u64, text: &str, id: &str) -> Value {
    let mut message = text_message(room, text);
    message["clientMessageId"] = json!(id);
    message
}

#[tokio::test]
async fn the_texts_are_gone_and_everything_else_is_as_it_was() {
    let server = Server::start().await;
    let claims = json!({"userId": 7, "username": NAME, "nickName": NAME, "headPic": PICTURE, "rooms": "*"});
    let mut seven = chat_tests::Client::connect(&server.socket_url(&server.token(claims))).await;
    // Their ids begin as 7's does, or look like it.
    let (mut eight, mut like_seven) = (server.connect(8).await, server.connect("7#a").await);
    let mut seventy = server.connect(70).await;
    for client in [&mut seven, &mut eight, &mut like_seven, &mut seventy] {
        client.join(1).await;
    }
    seven.ask(with_id(1, TEXT, "retried")).await;
    let mut image = text_message(1, "");
    image["message"] = json!({"type": "image", "content": PICTURE, "replyTo": 1, "mentions": ["marked person"],
        "metadata": {"marked": true}});
    seven.ask(image).await;
    for (number, client) in [&mut eight, &mut like_seven, &mut seventy].into_iter().enumerate() {
        client.ask(with_id(1, &format!("of somebody else {number}"), "a")).await;
    }
    seven.say(2, TEXT).await;
    eight.say(2, "the last word").await;

    for file in
        ["rooms/MQ/Nw/sent/cat.png", "rooms/Mg/Nw/never-sent/a", "rooms/MQ/OA/of-8/cat.png", "rooms/MQ/NyNh/a/a"]
    {
        upload(&server, file).await;
    }

    // Without --yes nothing is done, and it is said what would be.
    let before = [rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await];
    let said = ops(&["erase-user", "7"]).to(&server).succeeds().await;
    for part in
        ["1 connections are known", "the whole bucket is listed", "read units", "nothing was done; --yes does it"]
    {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(said.lines().next(), Some("user 7, in the chat table ChatTable:"));
    let account = Account::of(&server).await;
    let said = ops(&["--stack", "chat", "erase-user", "7"]).to(&server).with("AWS_ENDPOINT_URL", account.url());
    let said = said.with("AWS_SESSION_TOKEN", SESSION).succeeds().await;
    assert_eq!(said.lines().next(), Some("user 7, in the chat table ChatTable of stack chat in us-east-1:"));
    assert_eq!([rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await], before);
    assert!(before[0].iter().any(|row| row.to_string().contains(TEXT)), "it is there before");

    let untouched = others(&server).await;
    let began = now().millis();
    let said = ops(&["erase-user", "7", "--yes"]).to(&server).succeeds().await;
    for part in ["connections ended: 1", "messages: 3 emptied", "files: 2 deleted", "user 7 is erased"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("marked"), "what is erased is not repeated: {said}");
    seven.closed().await;
    assert_eq!(others(&server).await, untouched);
    assert_eq!(files(&server).await, ["rooms/MQ/NyNh/a/a", "rooms/MQ/OA/of-8/cat.png"]);
    let left = rows(&server, "ChatTable").await;
    let text = json!(left).to_string();
    assert!(
        !text.contains("marked")
            && left.iter().all(|row| !is_of_7(row)
                || ["clientMessageId", "replyTo", "mentions", "metadata"].iter().all(|name| row[*name].is_null())),
        "{text}"
    );
    let keys = |rows: &[Value]| rows.iter().map(|row| (row["PK"].clone(), row["SK"].clone())).collect::<Vec<_>>();
    assert_eq!(keys(&left), keys(&before[0]), "no message, no profile and no send is missing");
    let of_7 = rows(&server, "ConnectionsTable").await.into_iter().filter(is_of_7).collect::<Vec<_>>();
    assert_eq!(of_7, Vec::<Value>::new());

    // Whoever reads on finds every message at its place, and 7 as one who was never seen.
    let page = server.history("chatroomId=1").await;
    assert_eq!(page.ids(), [1, 2, 3, 4, 5]);
    for item in &page.body.as_array().expect("a list")[..2] {
        assert_eq!((&item["content"], &item["type"], &item["senderId"]), (&json!(""), &json!(0), &json!(7)));
        assert_eq!((&item["sender"]["username"], &item["sender"]["nickName"]), (&json!("7"), &json!("7")));
        assert_eq!(item["sender"]["headPic"], Value::Null);
        assert_eq!(item["updateTime"], item["eraseTime"]);
        assert!(item["createTime"].as_str() < item["eraseTime"].as_str(), "{item}");
    }
    assert_eq!((&page.body[2]["content"], &page.body[2]["eraseTime"]), (&json!("of somebody else 0"), &Value::Null));
    let erased = rows(&server, "ChatTable").await.into_iter().filter(|row| !row["eraseTime"].is_null());
    let times: Vec<i64> =
        erased.map(|row| row["eraseTime"]["N"].as_str().expect("a number").parse().expect("a time")).collect();
    assert!(times.len() == 3 && times.iter().all(|time| (began - 1_000..=now().millis()).contains(time)), "{times:?}");
    let mut reader = server.connect(9).await;
    assert_eq!((&reader.join(1).await["lastId"], &reader.say(1, "hi").await["id"]), (&json!(5), &json!(6)));
    assert_eq!(chat_tests::Client::refused(&server.socket_url(&server.token_of(7))).await, 403, "shut out");

    // Once more changes nothing but since when it is so.
    let again = ops(&["erase-user", "7", "--yes"]).to(&server).succeeds().await;
    assert!(again.contains("messages: 0 emptied"), "{again}");
    let messages = |rows: Vec<Value>| rows.into_iter().filter(|row| row["SK"]["S"] != "PROFILE").collect::<Vec<_>>();
    let now_left = messages(rows(&server, "ChatTable").await);
    let but_the_last: Vec<_> =
        now_left.into_iter().filter(|row| row["id"]["N"] != "6" && row["SK"]["S"] != "HEAD").collect();
    let then_left: Vec<_> = messages(left).into_iter().filter(|row| row["SK"]["S"] != "HEAD").collect();
    assert_eq!(but_the_last, then_left);
    server.stop().await;
}

/// A client that heard no answer sends again, for a day: the row that remembers the send is what it finds.
#[tokio::test]
async fn a_repeated_send_does_not_bring_its_text_back() {
    let server = Server::start().await;
    let vars = Vars::from_iter(server.vars());
    // Past the gateway, which would not let 7 in any more: the worst case is a send that is repeated with a new token.
    invoke("connect", &vars, websocket_event(&json!({}))).await;
    let send = || websocket_event(&with_id(1, TEXT, "retried"));
    let ack = frame(&invoke("send-message", &vars, send()).await);
    assert_eq!(ack["id"], 1, "{ack}");
    let mut witness = server.connect(8).await;
    witness.join(1).await;
    server.age_devices("7").await;
    let said = ops(&["erase-user", "7", "--yes"]).to(&server).succeeds().await;
    assert!(said.contains("messages: 1 emptied"), "{said}");
    invoke("send-message", &vars, send()).await;
    let pushed = witness.expect(json!({"type": "sendMessage"})).await;
    let message = &pushed["message"];
    assert_eq!((&message["id"], &message["content"], &pushed["unusedId"]), (&json!(1), &json!(""), &json!(2)));
    assert!(message["eraseTime"].is_string(), "{pushed}");
    let left = json!(rows(&server, "ChatTable").await).to_string();
    assert!(!left.contains(TEXT), "{left}");
    server.stop().await;
}

/// Rows of a room past the gateway and past the stores, 25 at a time: odd ones are of user 7.
async fn crowd(server: &Server, in_room: &str, count: u64) {
    let row = |id: u64| {
        let sender = if id % 2 == 1 { "7" } else { "8" };
        json!({"PutRequest": {"Item": {"PK": {"S": format!("ROOM#{in_room}")}, "SK": {"S": format!("MSG#{id:016}")},
            "id": {"N": id.to_string()}, "roomId": {"S": in_room}, "senderId": {"N": sender}, "kind": {"S": "text"},
            "content": {"S": TEXT}, "createTime": {"N": "1741746165123"}}}})
    };
    for begin in (1..=count).step_by(25) {
        let batch: Vec<_> = (begin..=count.min(begin + 24)).map(row).collect();
        server.dynamodb("BatchWriteItem", json!({"RequestItems": {"ChatTable": batch}})).await;
    }
}

/// How many messages are erased, counted where they lie.
async fn emptied(server: &Server) -> u64 {
    let mut scan = json!({"TableName": "ChatTable", "ConsistentRead": true, "Select": "COUNT",
        "FilterExpression": "attribute_exists(eraseTime)"});
    let mut count = 0;
    loop {
        let page = server.dynamodb("Scan", scan.clone()).await;
        count += page["Count"].as_u64().expect("a count");
        if page["LastEvaluatedKey"].is_null() {
            return count;
        }
        scan["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
}

#[tokio::test]
async fn an_erasure_that_is_interrupted_goes_on_where_it_was() {
    const ROWS: u64 = 2_200;
    let server = Server::start().await;
    for user in [7, 8] {
        server.connect(user).await.close().await;
    }
    crowd(&server, "a room", ROWS).await;
    let before = others(&server).await;
    let erasure = ops(&["erase-user", "7", "--yes", "--units-per-second", "300"]).to(&server).start();
    // Of a thousand rows 500 are of user 7.
    until("it is in its second thousand", async || emptied(&server).await > 510).await;
    let id = erasure.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    let said = end(erasure).await;
    let then = emptied(&server).await;
    assert!(said.code == 1 && then < ROWS / 2, "it was interrupted, and not done: {then}, {said:?}");
    let (_, rest) = said.err.rsplit_once("--after '").unwrap_or_else(|| panic!("it says where to go on: {said:?}"));
    let place = rest.split('\'').next().expect("a place");
    assert!(place.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{place}");

    // It is a place on the way of this erasure, and of no other: what lies before it was not looked at for anybody else.
    let others_too = [rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await];
    for arguments in [&["8"][..], &["7", "--room", "a room"]] {
        let arguments = [&["erase-user"], arguments, &["--yes", "--after", place]].concat();
        let error = ops(&arguments).to(&server).fails().await;
        assert_eq!(error, "error: --after is of another erasure: user 7, all rooms, in ChatTable\n", "{arguments:?}");
    }
    let elsewhere = ops(&["erase-user", "7", "--yes", "--after", place]).to(&server).with("CHAT_TABLE", "Another");
    let error = elsewhere.fails().await;
    assert_eq!(error, "error: --after is of another erasure: user 7, all rooms, in ChatTable\n");
    assert_eq!([rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await], others_too);

    let recorder = Recorder::before(server.dynamodb_url()).await;
    let go_on = ops(&["erase-user", "7", "--yes", "--units-per-second", "100000", "--after", place]).to(&server);
    let said = go_on.with("AWS_ENDPOINT_URL_DYNAMODB", recorder.url()).succeeds().await;
    assert_eq!(emptied(&server).await, ROWS / 2, "{said}");
    let read = said.split("emptied, in ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    // The profiles are rows as well.
    assert!(read.is_some_and(|read| read <= ROWS + 2 - 1_000), "what was done is not read again: {said}");
    let scans = recorder.take().into_iter().filter(|call| call.operation == "Scan");
    assert!(scans.into_iter().all(|call| call.read_units <= 256.0), "each answer is bounded");
    assert_eq!(others(&server).await, before);
    let left: Vec<_> = rows(&server, "ChatTable").await.into_iter().filter(is_of_7).collect();
    assert!(!json!(left).to_string().contains(TEXT));
    server.stop().await;
}

/// A place on the way of an erasure of user 7 in these rooms.
fn place(rooms: Value, partition: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!([7, rooms, "ChatTable", partition, "MSG#0000000000000010"]).to_string())
}

/// Rooms that are named are queried, and no other row of the table is read.
#[tokio::test]
async fn rooms_that_are_named_are_all_that_is_read() {
    let server = Server::start().await;
    server.connect(7).await.close().await;
    for room in ["1", "2", "3", "4"] {
        crowd(&server, room, 30).await;
    }
    let recorder = Recorder::before(server.dynamodb_url()).await;
    let typed = |more: &[&str]| {
        let arguments = [&["erase-user", "7", "--room", "1", "--room", "3", "--room", "2"], more].concat();
        ops(&arguments).to(&server).with("AWS_ENDPOINT_URL_DYNAMODB", recorder.url())
    };
    let said = typed(&[]).succeeds().await;
    assert!(said.contains("3 rooms are read") && emptied(&server).await == 0, "{said}");
    // A room that nobody spoke in is mistyped, and the others wait until it is not.
    let before = rows(&server, "ChatTable").await;
    for more in [&["--room", "nowhere"][..], &["--room", "nowhere", "--yes"]] {
        let said = typed(more).run().await;
        let expected = (1, "", "error: room nowhere has no messages, and nothing was done\n");
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), expected);
    }
    assert_eq!(rows(&server, "ChatTable").await, before);
    // From the middle of the second of them to the end of the last: what comes before is done already.
    let said = typed(&["--yes", "--after", &place(json!([1, 2, 3]), "ROOM#2")]).succeeds().await;
    assert!(said.contains("messages: 25 emptied, in 50 rows"), "{said}");
    // What the user wrote elsewhere is still there.
    let words = "messages and files of user 7 in these rooms are erased; those in other rooms are not";
    assert!(said.contains(words) && !said.contains("user 7 is erased"), "{said}");
    let rows = rows(&server, "ChatTable").await;
    let erased = |room: &str| rows.iter().filter(|row| row["PK"]["S"] == room && !row["eraseTime"].is_null()).count();
    assert_eq!(["ROOM#1", "ROOM#2", "ROOM#3", "ROOM#4"].map(erased), [0, 10, 15, 0]);
    let calls = recorder.take();
    let scans = calls
        .iter()
        .filter(|call| call.operation == "Scan" && call.partitions.iter().any(|of| of.starts_with("ChatTable")));
    assert!(scans.map(|call| call.read_units).sum::<f64>() <= 2.0 * 2.0, "to recognise it, one row each time");
    let error = typed(&["--after", &place(json!([1, 3]), "ROOM#3")]).fails().await;
    assert!(error.ends_with("--after is of another erasure: user 7, rooms 1, 3, in ChatTable\n"), "{error}");
    assert_eq!(typed(&["--after", &place(json!([1, 2, 3]), "ROOM#4")]).run().await.code, 2, "in none of its rooms");
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_erased_by_mistake() {
    let server = Server::start().await;
    let mut seven = server.connect(7).await;
    seven.join(1).await;
    seven.say(1, TEXT).await;
    let before = [rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await];
    let typed = |user: &str| ops(&["erase-user", user, "--yes"]).to(&server);
    let swapped =
        |typed: crate::Typed| typed.with("CHAT_TABLE", "ConnectionsTable").with("CONNECTIONS_TABLE", "ChatTable");
    for (typed, said) in [
        (typed("8"), "user \"8\" was never seen"),
        (typed("07"), "was never seen"),
        (typed(""), "is no user's id"),
        (swapped(typed("7")), "ConnectionsTable is not the chat table"),
        (typed("7").with("CONNECTIONS_TABLE", "ChatTable"), "ChatTable is not the table of connections"),
    ] {
        let error = typed.fails().await;
        assert!(error.contains(said), "{error}");
    }
    for arguments in
        [&["erase-user", "7", "--yes", "--units-per-second", "0"][..], &["erase-user", "7", "--after", "x"]]
    {
        assert_eq!(ops(arguments).to(&server).run().await.code, 2, "{arguments:?}");
    }
    assert_eq!([rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await], before);
    server.stop().await;
}

/// A connection that is not there to be ended leaves its rows, a send that is under way comes late, and a row that is
/// younger than the erasure is of somebody who came back.
#[tokio::test]
async fn what_was_under_way_is_erased_and_what_is_new_is_not() {
    let server = Server::start().await;
    let app = server.app();
    let lost = chat_tests::lost_device();
    chat_tests::remember(&app, "7", lost.clone()).await;
    assert!(app.connections.open(&lost, &user("7"), Kept::default()).await.expect("an answer"));
    // No note of the connection's names this room, as when a join died half way.
    chat_tests::enter(&app, &chat_tests::ghost("7"), &room("1")).await;
    chat_tests::enter(&app, &chat_tests::ghost("8"), &room("2")).await;
    let mut young = chat_tests::ghost("7");
    young.joined_at = Timestamp::from_millis(now().millis() + 3_600_000);
    chat_tests::enter(&app, &young, &room("3")).await;
    let erasure = ops(&["erase-user", "7", "--yes"]).to(&server).start();
    until("it has shut the user out", async || {
        let all = rows(&server, "ChatTable").await;
        all.iter().any(|row| !row["revokedAt"].is_null())
    })
    .await;
    // A send that was under way when its connection ended is stored only now.
    let (id, content) = (next_id(&app.messages, &room("1")).await, Content::stored(MessageKind::Text, TEXT.into()));
    let (id, room, sender) = (id.expect("an id"), room("1"), user("7"));
    let message = Message {
        id,
        room,
        sender,
        content,
        create_time: now(),
        client_message_id: None,
        changed: None,
        reactions: chat::Reactions::default(),
    };
    app.messages.store(message).await.expect("stored");
    let said = end(erasure).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("1 more were known, and none was there"), "{said:?}");
    let left: Vec<_> = rows(&server, "ConnectionsTable").await.iter().map(|row| row["PK"]["S"].clone()).collect();
    assert_eq!(left, ["ROOM#2", "ROOM#3"]);
    assert_eq!(emptied(&server).await, 1);
    server.stop().await;
}

/// The management API was another deployment's: everything is erased but what it takes to find the connections again.
#[tokio::test]
async fn connections_that_are_not_there_are_found_by_the_next_run() {
    let (server, elsewhere, here) = (Server::start().await, Management::start().await, Management::start().await);
    let app = server.app();
    let lost = chat_tests::lost_device();
    chat_tests::remember(&app, "7", lost.clone()).await;
    assert!(app.connections.open(&lost, &user("7"), Kept::default()).await.expect("an answer"));
    crowd(&server, "1", 3).await;
    elsewhere.refuse(&lost.connection, 410);
    let typed = |management: &Management| {
        let typed = ops(&["erase-user", "7", "--yes"]).to(&server);
        typed.with("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management.url())
    };
    let words =
        "1 more were known, and none was there: if the management API is another deployment's, they are still open";
    let said = typed(&elsewhere).run().await;
    assert!(said.code == 1 && said.err.contains(words) && !said.out.contains("is erased"), "{said:?}");
    assert_eq!((emptied(&server).await, server.devices("7").await.len()), (2, 1), "the rest is done");
    let profile = |rows: Vec<Value>| rows.into_iter().find(|row| row["SK"]["S"] == "PROFILE").expect("a profile");
    assert_eq!(profile(rows(&server, "ChatTable").await)["nickName"]["S"], "7");
    let said = typed(&here).succeeds().await;
    assert!(said.contains("connections ended: 1") && said.contains("user 7 is erased"), "{said}");
    assert_eq!((here.attempts(&lost.connection), server.devices("7").await.len()), (1, 0));

    // API Gateway has cut it by now, whosever it was.
    let old = Timestamp::from_millis(now().millis() - 3 * 3_600_000);
    chat_tests::remember(&app, "9", chat::Device { connected_at: old, ..lost.clone() }).await;
    let said = ops(&["erase-user", "9", "--yes"]).to(&server);
    let said = said.with("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", elsewhere.url()).run().await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    assert_eq!(server.devices("9").await, Vec::<String>::new());
    server.stop().await;
}
