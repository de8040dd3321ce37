//! Frames of one connection, and its end, in every order in which their calls can reach DynamoDB: API Gateway hands
//! them to the functions side by side.

use chat::{ConnectionId, RoomId};
use chat_aws::Kept;
use chat_tests::{Interleaved, Interleaving, Orders, device_of, room, user};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const JOIN: &str = "join-room";
const LEAVE: &str = "leave-room";
const END: &str = "disconnect";

/// Each order has its own connection and room.
fn connection_of(order: usize) -> ConnectionId {
    ConnectionId::new(format!("L0SM{order:08}hw=="))
}

fn room_of(order: usize) -> RoomId {
    room(&format!("room {order}"))
}

/// Whether the connection is a member of the room, and whether its own row lists the room.
async fn rows(interleaving: &Interleaving, order: usize) -> (bool, bool) {
    let (connection, room) = (connection_of(order), room_of(order).to_string());
    let row = async |partition: String, sort: String| {
        let key = json!({"PK": {"S": partition}, "SK": {"S": sort}});
        let get = json!({"TableName": "ConnectionsTable", "Key": key, "ConsistentRead": true});
        interleaving.server.dynamodb("GetItem", get).await["Item"].take()
    };
    let own = row(format!("CONN#{connection}"), "CONN".into()).await;
    let member = row(format!("ROOM#{room}"), format!("CONN#{connection}")).await;
    (member.is_object(), own["roomNumbers"]["M"][&room].is_object())
}

fn is_acknowledged(answer: Option<&Value>) -> bool {
    answer.is_some_and(|answer| answer["type"] == "ack")
}

/// Whether an act has a valid answer. A join that was overtaken is to be repeated. One whose connection is closed gets
/// a frame that says so, and no reply.
fn is_answered(function: &str, answer: &Value) -> bool {
    let overtaken = answer["code"] == "rateLimited" && answer["retryAfterMs"].is_number();
    let ended = *answer == json!({"statusCode": 200});
    is_acknowledged(Some(answer)) || ended && function != LEAVE || overtaken && function == JOIN
}

/// Tries orders of these functions' calls. Returns how many there are, and how many of them leave a member behind whose
/// connection is closed.
async fn tried(functions: &[&'static str], orders: Orders) -> (usize, usize) {
    let interleaving = Interleaving::start().await;
    let app = interleaving.server.app();
    let left_behind = AtomicUsize::new(0);
    let acts = |order: usize| {
        let action = |function: &str| if function == JOIN { "joinRoom" } else { "leaveRoom" };
        let frame = |function: &str| json!({"action": action(function), "chatroomId": room_of(order)});
        functions.iter().map(|function| (*function, frame(function))).collect()
    };
    let open = async |order: usize| {
        let device = device_of(&connection_of(order));
        assert!(app.connections.open(&device, &user("7"), Kept::default()).await.expect("an answer"));
        device.connection
    };
    let check = async |order: usize, outcome: Interleaved| {
        let died = outcome.order.contains(&None);
        for (function, answer) in functions.iter().zip(&outcome.answers) {
            assert!(answer.as_ref().is_none_or(|answer| is_answered(function, answer)), "{outcome:?}");
        }
        if !functions.contains(&END) {
            let (member, noted) = rows(&interleaving, order).await;
            assert!(died || member || !noted, "a place that nobody has is taken: {outcome:?}");
            let joined = functions
                .iter()
                .zip(&outcome.answers)
                .any(|(function, answer)| *function == JOIN && is_acknowledged(answer.as_ref()));
            assert!(member || !joined || functions.contains(&LEAVE), "it was told that it is in: {outcome:?}");
        }
        // A `$disconnect` that completed.
        let connection = connection_of(order);
        for room in app.connections.close(&connection).await.expect("closed").rooms {
            app.connections.remove_member(&connection, &room).await.expect("removed");
        }
        app.connections.forget(&connection).await.expect("forgotten");
        if rows(&interleaving, order).await.0 {
            assert!(died, "a closed connection stays a member: {outcome:?}");
            left_behind.fetch_add(1, Ordering::Relaxed);
        }
    };
    let orders = interleaving.explore(orders, acts, open, check).await;
    interleaving.stop().await;
    (orders, left_behind.into_inner())
}

/// Without a death no member stays behind, whatever comes first. A join has three calls whose order matters: it lists
/// the room, enters it, and looks for what forbids that. It has two more where it is undone. A leave has two, or one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_one_connections_frames_leaves_a_member_behind() {
    for (functions, least) in [([JOIN, LEAVE], 4), ([JOIN, JOIN], 20), ([JOIN, END], 15)] {
        let (orders, left_behind) = tried(&functions, Orders::All).await;
        assert_eq!(left_behind, 0);
        assert!(orders >= least, "{functions:?}: only {orders} orders were tried");
    }
    // There are thousands of orders.
    for (seed, functions) in
        (1..).zip([[JOIN, LEAVE, JOIN], [JOIN, JOIN, LEAVE], [JOIN, LEAVE, END], [JOIN, JOIN, END]])
    {
        let (_, left_behind) = tried(&functions, Orders::Drawn { seed, count: 250 }).await;
        assert_eq!(left_behind, 0, "{functions:?}, seed {seed}");
    }
}

/// A function that dies leaves no member behind either, as long as only two things happen at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_among_two_frames_leaves_no_member_behind() {
    for functions in [[JOIN, LEAVE], [JOIN, JOIN]] {
        let (orders, left_behind) = tried(&functions, Orders::WithADeath).await;
        assert_eq!(left_behind, 0, "{functions:?}, of {orders}");
    }
}
