//! Every member of a room gets every message once, and nobody else does.

use chat_tests::{Client, Deployment, fresh, in_time, text_message, until};
use futures_util::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;
use tokio::sync::watch;

#[tokio::test]
async fn the_payloads_of_the_course_work_as_they_are() {
    let deployment = Deployment::start().await;
    let (room, one, two) = (fresh(), fresh(), fresh());
    let (mut guang, mut dong) = (deployment.connect(one).await, deployment.connect(two).await);

    guang.send(json!({"action": "joinRoom", "chatroomId": room, "userId": one})).await;
    let joined = guang.expect(json!({"type": "joinRoom"})).await;
    assert_eq!((&joined["chatroomId"], &joined["userId"]), (&json!(room), &json!(one)));
    guang.expect(json!({"type": "ack", "action": "joinRoom", "lastId": 0})).await;

    dong.send(json!({"action": "joinRoom", "chatroomId": room, "userId": two})).await;
    assert_eq!(guang.expect(json!({"type": "joinRoom"})).await["userId"], two);
    dong.expect(json!({"type": "ack"})).await;

    let message = json!({"type": "image", "content": "https://example.com/cat.png"});
    guang.send(json!({"action": "sendMessage", "sendUserId": one, "chatroomId": room, "message": message})).await;
    for client in [&mut guang, &mut dong] {
        let pushed = client.expect(json!({"type": "sendMessage"})).await;
        assert_eq!((&pushed["userId"], &pushed["chatroomId"]), (&json!(one), &json!(room)));
        assert_eq!(pushed["message"]["type"], "image");
        assert_eq!(pushed["message"]["content"], "https://example.com/cat.png");
        assert_eq!(pushed["message"]["id"], 1);
    }
    let page = deployment.history(&format!("chatroomId={room}")).await;
    let item = &page.body[0];
    assert_eq!((&item["type"], &item["senderId"], &item["chatroomId"]), (&json!(1), &json!(one), &json!(room)));
    assert_eq!(item["createTime"], item["updateTime"]);
    deployment.stop().await;
}

#[tokio::test]
async fn the_sender_is_shown_to_everyone_as_the_token_says() {
    let deployment = Deployment::start().await;
    let (room, user, other) = (fresh(), fresh(), format!("auth0|{}", fresh()));
    let claims = json!({"userId": user, "username": "guang", "nickName": "光", "headPic": "https://example.com/g.png",
        "email": "guang@example.com", "rooms": "*"});
    let mut guang = Client::connect(&deployment.socket_url(&deployment.token(claims))).await;
    let mut dong = deployment.connect(other.as_str()).await;
    dong.join(room).await;
    let profile = json!({"id": user, "username": "guang", "nickName": "光", "headPic": "https://example.com/g.png"});

    guang.join(room).await;
    assert_eq!(dong.expect(json!({"type": "joinRoom"})).await["user"], profile);
    guang.say(room, "hi").await;
    assert_eq!(dong.expect(json!({"type": "sendMessage"})).await["message"]["sender"], profile);
    dong.say(room, "hello").await;

    let page = deployment.history(&format!("chatroomId={room}")).await;
    let mut sender = page.body[0]["sender"].clone();
    let since = sender.as_object_mut().expect("a sender").remove("createTime");
    assert_eq!(sender, profile, "no e-mail address, since this deployment does not expose it");
    assert!(since.is_some_and(|since| since.as_str().is_some_and(|text| text.ends_with('Z'))));
    assert_eq!(page.body[1]["sender"]["id"], other);
    deployment.stop().await;
}

#[tokio::test]
async fn a_number_and_its_digits_are_one_room_and_one_user() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let (mut number, mut text) = (deployment.connect(user).await, deployment.connect(user.to_string()).await);
    number.join(room).await;
    let request = json!({"action": "joinRoom", "chatroomId": room.to_string(), "userId": user.to_string()});
    let ack = text.ask(request).await;
    assert_eq!((&ack["type"], &ack["chatroomId"]), (&json!("ack"), &json!(room)));
    text.say(room.to_string(), "hi").await;
    let pushed = number.expect(json!({"type": "sendMessage"})).await;
    assert_eq!((&pushed["chatroomId"], &pushed["userId"]), (&json!(room), &json!(user)));
    deployment.stop().await;
}

#[tokio::test]
async fn rooms_and_users_may_be_called_anything_printable() {
    let deployment = Deployment::start().await;
    let user = format!("user#{}/光", fresh());
    let (lobby, punctuated, long) =
        (format!("lobby-{}", fresh()), format!("光 & Ωmega#{}/?=%", fresh()), format!("{:x>255}", fresh()));
    // Nobody can have the smallest and the largest number for a test alone: others may have been there, or be there
    // now.
    for room in [json!(0), json!(9_007_199_254_740_991_u64), json!(lobby), json!(punctuated), json!(long)] {
        let mut client = deployment.connect(user.as_str()).await;
        client.join(room.clone()).await;
        assert_eq!(client.say(room.clone(), "hi").await["chatroomId"], room);
        let pushed = client.expect(json!({"type": "sendMessage", "userId": user})).await;
        assert_eq!(pushed["chatroomId"], room);
    }
    deployment.stop().await;
}

#[tokio::test]
async fn a_retry_is_the_same_message() {
    let deployment = Deployment::start().await;
    let (room, other_room) = (fresh(), fresh());
    let (mut sender, mut other) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
    other.join(room).await;
    let mut request = text_message(room, "once");
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

    // The retry's unused number is told, so that nobody waits for a message under it.
    let unused = json!(first["id"].as_u64().map(|id| id + 1));
    assert_eq!((&second["unusedId"], &pushed[1]["unusedId"]), (&unused, &unused));
    assert_eq!((first.get("unusedId"), pushed[0].get("unusedId")), (None, None));

    // The same text from someone else, or in another room, is another message.
    assert!(other.ask(request.clone()).await.get("duplicate").is_none());
    request["chatroomId"] = json!(other_room);
    assert_eq!(sender.ask(request).await.get("duplicate"), None);
    assert_eq!(deployment.history(&format!("chatroomId={room}")).await.ids().len(), 2);
    deployment.stop().await;
}

#[tokio::test]
async fn a_retry_with_other_words_changes_nothing() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut sender = deployment.connect(fresh()).await;
    sender.join(room).await;
    let mut request = text_message(room, "first words");
    request["clientMessageId"] = json!("a");
    sender.ask(request.clone()).await;
    request["message"]["content"] = json!("other words");
    assert_eq!(sender.ask(request).await["duplicate"], true);
    for frame in sender.pushed().await {
        assert_eq!(frame["message"]["content"], "first words");
    }
    deployment.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_at_the_same_moment_are_one_message() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let mut devices = join_all((0..8).map(|_| deployment.connect(user))).await;
    let mut request = text_message(room, "once");
    request["clientMessageId"] = json!("same");
    let acks = join_all(devices.iter_mut().map(|device| device.ask(request.clone()))).await;
    let ids: BTreeSet<_> = acks.iter().map(|ack| ack["id"].as_u64()).collect();
    assert_eq!(ids.len(), 1, "{acks:?}");
    assert_eq!(acks.iter().filter(|ack| ack.get("duplicate").is_none()).count(), 1, "{acks:?}");
    assert_eq!(deployment.history(&format!("chatroomId={room}")).await.ids().len(), 1);
    deployment.stop().await;
}

/// The promise of a join: every message that is not pushed has an id of at most `lastId`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_in_a_storm_of_sends_misses_nothing() {
    const SENDERS: u64 = 4;
    const SENDS: u64 = 40;
    let deployment = Deployment::start().await;
    let room = fresh();
    let sent = watch::Sender::new(0);
    let storm = join_all((0..SENDERS).map(|sender| {
        let (deployment, sent) = (&deployment, &sent);
        async move {
            let mut client = deployment.connect(fresh()).await;
            for n in 0..SENDS {
                // A fast machine sends more than the room's courier has place for, and is told when to try again.
                let ack = client.ask_patiently(text_message(room, &format!("{sender}/{n}"))).await;
                assert_eq!(ack["type"], "ack", "{ack}");
                sent.send_modify(|sent| *sent += 1);
            }
        }
    }));
    // Each one joins when that much was sent, in the middle of the storm.
    let joins = join_all((0..SENDERS * SENDS / 8).map(|n| {
        let (deployment, mut sent) = (&deployment, sent.subscribe());
        async move {
            let mut joiner = deployment.connect(fresh()).await;
            in_time("the storm comes so far", sent.wait_for(|sent| *sent > n * 7)).await.expect("the storm");
            let request = json!({"action": "joinRoom", "chatroomId": room});
            let last_id = joiner.ask(request).await["lastId"].as_u64().expect("lastId");
            (joiner, last_id)
        }
    }));
    let ((), joiners) = tokio::join!(async { drop(storm.await) }, joins);

    let stored = deployment.history_along("next", &format!("chatroomId={room}&after=0&limit=100")).await.concat();
    assert_eq!(stored, (1..=SENDERS * SENDS).collect::<Vec<u64>>(), "ids are 1, 2, 3, … without a hole");
    let mut in_the_middle = 0;
    for (mut joiner, last_id) in joiners {
        let mut missed: BTreeSet<_> = stored.iter().copied().filter(|id| *id > last_id).collect();
        // Such a storm makes a room hot, and then its courier pushes what is acknowledged already.
        let hears_all = async || {
            for frame in joiner.pushed().await {
                missed.remove(&frame["message"]["id"].as_u64().unwrap_or_default());
            }
            missed.is_empty()
        };
        until(format_args!("who joined at {last_id} is pushed all that follows"), hears_all).await;
        in_the_middle += u64::from(last_id > 0 && last_id < SENDERS * SENDS);
    }
    assert!(in_the_middle > 0, "nobody joined while messages were sent");
    deployment.stop().await;
}
