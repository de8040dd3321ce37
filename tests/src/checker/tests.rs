//! A sound history, and every way to damage it.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const ADA: User = 1;
const BOB: User = 2;
/// A user who reads and never sends.
const EVE: User = 3;

fn send(room: Room, user: User, key: &str, content: &str) -> Send {
    Send { room, user, key: key.into(), content: content.into() }
}

fn ack(room: Room, user: User, key: &str, id: u64) -> Ack {
    Ack { room, user, key: key.into(), id }
}

fn seen(id: u64, room: Room, user: User, key: &str, content: &str) -> Seen {
    Seen { id, room, user, key: Some(key.into()), content: content.into(), version: 0, deleted: false }
}

fn view(device: &str, user: User, since: u64, until: u64, room: Room, messages: &[Seen]) -> View {
    let pushed = messages.iter().map(|message| message.id).filter(|id| *id > since).collect();
    View {
        device: device.into(),
        user,
        room,
        since,
        until,
        messages: messages.into(),
        pushed,
        follows: true,
        states: Vec::new(),
        told: 0,
        heard: BTreeSet::new(),
        unused: BTreeSet::new(),
        border: until,
        change_border: 0,
        in_rounds: false,
    }
}

/// Everything that may happen without breaking a promise: a retry, a lost ack (d), a lost send (e), an unused id (4),
/// keys and ids that another room uses too, a join in between, and pushes from before and after it.
fn sound() -> History {
    let one = [
        seen(1, 1, ADA, "a", "one"),
        seen(2, 1, BOB, "a", "two"),
        seen(3, 1, ADA, "c", "three"),
        seen(5, 1, ADA, "d", "five"),
    ];
    let two = [seen(1, 2, BOB, "a", "one"), seen(2, 2, BOB, "b", "other")];
    let mut sends: Vec<_> = one.iter().chain(&two).map(sent).collect();
    sends.push(send(1, ADA, "e", "lost"));
    History {
        sends,
        attempts: Vec::new(),
        bars: Vec::new(),
        acks: vec![
            ack(1, ADA, "a", 1),
            ack(1, BOB, "a", 2),
            ack(1, ADA, "c", 3),
            ack(1, ADA, "c", 3),
            ack(2, BOB, "a", 1),
            ack(2, BOB, "b", 2),
        ],
        changes: Vec::new(),
        change_acks: Vec::new(),
        views: vec![
            view("bob's phone", BOB, 0, 5, 1, &one),
            view("eve's phone", EVE, 2, 3, 1, &[3, 1, 2, 1].map(|place: usize| one[place].clone())),
            view("bob's phone", BOB, 1, 2, 2, &two),
        ],
        stored: BTreeMap::from([(1, one.into()), (2, two.into())]),
        grants: BTreeMap::from([(ADA, BTreeSet::from([1])), (EVE, BTreeSet::from([1, 2]))]),
        leftovers: vec![Leftover { row: "CONN#1".into(), member: false, expires: true }],
    }
}

fn sent(seen: &Seen) -> Send {
    send(seen.room, seen.user, seen.key.as_deref().expect("a key"), &seen.content)
}

/// As the history endpoint gives it: without keys.
fn forget_keys(history: &mut History) {
    history.stored.values_mut().flatten().for_each(|message| message.key = None);
}

fn stored(history: &mut History, room: Room) -> &mut Vec<Seen> {
    history.stored.get_mut(&room).expect("a room")
}

/// Changes a message in the same way for everybody who saw it.
fn everywhere(history: &mut History, room: Room, id: u64, change: impl Fn(&mut Seen)) {
    let views = history.views.iter_mut().flat_map(|view| &mut view.messages);
    let all = history.stored.values_mut().flatten().chain(views);
    all.filter(|message| message.room == room && message.id == id).for_each(change);
}

fn drop_everywhere(history: &mut History, room: Room, id: u64) {
    let views = history.views.iter_mut().map(|view| &mut view.messages);
    let all = history.stored.values_mut().chain(views);
    all.for_each(|messages| messages.retain(|message| (message.room, message.id) != (room, id)));
}

fn said(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(Violation::to_string).collect()
}

#[test]
fn a_sound_history_passes() {
    let mut history = sound();
    for delivery in [Delivery::Lossy, Delivery::Reliable] {
        assert_eq!(history.check(delivery), []);
        assert_eq!(History::default().check(delivery), []);
    }
    forget_keys(&mut history);
    assert_eq!(history.check(Delivery::Reliable), []);
}

/// The name of a case, what it breaks, and all violations that must be reported.
type Damage = (&'static str, fn(&mut History), &'static [&'static str]);

const DAMAGES: &[Damage] = &[
    (
        "an acked message that was lost",
        |history| drop_everywhere(history, 1, 3),
        &[r#""three" (user 1, room 1, key c) was acked as 3, but is not in the history"#],
    ),
    (
        "an acked message in the history of another id",
        |history| history.acks[0].id = 4,
        &[r#""one" (user 1, room 1, key a) was acked as 4, but is not in the history"#],
    ),
    (
        "other content of an acked message",
        |history| everywhere(history, 1, 3, |message| message.content = "tree".into()),
        &[r#""three" (user 1, room 1, key c) was acked as 3, but the history has "tree" (user 1, key c)"#],
    ),
    (
        "another sender of an acked message",
        |history| everywhere(history, 1, 3, |message| message.user = BOB),
        &[r#""three" (user 1, room 1, key c) was acked as 3, but the history has "three" (user 2, key c)"#],
    ),
    (
        "another key of an acked message",
        |history| everywhere(history, 1, 3, |message| message.key = Some("z".into())),
        &[r#""three" (user 1, room 1, key c) was acked as 3, but the history has "three" (user 1, key z)"#],
    ),
    (
        "a retry that was stored again",
        |history| stored(history, 1).push(seen(9, 1, ADA, "d", "five")),
        &[r#"the history has message 5 "five" (user 1, room 1, key d) several times, as 5 and 9"#],
    ),
    (
        "a retry that was stored again, in a history without keys",
        |history| {
            stored(history, 1).push(seen(9, 1, ADA, "d", "five"));
            forget_keys(history);
        },
        &[r#"the history has message 5 "five" (user 1, room 1, key unknown) several times, as 5 and 9"#],
    ),
    (
        "a retry that was stored again, with words that were sent twice",
        |history| {
            stored(history, 1).push(seen(9, 1, ADA, "d", "five"));
            stored(history, 1).push(seen(10, 1, ADA, "f", "five"));
            history.sends.push(send(1, ADA, "f", "five"));
        },
        &[r#"the history has message 5 "five" (user 1, room 1, key d) several times, as 5 and 9"#],
    ),
    (
        "a second ack with another id",
        |history| history.acks[3].id = 4,
        &["key c of user 1 in room 1 was acked as 3 and 4"],
    ),
    (
        "a second ack with the id of another message",
        |history| history.acks.push(ack(1, ADA, "a", 5)),
        &["key a of user 1 in room 1 was acked as 1 and 5"],
    ),
    (
        "an ack of what was never sent",
        |history| history.acks.push(ack(1, EVE, "a", 1)),
        &["key a of user 3 in room 1 was acked as 1, but never sent"],
    ),
    (
        "one id for two sends",
        |history| history.acks.push(ack(1, ADA, "d", 3)),
        &[r#"id 3 in room 1 was acked to "three" (user 1, room 1, key c) and "five" (user 1, room 1, key d)"#],
    ),
    ("a history out of order", |history| stored(history, 1).swap(1, 2), &["the history of room 1 has 2 right after 3"]),
    (
        "an id twice in the history",
        |history| {
            let again = stored(history, 1)[1].clone();
            stored(history, 1).insert(2, again);
        },
        &["the history of room 1 has 2 right after 2"],
    ),
    (
        "an id in the history that another message has",
        |history| stored(history, 1).insert(2, seen(2, 1, ADA, "e", "lost")),
        &["the history of room 1 has 2 right after 2"],
    ),
    ("a view out of order", |history| history.views[0].messages.swap(1, 2), &["bob's phone shows 2 after 3 in room 1"]),
    (
        "a message twice in a view",
        |history| {
            let again = history.views[0].messages[1].clone();
            history.views[0].messages.push(again);
        },
        &["bob's phone shows 2 in room 1 again"],
    ),
    (
        "a hole in a view",
        |history| drop(history.views[0].messages.remove(1)),
        &[r#"bob's phone misses message 2 "two" (user 2, room 1, key a)"#],
    ),
    (
        "a view that ends too early",
        |history| drop(history.views[0].messages.pop()),
        &[r#"bob's phone misses message 5 "five" (user 1, room 1, key d)"#],
    ),
    (
        "a message that a device saw with other content",
        |history| history.views[0].messages[1].content = "too".into(),
        &[r#"bob's phone saw message 2 "too" (user 2, room 1, key a), but the history has "two" (user 2, key a)"#],
    ),
    (
        "a message that a device saw with another sender",
        |history| history.views[0].messages[1].user = ADA,
        &[r#"bob's phone saw message 2 "two" (user 1, room 1, key a), but the history has "two" (user 2, key a)"#],
    ),
    (
        "a message that a device saw with another key",
        |history| history.views[0].messages[1].key = Some("z".into()),
        &[r#"bob's phone saw message 2 "two" (user 2, room 1, key z), but the history has "two" (user 2, key a)"#],
    ),
    (
        "a message from before the join with other content",
        |history| history.views[1].messages[1].content = "too".into(),
        &[r#"eve's phone saw message 2 "too" (user 2, room 1, key a), but the history has "two" (user 2, key a)"#],
    ),
    (
        "a message that was pushed and not kept",
        |history| history.views[0].messages.push(seen(6, 1, ADA, "e", "lost")),
        &[r#"bob's phone saw message 6 "lost" (user 1, room 1, key e), but the history has no such id"#],
    ),
    (
        "a message in the history that nobody sent",
        |history| stored(history, 1).push(seen(6, 1, ADA, "z", "boo")),
        &[r#"the history has message 6 "boo" (user 1, room 1, key z), but nobody sent it"#],
    ),
    (
        "other content of a message that was never acked",
        |history| everywhere(history, 1, 5, |message| message.content = "fife".into()),
        &[r#"the history has message 5 "fife" (user 1, room 1, key d), but nobody sent it"#],
    ),
    (
        "another sender of a message that was never acked, without keys",
        |history| {
            forget_keys(history);
            everywhere(history, 1, 5, |message| message.user = BOB);
        },
        &[r#"the history has message 5 "five" (user 2, room 1, key unknown), but nobody sent it"#],
    ),
    (
        "a message in a view that nobody sent",
        |history| history.views[0].messages.push(seen(6, 1, ADA, "z", "boo")),
        &[r#"bob's phone has message 6 "boo" (user 1, room 1, key z), but nobody sent it"#],
    ),
    (
        "a pushed key that nobody sent, and that the history does not tell",
        |history| {
            forget_keys(history);
            history.views[0].messages[1].key = Some("z".into());
        },
        &[r#"bob's phone has message 2 "two" (user 2, room 1, key z), but nobody sent it"#],
    ),
    (
        "an id that was said to be unused, and is not",
        |history| history.views[0].unused.insert(5).then_some(()).expect("it is new"),
        &[r#"bob's phone was told that there is no message 5 "five" (user 1, room 1, key d)"#],
    ),
    (
        "a message of another room in a view",
        |history| history.views[0].messages.push(seen(1, 2, BOB, "a", "one")),
        &[r#"bob's phone has message 1 "one" (user 2, room 2, key a) in room 1"#],
    ),
    (
        "a message of another room in the history",
        |history| stored(history, 1).push(seen(6, 2, BOB, "b", "other")),
        &[r#"the history has message 6 "other" (user 2, room 2, key b) in room 1"#],
    ),
    (
        "a member of a room that it may not enter",
        |history| drop(history.grants.insert(EVE, BTreeSet::from([2]))),
        &["eve's phone was in room 1, which user 3 may not enter"],
    ),
    (
        "messages in a room that their sender may not enter",
        |history| drop(history.grants.insert(ADA, BTreeSet::new())),
        &[
            r#"the history has message 1 "one" (user 1, room 1, key a), whose sender may not enter the room"#,
            r#"the history has message 3 "three" (user 1, room 1, key c), whose sender may not enter the room"#,
            r#"the history has message 5 "five" (user 1, room 1, key d), whose sender may not enter the room"#,
        ],
    ),
    (
        "a message that was pushed to a room that its sender may not enter",
        |history| {
            history.sends.push(send(2, ADA, "a", "knock"));
            history.views[2].messages.push(seen(3, 2, ADA, "a", "knock"));
        },
        &[
            r#"bob's phone saw message 3 "knock" (user 1, room 2, key a), but the history has no such id"#,
            r#"bob's phone has message 3 "knock" (user 1, room 2, key a), whose sender may not enter the room"#,
        ],
    ),
    (
        "a member that is no more",
        |history| history.leftovers[0].member = true,
        &["row CONN#1 is a member of a room, but its connection is no more"],
    ),
    (
        "a row that never expires",
        |history| history.leftovers[0].expires = false,
        &["row CONN#1 never expires, but its connection is no more"],
    ),
    (
        "a push that never came",
        |history| history.views[0].pushed.retain(|id| *id != 2),
        &["bob's phone was not pushed 2 in room 1"],
    ),
];

/// Only a push that never came is accepted, and only where pushes may be lost.
#[test]
fn every_damage_is_told_by_its_rule_and_no_other() {
    for (name, damage, expected) in DAMAGES {
        let mut history = sound();
        damage(&mut history);
        assert_eq!(said(&history.check(Delivery::Reliable)), *expected, "{name}");
        let expected = if *name == "a push that never came" { &[] } else { *expected };
        assert_eq!(said(&history.check(Delivery::Lossy)), expected, "{name}, where pushes may be lost");
    }
}

#[test]
fn no_message_goes_missing_unseen() {
    let history = sound();
    for ack in &history.acks {
        let mut damaged = history.clone();
        drop_everywhere(&mut damaged, ack.room, ack.id);
        let violations = damaged.check(Delivery::Lossy);
        assert!(matches!(violations[..], [Violation::Lost { .. }]), "{ack:?}: {violations:?}");
    }
    for (index, view) in history.views.iter().enumerate() {
        for (place, message) in view.messages.iter().enumerate() {
            let mut damaged = history.clone();
            damaged.views[index].messages.remove(place);
            let due = message.id > view.since && message.id <= view.until;
            assert_eq!(damaged.check(Delivery::Lossy).len(), usize::from(due), "{} without {message}", view.device);
        }
    }
}

#[test]
fn a_view_that_begins_after_its_end_asks_for_nothing() {
    let mut history = sound();
    let empty = View { since: 5, until: 0, messages: Vec::new(), ..history.views[0].clone() };
    history.views.push(empty);
    assert_eq!(history.check(Delivery::Reliable), []);
}

#[test]
fn of_two_sends_with_one_key_the_first_counts() {
    let mut history = sound();
    history.sends.push(send(1, ADA, "c", "other words"));
    assert_eq!(history.check(Delivery::Reliable), []);
    history.sends.insert(0, send(1, ADA, "c", "earlier words"));
    let violations = history.check(Delivery::Reliable);
    assert!(matches!(violations[..], [Violation::Altered { .. }]), "{violations:?}");
}

#[test]
fn many_violations_of_one_rule_do_not_hide_another() {
    let mut history = sound();
    let row = |number| Leftover { row: format!("CONN#{number}"), member: true, expires: true };
    history.leftovers.extend((0..1000).map(row));
    history.leftovers.push(Leftover { row: "CONN#last".into(), member: false, expires: false });
    let violations = history.check(Delivery::Reliable);
    assert_eq!(violations.len(), VIOLATIONS_PER_RULE_MAX + 1);
    assert_eq!(violations.last(), Some(&Violation::NeverExpires { row: "CONN#last".into() }));
}

/// A member need not have a message, at rest; but it has to know that there is something to ask for.
#[test]
fn who_is_told_of_something_behind_it_learns_of_a_message() {
    let mut history = sound();
    history.change_acks.push(ChangeAck { room: 1, id: 2, key: None, version: 3, duplicate: false, at: 1 });
    history.views.retain(|view| view.room == 1);
    history.views.truncate(1);
    history.views[0].messages.clear();
    (history.views[0].border, history.views[0].change_border) = (5, 3);
    assert_eq!(history.unlearned(), []);
    (history.views[0].border, history.views[0].change_border) = (2, 2);
    let said: Vec<_> = history.unlearned().iter().map(ToString::to_string).collect();
    let device = &history.views[0].device;
    let learns = format!("{device} learns nothing of message 3 in room 1, which was acked");
    assert_eq!(said, [learns, format!("{device} was not told of change 3 in room 1")]);
}

/// Ada is banned from moment 10 to moment 20; her message `d` was said at these.
fn banned(said_at: &[u64]) -> History {
    let mut history = sound();
    history.bars.push(Bar { room: 1, user: ADA, from: 10, banned: Some(10), to: 20 });
    let attempt = |at: &u64| Attempt { room: 1, user: ADA, key: "d".into(), at: *at };
    history.attempts = said_at.iter().map(attempt).collect();
    history
}

#[test]
fn what_was_said_during_a_bar_is_not_stored_but_what_was_said_before_or_after_as_well_may_be() {
    for said_at in [&[][..], &[9], &[9, 15], &[15, 21], &[21]] {
        assert_eq!(banned(said_at).check(Delivery::Reliable), [], "{said_at:?}");
    }
    for said_at in [&[11][..], &[11, 19]] {
        let found = said(&banned(said_at).check(Delivery::Reliable));
        let seen = r#"message 5 "five" (user 1, room 1, key d)"#;
        assert_eq!(
            found,
            [format!("the history has {seen}, which was said when its sender was barred, from 10 to 20")],
            "{said_at:?}"
        );
    }
}

#[test]
fn who_is_barred_takes_something_back_and_edits_nothing() {
    let change = |key: Option<&str>, asked| {
        let (key, content) = (key.map(String::from), "anew".into());
        let mut history = banned(&[]);
        history.changes.push(Change { room: 1, user: ADA, id: 3, key: key.clone(), content, asked });
        history.change_acks.push(ChangeAck { room: 1, id: 3, key, version: 1, duplicate: true, at: 30 });
        let found = history.check(Delivery::Lossy);
        found.iter().any(|violation| matches!(violation, Violation::ChangedThoughBarred { .. }))
    };
    assert!(change(Some("e-1"), 11) && !change(Some("e-1"), 10) && !change(Some("e-1"), 20) && !change(None, 11));
}

/// What was begun before a ban may be on its way yet.
#[test]
fn who_is_banned_is_pushed_nothing_that_was_begun_after_that() {
    let heard = |said_at| {
        let mut history = banned(&[]);
        history.attempts = vec![Attempt { room: 1, user: BOB, key: "a".into(), at: said_at }];
        history.views = vec![view("ada's phone", ADA, 0, 5, 1, &history.stored[&1])];
        history.changes.push(Change { room: 1, user: BOB, id: 2, key: None, content: String::new(), asked: said_at });
        history.change_acks.push(ChangeAck { room: 1, id: 2, key: None, version: 1, duplicate: false, at: 30 });
        history.views[0].heard = BTreeSet::from([1]);
        said(&history.heard_in_spite())
    };
    assert_eq!(heard(10), Vec::<String>::new());
    let pushed = r#"ada's phone was pushed message 2 "two" (user 2, room 1, key a), though its user was banned before"#;
    let told = "ada's phone was pushed the recall of message 2 in room 1 by user 2 as 1, though its user was banned";
    assert_eq!(heard(11), [format!("{pushed} that was said"), format!("{told} before that")]);
}
