//! What each action takes of AWS, counted to the last unit of DynamoDB and the last byte that is pushed: invocations,
//! requests, units, posts. `docs/counts.md` has the numbers. A change there is a change of what the product costs.

use chat_aws::Vars;
use chat_tests::{Meter, Usage, Way, edit_all, room, talk};
use std::collections::BTreeMap;
use std::fmt::Write;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/counts.md");

const INTRODUCTION: &str = "\
# What each action takes of AWS

Counted, not measured: an action of a client through the gateway, its functions and an embedded DynamoDB that says the
units of each request as AWS does. [A test](../tests/tests/local/costs.rs) counts again and fails if a number here is
another.
It writes this page with `CHAT_WRITE_COUNTS=1 cargo test --workspace --test local costs::every_action`.

One connection does each action in a room of so many connections, itself included. Texts are of 100 characters.

| action | invocations | DynamoDB requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

const KEPT: &str = "
In a kept room the same take what stands here, where the caller enters it by a right: a function that has just started
looks for it, and then once in half a minute. Whoever is told of a room has one connection here.

| action | invocations | DynamoDB requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

const MODERATION: &str = "
To keep a room in order takes the following, in a room of ten where whoever is barred has one connection. A write that
is refused is a write unit as well, which the embedded DynamoDB does not say. Whom nobody bars pays for none of it, but
for one read before a reaction, whose answer is believed for ten seconds.

| action | invocations | DynamoDB requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

const SOCKET_IO: &str = "
With `SocketIo=on`, clients of Socket.IO take the following, in a room of ten; those of JSON take what they take above.
What a function does after its answer is counted with it; where frames differ, the bytes are their mean.

| action | invocations | DynamoDB requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

const FILES: &str = "
A file that a message carries goes from the client to S3, by one POST, and from S3 to whoever looks at it, by one GET.
Of the functions' requests only the deletion is one of S3. An address has a token in it, here of 1,000 characters, about
as long as on Lambda: it is most of what is pushed.

| action | invocations | requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

const ROUNDS: &str = "
In a room in rounds, which is larger than 1,100 connections or busy, the same take the following, and its courier what
stands in the last row but one. A round is one post to who asked for rounds; here one did, and everybody else is posted
each message. The pace of all rooms is planned by a request for each 500 members at most. While a round lasts, its
courier keeps the room by one more every three seconds, which is not counted here. A write that is refused is a write
unit as well, which the embedded DynamoDB does not say. Functions have just started here: one that runs looks at a
sender's connection (`GetItem`) once a minute.

| action | invocations | DynamoDB requests | read units | write units | posts |
| --- | --- | --- | ---: | ---: | ---: |
";

/// Connections in the rooms that are counted, and messages on the pages.
const ROOMS: [usize; 4] = [1, 10, 100, 1_000];
const PAGES: [usize; 3] = [1, 50, 100];

fn row(action: &str, usage: &Usage) -> String {
    let list = |counts: &BTreeMap<String, usize>| {
        let one = |(name, count): (&String, &usize)| if *count == 1 { name.clone() } else { format!("{count} {name}") };
        let names: Vec<_> = counts.iter().map(one).collect();
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    };
    // One push goes to everybody.
    let posts = match usage.posted_bytes.checked_div(usage.posts) {
        Some(size) => format!("{} of {size} B", usage.posts),
        None => "–".to_owned(),
    };
    let (invocations, requests) = (list(&usage.invocations), list(&usage.requests));
    format!("| {action} | {invocations} | {requests} | {} | {} | {posts} |", usage.read_units, usage.write_units)
}

#[tokio::test]
async fn every_action_takes_what_it_needs_and_no_more() {
    let meter = Meter::start().await;
    let mut rooms = Vec::new();
    for members in ROOMS {
        rooms.push(meter.room_of(members).await);
    }
    let history = room("1000006");
    talk(&meter.server, &history, PAGES[2] + 10).await;
    let mut rows = Vec::new();
    for (at, (action, first)) in rooms[0].iter().enumerate() {
        if rooms.iter().all(|actions| actions[at].1 == *first) {
            rows.push(row(action, first));
        } else {
            let of = |(members, actions): (usize, &Vec<(String, Usage)>)| {
                row(&format!("{action}, room of {members}"), &actions[at].1)
            };
            rows.extend(ROOMS.into_iter().zip(&rooms).map(of));
        }
    }
    for limit in PAGES {
        let usage = meter.page(&history, &format!("limit={limit}")).await;
        rows.push(row(&format!("history, a page of {limit}"), &usage));
    }
    edit_all(&meter.server, &history, PAGES[2]).await;
    for limit in PAGES {
        rows.push(row(&format!("changes, a page of {limit}"), &meter.page_of_changes(&history, limit).await));
    }
    rows.extend(meter.changes().await.iter().map(|(action, usage)| row(action, usage)));
    let files: Vec<_> = meter.files(ROOMS[1]).await.iter().map(|(action, usage)| row(action, usage)).collect();
    meter.stop().await;
    // The posts are a word and an end. Nobody has connected here before.
    let meter = Meter::start().await;
    rows.push(row("connect, with one connection too many", &meter.displacement().await));
    meter.stop().await;

    let meter = Meter::start_with(&[("SocketIo", "on")]).await;
    let of_json = meter.room_of(ROOMS[1]).await;
    assert_eq!(of_json, rooms[1], "a client of JSON takes the same beside those of Socket.IO");
    let mut packets = Vec::new();
    for way in Way::ALL {
        packets.extend(meter.packets(way).await.iter().map(|(action, usage)| row(action, usage)));
    }
    packets.push(row("a bad token, from the handshake to the end", &meter.refused_packets().await));
    for connections in [1, 10] {
        let usage = meter.kept_alive(connections).await;
        packets.push(row(&format!("every four minutes, with {connections} of Engine.IO 4"), &usage));
    }
    meter.stop().await;

    let meter = Meter::start().await;
    let kept: Vec<_> = meter.kept_rooms().await.iter().map(|(action, usage)| row(action, usage)).collect();
    meter.stop().await;

    let meter = Meter::start().await;
    let moderation: Vec<_> = meter.moderation().await.iter().map(|(action, usage)| row(action, usage)).collect();
    meter.stop().await;

    let meter = Meter::start().await;
    let mut crowds = Vec::new();
    for members in [1_101, 2_500] {
        let counted = meter.crowd(members).await;
        crowds.extend(counted.iter().map(|(action, usage)| row(&format!("{action}, room of {members}"), usage)));
    }
    meter.stop().await;

    let list = |head: &str, rows: &[String]| {
        rows.iter().fold(head.to_owned(), |mut text, row| {
            writeln!(text, "{row}").expect("a text takes it");
            text
        })
    };
    let document = list(INTRODUCTION, &rows)
        + &list(KEPT, &kept)
        + &list(MODERATION, &moderation)
        + &list(FILES, &files)
        + &list(SOCKET_IO, &packets)
        + &list(ROUNDS, &crowds);
    if Vars::from_env().optional("CHAT_WRITE_COUNTS").is_some() {
        std::fs::write(DOCUMENT, &document).expect("written");
    }
    let published = std::fs::read_to_string(DOCUMENT).expect("the document");
    let only_in = |one: &str, other: &str| {
        let known: Vec<_> = other.lines().collect();
        one.lines().filter(|line| !known.contains(line)).map(String::from).collect::<Vec<_>>()
    };
    let (stale, counted) = (only_in(&published, &document), only_in(&document, &published));
    assert!(published == document, "the page says {stale:#?}, counted was {counted:#?}");
}

/// At AWS's prices for a million: a frame or a push $1, a read unit $0.125, an invocation $0.20. Its time is not in it.
#[tokio::test]
async fn a_million_signals_cost_what_the_page_says() {
    let meter = Meter::start().await;
    let costs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/costs.md")).expect("a page");
    let said = costs.replace('\n', " ");
    for (members, before, after) in [
        (10, "are ", " in a room of ten"),
        (20, "and ", " in one of twenty"),
        (21, "an invocation, ", " a million, and 0"),
    ] {
        let counted = meter.room_of(members).await;
        let (_, usage) = counted.iter().find(|(action, _)| *action == "signal").expect("it is measured");
        assert_eq!(usage.posts, if members > 20 { 0 } else { members - 1 });
        assert_eq!(usage.requests, BTreeMap::from([("Query".to_owned(), 1)]));
        let invocations: usize = usage.invocations.values().sum();
        let tenths = (1 + usage.posts) * 1_000 + (usage.read_units * 125.0) as usize + invocations * 200;
        // To the cent, half a cent up.
        let dollars = format!("{before}${}.{:02}{after}", (tenths + 5) / 1_000, (tenths + 5) % 1_000 / 10);
        assert!(said.contains(&dollars), "docs/costs.md does not say: {dollars}");
    }
    meter.stop().await;
}

/// At the same prices, a request of the HTTP API $1 and a write unit $0.625, by what `docs/counts.md` says.
#[test]
fn a_million_lists_and_marks_cost_what_the_page_says() {
    let read =
        |name: &str| std::fs::read_to_string(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a page");
    let (counts, costs) = (read("counts.md"), read("costs.md"));
    for (action, said, messages) in [
        ("list, of 20 rooms", "lists of 20 rooms", 1),
        ("list, of 50 rooms", "lists of 50 rooms", 1),
        ("markRead", "read marks, told to nobody", 2),
        ("markRead, told to ten", "the same, told in a room of ten, nine of whom are there", 2),
    ] {
        let row = counts.lines().find(|line| line.starts_with(&format!("| {action} |"))).expect(action);
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, invocations, _, reads, writes, posts] = cells[..] else { panic!("not six columns: {row}") };
        let number = |cell: &str| cell.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0);
        let invocations = invocations.split(", ").count() as f64;
        let dollars =
            f64::from(messages) + number(posts) + number(reads) * 0.125 + number(writes) * 0.625 + invocations * 0.2;
        let line = format!("| {said} | ${dollars:.2} |");
        assert!(costs.contains(&line), "docs/costs.md does not say: {line}");
    }
}

/// The newest page and one from the middle are the same, and a longer history is no dearer.
#[tokio::test]
async fn a_page_of_history_takes_what_is_on_it() {
    let meter = Meter::start().await;
    let (short, long) = (room("1000007"), room("1000008"));
    talk(&meter.server, &short, 110).await;
    talk(&meter.server, &long, 330).await;
    for limit in PAGES {
        let of_short = meter.page(&short, &format!("limit={limit}&before=111")).await;
        for before in [331, 165] {
            let usage = meter.page(&long, &format!("limit={limit}&before={before}")).await;
            assert_eq!(usage, of_short, "{limit} messages before {before}");
        }
    }
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

/// One answer of DynamoDB holds the members of nearly every room; a larger one takes another, and nobody is left out. Its
/// sender lets rounds begin, once.
#[tokio::test]
async fn a_room_larger_than_a_page_takes_two_requests_more_once() {
    let meter = Meter::start().await;
    let counted = meter.room_of(1_101).await;
    let (_, send) = counted.iter().find(|(action, _)| *action == "sendMessage").expect("it is measured");
    assert_eq!(
        send.to_string(),
        "send-message | PutItem 2 Query 2 UpdateItem | 24 read, 3 write | 1101 posts of 377 B"
    );
    meter.stop().await;
}
