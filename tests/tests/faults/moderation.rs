//! Who is banned while joining, in every order in which the calls of both can reach DynamoDB.

use chat::{BarChange, RoomId};
use chat_aws::{Kept, now};
use chat_tests::{Interleaved, Interleaving, Orders, device_of, post_by_moderator, room, user};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const JOIN: &str = "join-room";
const MODERATE: &str = "moderate";

/// Each order has a room of its own.
fn room_of(order: usize) -> RoomId {
    room(&(1_000 + order).to_string())
}

/// How many orders there are, and how many of them leave a listener who is banned. What the moderators do, each at once.
async fn tried(bars: &[&str], orders: Orders) -> (usize, usize) {
    let interleaving = Interleaving::start().await;
    let app = interleaving.server.app();
    let (left_behind, me) = (AtomicUsize::new(0), user("1"));
    let connection_of = |order: usize| chat::ConnectionId::new(format!("L0SM{order:08}hw=="));
    let acts = |order: usize| {
        let join = (JOIN, json!({"action": "joinRoom", "chatroomId": room_of(order)}));
        let moderators = bars.iter().enumerate().map(|(number, bar)| {
            // Each has a pace of its own.
            let asked = json!({"chatroomId": room_of(order), "targetId": 1, "bar": bar, "seconds": 600});
            (MODERATE, post_by_moderator(&format!("m{number}"), "barUser", &asked))
        });
        [join].into_iter().chain(moderators).collect()
    };
    let prepare = async |order: usize| {
        let device = device_of(&connection_of(order));
        assert!(app.connections.open(&device, &me, Kept::default()).await.expect("an answer"));
        device.connection
    };
    let check = async |order: usize, outcome: Interleaved| {
        let (died, room) = (outcome.order.contains(&None), room_of(order));
        let head = app.bars.head(&room).await.expect("an answer").unwrap_or_default();
        let banned = head.bars.banned(now()).contains(&me);
        let members = app.delivery.members(&room).await.expect("members").all().await.expect("members");
        let listens = members.iter().any(|member| member.user == me);
        let (join, moderators) = outcome.answers.split_first().expect("a join");
        let done =
            |answer: &Option<serde_json::Value>| answer.as_ref().is_some_and(|answer| answer["statusCode"] == 200);
        if bars == ["ban"] && moderators.iter().all(done) {
            assert!(banned, "an acknowledged ban is gone: {outcome:?}");
        }
        if banned && listens && moderators.iter().all(done) {
            assert!(died, "somebody hears a room that it is banned from: {outcome:?}");
            left_behind.fetch_add(1, Ordering::Relaxed);
        }
        let acknowledged = join.as_ref().is_some_and(|answer| answer["type"] == "ack");
        assert!(banned || listens || !acknowledged || bars.contains(&"ban"), "it was told that it is in: {outcome:?}");
        // Nothing is left of what was tried.
        app.bars.change(&room, &me, BarChange::Lift, now()).await.expect("lifted");
    };
    let orders = interleaving.explore(orders, acts, prepare, check).await;
    interleaving.stop().await;
    (orders, left_behind.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_a_join_and_a_ban_leaves_somebody_banned_listening() {
    let (orders, left_behind) = tried(&["ban"], Orders::All).await;
    assert_eq!(left_behind, 0);
    assert!(orders >= 10, "only {orders} orders were tried");
}

/// Banned by one moderator, and let in again by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_banned_and_let_in_at_once_is_out_or_in() {
    let (_, left_behind) = tried(&["ban", "none"], Orders::Drawn { seed: 1, count: 150 }).await;
    assert_eq!(left_behind, 0);
}

/// What stays then is a join that died right after it entered, and whoever posts to the room passes over it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_join_that_dies_once_it_is_in_can_be_left_banned() {
    let (orders, left_behind) = tried(&["ban"], Orders::WithADeath).await;
    assert!(left_behind * 10 < orders, "{left_behind} of {orders}");
}
