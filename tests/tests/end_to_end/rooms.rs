//! What a room is for: everyone in it gets everything, once, and nobody else does.

use chat_tests::{Client, PATIENCE, Server, text_message};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::time::timeout;

#[tokio::test]
async fn the_payloads_of_the_course_work_as_they_are() {
    let server = Server::start().await;
    let (mut guang, mut dong) = (server.connect(1).await, server.connect(2).await);

    guang.send(json!({"action": "joinRoom", "chatroomId": 1, "userId": 1})).await;
    let joined = guang.expect(json!({"type": "joinRoom"})).await;
    assert_eq!((&joined["chatroomId"], &joined["userId"]), (&json!(1), &json!(1)));
    guang.expect(json!({"type": "ack", "action": "joinRoom", "lastId": 0})).await;

    dong.send(json!({"action": "joinRoom", "chatroomId": 1, "userId": 2})).await;
    assert_eq!(guang.expect(json!({"type": "joinRoom"})).await["userId"], 2);
    dong.expect(json!({"type": "ack"})).await;

    let message = json!({"type": "image", "content": "https://example.com/cat.png"});
    guang.send(json!({"action": "sendMessage", "sendUserId": 1, "chatroomId": 1, "message": message})).await;
    for client in [&mut guang, &mut dong] {
        let pushed = client.expect(json!({"type": "sendMessage"})).await;
        assert_eq!((&pushed["userId"], &pushed["chatroomId"]), (&json!(1), &json!(1)));
        assert_eq!(pushed["message"]["type"], "image");
        assert_eq!(pushed["message"]["content"], "https://example.com/cat.png");
        assert_eq!(pushed["message"]["id"], 1);
    }
    let page = server.history("chatroomId=1").await;
    let item = &page.body[0];
    assert_eq!((&item["type"], &item["senderId"], &item["chatroomId"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(item["createTime"], item["updateTime"]);
    server.stop().await;
}

#[tokio::test]
async fn the_sender_is_shown_to_everyone_as_the_token_says() {
    let server = Server::start().await;
    let claims = json!({"userId": 1, "username": "guang", "nickName": "光", "headPic": "https://example.com/g.png",
        "email": "guang@example.com", "rooms": "*"});
    let mut guang = Client::connect(&server.socket_url(&server.token(claims))).await;
    let mut dong = server.connect("auth0|2").await;
    dong.join(1).await;
    let profile = json!({"id": 1, "username": "guang", "nickName": "光", "headPic": "https://example.com/g.png"});

    guang.join(1).await;
    assert_eq!(dong.expect(json!({"type": "joinRoom"})).await["user"], profile);
    guang.say(1, "hi").await;
    assert_eq!(dong.expect(json!({"type": "sendMessage"})).await["message"]["sender"], profile);
    dong.say(1, "hello").await;

    let page = server.history("chatroomId=1").await;
    let mut sender = page.body[0]["sender"].clone();
    let since = sender.as_object_mut().expect("a sender").remove("createTime");
    assert_eq!(sender, profile, "no e-mail address, since this deployment does not expose it");
    assert!(since.is_some_and(|since| since.as_str().is_some_and(|text| text.ends_with('Z'))));
    assert_eq!(page.body[1]["sender"]["id"], "auth0|2");
    server.stop().await;
}

#[tokio::test]
async fn an_address_is_shown_where_the_deployment_exposes_it() {
    let server = Server::start_with_parameter("ExposeEmail", "true").await;
    let claims = json!({"userId": 1, "email": "guang@example.com", "rooms": "*"});
    let mut guang = Client::connect(&server.socket_url(&server.token(claims))).await;
    guang.join(1).await;
    guang.say(1, "hi").await;
    let pushed = guang.expect(json!({"type": "sendMessage"})).await;
    assert_eq!(pushed["message"]["sender"]["email"], "guang@example.com");
    assert_eq!(server.history("chatroomId=1").await.body[0]["sender"]["email"], "guang@example.com");
    server.stop().await;
}

#[tokio::test]
async fn two_rooms_do_not_hear_each_other() {
    let server = Server::start().await;
    let (mut one, mut two) = (server.connect(1).await, server.connect(2).await);
    one.join(1).await;
    two.join(2).await;
    assert_eq!(one.say(1, "in one").await["id"], 1);
    assert_eq!(two.say(2, "in two").await["id"], 1);
    let heard = |frames: Vec<Value>| frames.iter().map(|frame| frame["message"]["content"].clone()).collect::<Vec<_>>();
    assert_eq!(heard(one.pushed().await), ["in one"]);
    assert_eq!(heard(two.pushed().await), ["in two"]);
    assert_eq!(server.history("chatroomId=1").await.ids(), [1]);
    server.stop().await;
}

#[tokio::test]
async fn a_number_and_its_digits_are_one_room_and_one_user() {
    let server = Server::start().await;
    let (mut number, mut text) = (server.connect(7).await, server.connect("7").await);
    number.join(1).await;
    let ack = text.ask(json!({"action": "joinRoom", "chatroomId": "1", "userId": "7"})).await;
    assert_eq!((&ack["type"], &ack["chatroomId"]), (&json!("ack"), &json!(1)));
    text.say("1", "hi").await;
    let pushed = number.expect(json!({"type": "sendMessage"})).await;
    assert_eq!((&pushed["chatroomId"], &pushed["userId"]), (&json!(1), &json!(7)));
    server.stop().await;
}

#[tokio::test]
async fn rooms_and_users_may_be_called_anything_printable() {
    let server = Server::start().await;
    let long = "x".repeat(255);
    let rooms = [json!(0), json!(9_007_199_254_740_991_u64), json!("lobby"), json!("光 & Ωmega#1/?=%"), json!(long)];
    for room in rooms {
        let mut client = server.connect("user#1/光").await;
        client.join(room.clone()).await;
        assert_eq!(client.say(room.clone(), "hi").await["chatroomId"], room);
        let pushed = client.expect(json!({"type": "sendMessage"})).await;
        assert_eq!((&pushed["chatroomId"], &pushed["userId"]), (&room, &json!("user#1/光")));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_retry_is_the_same_message() {
    let server = Server::start().await;
    let (mut sender, mut other) = (server.connect(1).await, server.connect(2).await);
    other.join(1).await;
    let mut request = text_message(1, "once");
    request["clientMessageId"] = json!("0f8fad5b-d9cb-469f-a165-70867728950e");

    let first = sender.ask(request.clone()).await;
    assert_eq!((&first["type"], first.get("duplicate")), (&json!("ack"), None));
    let second = sender.ask(request.clone()).await;
    assert_eq!(second["duplicate"], true);
    for same in ["id", "createTime", "chatroomId"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    let pushed = other.pushed().await;
    let ids: Vec<_> = pushed.iter().map(|frame| &frame["message"]["id"]).collect();
    assert_eq!(ids, [&first["id"], &first["id"]], "a retry is pushed again, under the same id");
    assert_eq!(pushed[0]["message"]["clientMessageId"], request["clientMessageId"]);

    // The same words of someone else, or in another room, are another message.
    assert!(other.ask(request.clone()).await.get("duplicate").is_none());
    request["chatroomId"] = json!(2);
    assert_eq!(sender.ask(request).await.get("duplicate"), None);
    assert_eq!(server.history("chatroomId=1").await.body.as_array().map(Vec::len), Some(2));
    server.stop().await;
}

#[tokio::test]
async fn a_retry_with_other_words_changes_nothing() {
    let server = Server::start().await;
    let mut sender = server.connect(1).await;
    sender.join(1).await;
    let mut request = text_message(1, "first words");
    request["clientMessageId"] = json!("a");
    sender.ask(request.clone()).await;
    request["message"]["content"] = json!("other words");
    assert_eq!(sender.ask(request).await["duplicate"], true);
    for frame in sender.pushed().await {
        assert_eq!(frame["message"]["content"], "first words");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_at_the_same_moment_are_one_message() {
    let server = Server::start().await;
    let mut devices = join_all((0..8).map(|_| server.connect(1))).await;
    let mut request = text_message(1, "once");
    request["clientMessageId"] = json!("same");
    let acks = join_all(devices.iter_mut().map(|device| device.ask(request.clone()))).await;
    let ids: BTreeSet<_> = acks.iter().map(|ack| ack["id"].as_u64()).collect();
    assert_eq!(ids.len(), 1, "{acks:?}");
    assert_eq!(acks.iter().filter(|ack| ack.get("duplicate").is_none()).count(), 1, "{acks:?}");
    assert_eq!(server.history("chatroomId=1").await.ids().len(), 1);
    server.stop().await;
}

/// The promise to whoever joins: what was not pushed to you has an id of at most `lastId`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_in_a_storm_of_sends_misses_nothing() {
    const SENDERS: u64 = 4;
    const SENDS: u64 = 40;
    let server = Server::start().await;
    let storm = join_all((0..SENDERS).map(|user| {
        let server = &server;
        async move {
            let mut sender = server.connect(100 + user).await;
            for n in 0..SENDS {
                sender.say(1, &format!("{user}/{n}")).await;
            }
        }
    }));
    // Each joins once the history has come that far, in the middle of the storm.
    let joins = join_all((0..SENDERS * SENDS / 8).map(|n| {
        let server = &server;
        async move {
            let mut joiner = server.connect(1_000 + n).await;
            let so_far = format!("chatroomId=1&after={}&limit=1", n * 7);
            let storm = async { while server.history(&so_far).await.ids().is_empty() {} };
            timeout(PATIENCE, storm).await.expect("the storm comes so far");
            let request = json!({"action": "joinRoom", "chatroomId": 1});
            let last_id = joiner.ask(request).await["lastId"].as_u64().expect("lastId");
            (joiner, last_id)
        }
    }));
    let ((), joiners) = tokio::join!(async { drop(storm.await) }, joins);

    let mut stored = BTreeSet::new();
    let mut query = Some("chatroomId=1&after=0&limit=100".to_owned());
    while let Some(next) = query {
        let page = server.history(&next).await;
        stored.extend(page.ids());
        query = page.link("next");
    }
    assert_eq!(stored, (1..=SENDERS * SENDS).collect(), "ids are 1, 2, 3, … without a hole");
    let mut in_the_middle = 0;
    for (mut joiner, last_id) in joiners {
        let pushed: BTreeSet<_> =
            joiner.pushed().await.iter().filter_map(|frame| frame["message"]["id"].as_u64()).collect();
        let missed: Vec<_> = stored.iter().filter(|id| **id > last_id && !pushed.contains(id)).collect();
        assert!(missed.is_empty(), "joined at {last_id}, missed {missed:?}");
        in_the_middle += u64::from(last_id > 0 && last_id < SENDERS * SENDS);
    }
    assert!(in_the_middle > 0, "nobody joined while messages were sent");
    server.stop().await;
}
