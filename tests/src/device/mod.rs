//! A client that does its part of the protocol, as docs/protocol.md says, whatever happens to it, and records what it
//! sees. Every frame is checked against `docs/asyncapi.yaml`.

mod changes;
mod knows;
mod line;
mod rooms;
mod rounds;
mod sends;

pub(crate) use knows::seen;

use crate::checker::{Ack, Attempt, Change, ChangeAck, Room, Seen, Send, User};
use crate::knowledge::Knowledge;
use crate::reach::Reach;
use crate::{PATIENCE, Way};
use line::Line;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// How long a client waits before it tries again.
pub(crate) const BACKOFF: Duration = Duration::from_millis(20);

/// The longest bar that a client waits for. Of a longer one it is told, and lets it be.
const BAR_PATIENCE: Duration = Duration::from_secs(10);

/// The user who may recall what others said.
const MODERATOR: User = 1;

/// One item for each try, until [`PATIENCE`] is over: then something is wrong for good.
pub(crate) fn tries() -> impl Iterator<Item = ()> {
    let until = Instant::now() + PATIENCE;
    std::iter::repeat_n((), usize::MAX).take_while(move |()| Instant::now() < until)
}

/// For how long an answer says that its user is barred, if it says so.
fn barred(answer: &Value) -> Option<Duration> {
    let is_barred = answer["code"] == "barred";
    is_barred.then(|| Duration::from_millis(answer["retryAfterMs"].as_u64().expect("for how long")))
}

/// Whether that is longer than it waits.
fn is_barred_for_long(answer: &Value) -> bool {
    barred(answer).is_some_and(|left| left > BAR_PATIENCE)
}

/// What all devices of a run record.
#[derive(Default)]
pub struct Record {
    pub sends: Vec<Send>,
    pub attempts: Vec<Attempt>,
    pub acks: Vec<Ack>,
    pub changes: Vec<Change>,
    pub change_acks: Vec<ChangeAck>,
    moments: u64,
    /// Requests and replies, to explain a violation.
    pub trace: Vec<String>,
}

impl Record {
    /// Moments are numbered in their order.
    pub fn moment(&mut self) -> u64 {
        self.moments += 1;
        self.moments
    }
}

/// A device of a user.
pub struct Device {
    pub name: String,
    pub user: User,
    reach: Arc<dyn Reach>,
    record: Arc<Mutex<Record>>,
    /// Set where it speaks Socket.IO.
    way: Option<Way>,
    claims: Value,
    token: String,
    line: Option<Line>,
    rooms: BTreeMap<Room, Knowledge>,
    /// Messages of rooms whose join is not answered yet.
    early: Vec<Seen>,
    /// Changes of such rooms.
    early_changes: Vec<Value>,
    /// Rooms with missing messages, and since when.
    gaps: BTreeMap<Room, Instant>,
    /// Rooms of whose changes some were not pushed: the latest of which it was told, and since when.
    told: BTreeMap<Room, (u64, Instant)>,
    /// What it said in each room, by id and key, but for what it recalled.
    own: BTreeMap<Room, Vec<(u64, String)>>,
    /// Its edits, as it asked for them.
    edits: Vec<Value>,
    /// How often it reacted.
    reactions: u64,
    /// Rooms that it wants to be in. It joins them again after a reconnect.
    joined: BTreeSet<Room>,
    requests: u64,
    sends: u64,
    last_send: Value,
    /// It goes on with a connection that it was told is gone.
    stays_on: bool,
    /// Before that it may not come back: others took its place.
    comes_back_at: Instant,
    /// How often it connected.
    pub connects: u64,
    /// Whether its rooms may be in rounds.
    in_rounds: bool,
    /// Whether it asks for frames of rounds.
    asks_for_rounds: bool,
    /// Such frames of rooms whose join is not answered yet.
    early_rounds: Vec<Value>,
}

impl Device {
    /// A device that is not connected yet. Its user may enter these rooms, or all.
    pub fn new(
        reach: Arc<dyn Reach>,
        record: &Arc<Mutex<Record>>,
        name: String,
        user: User,
        rooms: Option<&BTreeSet<Room>>,
    ) -> Self {
        let rooms = rooms.map_or_else(|| json!(["*", "@mine"]), |rooms| json!(rooms));
        let mut claims = json!({"userId": user, "username": name, "rooms": rooms});
        if user == MODERATOR {
            claims["moderates"] = json!("*");
        }
        Self {
            token: reach.token(&claims),
            way: None,
            claims,
            name,
            user,
            reach,
            record: Arc::clone(record),
            line: None,
            rooms: BTreeMap::new(),
            early: Vec::new(),
            early_changes: Vec::new(),
            gaps: BTreeMap::new(),
            told: BTreeMap::new(),
            own: BTreeMap::new(),
            edits: Vec::new(),
            reactions: 0,
            joined: BTreeSet::new(),
            requests: 0,
            sends: 0,
            last_send: Value::Null,
            stays_on: false,
            comes_back_at: Instant::now(),
            connects: 0,
            in_rounds: false,
            asks_for_rounds: false,
            early_rounds: Vec::new(),
        }
    }

    /// The same device, but one that goes on with a connection that it was told is gone.
    pub fn staying_on(self) -> Self {
        Self { stays_on: true, ..self }
    }

    /// The same device, but one that speaks Socket.IO.
    pub fn speaking(self, way: Option<Way>) -> Self {
        Self { way, ..self }
    }

    /// Begins something of which each request has a number of its own, from this one on.
    pub fn number_from(&mut self, number: u64) {
        self.requests = number;
    }
}
