//! Changes behind the wire: what holds while DynamoDB shows a transaction's rows one by one, and at the bounds of a
//! deployment.

use chat::limits::REACTIONS_PER_MESSAGE_MAX;
use chat::{
    Change, ChangeNumber, ClientMessageId, Content, Emoji, ListChanges, MessageId, MessageKind, Reaction, Rejection,
};
use chat_aws::{Failure, Vars, now};
use chat_tests::{App, Client, Recorder, Server, caller, room, user};
use serde_json::{Value, json};

const ROOM: &str = "ROOM#1";

fn name(id: &str) -> ClientMessageId {
    serde_json::from_value(json!(id)).expect("an id")
}

fn edit(id: &str) -> Change {
    Change::Edit { content: Content::parse(MessageKind::Text, id).expect("content"), client_message_id: name(id) }
}

/// A room with so many messages of user 7.
async fn talk(server: &Server, messages: usize) -> Client {
    let mut client = server.connect(7).await;
    for number in 0..messages {
        client.say(1, &format!("message {number}")).await;
    }
    client
}

async fn change(app: &App, id: u64, change: &Change) -> u64 {
    let committed = app.changes.change(&room("1"), MessageId::new(id), change, &caller("7")).await;
    committed.expect("changed").message.version().get()
}

/// The places and versions in the feed.
async fn feed(app: &App) -> Vec<(u64, u64)> {
    let asked = ListChanges::parse("chatroomId=1&after=0").expect("a request");
    let page = app.changes.page(&asked).await.expect("a page");
    assert!(!page.more, "there is no next page");
    page.changes.iter().map(|(number, message)| (number.get(), message.version().get())).collect()
}

async fn set(server: &Server, sort: &str, expression: &str, values: Value) {
    let mut update = json!({
        "TableName": "ChatTable",
        "Key": {"PK": {"S": ROOM}, "SK": {"S": sort}},
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": values,
    });
    if !expression.contains("#version") {
        update.as_object_mut().expect("an object").remove("ExpressionAttributeNames");
    }
    server.dynamodb("UpdateItem", update).await;
}

/// The row says the version after the next; its message is as it was. Whoever passed it would never have the text.
#[tokio::test]
async fn the_feed_ends_before_half_of_a_commit() {
    let server = Server::start().await;
    let (app, _client) = (server.app(), talk(&server, 3).await);
    for (id, number) in [(1, 1), (2, 2), (3, 3)] {
        assert_eq!(change(&app, id, &edit("a")).await, number);
    }
    assert_eq!(feed(&app).await, [(1, 1), (2, 2), (3, 3)]);
    // The second message's change is committed, and its row is not visible yet.
    set(&server, "MSG#0000000000000002", "SET editTime = :t REMOVE #version, edits", json!({":t": {"N": "0"}})).await;
    assert_eq!(feed(&app).await, [(1, 1)], "nothing after it is given out");
    // A message that has changed again is given out at its old place: the new one is still to come.
    set(&server, "MSG#0000000000000002", "SET #version = :v", json!({":v": {"N": "9"}})).await;
    assert_eq!(feed(&app).await, [(1, 1), (2, 9), (3, 3)]);
    server.stop().await;
}

/// The counter is behind the message: written from that, the counter would give a number twice.
#[tokio::test]
async fn a_message_that_is_ahead_of_the_counter_is_waited_for() {
    let server = Server::start().await;
    let (app, _client) = (server.app(), talk(&server, 1).await);
    assert_eq!(change(&app, 1, &edit("a")).await, 1);
    set(&server, "MSG#0000000000000001", "SET #version = :v", json!({":v": {"N": "2"}})).await;
    let failed = app.changes.change(&room("1"), MessageId::new(1), &edit("b"), &caller("7")).await;
    assert!(matches!(failed, Err(Failure::Fault(_))), "it never became visible: {failed:?}");
    let (room, again, author) = (room("1"), edit("b"), caller("7"));
    let (waits, ()) = tokio::join!(
        app.changes.change(&room, MessageId::new(1), &again, &author),
        set(&server, "CHANGED", "SET lastChange = :v", json!({":v": {"N": "2"}})),
    );
    assert_eq!(waits.expect("changed").message.version(), ChangeNumber::new(3));
    server.stop().await;
}

/// What a first join may begin at: while a change is young, its message may still be read as it was.
#[tokio::test]
async fn a_join_is_told_what_is_settled_while_a_change_is_young() {
    let server = Server::start().await;
    let (app, mut client) = (server.app(), talk(&server, 2).await);
    let join = json!({"action": "joinRoom", "chatroomId": 1, "changes": true});
    let told = async |client: &mut Client| {
        let ack = client.ask(join.clone()).await;
        (ack["lastChange"].clone(), ack["settledChange"].clone())
    };
    assert_eq!(told(&mut client).await, (json!(0), Value::Null));
    change(&app, 1, &edit("a")).await;
    assert_eq!(told(&mut client).await, (json!(1), json!(0)));
    let age = async || {
        let old = (now().millis() - 10_001).to_string();
        set(&server, "CHANGED", "SET changeTime = :old", json!({":old": {"N": old}})).await;
    };
    age().await;
    assert_eq!(told(&mut client).await, (json!(1), Value::Null));
    change(&app, 2, &edit("b")).await;
    assert_eq!(told(&mut client).await, (json!(2), json!(1)), "the first is settled");
    change(&app, 2, &edit("c")).await;
    assert_eq!(told(&mut client).await, (json!(3), json!(1)), "the second is not");
    // Whoever does not ask is told nothing of it.
    let plain = client.ask(json!({"action": "joinRoom", "chatroomId": 1})).await;
    assert_eq!((&plain["lastChange"], &plain["settledChange"]), (&Value::Null, &Value::Null));
    server.stop().await;
}

/// The lock on the row before: without it a change could be seen in the feed while an earlier one cannot.
#[tokio::test]
async fn a_change_holds_on_to_the_row_of_the_one_before() {
    let server = Server::start().await;
    let _client = talk(&server, 2).await;
    let recorder = Recorder::start().await;
    recorder.aim(server.dynamodb_url());
    let vars: Vars = server.vars().into_iter().chain([("AWS_ENDPOINT_URL_DYNAMODB", recorder.url().into())]).collect();
    let app = App::new(&vars).expect("the parts");
    let locks = "dynamodb:ConditionCheckItem ChatTable ROOM#*";
    for (id, text, locked) in [(1, "a", false), (2, "b", true), (2, "c", false), (1, "d", true)] {
        recorder.take();
        change(&app, id, &edit(text)).await;
        let calls = recorder.take();
        let transaction = calls.iter().find(|call| call.operation == "TransactWriteItems").expect("a commit");
        assert_eq!(transaction.rights.contains(locks), locked, "{text}: unless it is replaced by this one");
    }
    server.stop().await;
}

#[tokio::test]
async fn everybody_reacts_once_and_a_hundred_are_enough() {
    let server = Server::start().await;
    let (app, _client) = (server.app(), talk(&server, 1).await);
    let react = async |who: u64, emoji: &str, on: bool| {
        let reaction = Reaction { emoji: Emoji::parse(emoji).expect("an emoji"), on };
        app.reactions.react(&room("1"), MessageId::new(1), &user(&who.to_string()), &reaction).await
    };
    for who in 0..REACTIONS_PER_MESSAGE_MAX as u64 {
        for duplicate in [false, true] {
            assert_eq!(react(who, "👍", true).await.expect("stored").duplicate, duplicate, "{who}");
        }
    }
    let too_many = react(1_000, "🎂", true).await;
    let refused = Rejection::TooManyReactions { limit: REACTIONS_PER_MESSAGE_MAX };
    assert!(matches!(&too_many, Err(Failure::Rejected(rejection)) if *rejection == refused), "{too_many:?}");
    assert!(react(3, "👍", true).await.expect("it is there").duplicate, "who is there is told so");
    assert!(!react(3, "👍", false).await.expect("taken back").duplicate);
    let reacted = react(1_000, "🎂", true).await.expect("there is a place again").reactions;
    assert_eq!(
        reacted.by_emoji.values().map(std::collections::BTreeSet::len).sum::<usize>(),
        REACTIONS_PER_MESSAGE_MAX
    );
    server.stop().await;
}

#[tokio::test]
async fn a_deployment_says_for_how_long_messages_may_change() {
    for (parameter, value, action, refused) in [
        ("EditMinutes", "off", "editMessage", Some("messages are not edited here")),
        ("EditMinutes", "0", "editMessage", None),
        ("RecallMinutes", "off", "deleteMessage", Some("messages are not recalled here")),
        ("RecallMinutes", "2", "deleteMessage", None),
    ] {
        let server = Server::start_with_parameter(parameter, value).await;
        let mut client = talk(&server, 1).await;
        let message = json!({"type": "text", "content": "hi"});
        let reply = client
            .ask(json!({"action": action, "chatroomId": 1, "id": 1, "message": message, "clientMessageId": "a"}))
            .await;
        assert_eq!(reply["message"].as_str(), refused, "{parameter}={value}: {reply}");
        assert_eq!(reply["code"].as_str(), refused.map(|_| "tooLate"), "{reply}");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_expired_message_is_not_there_to_be_changed() {
    let server = Server::start().await;
    let mut client = talk(&server, 1).await;
    change(&server.app(), 1, &edit("a")).await;
    let past = json!({":past": {"N": (now().seconds() - 1).to_string()}});
    for sort in ["MSG#0000000000000001", "CHG#0000000000000001"] {
        set(&server, sort, "SET expiresAt = :past", past.clone()).await;
    }
    for request in [
        json!({"action": "deleteMessage", "chatroomId": 1, "id": 1}),
        json!({"action": "reactMessage", "chatroomId": 1, "id": 1, "emoji": "👍", "on": true}),
    ] {
        assert_eq!(client.ask(request).await["code"], "notFound");
    }
    assert!(feed(&server.app()).await.is_empty());
    server.stop().await;
}

/// Edits and recalls are always told, reactions as joins are.
#[tokio::test]
async fn a_room_that_is_too_large_is_told_of_changes_and_not_of_reactions() {
    let server = Server::start_with_parameter("NoticesUpTo", "1").await;
    let mut author = talk(&server, 1).await;
    let mut member = server.connect(8).await;
    for client in [&mut author, &mut member] {
        client.join(1).await;
    }
    let react = json!({"action": "reactMessage", "chatroomId": 1, "id": 1, "emoji": "👍", "on": true});
    assert_eq!(member.ask(react).await["type"], "ack");
    let message = json!({"type": "text", "content": "hi"});
    let edit = json!({"action": "editMessage", "chatroomId": 1, "id": 1, "message": message, "clientMessageId": "a"});
    assert_eq!(author.ask(edit).await["type"], "ack");
    let types: Vec<_> = member.pushed().await.iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(types, ["editMessage"]);
    server.stop().await;
}
