//! The violations, each with its sentence.

use super::history::{Bar, Change, Room, Seen, Send, User};
use std::collections::HashMap;
use std::fmt;
use std::mem::{Discriminant, discriminant};

/// How many violations of one rule are reported at most. After the first few are repaired, the check is run again.
pub const VIOLATIONS_PER_RULE_MAX: usize = 20;

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
    /// A device was told that an id is unused, and the history has a message under it.
    NotUnused { device: String, stored: Seen },
    /// A hole in a view: the history has the message, the device does not.
    Missed { device: String, stored: Seen },
    /// A device and the history disagree about a message.
    SeenDifferently { device: String, seen: Seen, stored: Seen },
    /// A device saw a message that somebody sent, but the history does not have its id.
    NeverStored { device: String, seen: Seen },
    /// A message that no client sent.
    NobodySent { witness: Witness, seen: Seen },
    /// One number was given to several changes.
    VersionShared { room: Room, version: u64, ids: Vec<u64> },
    /// A change was acked, and the history has the message as it was before.
    ChangeLost { change: Change, version: u64, stored: Seen },
    /// Something followed a recall that was acked.
    RecallUndone { room: Room, id: u64, stored: Seen },
    /// The history has what an edit said, though a later change was acked.
    EditReturned { change: Change },
    /// A device was told that a message is what it never was.
    ToldDifferently { device: String, seen: Seen, stored: Seen },
    /// A state that nobody asked for.
    NobodyAsked { device: String, seen: Seen },
    /// A device has a message as it was before its latest change.
    Stale { device: String, seen: Seen, stored: Seen },
    /// A message that names another room than the one where it was seen.
    ForeignRoom { witness: Witness, room: Room, seen: Seen },
    /// A device was a member of a room that its user may not enter.
    ViewForbidden { device: String, user: User, room: Room },
    /// A message in a room that its sender may not enter.
    MessageForbidden { witness: Witness, seen: Seen },
    /// A message was stored that its sender began to send while it was barred.
    StoredThoughBarred { seen: Seen, bar: Bar },
    /// A change was acked, or is in the history, that somebody asked for while it was barred.
    ChangedThoughBarred { change: Change, bar: Bar },
    /// Only [while bars stand](super::History::heard_in_spite): a device was pushed what was said after its user was banned.
    HeardThoughBanned { device: String, seen: Seen },
    /// The same of a change.
    ToldThoughBanned { device: String, change: Change, version: u64 },
    /// A connection that has ended would still be pushed to.
    MemberLeft { row: String },
    /// A row of a connection that has ended never expires.
    NeverExpires { row: String },
    /// Only with [`Delivery::Reliable`]: a change that a member was neither pushed nor told of when it joined.
    NotTold { device: String, room: Room, version: u64 },
    /// Only with [`Delivery::Reliable`]: a message that a member was not pushed.
    NotPushed { device: String, room: Room, id: u64 },
    /// Only [at rest](super::History::unlearned): a message that was acked, and a member knows of nothing up to there.
    NotLearned { device: String, room: Room, id: u64 },
}

/// The violations so far.
#[derive(Default)]
pub(super) struct Report {
    pub violations: Vec<Violation>,
    counts: HashMap<Discriminant<Violation>, usize>,
}

impl Report {
    pub fn add(&mut self, violation: Violation) {
        let count = self.counts.entry(discriminant(&violation)).or_default();
        *count += 1;
        if *count <= VIOLATIONS_PER_RULE_MAX {
            self.violations.push(violation);
        }
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
            Self::NotUnused { device, stored } => write!(f, "{device} was told that there is no {stored}"),
            Self::Missed { device, stored } => write!(f, "{device} misses {stored}"),
            Self::SeenDifferently { device, seen, stored } => {
                write!(f, "{device} saw {seen}, but the history has {}", stored.words())
            }
            Self::NeverStored { device, seen } => write!(f, "{device} saw {seen}, but the history has no such id"),
            Self::NobodySent { witness, seen } => write!(f, "{witness} has {seen}, but nobody sent it"),
            Self::VersionShared { room, version, ids } => {
                write!(f, "version {version} in room {room} is of {}", list(ids))
            }
            Self::ChangeLost { change, version, stored } => {
                write!(f, "{change} was acked as {version}, but the history has {}", stored.words())
            }
            Self::RecallUndone { room, id, stored } => {
                write!(f, "message {id} in room {room} was recalled, but the history has {}", stored.words())
            }
            Self::EditReturned { change } => write!(f, "{change} is in the history, though a later change was acked"),
            Self::ToldDifferently { device, seen, stored } => {
                write!(f, "{device} was told of {seen}, but it is, or was, {}", stored.words())
            }
            Self::NobodyAsked { device, seen } => write!(f, "{device} was told of {seen}, but nobody asked for it"),
            Self::Stale { device, seen, stored } => {
                write!(f, "{device} has {seen}, but the history has {}", stored.words())
            }
            Self::ForeignRoom { witness, room, seen } => write!(f, "{witness} has {seen} in room {room}"),
            Self::ViewForbidden { device, user, room } => {
                write!(f, "{device} was in room {room}, which user {user} may not enter")
            }
            Self::MessageForbidden { witness, seen } => {
                write!(f, "{witness} has {seen}, whose sender may not enter the room")
            }
            Self::StoredThoughBarred { seen, bar } => {
                write!(
                    f,
                    "the history has {seen}, which was said when its sender was barred, from {} to {}",
                    bar.from, bar.to
                )
            }
            Self::ChangedThoughBarred { change, bar } => {
                write!(f, "{change} was carried out, though its user was barred, from {} to {}", bar.from, bar.to)
            }
            Self::HeardThoughBanned { device, seen } => {
                write!(f, "{device} was pushed {seen}, though its user was banned before that was said")
            }
            Self::ToldThoughBanned { device, change, version } => {
                write!(f, "{device} was pushed {change} as {version}, though its user was banned before that")
            }
            Self::MemberLeft { row } => write!(f, "row {row} is a member of a room, but its connection is no more"),
            Self::NeverExpires { row } => write!(f, "row {row} never expires, but its connection is no more"),
            Self::NotTold { device, room, version } => {
                write!(f, "{device} was not told of change {version} in room {room}")
            }
            Self::NotPushed { device, room, id } => write!(f, "{device} was not pushed {id} in room {room}"),
            Self::NotLearned { device, room, id } => {
                write!(f, "{device} learns nothing of message {id} in room {room}, which was acked")
            }
        }
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" and ")
}
