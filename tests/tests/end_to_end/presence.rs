//! Joins and leaves are those of people, not of devices, and nobody stays who is gone.

use chat_tests::{Deployment, fresh};
use serde_json::json;

#[tokio::test]
async fn a_person_with_two_devices_comes_and_goes_once() {
    let deployment = Deployment::start().await;
    let (room, person) = (fresh(), fresh());
    let mut watcher = deployment.connect(fresh()).await;
    watcher.join(room).await;
    let (mut phone, mut laptop) = (deployment.connect(person).await, deployment.connect(person).await);
    phone.join(room).await;
    laptop.join(room).await;
    phone.say(room, "from the phone").await;
    assert_eq!(laptop.expect(json!({"type": "sendMessage"})).await["message"]["content"], "from the phone");

    phone.ask(json!({"action": "leaveRoom", "chatroomId": room})).await;
    laptop.ask(json!({"action": "leaveRoom", "chatroomId": room})).await;
    let seen: Vec<_> = watcher.pushed().await.iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(seen, ["joinRoom", "sendMessage", "leaveRoom"]);
    deployment.stop().await;
}

#[tokio::test]
async fn who_left_hears_nothing_and_leaving_twice_is_told_once() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let (mut stays, mut leaves) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
    stays.join(room).await;
    leaves.join(room).await;
    for _ in 0..2 {
        let ack = leaves.ask(json!({"action": "leaveRoom", "chatroomId": room})).await;
        assert_eq!(
            (&ack["type"], &ack["action"], &ack["chatroomId"]),
            (&json!("ack"), &json!("leaveRoom"), &json!(room))
        );
    }
    stays.say(room, "gone?").await;
    assert!(leaves.pushed().await.is_empty());
    let seen: Vec<_> = stays.pushed().await.iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(seen, ["joinRoom", "leaveRoom", "sendMessage"]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_connection_that_ends_leaves_all_its_rooms() {
    let deployment = Deployment::start().await;
    let (first, second, user) = (fresh(), fresh(), fresh());
    let (mut one, mut two) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
    one.join(first).await;
    two.join(second).await;
    let mut leaves = deployment.connect(user).await;
    leaves.join(first).await;
    leaves.join(second).await;
    leaves.close().await;
    for (stays, room) in [(&mut one, first), (&mut two, second)] {
        let left = stays.expect(json!({"type": "leaveRoom"})).await;
        assert_eq!(left, json!({"type": "leaveRoom", "chatroomId": room, "userId": user}));
    }
    deployment.stop().await;
}

#[tokio::test]
async fn a_client_that_vanishes_without_a_close_is_noticed() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let (mut stays, mut vanishes) = (deployment.connect(fresh()).await, deployment.connect(user).await);
    stays.join(room).await;
    vanishes.join(room).await;
    vanishes.vanish();
    assert_eq!(stays.expect(json!({"type": "leaveRoom"})).await["userId"], user);
    deployment.stop().await;
}
