//! What `docs/asyncapi.yaml` shows is what happens. An action that stands there tomorrow is tried tomorrow.

use chat::Attachment;
use chat_tests::schema::{self, Sender};
use chat_tests::{Deployment, fresh};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The examples of all actions that others are told of: the type of a push is the action that it tells of.
fn examples() -> Vec<Value> {
    let kind = |(_, message): (&str, &Value)| message["payload"]["properties"]["type"]["const"].clone();
    let kinds: BTreeSet<_> = schema::socket()
        .messages(Sender::Server)
        .filter_map(|message| Some(kind(message).as_str()?.to_owned()))
        .collect();
    let examples = schema::socket().messages(Sender::Client).flat_map(|(_, message)| message["examples"].as_array());
    let frames = examples.flatten().map(|example| example["payload"].clone());
    frames.filter(|frame| kinds.contains(frame["action"].as_str().expect("an action"))).collect()
}

#[tokio::test]
async fn what_somebody_does_in_a_room_is_told_to_its_members_and_only_messages_are_kept() {
    let deployment = Deployment::start().await;
    let examples = examples();
    assert!(examples.iter().any(|frame| frame["action"] == "sendMessage"), "{examples:?}");
    for mut frame in examples {
        let (room, user, action) = (fresh(), fresh(), frame["action"].clone());
        frame["chatroomId"] = json!(room);
        for claim in ["userId", "sendUserId"] {
            if let Some(claimed) = frame.get_mut(claim) {
                *claimed = json!(user);
            }
        }
        if frame["message"].get("attachment").is_some() {
            // A file's key says the room, the user and the send.
            let (in_room, of) = (chat_tests::room(&room.to_string()), chat_tests::user(&user.to_string()));
            let id = serde_json::from_value(frame["clientMessageId"].clone()).expect("an id");
            frame["message"]["attachment"] = json!(Attachment::of(&in_room, &of, &id, "cat.png"));
        }
        let (mut member, mut stranger) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
        member.join(room).await;
        stranger.join(fresh()).await;
        let mut actor = deployment.connect(user).await;
        if action != "joinRoom" {
            actor.join(room).await;
        }
        // What changes something is tried on a message that is there.
        let changes = frame.get("id").is_some();
        if changes {
            frame["id"] = actor.say(room, "something").await["id"].clone();
            member.pushed().await;
        }
        let ack = actor.ask(frame.clone()).await;
        assert_eq!((&ack["type"], &ack["action"], &ack["chatroomId"]), (&json!("ack"), &action, &json!(room)), "{ack}");
        let told = member.pushed().await;
        let is_of_it = |push: &&Value| (&push["type"], &push["userId"]) == (&action, &json!(user));
        assert_eq!(told.iter().filter(is_of_it).count(), 1, "{frame}: {told:?}");
        assert_eq!(stranger.pushed().await, Vec::<Value>::new(), "{frame}");
        // Each room counts its messages by itself.
        let kept = deployment.history(&format!("chatroomId={room}")).await.ids();
        assert_eq!(kept, if action == "sendMessage" || changes { vec![1] } else { vec![] }, "{frame}");
    }
    deployment.stop().await;
}
