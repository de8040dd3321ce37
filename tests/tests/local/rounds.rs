//! Rooms in rounds: large and busy ones, whose messages a courier delivers.

use chat::rounds::{Courier, Head, Pushed, Rest};
use chat::{ChangeNumber, Content, Message, MessageId, MessageKind, Reactions, RoomId, Timestamp};
use chat_aws::{Counted, Messages, Written, now};
use chat_tests::{Client, Server, next_id, room, text_message, until, user};
use serde_json::{Value, json};
use std::time::Duration;

/// Draws what is done next. The same seed draws the same.
struct Dice(fastrand::Rng);

impl Dice {
    fn courier(&mut self) -> Courier {
        Courier(self.0.u64(1..4))
    }

    fn time(&mut self) -> Timestamp {
        Timestamp::from_millis(self.0.i64(1..30))
    }

    fn id_near(&mut self, id: MessageId) -> MessageId {
        MessageId::new((id.get() + self.0.u64(0..3)).saturating_sub(1))
    }
}

/// Whether a write was done, and what stands there now.
fn outcome(written: Written, before: &Head) -> (bool, Head) {
    match written {
        Written::Done(head) => (true, head),
        Written::Refused(head) => (false, head.unwrap_or_else(|| before.clone())),
    }
}

/// Does one thing to both, and answers what each says of it.
async fn act(dice: &mut Dice, messages: &Messages, room: &RoomId, head: &mut Head) -> (String, (bool, Head)) {
    let before = head.clone();
    let (me, now, until) = (dice.courier(), dice.time(), dice.time());
    match dice.0.u8(0..12) {
        0..=3 => {
            head.count(now);
            let counted = messages.count(room, &chat_tests::user("1"), now).await.expect("an answer");
            let (done, found) = match counted {
                Counted::Direct(found) => (true, found),
                Counted::InRounds(found, _) => (true, found),
                Counted::Full(rounds) => (false, Head { rounds: Some(rounds), ..before }),
                Counted::Barred(barred) => panic!("nobody barred anybody: {barred:?}"),
            };
            ("count".into(), (done, found))
        }
        4 if head.last_id > MessageId::new(0) => {
            head.enter(3);
            ("enter".into(), outcome(messages.enter_rounds(room, 3).await.expect("an answer"), &before))
        }
        5 | 6 => {
            let seen = (dice.0.u8(0..3) > 0).then(|| dice.time());
            head.take(me, seen, now, until);
            let taken = messages.take(room, me, seen, now, until).await.expect("an answer");
            (format!("{me:?} takes, seen {seen:?}, at {now:?}"), outcome(taken, &before))
        }
        7 => {
            let changes_up_to = (dice.0.u8(0..3) == 0).then(|| ChangeNumber::new(dice.0.u64(1..6)));
            let changes_up_to =
                changes_up_to.filter(|_| head.rounds.as_ref().is_some_and(|rounds| rounds.changes.is_some()));
            let was_pushed = head.rounds.as_ref().map_or(head.last_id, |rounds| rounds.pushed);
            let after = if dice.0.u8(0..4) == 0 { dice.id_near(was_pushed) } else { was_pushed };
            let (up_to, known) = (dice.id_near(head.last_id), dice.id_near(head.last_id));
            let (carries, cuts) = (dice.0.u64(0..4), vec!["a".to_owned(); dice.0.usize(0..3)]);
            let pushed = Pushed { after, up_to, known, carries, changes_up_to, people: 7, cuts, until };
            head.step(me, pushed.clone());
            (format!("{me:?} steps"), outcome(messages.step(room, me, &pushed).await.expect("an answer"), &before))
        }
        8 => {
            head.renew(me, until);
            (format!("{me:?} renews"), outcome(messages.renew(room, me, until).await.expect("an answer"), &before))
        }
        9 => {
            let rest = if dice.0.bool() { Rest::Asleep } else { Rest::OverAndOut };
            let changes = head.rounds.as_ref().and_then(|rounds| rounds.changes).filter(|_| dice.0.u8(0..4) > 0);
            let pushed = dice.id_near(head.last_id);
            head.rest(me, pushed, changes, rest);
            let rested = messages.rest(room, me, pushed, changes, rest).await.expect("an answer");
            (format!("{me:?} rests: {rest:?}"), outcome(rested, &before))
        }
        10 => {
            let change = ChangeNumber::new(dice.0.u64(1..6));
            head.knock(change);
            (format!("knock {change}"), outcome(messages.knock(room, change).await.expect("an answer"), &before))
        }
        _ => {
            head.hand_on(me);
            (format!("{me:?} hands on"), outcome(messages.hand_on(room, me).await.expect("an answer"), &before))
        }
    }
}

/// The model checker tries the rules of `chat::rounds::Head`. Here DynamoDB's conditions are seen to be the same.
#[tokio::test]
async fn a_rooms_row_does_what_its_rules_say() {
    let server = Server::start().await;
    let app = server.app();
    let mut done_and_refused = [0_usize; 2];
    for seed in 0..40 {
        let room = room(&format!("room {seed}"));
        let (mut dice, mut head, mut log) = (Dice(fastrand::Rng::with_seed(seed)), Head::default(), Vec::new());
        for _ in 0..40 {
            let before = head.clone();
            let (did, (done, found)) = act(&mut dice, &app.messages, &room, &mut head).await;
            log.push(did);
            assert_eq!(found, head, "seed {seed}: {log:?}");
            assert!(done || before == head, "seed {seed}: what is refused changes nothing: {log:?}");
            done_and_refused[usize::from(done)] += 1;
        }
    }
    assert!(done_and_refused.iter().all(|times| *times > 200), "{done_and_refused:?}");
    server.stop().await;
}

/// A run in which a room of four is a crowd.
async fn server() -> Server {
    Server::start_with_parameters(&[("LargeRoom", "3")], &[]).await
}

/// Enters room 1, and asks for frames of many messages, and for how far its changes reach.
async fn reader(server: &Server, user: u64) -> Client {
    let mut reader = server.connect(user).await;
    let join = json!({"action": "joinRoom", "chatroomId": 1, "rounds": true, "changes": true});
    assert_eq!(reader.ask(join).await["type"], "ack");
    reader
}

/// A room in rounds, of three members that ask for nothing and one that asks for rounds. Its first message was pushed by its
/// sender.
async fn crowd(server: &Server) -> (Vec<Client>, Client) {
    let mut plain = Vec::new();
    for user in 1..4 {
        let mut client = server.connect(user).await;
        client.join(1).await;
        plain.push(client);
    }
    let mut reader = reader(server, 4).await;
    assert_eq!(plain[0].say(1, "pushed by its sender").await.get("rounds"), None);
    for client in plain.iter_mut().chain([&mut reader]) {
        assert_eq!(client.expect(json!({"type": "sendMessage"})).await["message"]["id"], 1);
    }
    (plain, reader)
}

/// The ids of a round's messages, and what it covers.
fn covers(frame: &Value) -> (Vec<u64>, u64, u64) {
    let ids =
        frame["messages"].as_array().expect("messages").iter().map(|message| message["id"].as_u64().expect("an id"));
    (ids.collect(), frame["after"].as_u64().expect("an id"), frame["upTo"].as_u64().expect("an id"))
}

#[tokio::test]
async fn a_large_room_goes_over_into_rounds_and_comes_back() {
    let server = server().await;
    let (mut plain, mut reader) = crowd(&server).await;
    assert_eq!(plain[0].say(1, "pushed by the courier").await["rounds"], 250);
    let frame = reader.expect(json!({"type": "messages"})).await;
    assert_eq!(covers(&frame), (vec![2], 1, 2));
    let message = &frame["messages"][0];
    assert_eq!((&message["content"], &message["senderId"]), (&json!("pushed by the courier"), &json!(1)));
    assert_eq!((&frame["senders"]["1"]["id"], frame.get("members")), (&json!(1), None));
    for client in &mut plain {
        let push = client.expect(json!({"type": "sendMessage"})).await;
        assert_eq!((&push["message"]["id"], &push["message"]["sender"]["id"]), (&json!(2), &json!(1)));
    }
    plain[1].say(1, "another round").await;
    assert_eq!(reader.expect(json!({"type": "messages"})).await["members"], 4);
    assert_eq!(server.history("chatroomId=1").await.ids(), [1, 2, 3]);

    plain.pop().expect("a client").close().await;
    assert_eq!(plain[0].say(1, "the last round").await["rounds"], 250);
    until("the room comes back", async || !server.row("ChatTable", "pushed").await).await;
    assert_eq!(plain[0].say(1, "pushed by its sender").await.get("rounds"), None);
    assert_eq!(reader.expect(json!({"type": "sendMessage"})).await["message"]["id"], 5);
    server.stop().await;
}

/// Fifty messages a second and fifty members are as many posts as one large room.
#[tokio::test]
async fn a_busy_room_goes_over_into_rounds() {
    let server = Server::start_with_parameters(&[("HotRoom", "5")], &[]).await;
    let mut client = server.connect(1).await;
    client.join(1).await;
    let mut rounds = Vec::new();
    for _ in 0..20 {
        rounds.push(client.say(1, "quick").await.get("rounds").is_some());
    }
    // A rate is that of eight messages.
    assert!(!rounds[..8].contains(&true) && rounds[12..].iter().all(|in_rounds| *in_rounds), "{rounds:?}");
    for id in 1..=20 {
        assert_eq!(client.expect(json!({"type": "sendMessage"})).await["message"]["id"], id);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_has_no_place_is_refused_before_it_has_an_id() {
    let of_two = (
        "          LARGE_ROOM: !Ref LargeRoom\n",
        "          LARGE_ROOM: !Ref LargeRoom\n          ROUND_MESSAGES: 2\n",
    );
    let server = Server::start_with_parameters(&[("LargeRoom", "3")], &[of_two]).await;
    let (mut plain, mut reader) = crowd(&server).await;
    let (messages, room, me) = (server.app().messages, room("1"), Courier(9));
    let hour = now().after(Duration::from_secs(3_600));
    assert!(matches!(messages.take(&room, me, None, now(), hour).await, Ok(Written::Done(_))));
    for _ in 0..2 {
        assert_eq!(plain[0].say(1, "it waits").await["rounds"], 250);
    }
    let refused = plain[0].ask(text_message(1, "too much")).await;
    assert_eq!((&refused["code"], &refused["retryAfterMs"]), (&json!("rateLimited"), &json!(250)));
    // Whoever is refused wakes the courier as well: nobody else may come.
    assert!(matches!(messages.hand_on(&room, me).await, Ok(Written::Done(_))));
    assert_eq!(plain[0].ask(text_message(1, "too much")).await["code"], "rateLimited");
    assert_eq!(covers(&reader.expect(json!({"type": "messages"})).await), (vec![2, 3], 1, 3));
    until("there is place", async || plain[0].ask(text_message(1, "again")).await["id"] == 4).await;
    server.stop().await;
}

#[tokio::test]
async fn an_id_whose_message_does_not_come_is_sealed() {
    let server = server().await;
    let (mut plain, mut reader) = crowd(&server).await;
    let (messages, room) = (server.app().messages, room("1"));
    let lost = next_id(&messages, &room).await.expect("an id");
    plain[0].say(1, "after the hole").await;
    assert_eq!(covers(&reader.expect(json!({"type": "messages"})).await), (vec![3], 1, 3));
    assert_eq!(plain[1].expect(json!({"type": "sendMessage", "unusedId": 2})).await["message"]["id"], 3);
    assert_eq!(server.history("chatroomId=1").await.ids(), [1, 3], "nobody finds what is void");

    // Its sender was slow, and not dead.
    for client_message_id in [None, serde_json::from_value(json!("late")).ok()] {
        let content = Content::parse(MessageKind::Text, "late").expect("content");
        let (create_time, changed, reactions) = (now(), None, Reactions::default());
        let (id, room, sender) = (lost, room.clone(), user("1"));
        let late = Message { id, room, sender, content, create_time, client_message_id, changed, reactions };
        assert_eq!(messages.store_in_rounds(late).await.expect("an answer"), None);
    }
    for request in [
        json!({"action": "deleteMessage", "chatroomId": 1, "id": 2}),
        json!({"action": "reactMessage", "chatroomId": 1, "id": 2, "emoji": "👍", "on": true}),
        json!({"action": "reactMessage", "chatroomId": 1, "id": 2, "emoji": "👍", "on": false}),
    ] {
        assert_eq!(plain[0].ask(request.clone()).await["code"], "notFound", "{request}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_send_is_one_message_and_moves_the_border() {
    let server = server().await;
    let (mut plain, mut reader) = crowd(&server).await;
    let mut send = text_message(1, "once");
    send["clientMessageId"] = json!("once");
    let first = plain[0].ask(send.clone()).await;
    assert_eq!(covers(&reader.expect(json!({"type": "messages"})).await), (vec![2], 1, 2));
    let again = plain[0].ask(send).await;
    assert_eq!((&again["id"], &again["duplicate"], &again["unusedId"]), (&first["id"], &json!(true), &json!(3)));
    assert_eq!(covers(&reader.expect(json!({"type": "messages"})).await), (vec![], 2, 3), "a round may be empty");
    let told = plain[1].expect(json!({"type": "sendMessage", "unusedId": 3})).await;
    assert_eq!(told["message"]["id"], 2, "whoever knows no rounds hears the message again");
    server.stop().await;
}

#[tokio::test]
async fn a_change_comes_with_a_round() {
    let server = server().await;
    let (mut plain, mut reader) = crowd(&server).await;
    let edit = json!({"action": "editMessage", "chatroomId": 1, "id": 1, "clientMessageId": "e",
        "message": {"type": "text", "content": "edited"}});
    let ack = plain[0].ask(edit.clone()).await;
    assert_eq!((&ack["version"], &ack["rounds"]), (&json!(1), &json!(250)));
    let frame = reader.expect(json!({"type": "messages"})).await;
    assert_eq!(covers(&frame), (vec![], 1, 1));
    assert_eq!((&frame["changesAfter"], &frame["changesUpTo"]), (&json!(0), &json!(1)));
    assert_eq!((&frame["changes"][0]["change"], &frame["changes"][0]["content"]), (&json!(1), &json!("edited")));
    for client in &mut plain {
        assert_eq!(client.expect(json!({"type": "editMessage"})).await["message"]["content"], "edited");
    }
    assert_eq!(plain[0].ask(edit).await["duplicate"], true, "its courier has it already");

    let ack = plain[0].ask(json!({"action": "deleteMessage", "chatroomId": 1, "id": 1})).await;
    assert_eq!((&ack["version"], &ack["rounds"]), (&json!(2), &json!(250)));
    let frame = reader.expect(json!({"type": "messages"})).await;
    assert_eq!((&frame["changesAfter"], &frame["changes"][0]["deleted"]), (&json!(1), &json!(true)));
    assert_eq!(plain[2].expect(json!({"type": "deleteMessage"})).await["message"]["version"], 2);
    server.stop().await;
}

/// A room in rounds reads no members for a send.
#[tokio::test]
async fn a_sender_that_was_closed_is_refused_in_rounds_too() {
    let server = server().await;
    let (plain, mut reader) = crowd(&server).await;
    let mut stranger = server.connect(9).await;
    assert_eq!(stranger.say(1, "not in the room").await["rounds"], 250);
    assert_eq!(covers(&reader.expect(json!({"type": "messages"})).await), (vec![2], 1, 2));
    let mut displaced = server.connect(8).await;
    // As a newer connection of its user does it, which API Gateway did not let end this one.
    let device = server.devices("8").await.pop().expect("a connection");
    let connection = device.split_once('#').expect("a device").1.to_owned();
    let key = json!({"PK": {"S": format!("CONN#{connection}")}, "SK": {"S": "CONN"}});
    let close = json!({"TableName": "ConnectionsTable", "Key": key, "UpdateExpression": "SET closedAt = :now",
        "ExpressionAttributeValues": {":now": {"N": now().millis().to_string()}}});
    server.dynamodb("UpdateItem", close).await;
    assert_eq!(displaced.ask(text_message(1, "too late")).await["code"], "gone");
    drop(plain);
    server.stop().await;
}

/// What a courier gives to another run of its function, so that two post at once.
#[tokio::test]
async fn a_hand_posts_to_its_part_of_the_members_alone() {
    let server = server().await;
    let (mut plain, mut reader) = crowd(&server).await;
    let mut connections: Vec<_> = server
        .keys("ConnectionsTable")
        .await
        .into_iter()
        .filter_map(|key| key.strip_prefix("ROOM#1 CONN#").map(String::from))
        .collect();
    connections.sort();
    let singly = vec![json!({"type": "leaveRoom", "chatroomId": 1, "userId": 77}).to_string()];
    let frame = json!({"type": "leaveRoom", "chatroomId": 1, "userId": 77}).to_string();
    for (after, up_to, met) in [(None, Some(1), 2), (Some(1), Some(2), 1), (Some(2), None, 1), (Some(3), None, 0)] {
        let id = |at: Option<usize>| at.map(|at| connections[at].clone());
        let hand = json!({"room": "1", "after": id(after), "upTo": id(up_to), "frame": frame, "singly": singly});
        let answer = server.call("deliver", &hand).await.expect("it lends a hand");
        assert_eq!(answer["people"], met, "{answer}");
        let last = up_to.unwrap_or(3);
        let marks = if met == 0 { json!([]) } else { json!([[connections[last], met]]) };
        assert_eq!(answer["marks"], marks);
    }
    for client in plain.iter_mut().chain([&mut reader]) {
        let frames = client.pushed().await;
        assert_eq!(frames.iter().filter(|frame| frame["userId"] == 77).count(), 1, "{frames:?}");
    }
    assert_eq!(server.call("deliver", &json!({"x": 1})).await.expect("dropped"), json!({"people": 0, "marks": []}));
    server.stop().await;
}
