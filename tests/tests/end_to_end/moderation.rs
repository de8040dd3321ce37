//! Rooms in order: who may not speak or be there, how often somebody may, and what moderators are told.

use chat_tests::{Client, Deployment, fresh, text_message};
use serde_json::{Value, json};

/// A connection of a user who moderates a room.
async fn moderator(deployment: &Deployment, user: u64, room: u64) -> Client {
    let token = deployment.token(json!({"userId": user, "rooms": "*", "moderates": [room]}));
    Client::connect(&deployment.socket_url(&token)).await
}

fn bar(room: impl Into<Value>, target: u64, bar: &str, seconds: u64) -> Value {
    json!({"action": "barUser", "chatroomId": room.into(), "targetId": target, "bar": bar, "seconds": seconds})
}

/// A refusal's code, and that it says when to come again.
fn code(reply: &Value) -> &str {
    assert_eq!(reply["type"], "error", "{reply}");
    let code = reply["code"].as_str().expect("a code");
    assert_eq!(["barred", "rateLimited"].contains(&code), reply["retryAfterMs"].is_u64(), "{reply}");
    code
}

#[tokio::test]
async fn whoever_is_muted_says_nothing_and_hears_all() {
    let deployment = Deployment::start().await;
    let (room, seven, chief) = (fresh(), fresh(), fresh());
    let mut moderator = moderator(&deployment, chief, room).await;
    let (mut loud, mut other) = (deployment.connect(seven).await, deployment.connect(fresh()).await);
    for client in [&mut moderator, &mut loud, &mut other] {
        client.join(room).await;
    }
    let said = loud.say(room, "buy this").await;
    let ack = moderator.ask(bar(room, seven, "mute", 60)).await;
    assert_eq!((&ack["bar"], &ack["targetId"]), (&json!("mute"), &json!(seven)), "{ack}");

    let refused = loud.ask(text_message(room, "and this")).await;
    assert_eq!(code(&refused), "barred");
    assert!((1..=60_999).contains(&refused["retryAfterMs"].as_u64().expect("a time")), "{refused}");
    let edit = json!({"action": "editMessage", "chatroomId": room, "id": said["id"], "clientMessageId": "e-1",
        "message": {"type": "text", "content": "more"}});
    assert_eq!(code(&loud.ask(edit).await), "barred");
    let react = json!({"action": "reactMessage", "chatroomId": room, "id": said["id"], "emoji": "👍", "on": true});
    assert_eq!(code(&loud.ask(react).await), "barred");
    let token = deployment.token_of(seven);
    let (status, _, refused) = deployment.post(&token, "/sendMessage", text_message(room, "here").to_string()).await;
    assert_eq!((status, code(&refused)), (403, "barred"));
    // What it said it may take back, and others are not muted; no id was lost to it.
    let recall = json!({"action": "deleteMessage", "chatroomId": room, "id": said["id"]});
    assert_eq!(loud.ask(recall).await["type"], "ack");
    let next = other.say(room, "thank you").await;
    assert_eq!(next["id"].as_u64(), said["id"].as_u64().map(|id| id + 1));
    let heard = loud.pushed().await;
    assert!(heard.iter().any(|push| push["message"]["content"] == "thank you"), "{heard:?}");
    assert_eq!(deployment.history_as(&token, &format!("chatroomId={room}")).await.status, 200);
    // A join is told.
    let ack = loud.ask(json!({"action": "joinRoom", "chatroomId": room})).await;
    assert!(ack["mutedForMs"].as_u64().is_some_and(|left| left <= 60_999), "{ack}");

    assert_eq!(
        moderator.ask(json!({"action": "barUser", "chatroomId": room, "targetId": seven, "bar": "none"})).await["type"],
        "ack"
    );
    loud.say(room, "sorry").await;
    assert_eq!(loud.ask(json!({"action": "joinRoom", "chatroomId": room})).await["mutedForMs"], Value::Null);
    deployment.stop().await;
}

#[tokio::test]
async fn whoever_is_banned_is_out_on_every_device_and_reads_nothing() {
    let deployment = Deployment::start().await;
    let (room, seven, chief) = (fresh(), fresh(), fresh());
    let mut moderator = moderator(&deployment, chief, room).await;
    let (mut phone, mut laptop) = (deployment.connect(seven).await, deployment.connect(seven).await);
    for client in [&mut moderator, &mut phone, &mut laptop] {
        client.join(room).await;
    }
    moderator.pushed().await;
    assert_eq!(moderator.ask(bar(room, seven, "ban", 600)).await["type"], "ack");
    for client in [&mut phone, &mut laptop] {
        let removed = client.expect(json!({"type": "removed", "chatroomId": room})).await;
        assert_eq!(removed["reason"], "ban");
        assert!(removed["retryAfterMs"].as_u64().is_some_and(|left| left <= 600_999), "{removed}");
    }
    assert_eq!(moderator.expect(json!({"type": "leaveRoom"})).await["userId"], json!(seven));
    let said = moderator.say(room, "that was that").await;
    assert_eq!(phone.pushed().await, Vec::<Value>::new(), "nothing of the room");

    for frame in [
        json!({"action": "joinRoom", "chatroomId": room}),
        text_message(room, "let me in"),
        json!({"action": "reactMessage", "chatroomId": room, "id": said["id"], "emoji": "👎", "on": true}),
    ] {
        assert_eq!(code(&phone.ask(frame).await), "barred");
    }
    let signal = json!({"action": "signal", "chatroomId": room, "kind": "typing"});
    assert_eq!(laptop.ask(signal.clone()).await["code"], "notJoined");
    let token = deployment.token_of(seven);
    for (path, more) in [("/chat-history/list", ""), ("/chat-history/changes", "&after=0")] {
        let page = deployment.page(path, &token, &format!("chatroomId={room}{more}")).await;
        assert_eq!(page.status, 403, "{path}: {}", page.body);
    }
    let report = json!({"chatroomId": room, "id": said["id"], "reason": "unfair"});
    for (path, body) in [("/signal", signal), ("/reportMessage", report)] {
        let (status, _, refused) = deployment.post(&token, path, body.to_string()).await;
        assert_eq!((status, code(&refused)), (403, "barred"), "{path}");
    }
    // Elsewhere it is as before.
    let elsewhere = fresh();
    phone.join(elsewhere).await;
    assert_eq!(deployment.history_as(&token, &format!("chatroomId={elsewhere}")).await.status, 200);

    let listed = moderator.ask(json!({"action": "listBars", "chatroomId": room})).await;
    assert_eq!(
        (&listed["bars"][0]["user"]["id"], &listed["bars"][0]["bar"]),
        (&json!(seven), &json!("ban")),
        "{listed}"
    );
    assert_eq!(
        moderator.ask(json!({"action": "barUser", "chatroomId": room, "targetId": seven, "bar": "none"})).await["bar"],
        "none"
    );
    phone.join(room).await;
    assert_eq!(deployment.history_as(&token, &format!("chatroomId={room}")).await.status, 200);
    deployment.stop().await;
}

#[tokio::test]
async fn whoever_is_taken_out_may_come_again() {
    let deployment = Deployment::start().await;
    let (room, seven) = (fresh(), fresh());
    let mut moderator = moderator(&deployment, fresh(), room).await;
    let mut guest = deployment.connect(seven).await;
    guest.join(room).await;
    let kick = json!({"action": "barUser", "chatroomId": room, "targetId": seven, "bar": "kick"});
    assert_eq!(moderator.ask(kick).await["type"], "ack");
    let removed = guest.expect(json!({"type": "removed"})).await;
    assert_eq!(removed, json!({"type": "removed", "chatroomId": room, "reason": "kick"}));
    moderator.say(room, "hi").await;
    assert!(guest.pushed().await.is_empty());
    guest.join(room).await;
    moderator.say(room, "hi again").await;
    assert_eq!(guest.pushed().await.len(), 1);
    deployment.stop().await;
}

#[tokio::test]
async fn nobody_bars_without_the_role_and_nobody_bars_an_owner() {
    let deployment = Deployment::start().await;
    let (room, seven) = (fresh(), fresh());
    let mut guest = deployment.connect(seven).await;
    for frame in [
        bar(room, fresh(), "ban", 60),
        json!({"action": "slowMode", "chatroomId": room, "seconds": 5}),
        json!({"action": "listBars", "chatroomId": room}),
        json!({"action": "listReports", "chatroomId": room}),
    ] {
        assert_eq!(code(&guest.ask(frame).await), "notAllowed");
    }
    // One who moderates another room.
    let mut elsewhere = moderator(&deployment, fresh(), fresh()).await;
    assert_eq!(code(&elsewhere.ask(bar(room, seven, "mute", 60)).await), "notAllowed");

    // Who made a group is in charge of it, and a moderator cannot bar who made it.
    let (owner, member) = (fresh(), fresh());
    let group = deployment.group(&[owner, member]).await;
    let mut boss = deployment.connect_kept(owner).await;
    let mut minion = deployment.connect_kept(member).await;
    assert_eq!(boss.ask(json!({"action": "joinRoom", "chatroomId": group})).await["type"], "ack");
    assert_eq!(minion.ask(json!({"action": "joinRoom", "chatroomId": group})).await["type"], "ack");
    assert_eq!(code(&minion.ask(bar(group.as_str(), owner, "mute", 60)).await), "notAllowed");
    assert_eq!(boss.ask(bar(group.as_str(), member, "mute", 60)).await["type"], "ack");
    assert_eq!(code(&minion.ask(text_message(group.as_str(), "but")).await), "barred");
    let claims = json!({"userId": fresh(), "rooms": [group], "moderates": [group]});
    let mut police = Client::connect(&deployment.socket_url(&deployment.token(claims))).await;
    assert_eq!(code(&police.ask(bar(group.as_str(), owner, "ban", 60)).await), "notAllowed");
    deployment.stop().await;
}

#[tokio::test]
async fn in_a_slow_room_everybody_waits_but_its_moderators() {
    let deployment = Deployment::start().await;
    let (room, chief) = (fresh(), fresh());
    let mut moderator = moderator(&deployment, chief, room).await;
    let mut guest = deployment.connect(fresh()).await;
    guest.join(room).await;
    let slow = |seconds: u64| json!({"action": "slowMode", "chatroomId": room, "seconds": seconds});
    assert_eq!(moderator.ask(slow(60)).await["seconds"], 60);
    let mut first = text_message(room, "one");
    first["clientMessageId"] = json!("one");
    let sent = guest.ask(first.clone()).await;
    assert!(sent["id"].is_u64(), "{sent}");
    let mut refused = guest.ask(text_message(room, "two")).await;
    for _ in 1..deployment.instances_max() {
        // An instance that has heard nothing of the first one.
        if refused["type"] == "ack" {
            refused = guest.ask(text_message(room, "two")).await;
        }
    }
    assert_eq!(code(&refused), "rateLimited");
    assert_eq!(guest.ask(first).await["id"], sent["id"], "what is stored is acknowledged");
    assert!((50_000..=60_000).contains(&refused["retryAfterMs"].as_u64().expect("a time")), "{refused}");
    moderator.say(room, "calm down").await;
    moderator.say(room, "please").await;
    assert_eq!(guest.ask(json!({"action": "joinRoom", "chatroomId": room})).await["slowSeconds"], 60);
    let listed = moderator.ask(json!({"action": "listBars", "chatroomId": room})).await;
    assert_eq!((&listed["slowSeconds"], &listed["bars"]), (&json!(60), &json!([])));
    assert_eq!(moderator.ask(slow(0)).await["seconds"], 0);
    guest.say(room, "two").await;
    assert_eq!(guest.ask(json!({"action": "joinRoom", "chatroomId": room})).await["slowSeconds"], Value::Null);
    deployment.stop().await;
}

#[tokio::test]
async fn what_is_reported_is_shown_to_moderators() {
    let deployment = Deployment::start().await;
    let (room, seven) = (fresh(), fresh());
    let mut moderator = moderator(&deployment, fresh(), room).await;
    let mut guest = deployment.connect(seven).await;
    guest.join(room).await;
    let ids: Vec<_> = [guest.say(room, "one").await, guest.say(room, "two").await].map(|ack| ack["id"].clone()).into();
    let report =
        |id: &Value, reason: &str| json!({"action": "reportMessage", "chatroomId": room, "id": id, "reason": reason});
    for (id, reason) in [(&ids[0], "spam"), (&ids[1], "rude"), (&ids[0], "spam, and again")] {
        let ack = guest.ask_patiently(report(id, reason)).await;
        assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), id), "{ack}");
    }
    let list = json!({"action": "listReports", "chatroomId": room});
    let listed = moderator.ask(list).await;
    let reports: Vec<_> = listed["reports"]
        .as_array()
        .expect("reports")
        .iter()
        .map(|report| (&report["id"], &report["reason"]))
        .collect();
    assert_eq!(
        reports,
        [(&ids[1], &json!("rude")), (&ids[0], &json!("spam, and again"))],
        "the newest message first, one of each"
    );
    assert_eq!(listed["reports"][0]["user"]["id"], json!(seven));
    // What is not there is not reported, nor what was recalled.
    assert_eq!(guest.ask(json!({"action": "deleteMessage", "chatroomId": room, "id": ids[1]})).await["type"], "ack");
    for id in [&ids[1], &json!(99)] {
        assert_eq!(code(&guest.ask_patiently(report(id, "spam")).await), "notFound");
    }
    deployment.stop().await;
}
