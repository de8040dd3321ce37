//! Bars where two things happen at once, and what their rows say.

use chat::{Bar, BarChange, Barred, ConnectionId, Encoding, Member, MessageId, ReportMessage};
use chat_aws::now;
use chat_tests::{Client, Server, enter, room, text_message, until, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

async fn moderator(server: &Server) -> Client {
    let token = server.token(json!({"userId": 1, "rooms": "*", "moderates": "*"}));
    Client::connect(&server.socket_url(&token)).await
}

fn bar(target: u64, bar: &str, seconds: u64) -> Value {
    json!({"action": "barUser", "chatroomId": 1, "targetId": target, "bar": bar, "seconds": seconds})
}

fn until_in(seconds: u64, bar: Bar) -> BarChange {
    BarChange::Set(Barred { bar, until: now().after(Duration::from_secs(seconds)) })
}

#[tokio::test]
async fn what_was_stored_before_a_bar_is_acknowledged_when_it_is_said_again() {
    let server = Server::start().await;
    let (mut moderator, mut client) = (moderator(&server).await, server.connect(7).await);
    moderator.join(1).await;
    let mut frame = text_message(1, "hi");
    frame["clientMessageId"] = json!("a-1");
    let first = client.ask(frame.clone()).await;
    let edit = json!({"action": "editMessage", "chatroomId": 1, "id": first["id"], "clientMessageId": "e-1",
        "message": {"type": "text", "content": "hello"}});
    assert_eq!(client.ask(edit.clone()).await["version"], 1);
    moderator.pushed().await;
    assert_eq!(moderator.ask(bar(7, "ban", 60)).await["type"], "ack");
    let again = client.ask(frame.clone()).await;
    assert_eq!(
        (&again["type"], &again["id"], &again["createTime"]),
        (&json!("ack"), &first["id"], &first["createTime"])
    );
    assert_eq!(client.ask(edit).await["duplicate"], true);
    frame["clientMessageId"] = json!("a-2");
    assert_eq!(client.ask(frame).await["code"], "barred");
    let types: Vec<_> = moderator.pushed().await.iter().map(|push| push["type"].clone()).collect();
    assert!(!types.contains(&json!("sendMessage")), "a bar is not overcome by saying it again: {types:?}");
    server.stop().await;
}

/// A connection of user 7 in room 1, who was banned before: of a join that died after its row was written, and before it
/// found the ban.
async fn banned_listener(server: &Server, moderator: &mut Client, rounds: bool) -> Client {
    let mut client = server.connect(7).await;
    client.join(2).await;
    let keys = server.keys("ConnectionsTable").await;
    let connection = keys.iter().find_map(|key| key.strip_prefix("ROOM#2 CONN#")).expect("a member");
    assert_eq!(moderator.ask(bar(7, "ban", 60)).await["type"], "ack");
    let (connection, user, joined_at) = (ConnectionId::new(connection), user("7"), now());
    let listener = Member { connection, user, joined_at, batches: false, rounds, encoding: Encoding::Json };
    enter(&server.app(), &listener, &room("1")).await;
    client
}

#[tokio::test]
async fn whoever_posts_passes_over_a_banned_listener() {
    let server = Server::start().await;
    let mut moderator = moderator(&server).await;
    moderator.join(1).await;
    let mut client = banned_listener(&server, &mut moderator, false).await;
    let said = moderator.say(1, "they are gone").await;
    let edit = json!({"action": "editMessage", "chatroomId": 1, "id": said["id"], "clientMessageId": "e-1",
        "message": {"type": "text", "content": "they are gone now"}});
    assert_eq!(moderator.ask(edit).await["type"], "ack");
    assert!(client.pushed().await.is_empty());
    // And it is a listener once the ban is lifted: it hears what is said from then on.
    assert_eq!(moderator.ask(bar(7, "none", 1)).await["type"], "ack");
    moderator.say(1, "welcome back").await;
    assert_eq!(client.pushed().await[0]["message"]["content"], "welcome back");
    server.stop().await;
}

#[tokio::test]
async fn a_courier_passes_over_a_banned_listener_and_counts_nothing_of_whom_is_muted() {
    for hand_members in ["2500", "1"] {
        let server = Server::start_with_parameters(
            &[("HotRoom", "1")],
            &[(
                "          HOT_ROOM: !Ref HotRoom\n",
                &format!("          HOT_ROOM: !Ref HotRoom\n          HAND_MEMBERS: {hand_members}\n"),
            )],
        )
        .await;
        let mut moderator = moderator(&server).await;
        moderator.join(1).await;
        let mut client = banned_listener(&server, &mut moderator, true).await;
        let in_rounds = async || {
            moderator.say(1, "hi").await;
            server.row("ChatTable", "pushed").await
        };
        until("the room goes over into rounds", in_rounds).await;
        moderator.pushed().await;
        // When the second is heard, the round of the first is over.
        for text in ["by a courier", "and again"] {
            let ack = moderator.say(1, text).await;
            assert!(ack["rounds"].is_number(), "{ack}");
            let heard = async || moderator.pushed().await.iter().any(|push| push["message"]["content"] == text);
            until("the moderator is told", heard).await;
        }
        assert!(client.pushed().await.is_empty(), "hands of {hand_members}");
        assert_eq!(client.ask(text_message(1, "me too")).await["code"], "barred");
        server.stop().await;
    }
}

/// An attempt of a ban that was given up, and comes after the ban was lifted.
#[tokio::test]
async fn a_bar_that_comes_late_changes_nothing() {
    let server = Server::start().await;
    let (app, room, seven) = (server.app(), room("1"), user("7"));
    app.bars.change(&room, &seven, until_in(60, Bar::Ban), now()).await.expect("banned");
    let late = rows(&server).await;
    app.bars.change(&room, &seven, BarChange::Lift, now()).await.expect("lifted");
    let lifted = rows(&server).await;
    // The writes of the first, as they were sent.
    let key = |sort: &str| json!({"PK": {"S": "ROOM#1"}, "SK": {"S": sort}});
    let values = json!({":muted": late[0]["muted"], ":banned": late[0]["banned"], ":bars": {"N": "1"}});
    let write = |sort: &str, condition: &str| {
        json!({"TableName": "ChatTable", "Key": key(sort), "ConditionExpression": condition,
            "UpdateExpression": "SET muted = :muted, banned = :banned, bars = :bars",
            "ExpressionAttributeValues": values})
    };
    for (sort, condition) in
        [("HEAD", "attribute_not_exists(bars)"), ("CHANGED", "attribute_not_exists(bars) OR bars < :bars")]
    {
        let refused = server.try_dynamodb("UpdateItem", write(sort, condition)).await;
        assert!(refused.is_err_and(|error| error.contains("ConditionalCheckFailed")), "{sort}");
    }
    assert_eq!(rows(&server).await, lifted);
    app.messages.count(&room, &seven, now()).await.expect("counted").id().expect("an id");
    server.stop().await;
}

/// What stands in the three rows that have bars.
async fn rows(server: &Server) -> Vec<Value> {
    let mut rows = Vec::new();
    for (partition, sort) in [("ROOM#1", "HEAD"), ("ROOM#1", "CHANGED"), ("USER#7", "PROFILE")] {
        let key = json!({"PK": {"S": partition}, "SK": {"S": sort}});
        let found =
            server.dynamodb("GetItem", json!({"TableName": "ChatTable", "Key": key, "ConsistentRead": true})).await;
        rows.push(found["Item"].clone());
    }
    rows
}

#[tokio::test]
async fn two_moderators_at_once_are_both_heard() {
    let server = Server::start().await;
    let (app, room) = (server.app(), room("1"));
    let users: Vec<_> = (10..14).map(|id| user(&id.to_string())).collect();
    let bars = users.iter().map(|user| app.bars.change(&room, user, until_in(60, Bar::Mute), now()));
    for done in futures_util::future::join_all(bars).await {
        done.expect("barred");
    }
    let [head, changed] = &rows(&server).await[..2] else { panic!("three rows") };
    assert_eq!(head["muted"]["M"].as_object().map(serde_json::Map::len), Some(4), "{head}");
    assert_eq!((&changed["muted"], &changed["bars"]), (&head["muted"], &json!({"N": "4"})), "the copy is the last");
    server.stop().await;
}

#[tokio::test]
async fn a_bar_ends_by_itself() {
    let server = Server::start().await;
    let (mut moderator, mut client) = (moderator(&server).await, server.connect(7).await);
    client.join(1).await;
    assert_eq!(moderator.ask(bar(7, "mute", 1)).await["type"], "ack");
    let refused = client.ask(text_message(1, "now?")).await;
    assert_eq!(refused["code"], "barred");
    tokio::time::sleep(Duration::from_millis(refused["retryAfterMs"].as_u64().expect("a time"))).await;
    client.say(1, "when I was told to").await;
    server.stop().await;
}

/// In pages that end within the reports of one message.
#[tokio::test]
async fn every_report_is_listed_once_the_newest_message_first() {
    const REPORTERS: u64 = 40;
    let server = Server::start().await;
    let mut moderator = moderator(&server).await;
    moderator.join(1).await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        let id = MessageId::new(moderator.say(1, text).await["id"].as_u64().expect("an id"));
        ids.push(id);
        let report = ReportMessage { room: room("1"), id, reason: "spam".into() };
        for reporter in 1..=REPORTERS {
            server.app().reports.keep(&report, &user(&reporter.to_string())).await.expect("it is kept");
        }
    }
    let (mut listed, mut sizes, mut list) = (Vec::new(), Vec::new(), json!({"action": "listReports", "chatroomId": 1}));
    loop {
        let page = moderator.ask(list.clone()).await;
        let reports = page["reports"].as_array().expect("reports");
        let key = |report: &Value| json!({"id": report["id"], "userId": report["user"]["id"]});
        listed.extend(reports.iter().map(key));
        sizes.push(reports.len());
        list["before"] = listed.last().expect("a report").clone();
        if page["more"] != true {
            break;
        }
    }
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(listed.iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), listed.len());
    let messages: Vec<_> = listed.iter().map(|key| key["id"].as_u64()).collect();
    let newest_first = ids.iter().rev().flat_map(|id| std::iter::repeat_n(Some(id.get()), REPORTERS as usize));
    assert_eq!(messages, newest_first.collect::<Vec<_>>());
    server.stop().await;
}
