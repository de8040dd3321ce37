//! Who is taken out of a kept room while joining it, in every order in which the calls of both can reach DynamoDB.

use chat::{KeptRoom, RoomId};
use chat_aws::{Kept, now};
use chat_tests::{Interleaved, Interleaving, Orders, device_of, room_event, user};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const JOIN: &str = "join-room";
const CHATROOMS: &str = "chatrooms";

/// Each order has a group of its own, which somebody of its own made, whom the pace lets through, and user 7 is in.
fn group_of(order: usize) -> RoomId {
    let mut id = [0; chat::GROUP_ID_BYTES];
    id[..8].copy_from_slice(&(order as u64).to_be_bytes());
    RoomId::of_group(id)
}

/// How many orders there are, and how many of them leave a listener without a right. `taken_out` by these routes.
async fn tried(routes: &[&str], orders: Orders) -> (usize, usize) {
    let interleaving = Interleaving::start().await;
    let app = interleaving.server.app();
    let left_behind = AtomicUsize::new(0);
    let (owner, me) = (|order: usize| 1_000 + order as u64, user("7"));
    let owner_of = |order: usize| user(&owner(order).to_string());
    let connection_of = |order: usize| chat::ConnectionId::new(format!("L0SM{order:08}hw=="));
    let acts = |order: usize| {
        let room = group_of(order);
        let join = (JOIN, json!({"action": "joinRoom", "chatroomId": room}));
        let others = routes.iter().map(|route| {
            let asked = if route.contains("quit") { json!({"quitUserId": 7}) } else { json!({"joinUserId": 7}) };
            (CHATROOMS, room_event(owner(order), route, &room.to_string(), &asked))
        });
        [join].into_iter().chain(others).collect()
    };
    let prepare = async |order: usize| {
        let owner = owner_of(order);
        let room = KeptRoom::group(group_of(order), "Team".into(), &owner, now());
        assert!(app.kept.create(&room).await.expect("made"));
        app.kept.add(&room.id, &owner, &me).await.expect("taken in");
        let device = device_of(&connection_of(order));
        assert!(app.connections.open(&device, &me, Kept::default()).await.expect("an answer"));
        device.connection
    };
    let check = async |order: usize, outcome: Interleaved| {
        let died = outcome.order.contains(&None);
        let room = group_of(order);
        let has_right = app.kept.is_in(&me, &room).await.expect("an answer");
        let listed = app.kept.room(&room, &owner_of(order)).await.expect("the owner's").members.contains(&me);
        assert_eq!(has_right, listed, "who has a right is in the list, and nobody else: {outcome:?}");
        assert!(
            died || has_right == routes.iter().any(|route| route.contains("join")) || routes.len() > 1,
            "{outcome:?}"
        );
        let members = app.delivery.members(&room).await.expect("members").all().await.expect("members");
        let listens = members.iter().any(|member| member.user == me);
        if listens && !has_right {
            assert!(died, "somebody hears a room without a right to it: {outcome:?}");
            left_behind.fetch_add(1, Ordering::Relaxed);
        }
        let acknowledged = outcome.answers[0].as_ref().is_some_and(|answer| answer["type"] == "ack");
        assert!(!acknowledged || listens || !routes.is_empty(), "{outcome:?}");
    };
    let orders = interleaving.explore(orders, acts, prepare, check).await;
    interleaving.stop().await;
    (orders, left_behind.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_a_join_and_a_quit_leaves_somebody_listening_without_a_right() {
    let (orders, left_behind) = tried(&["POST /chatroom/quit/{id}"], Orders::All).await;
    assert_eq!(left_behind, 0);
    assert!(orders >= 10, "only {orders} orders were tried");
}

/// Taken in and taken out at once: the list and the right say the same, whichever comes last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_taken_in_and_out_at_once_is_in_or_out() {
    let routes = ["POST /chatroom/quit/{id}", "POST /chatroom/join/{id}"];
    let (_, left_behind) = tried(&routes, Orders::Drawn { seed: 1, count: 150 }).await;
    assert_eq!(left_behind, 0);
}

/// What stays then is a join that died right after it entered. SECURITY.md says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_join_that_dies_once_it_is_in_can_be_left_listening() {
    let (orders, left_behind) = tried(&["POST /chatroom/quit/{id}"], Orders::WithADeath).await;
    assert!(left_behind * 10 < orders, "{left_behind} of {orders}");
}
