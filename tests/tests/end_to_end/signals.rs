//! Who is in a room, and what is told there and kept nowhere.

use chat_tests::{Client, Deployment, fresh};
use serde_json::{Value, json};

fn typing(room: u64) -> Value {
    json!({"action": "signal", "chatroomId": room, "kind": "typing"})
}

/// A member of a room, whose frames so far are dropped.
async fn member(deployment: &Deployment, user: u64, room: u64) -> Client {
    let mut client = deployment.connect(user).await;
    client.join(room).await;
    client
}

#[tokio::test]
async fn a_signal_reaches_the_other_people_and_is_kept_nowhere() {
    let deployment = Deployment::start().await;
    let (room, person) = (fresh(), fresh());
    let mut watcher = member(&deployment, fresh(), room).await;
    let mut phone = member(&deployment, person, room).await;
    let mut laptop = member(&deployment, person, room).await;
    watcher.pushed().await;

    // Without a requestId nobody answers.
    phone.send(typing(room)).await;
    let push = watcher.expect(json!({"type": "signal"})).await;
    assert_eq!(push, json!({"type": "signal", "chatroomId": room, "userId": person, "kind": "typing"}));
    let mut cursor = typing(room);
    cursor["kind"] = json!("cursor.v2");
    cursor["data"] = json!({"at": [0.5, -1, null, {"光": true}]});
    let ack = phone.ask(cursor.clone()).await;
    assert_eq!((&ack["type"], &ack["action"], &ack["chatroomId"]), (&json!("ack"), &json!("signal"), &json!(room)));
    let push = watcher.expect(json!({"type": "signal"})).await;
    assert_eq!((&push["kind"], &push["data"]), (&cursor["kind"], &cursor["data"]));
    for own in [&mut phone, &mut laptop] {
        assert!(own.pushed().await.is_empty(), "neither an answer, nor one's own signal");
    }
    assert!(deployment.history(&format!("chatroomId={room}")).await.ids().is_empty());
    assert_eq!(watcher.say(room, "hi").await["id"], 1, "no number was taken");
    deployment.stop().await;
}

/// Who asked is told; whoever did not is told nothing, and its connection lives.
#[tokio::test]
async fn a_refused_signal_is_told_to_who_asked_and_to_nobody_else() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut watcher = member(&deployment, fresh(), room).await;
    let mut outsider = deployment.connect(fresh()).await;
    let with = |field: &str, value: Value| {
        let mut frame = typing(room);
        frame[field] = value;
        frame
    };
    for (frame, code) in [
        (typing(room), "notJoined"),
        (with("kind", json!("two words")), "badRequest"),
        (with("data", json!("x".repeat(1_100))), "tooLarge"),
        (with("userId", json!(fresh())), "notAllowed"),
    ] {
        outsider.send(frame.clone()).await;
        assert!(outsider.pushed().await.is_empty(), "silent: {frame}");
        assert_eq!(outsider.ask(frame.clone()).await["code"], code, "{frame}");
    }
    let mut only_here =
        Client::connect(&deployment.socket_url(&deployment.token(json!({"userId": fresh(), "rooms": [fresh()]}))))
            .await;
    assert_eq!(only_here.ask(typing(room)).await["code"], "notAllowed");
    assert!(watcher.pushed().await.is_empty(), "nothing of it was pushed");
    deployment.stop().await;
}

#[tokio::test]
async fn who_asks_is_told_who_is_there_and_nobody_else_is() {
    let deployment = Deployment::start().await;
    let (room, first, second, third) = (fresh(), fresh(), fresh(), fresh());
    let join = json!({"action": "joinRoom", "chatroomId": room, "online": true});
    let mut one = deployment.connect(first).await;
    let ack = one.ask(join.clone()).await;
    assert_eq!((&ack["online"], &ack["onlineCount"]), (&json!([first]), &json!(1)), "oneself is there");
    let mut two = deployment.connect(second).await;
    let ack = two.ask(json!({"action": "joinRoom", "chatroomId": room})).await;
    let fields: Vec<_> = ack.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(fields, ["action", "chatroomId", "lastId", "requestId", "type"], "who did not ask has the ack as ever");
    let _again = member(&deployment, first, room).await;

    let claims = json!({"userId": third, "username": "dong", "nickName": "东", "rooms": "*"});
    let mut three = Client::connect(&deployment.socket_url(&deployment.token(claims))).await;
    let ack = three.ask(join).await;
    assert_eq!(ack["online"], json!([first, second, third]), "people and not devices, the longest here first");
    assert_eq!((&ack["onlineCount"], &ack["onlineMore"], &ack["signals"]), (&json!(3), &json!(null), &json!(null)));

    // By name, and for somebody who is not there.
    let mut outsider = deployment.connect(fresh()).await;
    let ack = outsider.ask(json!({"action": "listMembers", "chatroomId": room})).await;
    let members = ack["members"].as_array().expect("a list");
    let ids: Vec<_> = members.iter().map(|member| member["id"].clone()).collect();
    assert_eq!((json!(ids), &ack["onlineCount"]), (json!([first, second, third]), &json!(3)));
    assert_eq!(members[2], json!({"id": third, "username": "dong", "nickName": "东", "headPic": null}));
    let elsewhere = deployment.token(json!({"userId": fresh(), "rooms": [fresh()]}));
    let mut elsewhere = Client::connect(&deployment.socket_url(&elsewhere)).await;
    let refused = elsewhere.ask(json!({"action": "listMembers", "chatroomId": room})).await;
    assert_eq!(refused["code"], "notAllowed");
    deployment.stop().await;
}
