//! What clients did and saw, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub type Room = u64;
pub type User = u64;

/// One text, as the client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    pub room: Room,
    pub user: User,
    /// Its `clientMessageId`, unique per user and room. If two sends have the same key, the first one counts.
    pub key: String,
    pub content: String,
}

/// One time that a send was sent. Clients retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub room: Room,
    pub user: User,
    pub key: String,
    /// When it began, among all moments of a run.
    pub at: u64,
}

/// A bar of a user in a room that held from one moment of a run to another. When it ended, nothing that was begun before
/// was still under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    pub room: Room,
    pub user: User,
    /// When it was acknowledged.
    pub from: u64,
    /// When a ban was, if it is one.
    pub banned: Option<u64>,
    /// When somebody began to end it.
    pub to: u64,
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

/// An edit or a recall, as a client asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub room: Room,
    pub user: User,
    /// Of which message.
    pub id: u64,
    /// The `clientMessageId` of an edit. A recall has none.
    pub key: Option<String>,
    /// What the message is to say. A recalled one says nothing.
    pub content: String,
    /// When it was asked for first, among all moments of a run.
    pub asked: u64,
}

/// An ack of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeAck {
    pub room: Room,
    pub id: u64,
    pub key: Option<String>,
    pub version: u64,
    /// It was done before; `version` is the message's latest.
    pub duplicate: bool,
    /// When it came, among all moments of a run.
    pub at: u64,
}

/// A message as somebody saw it, by a push or in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub id: u64,
    pub room: Room,
    pub user: User,
    /// `None` if the key was not shown. Such a message contradicts none by its key.
    pub key: Option<String>,
    pub content: String,
    /// The number of its latest change; 0 of a message that is as it was sent.
    pub version: u64,
    pub deleted: bool,
}

/// What one device knows of one room for as long as it was a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub device: String,
    pub user: User,
    pub room: Room,
    /// It must know every message after this id: the `lastId` of its first join, or 0 if it read the whole history.
    pub since: u64,
    /// It must know every message up to this id, the newest one at the end.
    pub until: u64,
    /// Pushed messages and those it caught up on, in the order in which the device would show them. Messages outside of
    /// `since` and `until` may be among them, in any order.
    pub messages: Vec<Seen>,
    /// Ids of the messages that were pushed to it.
    pub pushed: BTreeSet<u64>,
    /// Whether it follows changes: then its messages are in their latest state.
    pub follows: bool,
    /// All states of changed messages that it was told of.
    pub states: Vec<Seen>,
    /// How far the room's changes reached when it joined, for the last time.
    pub told: u64,
    /// The versions of the changes that were pushed to it.
    pub heard: BTreeSet<u64>,
    /// Ids of which it was told that they are unused.
    pub unused: BTreeSet<u64>,
    /// The highest id that it was told of, in whatever way: what it lacks up to there it asks for.
    pub border: u64,
    /// The same of changes.
    pub change_border: u64,
    /// Whether its room may be in rounds: then it is pushed a message's latest state alone, and how far the changes reach.
    pub in_rounds: bool,
}

/// A row in the table of connections whose connection has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub row: String,
    /// Whether the row is that of a member, so that pushes would go to the connection.
    pub member: bool,
    pub expires: bool,
}

/// Everything that clients did and saw.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub sends: Vec<Send>,
    /// Of sends that are not here nothing is known but that they were made.
    pub attempts: Vec<Attempt>,
    pub acks: Vec<Ack>,
    pub changes: Vec<Change>,
    pub change_acks: Vec<ChangeAck>,
    pub bars: Vec<Bar>,
    pub views: Vec<View>,
    /// The whole history of each room at the end, as the endpoint returned it, oldest first.
    pub stored: BTreeMap<Room, Vec<Seen>>,
    /// Rooms that a user may enter; a user without an entry may enter all.
    pub grants: BTreeMap<User, BTreeSet<Room>>,
    /// The rows that were left in the table of connections after everybody had gone.
    pub leftovers: Vec<Leftover>,
}

impl fmt::Display for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, user, key, content } = self;
        write!(f, "{content:?} (user {user}, room {room}, key {key})")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { room, user, id, key, content, .. } = self;
        match key {
            Some(key) => write!(f, "the edit {key} of message {id} in room {room} by user {user}, {content:?},"),
            None => write!(f, "the recall of message {id} in room {room} by user {user}"),
        }
    }
}

impl Seen {
    fn of_version(&self) -> String {
        if self.version == 0 { String::new() } else { format!(", version {}", self.version) }
    }

    /// The message without its id and its room.
    pub(super) fn words(&self) -> String {
        let (key, version) = (self.key.as_deref().unwrap_or("unknown"), self.of_version());
        format!("{:?} (user {}, key {key}{version})", self.content, self.user)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { id, room, user, key, content, .. }, version) = (self, self.of_version());
        let key = key.as_deref().unwrap_or("unknown");
        write!(f, "message {id} {content:?} (user {user}, room {room}, key {key}{version})")
    }
}
