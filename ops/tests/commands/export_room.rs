//! `export-room`: everything that was said in a room, once, whatever interrupts it.

use crate::{local, ops};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::DATE;
use axum::http::{HeaderMap, HeaderValue, Method};
use chat::{Content, Message, MessageKind, Timestamp};
use chat_aws::now;
use chat_tests::proxy::{self, Passage, operation};
use chat_tests::{Recorder, Server, next_id, room, user};
use chrono::DateTime;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// Fills a room past the gateway, with these ids.
async fn fill(server: &Server, in_room: &str, ids: std::ops::RangeInclusive<u64>) {
    let app = server.app();
    for n in ids {
        let id = next_id(&app.messages, &room(in_room)).await.expect("an id");
        let (sender, content) =
            (user(&(n % 7).to_string()), Content::parse(MessageKind::Text, &format!("message {n}")));
        let (room, content) = (room(in_room), content.expect("content"));
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
    }
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn ids(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["id"].as_u64().expect("an id")).collect()
}

#[tokio::test]
async fn every_message_is_written_as_the_history_shows_it() {
    let server = Server::start().await;
    let mut client = server.connect(3).await;
    client.join("a room").await;
    fill(&server, "a room", 1..=250).await;
    let mut history = Vec::new();
    for after in [0, 100, 200] {
        let page = server.history(&format!("chatroomId=a+room&limit=100&after={after}")).await;
        history.extend(page.body.as_array().expect("a list").iter().cloned());
    }
    let said = ops(&["export-room", "a room"]).to(&server).run().await;
    assert_eq!((said.code, lines(&said.out)), (0, history.clone()));
    assert_eq!(said.err, "exported 250 messages of room a room, up to id 250\n");
    assert_eq!(history[2]["sender"]["username"], "3", "with the sender's profile");
    // Of the run that is up, from somewhere in the middle, and where there is nothing more.
    let local = local(&server);
    let arguments: Vec<_> =
        local.iter().map(String::as_str).chain(["export-room", "a room", "--after", "199"]).collect();
    assert_eq!(lines(&ops(&arguments).succeeds().await), history[199..]);
    let said = ops(&["export-room", "a room", "--after", "250"]).to(&server).run().await;
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    assert_eq!(said.err, "exported 0 messages of room a room, up to id 250\n");
    server.stop().await;
}

/// It is killed in the middle of a line, and more is said before it is run again.
#[tokio::test]
async fn a_file_is_continued_after_its_last_whole_line() {
    let server = Server::start().await;
    server.connect(7).await.close().await;
    fill(&server, "1", 1..=120).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("room.jsonl");
    let path = file.to_str().expect("a name");
    let typed = || ops(&["export-room", "1", "--output", path]).to(&server);
    typed().succeeds().await;
    let whole = std::fs::read_to_string(&file).expect("a file");
    assert_eq!(ids(&lines(&whole)), (1..=120).collect::<Vec<_>>());
    for cut in [1, 40, whole.len() - 10] {
        std::fs::write(&file, &whole[..whole.len() - cut]).expect("written");
        typed().succeeds().await;
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), whole, "{cut} bytes were missing");
    }
    // The half line was longer than the line is now: nothing is left of it.
    std::fs::write(&file, &whole[..whole.len() - 1]).expect("written");
    let key = json!({"PK": {"S": "ROOM#1"}, "SK": {"S": "MSG#0000000000000120"}});
    let update = json!({"TableName": "ChatTable", "Key": key, "UpdateExpression": "SET content = :less",
        "ExpressionAttributeValues": {":less": {"S": ""}}});
    server.dynamodb("UpdateItem", update).await;
    typed().succeeds().await;
    assert_eq!(lines(&std::fs::read_to_string(&file).expect("a file")).len(), 120);
    fill(&server, "1", 121..=130).await;
    let said = typed().run().await;
    assert_eq!(said.err, "exported 10 messages of room 1, up to id 130\n");
    assert_eq!(ids(&lines(&std::fs::read_to_string(&file).expect("a file"))), (1..=130).collect::<Vec<_>>());
    // Another room's file, and somebody's notes, stay as they are.
    let error = ops(&["export-room", "2", "--output", path]).to(&server).fails().await;
    assert!(error.ends_with("is an export of room 1\n"), "{error}");
    // An id that no message has would be gone on after for ever.
    let beyond = "{\"id\":9007199254740992,\"chatroomId\":1}\n";
    for notes in [beyond, "to do: nothing\n", "no line break", "{\"id\":1}\n"] {
        std::fs::write(&file, notes).expect("written");
        let error = typed().fails().await;
        assert!(error.ends_with("is no export\n"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), notes);
    }
    server.stop().await;
}

/// A send that is under way has its id already. Whoever wrote what came after it, and went on from there, would miss it
/// for ever.
#[tokio::test]
async fn an_export_waits_for_a_hole_that_may_still_be_filled() {
    let server = Server::start().await;
    server.connect(7).await.close().await;
    fill(&server, "1", 1..=3).await;
    let late = next_id(&server.app().messages, &room("1")).await.expect("an id");
    fill(&server, "1", 5..=5).await;
    let recorder = Recorder::before(server.dynamodb_url()).await;
    let export = ops(&["export-room", "1"]).to(&server).with("AWS_ENDPOINT_URL_DYNAMODB", recorder.url()).start();
    let mut asked = 0;
    // It has written what is before the hole, and has looked at what is after it.
    chat_tests::until("it comes to the hole", async || {
        asked += recorder.take().iter().filter(|call| call.operation == "Query").count();
        asked >= 2
    })
    .await;
    let content = Content::parse(MessageKind::Text, "late").expect("content");
    let (room, sender) = (room("1"), user("7"));
    let message = Message {
        id: late,
        room,
        sender,
        content,
        create_time: now(),
        client_message_id: None,
        changed: None,
        reactions: chat::Reactions::default(),
    };
    server.app().messages.store(message).await.expect("stored");
    let said = crate::end(export).await;
    assert_eq!(ids(&lines(&said.out)), [1, 2, 3, 4, 5]);
    assert_eq!(lines(&said.out)[3]["content"], "late");
    server.stop().await;
}

#[tokio::test]
async fn a_mistyped_name_is_no_empty_room() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    let error = ops(&["export-room", "1"]).to(&server).with("CHAT_TABLE", "ConnectionsTable").fails().await;
    assert!(error.ends_with("ConnectionsTable is not the chat table\n"), "{error}");
    let error = ops(&["export-room", ""]).to(&server).fails().await;
    assert!(error.contains("is no room's id"), "{error}");
    for arguments in [&["export-room", "nowhere"][..], &["export-room", "nowhere", "--after", "5"]] {
        let error = ops(arguments).to(&server).fails().await;
        assert!(error.ends_with("error: room nowhere has no messages\n"), "{error}");
    }
    assert_eq!(ops(&["export-room", "1", "--after", "9007199254740992"]).run().await.code, 2, "no id is so large");
    // It asks for the chat table alone.
    client.say(1, "hi").await;
    let said = ops(&["export-room", "1"]).to(&server).with("CONNECTIONS_TABLE", "").run().await;
    assert_eq!((said.code, said.err.as_str()), (0, "exported 1 messages of room 1, up to id 1\n"));
    server.stop().await;
}

/// A page is as old as the moment when it was asked for: what was settled when it came may have been under way then.
#[tokio::test]
async fn a_hole_is_as_fresh_as_the_page_that_it_is_in() {
    let server = Server::start().await;
    server.connect(7).await.close().await;
    fill(&server, "1", 1..=1).await;
    let app = server.app();
    let message = |id, text: &str, create_time| {
        let content = Content::parse(MessageKind::Text, text).expect("content");
        Message {
            id,
            room: room("1"),
            sender: user("7"),
            content,
            create_time,
            client_message_id: None,
            changed: None,
            reactions: chat::Reactions::default(),
        }
    };
    let late = next_id(&app.messages, &room("1")).await.expect("an id");
    let next = next_id(&app.messages, &room("1")).await.expect("an id");
    // By the clock that the command reads, the hole before it is settled in 0.9 seconds.
    let time = now();
    let time = Timestamp::from_millis(time.seconds() * 1_000);
    let settled = Timestamp::from_millis(time.millis() - 10_000 + 900);
    app.messages.store(message(next, "after the hole", settled)).await.expect("stored");
    // The page with the hole takes 1.8 seconds, and the hole is filled meanwhile.
    let date = DateTime::from_timestamp(time.seconds(), 0).expect("a time").format("%a, %d %b %Y %H:%M:%S GMT");
    let date: HeaderValue = date.to_string().parse().expect("a header");
    let (dynamodb, read) = (server.dynamodb_url().to_owned(), Arc::new(AtomicBool::new(false)));
    let was_read = Arc::clone(&read);
    let slow = async move |headers: HeaderMap, body: Bytes| {
        let is_query = operation(&headers) == "Query";
        let passed = Passage::new().pass_on(Method::POST, &dynamodb, headers, body).await;
        let (status, mut headers, body) = passed;
        headers.insert(DATE, date.clone());
        if is_query && !was_read.swap(true, Ordering::SeqCst) {
            sleep(Duration::from_millis(1_800)).await;
        }
        (status, headers, body)
    };
    let url = proxy::serve(Router::new().fallback(slow)).await;
    let export = ops(&["export-room", "1"]).to(&server).with("AWS_ENDPOINT_URL_DYNAMODB", &url).start();
    chat_tests::until("the page is on its way", async || read.load(Ordering::SeqCst)).await;
    app.messages.store(message(late, "late", now())).await.expect("stored");
    let said = crate::end(export).await;
    assert_eq!(ids(&lines(&said.out)), [1, 2, 3], "{said:?}");
    server.stop().await;
}

/// However long a room is, a page is all that is held and asked for at once.
#[tokio::test]
async fn an_export_asks_for_a_page_at_a_time() {
    let server = Server::start().await;
    server.connect(7).await.close().await;
    fill(&server, "1", 1..=450).await;
    let recorder = Recorder::before(server.dynamodb_url()).await;
    let typed = ops(&["export-room", "1"]).to(&server).with("AWS_ENDPOINT_URL_DYNAMODB", recorder.url());
    assert_eq!(lines(&typed.succeeds().await).len(), 450);
    let calls = recorder.take();
    let count = |operation: &str| calls.iter().filter(|call| call.operation == operation).count();
    assert_eq!((count("Query"), count("BatchGetItem")), (5, 5));
    assert!(calls.iter().all(|call| call.read_units < 10.0), "{calls:?}");
    server.stop().await;
}
