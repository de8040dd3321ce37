//! What each action takes of AWS, counted to the last unit of DynamoDB and the last byte that is pushed: invocations,
//! requests, units, posts. A change here is a change of what the product costs, so the numbers are written out.

use chat_tests::{Meter, room, talk};

const ROOM_OF_1: &str = "\
connect | authorize connect | PutItem UpdateItem | 0 read, 2 write
joinRoom | join-room | BatchGetItem PutItem Query UpdateItem | 3 read, 2 write | 1 posts of 150 B
sendMessage | send-message | PutItem Query UpdateItem | 1 read, 2 write | 1 posts of 377 B
sendMessage, with an id | send-message | Query TransactWriteItems UpdateItem | 1 read, 5 write | 1 posts of 434 B
sendMessage, repeated | send-message | GetItem Query TransactWriteItems UpdateItem | 2 read, 5 write | 1 posts of 447 B
leaveRoom | leave-room | DeleteItem Query UpdateItem | 1 read, 2 write
ping | default | - | 0 read, 0 write
disconnect, in the room | disconnect | 2 DeleteItem Query 2 UpdateItem | 1 read, 4 write";

const ROOM_OF_10: &str = "\
connect | authorize connect | PutItem UpdateItem | 0 read, 2 write
joinRoom | join-room | BatchGetItem PutItem Query UpdateItem | 3 read, 2 write | 10 posts of 150 B
sendMessage | send-message | PutItem Query UpdateItem | 1 read, 2 write | 10 posts of 377 B
sendMessage, with an id | send-message | Query TransactWriteItems UpdateItem | 1 read, 5 write | 10 posts of 434 B
sendMessage, repeated | send-message | GetItem Query TransactWriteItems UpdateItem | 2 read, 5 write | 10 posts of 447 B
leaveRoom | leave-room | DeleteItem Query UpdateItem | 1 read, 2 write | 9 posts of 54 B
ping | default | - | 0 read, 0 write
disconnect, in the room | disconnect | 2 DeleteItem Query 2 UpdateItem | 1 read, 4 write | 9 posts of 54 B";

const ROOM_OF_100: &str = "\
connect | authorize connect | PutItem UpdateItem | 0 read, 2 write
joinRoom | join-room | BatchGetItem PutItem Query UpdateItem | 5 read, 2 write | 100 posts of 150 B
sendMessage | send-message | PutItem Query UpdateItem | 3 read, 2 write | 100 posts of 377 B
sendMessage, with an id | send-message | Query TransactWriteItems UpdateItem | 3 read, 5 write | 100 posts of 434 B
sendMessage, repeated | send-message | GetItem Query TransactWriteItems UpdateItem | 4 read, 5 write | 100 posts of 447 B
leaveRoom | leave-room | DeleteItem Query UpdateItem | 3 read, 2 write | 99 posts of 54 B
ping | default | - | 0 read, 0 write
disconnect, in the room | disconnect | 2 DeleteItem Query 2 UpdateItem | 3 read, 4 write | 99 posts of 54 B";

const ROOM_OF_1000: &str = "\
connect | authorize connect | PutItem UpdateItem | 0 read, 2 write
joinRoom | join-room | BatchGetItem PutItem Query UpdateItem | 5 read, 2 write
sendMessage | send-message | PutItem Query UpdateItem | 21 read, 2 write | 1000 posts of 377 B
sendMessage, with an id | send-message | Query TransactWriteItems UpdateItem | 21 read, 5 write | 1000 posts of 434 B
sendMessage, repeated | send-message | GetItem Query TransactWriteItems UpdateItem | 22 read, 5 write | 1000 posts of 447 B
leaveRoom | leave-room | DeleteItem Query UpdateItem | 3 read, 2 write
ping | default | - | 0 read, 0 write
disconnect, in the room | disconnect | 2 DeleteItem Query 2 UpdateItem | 3 read, 4 write";

#[tokio::test]
async fn every_action_takes_what_it_needs_and_no_more() {
    let meter = Meter::start().await;
    for (members, expected) in [(1, ROOM_OF_1), (10, ROOM_OF_10), (100, ROOM_OF_100), (1_000, ROOM_OF_1000)] {
        let counted = meter.room_of(members).await;
        let counted: Vec<_> = counted.iter().map(|(action, usage)| format!("{action} | {usage}")).collect();
        assert_eq!(counted, expected.lines().collect::<Vec<_>>(), "a room of {members}");
    }
    meter.stop().await;
}

/// The newest page and one from the middle are the same, and a longer history is no dearer. Half a unit is for whether the reader
/// was shut out, where the reader is none of the page's senders.
#[tokio::test]
async fn a_page_of_history_takes_what_is_on_it() {
    let meter = Meter::start().await;
    let (short, long) = (room("1000007"), room("1000008"));
    talk(&meter.server, &short, 110).await;
    talk(&meter.server, &long, 330).await;
    for (limit, units) in [(1, 2.0), (50, 8.5), (100, 10.5)] {
        for (room, before) in [(&short, 111), (&long, 331), (&long, 165)] {
            let usage = meter.page(room, &format!("limit={limit}&before={before}")).await;
            let expected = format!("authorize list-history | BatchGetItem Query | {units} read, 0 write");
            assert_eq!(usage.to_string(), expected, "{limit} messages before {before}");
        }
    }
    meter.stop().await;
}

/// So is what somebody costs who connects again and again.
#[tokio::test]
async fn the_oldest_connection_makes_place_for_a_few_requests() {
    let meter = Meter::start().await;
    let usage = meter.displacement().await;
    // A word, of 128 bytes, and an end.
    assert_eq!(usage.to_string(), "authorize connect | PutItem 3 UpdateItem | 0 read, 4 write | 2 posts of 64 B");
    meter.stop().await;
}

/// A frame that is refused costs an invocation and nothing else.
#[tokio::test]
async fn what_is_refused_asks_dynamodb_nothing() {
    let meter = Meter::start().await;
    for (function, frame) in [
        ("send-message", r#"{"action":"sendMessage","chatroomId":1,"message":{"type":"text","content":" "}}"#),
        ("join-room", r#"{"action":"joinRoom"}"#),
        ("leave-room", r#"{"action":"leaveRoom","chatroomId":1,"userId":2}"#),
        ("default", r#"{"action":"dance"}"#),
    ] {
        assert_eq!(meter.frame(function, frame).await.to_string(), format!("{function} | - | 0 read, 0 write"));
    }
    meter.stop().await;
}

/// One answer of DynamoDB holds the members of nearly every room; a larger one takes another, and nobody is left out.
#[tokio::test]
async fn a_room_larger_than_a_page_takes_one_request_more() {
    let meter = Meter::start().await;
    let counted = meter.room_of(1_101).await;
    let (_, send) = counted.iter().find(|(action, _)| *action == "sendMessage").expect("it is measured");
    assert_eq!(send.to_string(), "send-message | PutItem 2 Query UpdateItem | 24 read, 2 write | 1101 posts of 377 B");
    meter.stop().await;
}
