//! Judges what the clients of a chat saw, in the manner of Jepsen: from outside, once the dust has settled, sharing no
//! code with what it judges. No IO, no clock, no async.
//!
//! A history tells a message's key to nobody, a push does. So a key that is not known contradicts none, and what has no
//! key is told apart by its words: sends with words of their own are judged most strictly.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::ops::Bound::{Excluded, Unbounded};

/// Most violations of one rule that are told: whoever repairs the first few runs it again.
pub const VIOLATIONS_PER_RULE_MAX: usize = 20;

pub type Room = u64;
pub type User = u64;

/// One text as a client meant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    pub room: Room,
    pub user: User,
    /// Its `clientMessageId`, unique per user and room. Of two sends with one key, the first counts.
    pub key: String,
    pub content: String,
}

/// An ack of a send. One send may have many, since clients retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    pub room: Room,
    pub user: User,
    pub key: String,
    /// The id that the send was given.
    pub id: u64,
}

/// A message as somebody saw it, by a push or in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: u64,
    pub room: Room,
    pub user: User,
    /// `None` if whoever saw it was not told: it is then compared with no other.
    pub key: Option<String>,
    pub content: String,
}

/// What one device knows of one room for as long as it was a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub device: String,
    pub user: User,
    pub room: Room,
    /// It must know everything after this: the `lastId` of its first join, or 0 if it read the whole history.
    pub since: u64,
    /// It must know everything up to and with this: the newest id at the end.
    pub until: u64,
    /// Pushed plus caught up, in the order in which the device would show them. Those outside of `since` and `until`
    /// may be among them, in any order.
    pub messages: Vec<Seen>,
    /// Ids that reached it by a push.
    pub pushed: BTreeSet<u64>,
}

/// A row in the table of connections, of a connection that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub row: String,
    /// Whether pushes would go to it.
    pub member: bool,
    pub expires: bool,
}

/// All that was done and seen.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub sends: Vec<Send>,
    pub acks: Vec<Ack>,
    pub views: Vec<View>,
    /// Each room's history as the history endpoint gave it at the end, whole, oldest first.
    pub stored: BTreeMap<Room, Vec<Seen>>,
    /// Rooms that a user may enter; a user without an entry may enter all.
    pub grants: BTreeMap<User, BTreeSet<Room>>,
    /// What was left in the table of connections after the dust settled.
    pub leftovers: Vec<Leftover>,
}

/// What may be expected of pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Pushes may be lost: a view is completed by catching up.
    Lossy,
    /// Nothing interfered: whatever is newer than a join's `lastId` was pushed.
    Reliable,
}

/// Who saw a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// The room's history, at the end.
    History,
    Device(String),
}

/// A promise that was not kept. `Display` says it in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A send was acked, and the history has nothing under its id.
    Lost { send: Send, ids: Vec<u64> },
    /// A send was acked, and the history has something else under its id.
    Altered { send: Send, stored: Seen },
    /// One send is in the history under several ids. `first` is the oldest of them.
    StoredTwice { first: Seen, ids: Vec<u64> },
    /// The acks of one send, by its key, carry several ids.
    AckedDifferently { room: Room, user: User, key: String, ids: Vec<u64> },
    /// An ack of a key that nobody sent.
    AckOfNothing { room: Room, user: User, key: String, ids: Vec<u64> },
    /// One id was acked to several sends.
    IdShared { room: Room, id: u64, sends: Vec<Send> },
    /// Two neighbours in a history whose ids do not increase; they may be the same.
    HistoryDisordered { room: Room, before: u64, after: u64 },
    /// Two neighbours in a view whose ids do not increase.
    ViewDisordered { device: String, room: Room, before: u64, after: u64 },
    /// A device shows one id more than once.
    SeenTwice { device: String, room: Room, id: u64 },
    /// A hole in a view: the history has the message, the device does not.
    Missed { device: String, stored: Seen },
    /// A device and the history disagree about a message.
    SeenDifferently { device: String, seen: Seen, stored: Seen },
    /// A device saw a message that somebody sent, but the history does not have its id.
    NeverStored { device: String, seen: Seen },
    /// A message that no client meant.
    NobodySent { witness: Witness, seen: Seen },
    /// A message that says it is of another room than the one where it was seen.
    ForeignRoom { witness: Witness, room: Room, seen: Seen },
    /// A device was a member of a room that its user may not enter.
    ViewForbidden { device: String, user: User, room: Room },
    /// A message in a room that its sender may not enter.
    MessageForbidden { witness: Witness, seen: Seen },
    /// A connection that is no more would still be pushed to.
    MemberLeft { row: String },
    /// A row of a connection that is no more stays for ever.
    NeverExpires { row: String },
    /// Only with [`Delivery::Reliable`]: a message that a member was not pushed.
    NotPushed { device: String, room: Room, id: u64 },
}

impl History {
    /// Everything that went wrong, at most [`VIOLATIONS_PER_RULE_MAX`] of each kind.
    ///
    /// What the history has wrong is not told again for every device that agrees with the history. A room without an
    /// entry in `stored` has an empty history.
    pub fn check(&self, delivery: Delivery) -> Vec<Violation> {
        let facts = Facts::of(self);
        let mut report = Report::default();

        let altered = facts.judge_acks(&self.acks, &mut report);
        for (&room, messages) in &self.stored {
            judge_order(room, messages, &mut report);
            facts.judge_stored(room, messages, &altered, &mut report);
            facts.judge_copies(room, &mut report);
        }
        for view in &self.views {
            facts.judge_view(view, &mut report);
            if delivery == Delivery::Reliable {
                facts.judge_pushes(view, &mut report);
            }
        }
        judge_leftovers(&self.leftovers, &mut report);
        report.violations
    }
}

/// What a key or a text means: they are unique per user and room only.
type Name<'a> = (Room, User, &'a str);

/// What everything else is held against, by what it is looked up by.
struct Facts<'a> {
    sends: HashMap<Name<'a>, &'a Send>,
    /// How many sends have these words.
    contents: HashMap<Name<'a>, usize>,
    /// Of several messages under one id, the first.
    stored: BTreeMap<Room, BTreeMap<u64, &'a Seen>>,
    grants: &'a BTreeMap<User, BTreeSet<Room>>,
}

impl<'a> Facts<'a> {
    fn of(history: &'a History) -> Self {
        let mut sends = HashMap::with_capacity(history.sends.len());
        for send in &history.sends {
            sends.entry((send.room, send.user, send.key.as_str())).or_insert(send);
        }
        let mut contents = HashMap::with_capacity(sends.len());
        for send in sends.values() {
            *contents.entry((send.room, send.user, send.content.as_str())).or_default() += 1;
        }
        let first_of_each = |messages: &'a Vec<Seen>| {
            let mut by_id = BTreeMap::new();
            for message in messages {
                by_id.entry(message.id).or_insert(message);
            }
            by_id
        };
        let stored = history.stored.iter().map(|(&room, messages)| (room, first_of_each(messages))).collect();
        Self { sends, contents, stored, grants: &history.grants }
    }

    fn stored(&self, room: Room, id: u64) -> Option<&'a Seen> {
        self.stored.get(&room)?.get(&id).copied()
    }

    /// What the room's history has of all that a view must have.
    fn due(&self, view: &View) -> impl Iterator<Item = &'a Seen> {
        let later = self.stored.get(&view.room).into_iter();
        let later = later.flat_map(|by_id| by_id.range((Excluded(view.since), Unbounded)));
        later.map(|(_, message)| *message).take_while(|message| message.id <= view.until)
    }

    fn may_enter(&self, user: User, room: Room) -> bool {
        self.grants.get(&user).is_none_or(|rooms| rooms.contains(&room))
    }

    fn was_sent(&self, seen: &Seen) -> bool {
        match &seen.key {
            Some(key) => self.sends.get(&(seen.room, seen.user, key)).is_some_and(|send| send.content == seen.content),
            None => self.contents.contains_key(&(seen.room, seen.user, seen.content.as_str())),
        }
    }

    /// Answers the rooms and ids of the messages that are told as altered.
    fn judge_acks(&self, acks: &'a [Ack], report: &mut Report) -> HashSet<(Room, u64)> {
        let mut ids: BTreeMap<Name<'a>, BTreeSet<u64>> = BTreeMap::new();
        for ack in acks {
            ids.entry((ack.room, ack.user, &ack.key)).or_default().insert(ack.id);
        }

        let mut owners: BTreeMap<(Room, u64), Vec<&Send>> = BTreeMap::new();
        for (name, ids) in &ids {
            let &(room, user, key) = name;
            let listed = || ids.iter().copied().collect();
            if ids.len() > 1 {
                report.add(Violation::AckedDifferently { room, user, key: key.into(), ids: listed() });
            }
            match self.sends.get(name) {
                Some(send) => ids.iter().for_each(|&id| owners.entry((room, id)).or_default().push(send)),
                None => report.add(Violation::AckOfNothing { room, user, key: key.into(), ids: listed() }),
            }
        }
        for (&(room, id), sends) in owners.iter().filter(|(_, sends)| sends.len() > 1) {
            report.add(Violation::IdShared { room, id, sends: sends.iter().copied().cloned().collect() });
        }

        let mut altered = HashSet::new();
        for (name, ids) in &ids {
            let Some(&send) = self.sends.get(name) else { continue };
            let mut found = ids.iter().filter_map(|&id| self.stored(send.room, id)).peekable();
            let Some(&stored) = found.peek() else {
                report.add(Violation::Lost { send: send.clone(), ids: ids.iter().copied().collect() });
                continue;
            };
            // Several ids for a send, and several sends for an id, are told already: one that fits is enough.
            if !found.any(|stored| owners[&(send.room, stored.id)].iter().any(|send| is_of(stored, send))) {
                altered.insert((send.room, stored.id));
                report.add(Violation::Altered { send: send.clone(), stored: stored.clone() });
            }
        }
        altered
    }

    fn judge_stored(&self, room: Room, messages: &[Seen], altered: &HashSet<(Room, u64)>, report: &mut Report) {
        for seen in messages {
            let witness = Witness::History;
            if seen.room != room {
                report.add(Violation::ForeignRoom { witness, room, seen: seen.clone() });
                continue;
            }
            if !self.was_sent(seen) && !altered.contains(&(room, seen.id)) {
                report.add(Violation::NobodySent { witness: witness.clone(), seen: seen.clone() });
            }
            if !self.may_enter(seen.user, room) {
                report.add(Violation::MessageForbidden { witness, seen: seen.clone() });
            }
        }
    }

    /// One send under several ids: by its key, and, since keys may be unknown, by words that are there more often than
    /// they were sent. The same id twice is a matter of order.
    fn judge_copies(&self, room: Room, report: &mut Report) {
        let mut by_key: BTreeMap<Name<'a>, Vec<&Seen>> = BTreeMap::new();
        let mut by_content: BTreeMap<Name<'a>, Vec<&Seen>> = BTreeMap::new();
        for &seen in self.stored[&room].values().filter(|seen| seen.room == room) {
            if let Some(key) = &seen.key {
                by_key.entry((room, seen.user, key)).or_default().push(seen);
            }
            by_content.entry((room, seen.user, &seen.content)).or_default().push(seen);
        }

        let mut told: HashSet<u64> = HashSet::new();
        let same_key = by_key.into_values().filter(|copies| copies.len() > 1);
        let same_content = by_content.into_iter().filter_map(|(name, copies)| {
            let sent = *self.contents.get(&name)?;
            (copies.len() > sent).then_some(copies)
        });
        for copies in same_key.chain(same_content) {
            let ids: Vec<_> = copies.iter().map(|seen| seen.id).collect();
            if ids.iter().all(|id| !told.contains(id)) {
                told.extend(&ids);
                report.add(Violation::StoredTwice { first: copies[0].clone(), ids });
            }
        }
    }

    fn judge_view(&self, view: &View, report: &mut Report) {
        let View { device, user, room, .. } = view;
        if !self.may_enter(*user, *room) {
            report.add(Violation::ViewForbidden { device: device.clone(), user: *user, room: *room });
        }

        let mut shown = HashSet::with_capacity(view.messages.len());
        let mut previous = 0;
        for seen in &view.messages {
            if seen.room != *room {
                let witness = Witness::Device(device.clone());
                report.add(Violation::ForeignRoom { witness, room: *room, seen: seen.clone() });
                continue;
            }
            self.judge_seen(device, seen, report);
            if seen.id <= view.since || seen.id > view.until {
                continue;
            }
            if !shown.insert(seen.id) {
                report.add(Violation::SeenTwice { device: device.clone(), room: *room, id: seen.id });
                continue;
            }
            if seen.id < previous {
                let (before, after) = (previous, seen.id);
                report.add(Violation::ViewDisordered { device: device.clone(), room: *room, before, after });
            }
            previous = seen.id;
        }

        for stored in self.due(view).filter(|stored| !shown.contains(&stored.id)) {
            report.add(Violation::Missed { device: device.clone(), stored: stored.clone() });
        }
    }

    /// Holds for whatever a device sees, before it joined, too: nothing is seen that is not kept.
    fn judge_seen(&self, device: &str, seen: &Seen, report: &mut Report) {
        let witness = || Witness::Device(device.into());
        match self.stored(seen.room, seen.id) {
            Some(stored) if !agree(seen, stored) => {
                let (device, seen, stored) = (device.into(), seen.clone(), stored.clone());
                report.add(Violation::SeenDifferently { device, seen, stored });
            }
            // The history was judged already, but for a key that it does not know.
            Some(stored) => {
                if !self.was_sent(seen) && self.was_sent(stored) {
                    report.add(Violation::NobodySent { witness: witness(), seen: seen.clone() });
                }
            }
            None => {
                report.add(if self.was_sent(seen) {
                    Violation::NeverStored { device: device.into(), seen: seen.clone() }
                } else {
                    Violation::NobodySent { witness: witness(), seen: seen.clone() }
                });
                if !self.may_enter(seen.user, seen.room) {
                    report.add(Violation::MessageForbidden { witness: witness(), seen: seen.clone() });
                }
            }
        }
    }

    fn judge_pushes(&self, view: &View, report: &mut Report) {
        for stored in self.due(view).filter(|stored| !view.pushed.contains(&stored.id)) {
            report.add(Violation::NotPushed { device: view.device.clone(), room: view.room, id: stored.id });
        }
    }
}

fn judge_order(room: Room, messages: &[Seen], report: &mut Report) {
    for pair in messages.windows(2) {
        let (before, after) = (pair[0].id, pair[1].id);
        if before >= after {
            report.add(Violation::HistoryDisordered { room, before, after });
        }
    }
}

fn judge_leftovers(leftovers: &[Leftover], report: &mut Report) {
    for Leftover { row, member, expires } in leftovers {
        if *member {
            report.add(Violation::MemberLeft { row: row.clone() });
        }
        if !expires {
            report.add(Violation::NeverExpires { row: row.clone() });
        }
    }
}

/// Whether a message, where its room is known to be right, is what the client meant.
fn is_of(seen: &Seen, send: &Send) -> bool {
    seen.user == send.user && seen.content == send.content && seen.key.as_ref().is_none_or(|key| *key == send.key)
}

/// Whether two who saw one id saw the same.
fn agree(one: &Seen, other: &Seen) -> bool {
    let keys_agree = one.key.is_none() || other.key.is_none() || one.key == other.key;
    one.user == other.user && one.content == other.content && keys_agree
}

#[derive(Default)]
struct Report {
    violations: Vec<Violation>,
    counts: HashMap<Discriminant<Violation>, usize>,
}

impl Report {
    fn add(&mut self, violation: Violation) {
        let count = self.counts.entry(discriminant(&violation)).or_default();
        *count += 1;
        if *count <= VIOLATIONS_PER_RULE_MAX {
            self.violations.push(violation);
        }
    }
}

impl fmt::Display for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, user, key, content } = self;
        write!(f, "{content:?} (user {user}, room {room}, key {key})")
    }
}

impl Seen {
    /// Without its place.
    fn words(&self) -> String {
        let key = self.key.as_deref().unwrap_or("unknown");
        format!("{:?} (user {}, key {key})", self.content, self.user)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, room, user, key, content } = self;
        let key = key.as_deref().unwrap_or("unknown");
        write!(f, "message {id} {content:?} (user {user}, room {room}, key {key})")
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History => f.write_str("the history"),
            Self::Device(device) => f.write_str(device),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { send, ids } => {
                write!(f, "{send} was acked as {}, but is not in the history", list(ids))
            }
            Self::Altered { send, stored } => {
                write!(f, "{send} was acked as {}, but the history has {}", stored.id, stored.words())
            }
            Self::StoredTwice { first, ids } => write!(f, "the history has {first} several times, as {}", list(ids)),
            Self::AckedDifferently { room, user, key, ids } => {
                write!(f, "key {key} of user {user} in room {room} was acked as {}", list(ids))
            }
            Self::AckOfNothing { room, user, key, ids } => {
                write!(f, "key {key} of user {user} in room {room} was acked as {}, but never sent", list(ids))
            }
            Self::IdShared { room, id, sends } => {
                write!(f, "id {id} in room {room} was acked to {}", list(sends))
            }
            Self::HistoryDisordered { room, before, after } => {
                write!(f, "the history of room {room} has {after} right after {before}")
            }
            Self::ViewDisordered { device, room, before, after } => {
                write!(f, "{device} shows {after} after {before} in room {room}")
            }
            Self::SeenTwice { device, room, id } => write!(f, "{device} shows {id} in room {room} again"),
            Self::Missed { device, stored } => write!(f, "{device} misses {stored}"),
            Self::SeenDifferently { device, seen, stored } => {
                write!(f, "{device} saw {seen}, but the history has {}", stored.words())
            }
            Self::NeverStored { device, seen } => write!(f, "{device} saw {seen}, but the history has no such id"),
            Self::NobodySent { witness, seen } => write!(f, "{witness} has {seen}, but nobody sent it"),
            Self::ForeignRoom { witness, room, seen } => write!(f, "{witness} has {seen} in room {room}"),
            Self::ViewForbidden { device, user, room } => {
                write!(f, "{device} was in room {room}, which user {user} may not enter")
            }
            Self::MessageForbidden { witness, seen } => {
                write!(f, "{witness} has {seen}, whose sender may not enter the room")
            }
            Self::MemberLeft { row } => write!(f, "row {row} is a member of a room, but its connection is no more"),
            Self::NeverExpires { row } => write!(f, "row {row} never expires, but its connection is no more"),
            Self::NotPushed { device, room, id } => write!(f, "{device} was not pushed {id} in room {room}"),
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: User = 1;
    const BOB: User = 2;
    /// Reads, and never says anything.
    const EVE: User = 3;

    fn send(room: Room, user: User, key: &str, content: &str) -> Send {
        Send { room, user, key: key.into(), content: content.into() }
    }

    fn ack(room: Room, user: User, key: &str, id: u64) -> Ack {
        Ack { room, user, key: key.into(), id }
    }

    fn seen(id: u64, room: Room, user: User, key: &str, content: &str) -> Seen {
        Seen { id, room, user, key: Some(key.into()), content: content.into() }
    }

    fn view(device: &str, user: User, since: u64, until: u64, room: Room, messages: &[Seen]) -> View {
        let pushed = messages.iter().map(|message| message.id).filter(|id| *id > since).collect();
        View { device: device.into(), user, room, since, until, messages: messages.into(), pushed }
    }

    /// All that may happen and break nothing: a retry, an ack that was lost (d), a send that was lost (e), an unused id
    /// (4), keys and ids that another room uses as well, a join in between, and pushes from before and after.
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
            acks: vec![
                ack(1, ADA, "a", 1),
                ack(1, BOB, "a", 2),
                ack(1, ADA, "c", 3),
                ack(1, ADA, "c", 3),
                ack(2, BOB, "a", 1),
                ack(2, BOB, "b", 2),
            ],
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

    /// Everybody who saw a message saw it so.
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

    /// What is broken, how, and all that is said about it.
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
        (
            "a history out of order",
            |history| stored(history, 1).swap(1, 2),
            &["the history of room 1 has 2 right after 3"],
        ),
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
        (
            "a view out of order",
            |history| history.views[0].messages.swap(1, 2),
            &["bob's phone shows 2 after 3 in room 1"],
        ),
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

    #[test]
    fn every_damage_is_told_by_its_rule_and_no_other() {
        for (name, damage, expected) in DAMAGES {
            let mut history = sound();
            damage(&mut history);
            assert_eq!(said(&history.check(Delivery::Reliable)), *expected, "{name}");
        }
    }

    #[test]
    fn only_a_push_that_never_came_is_forgiven_where_pushes_may_be_lost() {
        for (name, damage, expected) in DAMAGES {
            let mut history = sound();
            damage(&mut history);
            let expected = if *name == "a push that never came" { &[] } else { *expected };
            assert_eq!(said(&history.check(Delivery::Lossy)), expected, "{name}");
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
}
