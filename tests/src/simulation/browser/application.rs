//! What somebody's application does with the client, and what it has to show.

use super::plan::Errand;
use crate::Record;
use crate::chaos::lock;
use crate::checker::{Ack, Room, Seen, Send, User, View};
use crate::device::seen;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long an application waits before it tries again what failed.
const AGAIN: Duration = Duration::from_secs(1);

/// How long it waits for a new token, when the one before was revoked.
const NEW_TOKEN_AFTER: Duration = Duration::from_secs(10);

/// What a client must never say here: nobody sends it such things, and it is asked for nothing that is wrong.
const NEVER: [&str; 5] = ["badFrame", "badResponse", "badRequest", "tooLarge", "queueFull"];

/// What may only go wrong where the server fails.
const HOSTILE: [&str; 3] = ["internal", "unknown", "token"];

pub struct Application {
    name: String,
    user: User,
    /// Messages that it asks for at once.
    page: u64,
    record: Arc<Mutex<Record>>,
    calls: u64,
    pending: BTreeMap<u64, Pending>,
    /// Rooms that it wants to be in.
    wanted: BTreeSet<Room>,
    stays: Vec<Stay>,
    texts: u64,
    /// Sends that failed. They may be repeated.
    rejected: Vec<Text>,
    /// Rooms in which it has said a last thing, if it rests.
    resting: Option<BTreeSet<Room>>,
    is_closed: bool,
    /// The codes of errors, each with the first message.
    errors: BTreeMap<String, String>,
    wrong: BTreeSet<String>,
}

/// A call of the client that has not settled yet.
#[derive(Debug, Clone)]
enum Pending {
    Join(Room),
    /// A join that has begun: what it is to show from then on.
    Entering(usize),
    Leave(Room),
    Trespass(Room),
    Send(Text),
    History(usize),
    Other,
}

#[derive(Debug, Clone)]
struct Text {
    room: Room,
    key: String,
    content: String,
    /// Whether its key is its `clientMessageId`. If not, the client has made one.
    named: bool,
}

/// What is shown of a room from a join to the leave after it.
struct Stay {
    room: Room,
    entered: bool,
    over: bool,
    /// Pages of the history, the oldest message first.
    before: Vec<Seen>,
    /// Whether that is all that was there.
    whole: bool,
    /// What `message` events brought, in their order.
    events: Vec<Seen>,
}

impl Stay {
    fn last(&self) -> u64 {
        self.events.last().or(self.before.last()).map_or(0, |seen| seen.id)
    }
}

impl Application {
    pub fn new(name: String, user: User, page: u64, record: Arc<Mutex<Record>>) -> Self {
        Self {
            name,
            user,
            page,
            record,
            calls: 0,
            pending: BTreeMap::new(),
            wanted: BTreeSet::new(),
            stays: Vec::new(),
            texts: 0,
            rejected: Vec::new(),
            resting: None,
            is_closed: false,
            errors: BTreeMap::new(),
            wrong: BTreeSet::new(),
        }
    }

    fn call(&mut self, room: Option<Room>, does: &str, given: Value, pending: Pending) -> Value {
        self.calls += 1;
        self.pending.insert(self.calls, pending);
        let mut call = json!({"call": self.calls, "does": does, "given": given});
        if let Some(room) = room {
            call["room"] = json!(room);
        }
        call
    }

    /// The calls that an errand needs.
    pub fn run(&mut self, errand: &Errand) -> Vec<Value> {
        match errand {
            Errand::Connect => vec![self.connect()],
            Errand::Disconnect => vec![self.call(None, "disconnect", json!([]), Pending::Other)],
            Errand::Join(room) => vec![self.join(*room)],
            Errand::Leave(room) => vec![self.leave(*room)],
            Errand::Rejoin(room) => vec![self.leave(*room), self.join(*room)],
            Errand::Send(room) => vec![self.send(*room)],
            Errand::SendMany(room) => (0..3).map(|_| self.send(*room)).collect(),
            Errand::Repeat => {
                let rejected = std::mem::take(&mut self.rejected);
                rejected.into_iter().map(|text| self.send_text(text)).collect()
            }
            Errand::Trespass(room) => vec![self.call(Some(*room), "join", json!([]), Pending::Trespass(*room))],
            Errand::Cut | Errand::Silence(_) | Errand::Offline(_) | Errand::Hide(_) | Errand::Clock(_) => Vec::new(),
        }
    }

    fn connect(&mut self) -> Value {
        self.call(None, "connect", json!([]), Pending::Other)
    }

    fn join(&mut self, room: Room) -> Value {
        self.wanted.insert(room);
        self.call(Some(room), "join", json!([]), Pending::Join(room))
    }

    fn leave(&mut self, room: Room) -> Value {
        self.wanted.remove(&room);
        self.call(Some(room), "leave", json!([]), Pending::Leave(room))
    }

    /// Sends a unique text, which begins with its key. Some have the client make their `clientMessageId`.
    fn send(&mut self, room: Room) -> Value {
        // What is sent to a room that was not joined is refused before it is sent.
        let room = if self.wanted.contains(&room) { room } else { self.wanted.first().copied().unwrap_or(room) };
        self.texts += 1;
        let key = format!("{}-{}", self.name, self.texts);
        let content = format!("{key} says hello to {room}");
        let send = Send { room, user: self.user, key: key.clone(), content: content.clone() };
        lock(&self.record).sends.push(send);
        self.send_text(Text { room, key, content, named: !self.texts.is_multiple_of(3) })
    }

    fn send_text(&mut self, text: Text) -> Value {
        let given =
            if text.named { json!([text.content, {"clientMessageId": text.key}]) } else { json!([text.content]) };
        self.call(Some(text.room), "send", given, Pending::Send(text))
    }

    /// Asks for the page before what a stay shows.
    fn history(&mut self, at: usize) -> Value {
        let stay = &self.stays[at];
        let mut paging = json!({"limit": self.page});
        if let Some(oldest) = stay.before.first() {
            paging["before"] = json!(oldest.id);
        }
        self.call(Some(stay.room), "history", json!([paging]), Pending::History(at))
    }

    /// The stay that is not over.
    fn stay(&self, room: Room) -> Option<usize> {
        self.stays.iter().rposition(|stay| stay.room == room && !stay.over)
    }

    /// From here on it stays where it is, and says one more thing in each of its rooms.
    pub fn rest(&mut self) -> Vec<Value> {
        self.resting = Some(BTreeSet::new());
        let mut calls = vec![self.connect()];
        for room in self.wanted.clone() {
            calls.push(self.join(room));
        }
        calls
    }

    pub fn is_at_rest(&self) -> bool {
        let said = |room| self.resting.as_ref().is_some_and(|said| said.contains(room));
        let whole = |room: &Room| self.stay(*room).is_some_and(|at| self.stays[at].whole);
        self.wanted.iter().all(|room| said(room) && whole(room)) && self.sends_under_way().next().is_none()
    }

    fn sends_under_way(&self) -> impl Iterator<Item = &Text> {
        self.pending.values().filter_map(|pending| if let Pending::Send(text) = pending { Some(text) } else { None })
    }

    /// Whether it shows the newest message of each of its rooms.
    pub fn is_up_to_date(&self, stored: &BTreeMap<Room, Vec<Seen>>) -> bool {
        let newest = |room| stored.get(room).and_then(|messages: &Vec<Seen>| messages.last()).map_or(0, |seen| seen.id);
        self.stays.iter().filter(|stay| !stay.over).all(|stay| stay.last() >= newest(&stay.room))
    }

    /// What it waits for.
    pub fn left_to_do(&self) -> String {
        let mut left = String::new();
        for room in &self.wanted {
            let shown = self.stay(*room).map(|at| &self.stays[at]);
            let (entered, whole) = shown.map_or((false, false), |stay| (stay.entered, stay.whole));
            let last = shown.map_or(0, Stay::last);
            let _ = write!(left, "room {room}: entered {entered}, has its history {whole}, shows up to {last}. ");
        }
        for text in self.sends_under_way() {
            let _ = write!(left, "{} is under way. ", text.key);
        }
        left
    }

    pub fn close(&mut self) -> Vec<Value> {
        self.is_closed = true;
        vec![self.call(None, "disconnect", json!([]), Pending::Other)]
    }

    /// Nothing comes any more.
    pub fn end(&mut self) {
        for pending in self.pending.values() {
            // A page of the history that was on its way when everything ended is nobody's any more.
            if !matches!(pending, Pending::History(_)) {
                self.wrong.insert(format!("this has never settled: {pending:?}"));
            }
        }
    }

    /// Takes in what the client did. Answers what the application calls then, and after how long.
    pub fn take_in(&mut self, did: &Value) -> Vec<(Duration, Value)> {
        let mut calls = Vec::new();
        if let Some(call) = did["calls"].as_u64() {
            self.begins(call);
        } else if let Some(call) = did["settles"].as_u64() {
            calls = match did["failed"].as_str() {
                None => self.fulfilled(call, &did["value"]),
                Some(code) => self.failed(call, code),
            };
        } else if let Some(kind) = did["tells"].as_str() {
            calls = self.told(kind, did["room"].as_u64(), &did["detail"]);
        } else if let Some(thrown) = did["throws"].as_str() {
            self.wrong.insert(format!("the client throws: {thrown}"));
        }
        calls.extend(self.say_one_more_thing().into_iter().map(|call| (Duration::ZERO, call)));
        calls
    }

    fn begins(&mut self, call: u64) {
        match self.pending.get(&call) {
            Some(Pending::Leave(room)) => {
                if let Some(at) = self.stay(*room) {
                    self.stays[at].over = true;
                }
            }
            Some(&Pending::Join(room)) => {
                let at = self.stay(room).unwrap_or(self.stays.len());
                if at == self.stays.len() {
                    let (before, events) = (Vec::new(), Vec::new());
                    self.stays.push(Stay { room, entered: false, over: false, before, whole: false, events });
                }
                self.pending.insert(call, Pending::Entering(at));
            }
            _ => {}
        }
    }

    fn fulfilled(&mut self, call: u64, value: &Value) -> Vec<(Duration, Value)> {
        match self.pending.remove(&call) {
            Some(Pending::Entering(at)) if !self.stays[at].over && !self.stays[at].entered => {
                self.stays[at].entered = true;
                vec![(Duration::ZERO, self.history(at))]
            }
            Some(Pending::Trespass(room)) => {
                self.wrong.insert(format!("it was let into {room}, where it may not be"));
                Vec::new()
            }
            Some(Pending::Send(text)) => {
                let id = value["id"].as_u64().expect("an id");
                lock(&self.record).acks.push(Ack { room: text.room, user: self.user, key: text.key, id });
                Vec::new()
            }
            Some(Pending::History(at)) if !self.stays[at].over => {
                let page: Vec<Seen> = value["messages"].as_array().expect("a page").iter().map(seen).collect();
                let is_empty = page.is_empty();
                self.stays[at].before.splice(0..0, page);
                if value["hasOlder"] == false {
                    self.stays[at].whole = true;
                    return Vec::new();
                }
                if is_empty {
                    self.wrong.insert("an empty page says that there is more".into());
                    return Vec::new();
                }
                vec![(Duration::ZERO, self.history(at))]
            }
            _ => Vec::new(),
        }
    }

    fn failed(&mut self, call: u64, code: &str) -> Vec<(Duration, Value)> {
        self.errors.entry(code.to_owned()).or_insert_with(|| "a promise".into());
        match self.pending.remove(&call) {
            Some(Pending::Entering(at)) => {
                let (room, was_entered) = (self.stays[at].room, self.stays[at].entered);
                if !matches!(code, "left" | "disconnected") {
                    self.wrong.insert(format!("its join of {room} fails: {code}"));
                }
                if self.stays[at].over || was_entered {
                    return Vec::new();
                }
                self.stays[at].over = true;
                match self.resting.is_some() && !self.is_closed && self.wanted.contains(&room) {
                    true => vec![(AGAIN, self.join(room))],
                    false => Vec::new(),
                }
            }
            Some(Pending::Trespass(room)) if !matches!(code, "notAllowed" | "left" | "disconnected") => {
                self.wrong.insert(format!("its join of {room} fails, where it may not be: {code}"));
                Vec::new()
            }
            Some(Pending::Send(text)) if text.named => {
                self.rejected.push(text);
                Vec::new()
            }
            Some(Pending::History(at)) if !self.stays[at].over && !self.is_closed => {
                vec![(if code == "refused" { NEW_TOKEN_AFTER } else { AGAIN }, self.history(at))]
            }
            _ => Vec::new(),
        }
    }

    fn told(&mut self, kind: &str, room: Option<Room>, detail: &Value) -> Vec<(Duration, Value)> {
        let code = detail["code"].as_str().unwrap_or_default();
        match (kind, room) {
            ("message", Some(room)) => match self.stay(room) {
                Some(at) => self.stays[at].events.push(seen(detail)),
                None => {
                    self.wrong.insert(format!("it is shown {detail} in room {room}, where it is not"));
                }
            },
            ("error", _) => {
                self.errors.entry(code.to_owned()).or_insert_with(|| detail["message"].to_string());
            }
            // The application signs in again.
            ("disconnected", None) if detail["willRetry"] == false && code != "disconnected" && !self.is_closed => {
                return vec![(NEW_TOKEN_AFTER, self.connect())];
            }
            _ => {}
        }
        Vec::new()
    }

    /// In the end, as soon as it is in a room.
    fn say_one_more_thing(&mut self) -> Vec<Value> {
        let Some(said) = &self.resting else { return Vec::new() };
        let entered = |room: &Room| self.stay(*room).is_some_and(|at| self.stays[at].entered);
        let due: Vec<Room> = self.wanted.iter().copied().filter(|room| !said.contains(room) && entered(room)).collect();
        if self.is_closed {
            return Vec::new();
        }
        self.resting.iter_mut().for_each(|said| said.extend(&due));
        due.into_iter().map(|room| self.send(room)).collect()
    }

    /// What it showed of each stay, pages and events one after the other.
    pub fn views(&self, stored: &BTreeMap<Room, Vec<Seen>>) -> Vec<View> {
        let view = |(number, stay): (usize, &Stay)| {
            let before = if stay.whole { stay.before.as_slice() } else { &[] };
            let messages: Vec<Seen> = before.iter().chain(&stay.events).cloned().collect();
            let newest = stored.get(&stay.room).and_then(|messages| messages.last()).map_or(0, |seen| seen.id);
            let since = if stay.whole { 0 } else { messages.first()?.id - 1 };
            Some(View {
                device: format!("{}, stay {number}", self.name),
                user: self.user,
                room: stay.room,
                since,
                // Somebody who left has what came before.
                until: if stay.over { stay.last().max(since) } else { newest },
                pushed: messages.iter().map(|seen| seen.id).collect(),
                messages,
                // The page passes over what it does not know.
                follows: false,
                states: Vec::new(),
                told: 0,
                heard: BTreeSet::new(),
                unused: BTreeSet::new(),
                border: newest,
                change_border: 0,
                in_rounds: false,
            })
        };
        self.stays.iter().enumerate().filter_map(view).collect()
    }

    /// What a client does not do, wherever it is.
    pub fn findings(&self, hostile: bool) -> Vec<String> {
        let never = |code: &str| NEVER.contains(&code) || (!hostile && HOSTILE.contains(&code));
        let errors = self.errors.iter().filter(|(code, _)| never(code));
        let errors = errors.map(|(code, message)| format!("it says {code}: {message}"));
        self.wrong.iter().cloned().chain(errors).collect()
    }
}
