//! No ended connection stays in a room, even if its `$disconnect` never came.

use chat::{Profile, Push};
use chat_aws::{Arrival, JoinNumber};
use chat_tests::{Server, enter, ghost, room, user};
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn nothing_is_left_of_connections_that_ended() {
    let server = Server::start().await;
    for user in 0..3 {
        let mut client = server.connect(user).await;
        for room in 0..10 {
            client.join(room).await;
        }
        client.close().await;
    }
    server.forgets_connections().await;
    server.stop().await;
}

/// `$disconnect` is best effort. If it never comes, the next push notices.
#[tokio::test]
async fn a_stale_member_is_removed_in_both_directions_and_the_room_is_told() {
    let server = Server::start().await;
    let app = server.app();
    let (room, ghost) = (room("1"), ghost("66"));
    enter(&app, &ghost, &room).await;
    let mut client = server.connect(1).await;
    // The push of this join is the first one that meets the ghost.
    client.ask(json!({"action": "joinRoom", "chatroomId": 1})).await;
    assert_eq!(client.expect(json!({"type": "leaveRoom"})).await["userId"], 66);
    client.say(1, "anyone?").await;
    let left = server.keys("ConnectionsTable").await;
    assert!(left.iter().all(|key| !key.contains(ghost.connection.as_str())), "{left:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_stale_device_of_someone_who_is_still_there_goes_quietly() {
    let server = Server::start().await;
    let app = server.app();
    let (room, ghost) = (room("1"), ghost("7"));
    let mut client = server.connect(7).await;
    client.join(1).await;
    enter(&app, &ghost, &room).await;
    client.say(1, "hi").await;
    let seen: Vec<_> = client.pushed().await.iter().map(|frame| frame["type"].clone()).collect();
    assert_eq!(seen, ["sendMessage"]);
    server.stop().await;
}

/// Several sends meet the same dead connection. The room is told once that its user left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_member_is_told_of_once() {
    let server = Server::start().await;
    let app = server.app();
    let (room, ghost) = (room("1"), ghost("66"));
    let mut senders = join_all((0..4).map(|user| server.connect(user))).await;
    for sender in &mut senders {
        sender.join(1).await;
    }
    enter(&app, &ghost, &room).await;
    join_all(senders.iter_mut().map(|sender| sender.say(1, "hi"))).await;
    for sender in &mut senders {
        let left = sender.pushed().await.iter().filter(|frame| frame["type"] == "leaveRoom").count();
        assert_eq!(left, 1);
    }
    server.stop().await;
}

/// The network dropped and came back. A send that read the members before the new connection joined finds the old one
/// dead.
#[tokio::test]
async fn who_came_back_meanwhile_is_not_told_to_have_left() {
    let server = Server::start().await;
    let app = server.app();
    let (room, ghost) = (room("1"), ghost("7"));
    let mut watcher = server.connect(9).await;
    watcher.join(1).await;
    enter(&app, &ghost, &room).await;
    let before = app.connections.members(&room).await.expect("members");
    let mut back = server.connect(7).await;
    back.join(1).await;
    app.delivery.deliver(&room, before, &Push::left(&room, &user("1000"))).await.expect("delivered");
    let left: Vec<_> = watcher
        .pushed()
        .await
        .iter()
        .filter(|frame| frame["type"] == "leaveRoom")
        .map(|frame| frame["userId"].clone())
        .collect();
    assert_eq!(left, [json!(1000)], "and not 7");
    server.stop().await;
}

/// A device's connection ends while it joins. Another device of the same user saw it, and therefore did not announce
/// itself.
#[tokio::test]
async fn a_join_that_is_undone_announces_the_device_that_kept_silent_for_it() {
    let server = Server::start().await;
    let app = server.app();
    let (room, ghost) = (room("1"), ghost("7"));
    let mut watcher = server.connect(9).await;
    watcher.join(1).await;
    enter(&app, &ghost, &room).await;
    let mut silent = server.connect(7).await;
    silent.join(1).await;
    assert!(watcher.pushed().await.is_empty(), "it is not the first device");
    app.membership
        .undo(&ghost, JoinNumber::FIRST, &room, Arrival::Closed, &Profile::unknown(ghost.user.clone()))
        .await
        .expect("undone");
    assert_eq!(watcher.expect(json!({"type": "joinRoom"})).await["userId"], 7);
    server.stop().await;
}
