//! A client that does its part of the protocol, as docs/protocol.md says, whatever happens to it, and records what it
//! sees. Every frame is checked against `docs/asyncapi.yaml`.

use crate::chaos::lock;
use crate::checker::{Ack, Room, Seen, Send, User, View};
use crate::knowledge::Knowledge;
use crate::reach::{self, Reach, Socket};
use crate::simulation::Step;
use crate::{PATIENCE, in_time, schema, text_message};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

/// How long a client waits for a reply before it considers its connection dead: longer than API Gateway waits for a
/// function, so that a busy machine cuts nobody off.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client waits before it tries again.
pub(crate) const BACKOFF: Duration = Duration::from_millis(20);

/// The answer to a handshake with a token that is not good, or not any more.
const FORBIDDEN: u16 = 403;

/// The answer to a handshake whose place was taken by a later one before it was over.
const DISPLACED: u16 = 429;

/// How long a client waits for a new token: a revocation forbids those of the next minute too.
const NEW_TOKEN_AFTER: Duration = Duration::from_secs(10);

/// How long a client waits for a push that another one overtook.
const GAP_PATIENCE: Duration = Duration::from_secs(2);

/// One item for each try, until [`PATIENCE`] is over: then something is wrong for good.
pub(crate) fn tries() -> impl Iterator<Item = ()> {
    let until = Instant::now() + PATIENCE;
    std::iter::repeat_n((), usize::MAX).take_while(move |()| Instant::now() < until)
}

/// What all devices of a run record.
#[derive(Default)]
pub struct Record {
    pub sends: Vec<Send>,
    pub acks: Vec<Ack>,
    /// Requests and replies, to explain a violation.
    pub trace: Vec<String>,
}

/// A device of a user.
pub struct Device {
    pub name: String,
    pub user: User,
    reach: Arc<dyn Reach>,
    record: Arc<Mutex<Record>>,
    claims: Value,
    token: String,
    line: Option<Line>,
    rooms: BTreeMap<Room, Knowledge>,
    /// Messages of rooms whose join is not answered yet.
    early: Vec<Seen>,
    /// Rooms with missing messages, and since when.
    gaps: BTreeMap<Room, Instant>,
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
}

struct Line {
    sink: SplitSink<Socket, Message>,
    frames: SplitStream<Socket>,
}

/// The connection ended.
struct Lost;

impl Device {
    /// A device that is not connected yet. Its user may enter these rooms, or all.
    pub fn new(
        reach: Arc<dyn Reach>,
        record: &Arc<Mutex<Record>>,
        name: String,
        user: User,
        rooms: Option<&BTreeSet<Room>>,
    ) -> Self {
        let rooms = rooms.map_or_else(|| json!("*"), |rooms| json!(rooms));
        let claims = json!({"userId": user, "username": name, "rooms": rooms});
        Self {
            token: reach.token(&claims),
            claims,
            name,
            user,
            reach,
            record: Arc::clone(record),
            line: None,
            rooms: BTreeMap::new(),
            early: Vec::new(),
            gaps: BTreeMap::new(),
            joined: BTreeSet::new(),
            requests: 0,
            sends: 0,
            last_send: Value::Null,
            stays_on: false,
            comes_back_at: Instant::now(),
            connects: 0,
        }
    }

    /// The same device, but one that goes on with a connection that it was told is gone.
    pub fn staying_on(self) -> Self {
        Self { stays_on: true, ..self }
    }

    /// Connects, unless it is connected, and joins its rooms again until it is in all of them.
    pub async fn connect(&mut self) {
        if self.line.is_some() {
            return;
        }
        for () in tries() {
            if self.line.is_none() {
                sleep_until(self.comes_back_at).await;
                let handshake = timeout(REPLY_TIMEOUT, self.reach.open(&self.token));
                let socket = match handshake.await {
                    Ok(Ok(socket)) => socket,
                    Ok(Err(Some(FORBIDDEN))) => {
                        self.renew_token().await;
                        continue;
                    }
                    Ok(Err(Some(DISPLACED))) => {
                        self.comes_back_at = Instant::now() + NEW_TOKEN_AFTER;
                        continue;
                    }
                    _ => {
                        sleep(BACKOFF).await;
                        continue;
                    }
                };
                let (sink, frames) = socket.split();
                self.line = Some(Line { sink, frames });
                self.connects += 1;
            }
            let mut back = true;
            for room in self.joined.clone() {
                back = back && self.try_join(room).await.is_ok();
            }
            if back {
                return;
            }
        }
        panic!("{} does not get in", self.name);
    }

    /// Joins a room, and reads what it missed there since its first join.
    pub async fn join(&mut self, room: Room) {
        self.joined.insert(room);
        for () in tries() {
            if self.line.is_none() {
                // Connecting joins this room as well.
                return self.connect().await;
            }
            if self.try_join(room).await.is_ok() {
                return;
            }
        }
        panic!("{} does not get into {room}", self.name);
    }

    /// Sends a join, and does not wait for the reply. Answers the request.
    pub async fn begin_join(&mut self, room: Room) -> Value {
        self.requests += 1;
        let request = json!({"action": "joinRoom", "chatroomId": room, "requestId": self.requests});
        assert!(self.say(std::slice::from_ref(&request)).await.is_ok(), "a join is sent");
        request
    }

    /// Waits for the reply to a request that was sent.
    pub async fn reply_to(&mut self, request: Value) -> Value {
        let replies = in_time("a reply", self.replies(std::slice::from_ref(&request))).await;
        replies.ok().expect("a connection").remove(0)
    }

    /// Tries to join once. `Lost` if it has to connect again.
    async fn try_join(&mut self, room: Room) -> Result<(), Lost> {
        for () in tries() {
            let reply = self.ask(json!({"action": "joinRoom", "chatroomId": room})).await?;
            match (reply["type"].as_str(), reply["code"].as_str()) {
                (Some("ack"), _) => {
                    self.enter(room, &reply).await;
                    return Ok(());
                }
                (_, Some("gone")) if self.stays_on => return Ok(()),
                (_, Some("gone")) => {
                    self.line = None;
                    return Err(Lost);
                }
                _ => sleep(BACKOFF).await,
            }
        }
        panic!("{} does not get into {room}", self.name);
    }

    /// Takes in the ack of a join, and reads what it missed.
    async fn enter(&mut self, room: Room, ack: &Value) {
        let last_id = ack["lastId"].as_u64().expect("lastId");
        self.rooms.entry(room).or_insert_with(|| Knowledge::since(last_id));
        let (here, early) = std::mem::take(&mut self.early).into_iter().partition(|seen| seen.room == room);
        self.early = early;
        let here: Vec<Seen> = here;
        here.into_iter().for_each(|seen| self.take_push(seen));
        self.catch_up(room, last_id).await;
    }

    /// Leaves a room, and waits for the ack.
    pub async fn leave(&mut self, room: Room) {
        self.joined.remove(&room);
        for () in tries() {
            if self.line.is_none() {
                // A new connection is only in rooms that it joined.
                return self.connect().await;
            }
            match self.ask(json!({"action": "leaveRoom", "chatroomId": room})).await {
                Ok(reply) if reply["type"] == "ack" => return,
                Ok(_) => sleep(BACKOFF).await,
                Err(Lost) => {}
            }
        }
        panic!("{} does not get out of {room}", self.name);
    }

    /// A unique text, which begins with its `clientMessageId`.
    fn new_text(&mut self, room: Room) -> (String, String) {
        self.sends += 1;
        let key = format!("{}-{}", self.name, self.sends);
        let content = format!("{key} says hello to {room}");
        let send = Send { room, user: self.user, key: key.clone(), content: content.clone() };
        lock(&self.record).sends.push(send);
        (key, content)
    }

    /// Makes a new message, with its own `clientMessageId`, the one that is sent next.
    fn write(&mut self, room: Room) {
        let (key, content) = self.new_text(room);
        self.last_send = text_message(room, &content);
        self.last_send["clientMessageId"] = json!(key);
    }

    /// Sends a text with its own `clientMessageId`, again and again until it is acknowledged. Returns its id.
    pub async fn send(&mut self, room: Room) -> u64 {
        self.write(room);
        self.send_again().await
    }

    /// Sends a text, cuts the connection before the reply, and sends the text again until it is acknowledged.
    pub async fn send_cut(&mut self, room: Room) -> u64 {
        self.write(room);
        if let Some(line) = &mut self.line {
            // The frame may or may not be written when the socket is cut.
            let frame = Message::text(self.last_send.to_string());
            let _ = timeout(REPLY_TIMEOUT, line.sink.send(frame)).await;
            self.cut();
        }
        self.send_again().await
    }

    /// Sends the last text again, if there is one.
    pub async fn repeat(&mut self) {
        if !self.last_send.is_null() {
            self.send_again().await;
        }
    }

    /// Sends the last text again, as a client does that got no ack.
    pub async fn send_again(&mut self) -> u64 {
        let request = self.last_send.clone();
        let ack = self.insist(&request).await;
        let room = request["chatroomId"].as_u64().expect("a room");
        self.acknowledged(room, &request, &ack);
        ack["id"].as_u64().expect("an id")
    }

    fn acknowledged(&self, room: Room, request: &Value, ack: &Value) {
        let id = ack["id"].as_u64().expect("an id");
        let key = request["clientMessageId"].as_str().expect("a text").to_owned();
        lock(&self.record).acks.push(Ack { room, user: self.user, key, id });
    }

    /// Sends a request again and again until it is acknowledged, and answers the ack.
    pub async fn insist(&mut self, request: &Value) -> Value {
        for () in tries() {
            if self.line.is_none() {
                self.connect().await;
            }
            match self.ask(request.clone()).await {
                Ok(reply) if reply["type"] == "ack" => return reply,
                Ok(_) => sleep(BACKOFF).await,
                Err(Lost) => {}
            }
        }
        panic!("never acknowledged: {request}");
    }

    /// Sends a text once, without a `clientMessageId`: it may be lost, unless it is acknowledged.
    pub async fn send_unnamed(&mut self, room: Room) {
        let (key, content) = self.new_text(room);
        if let Ok(reply) = self.ask(text_message(room, &content)).await
            && let Some(id) = reply["id"].as_u64()
        {
            lock(&self.record).acks.push(Ack { room, user: self.user, key, id });
        }
    }

    /// Sends frames back to back, then waits for their replies. API Gateway hands them on side by side, so nobody knows
    /// which is carried out first.
    pub async fn pipeline(&mut self, steps: &[Step]) {
        self.connect().await;
        let mut requests = Vec::new();
        for step in steps {
            let mut request = match *step {
                Step::Join(room) => json!({"action": "joinRoom", "chatroomId": room}),
                Step::Leave(room) => json!({"action": "leaveRoom", "chatroomId": room}),
                Step::Send(room) => {
                    self.write(room);
                    self.last_send.clone()
                }
            };
            self.requests += 1;
            request["requestId"] = json!(self.requests);
            requests.push(request);
        }
        let replies = timeout(REPLY_TIMEOUT, self.converse(&requests)).await.unwrap_or(Err(Lost));
        let Ok(replies) = replies else {
            self.line = None;
            return;
        };
        for (step, (request, reply)) in steps.iter().zip(requests.iter().zip(replies)) {
            match (step, reply["type"] == "ack") {
                (Step::Join(room), true) => self.enter(*room, &reply).await,
                (Step::Send(room), true) => self.acknowledged(*room, request, &reply),
                _ => {}
            }
        }
    }

    /// Begins something of which each request has a number of its own, from this one on.
    pub fn number_from(&mut self, number: u64) {
        self.requests = number;
    }

    /// Sends a text to a room that it may not enter. Returns whether it was acknowledged.
    pub async fn trespass(&mut self, room: Room) -> bool {
        if self.line.is_none() {
            self.connect().await;
        }
        self.ask(text_message(room, "let me in")).await.is_ok_and(|reply| reply["type"] == "ack")
    }

    /// Reads what was pushed: it asks for a `pong`, which comes after earlier pushes.
    pub async fn listen(&mut self) {
        if self.line.is_some() {
            // A connection that ends here is opened again when it is needed.
            let _ = self.ask(json!({"action": "ping"})).await;
        }
    }

    /// Reads what is pushed for so long. It sends nothing, so no function has to run for it.
    pub async fn hear(&mut self, time: Duration) {
        let over = Instant::now() + time;
        while let Some(line) = &mut self.line {
            match timeout(over.saturating_duration_since(Instant::now()), line.frames.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => {
                    let frame = schema::received(&text);
                    self.take_in(&frame);
                }
                // It is opened again when it is needed.
                Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) => self.line = None,
                Ok(Some(Ok(_))) => {}
                Err(_) => return self.close_gaps().await,
            }
        }
        sleep(over.saturating_duration_since(Instant::now())).await;
    }

    /// Resets the socket, without a close frame.
    pub fn cut(&mut self) {
        if let Some(line) = self.line.take()
            && let Ok(socket) = line.sink.reunite(line.frames)
        {
            reach::reset(socket);
        }
    }

    /// Closes the connection.
    pub async fn close(&mut self) {
        if let Some(mut line) = self.line.take() {
            // Whether the close frame arrives does not matter here.
            let goodbye = async {
                let _ = line.sink.send(Message::Close(None)).await;
                while let Some(Ok(_)) = line.frames.next().await {}
            };
            let _ = timeout(REPLY_TIMEOUT, goodbye).await;
        }
    }

    /// Whether its connection lives, as far as it knows.
    pub fn is_connected(&self) -> bool {
        self.line.is_some()
    }

    /// Rooms that it is or was in.
    pub fn known_rooms(&self) -> Vec<Room> {
        self.rooms.keys().copied().collect()
    }

    /// Learns everything in its rooms up to these ids: it reads in the history what was not pushed.
    pub async fn settle(&mut self, newest: &BTreeMap<Room, u64>) {
        self.connect().await;
        self.listen().await;
        for room in self.known_rooms() {
            self.catch_up(room, newest[&room]).await;
        }
    }

    /// What it knows of each room up to these ids, and what was pushed to it from rooms that it never joined.
    pub fn views(&self, newest: &BTreeMap<Room, u64>) -> Vec<View> {
        let view = |(room, known): (&Room, &Knowledge)| View {
            device: self.name.clone(),
            user: self.user,
            room: *room,
            since: known.since,
            until: newest[room],
            messages: known.messages.values().chain(&known.conflicts).cloned().collect(),
            pushed: known.pushed.clone(),
        };
        // It reads no history there. That it saw anything may be a violation.
        let elsewhere = self.early.iter().map(|seen| View {
            device: self.name.clone(),
            user: self.user,
            room: seen.room,
            since: 0,
            until: 0,
            messages: vec![seen.clone()],
            pushed: BTreeSet::from([seen.id]),
        });
        self.rooms.iter().map(view).chain(elsewhere).collect()
    }

    /// Sends a request and waits for its reply. Reads what is pushed meanwhile.
    async fn ask(&mut self, mut request: Value) -> Result<Value, Lost> {
        self.requests += 1;
        let id = self.requests;
        request["requestId"] = json!(id);
        let replies = timeout(REPLY_TIMEOUT, self.converse(std::slice::from_ref(&request))).await.unwrap_or(Err(Lost));
        let reply = replies.map(|mut replies| replies.remove(0));
        let said = reply.as_ref().map_or_else(|Lost| "lost".into(), Value::to_string);
        let line = format!("{}: {request} -> {said}", self.name);
        lock(&self.record).trace.push(line);
        if reply.is_err() {
            self.line = None;
        }
        self.close_gaps().await;
        reply
    }

    /// Sends requests and waits for all of their replies.
    async fn converse(&mut self, requests: &[Value]) -> Result<Vec<Value>, Lost> {
        self.say(requests).await?;
        self.replies(requests).await
    }

    async fn say(&mut self, requests: &[Value]) -> Result<(), Lost> {
        let line = self.line.as_mut().ok_or(Lost)?;
        for request in requests {
            line.sink.feed(Message::text(request.to_string())).await.map_err(|_| Lost)?;
        }
        line.sink.flush().await.map_err(|_| Lost)
    }

    /// Waits for the replies to requests. Takes in what is pushed meanwhile.
    async fn replies(&mut self, requests: &[Value]) -> Result<Vec<Value>, Lost> {
        let mut replies: Vec<Option<Value>> = vec![None; requests.len()];
        while replies.contains(&None) {
            let line = self.line.as_mut().ok_or(Lost)?;
            let frame = match line.frames.next().await {
                Some(Ok(Message::Text(text))) => schema::received(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Lost),
                Some(Ok(_)) => continue,
            };
            self.take_in(&frame);
            // API Gateway's own error for a failed function does not name the request.
            let at = match frame["message"] == "Internal server error" {
                true => replies.iter().position(Option::is_none),
                false => requests.iter().position(|request| request["requestId"] == frame["requestId"]),
            };
            if let Some(at) = at {
                schema::answered(&requests[at], &frame);
                replies[at] = Some(frame);
            }
        }
        Ok(replies.into_iter().flatten().collect())
    }

    /// Takes in a frame that may be pushed.
    fn take_in(&mut self, frame: &Value) {
        match (frame["type"].as_str(), frame["code"].as_str()) {
            (Some("sendMessage"), _) => self.take_push(seen(&frame["message"])),
            (_, Some("tooManyConnections")) => {
                let wait = Duration::from_millis(frame["retryAfterMs"].as_u64().expect("a time"));
                self.comes_back_at = Instant::now() + wait;
            }
            _ => {}
        }
    }

    /// Takes in a pushed message. Records a gap between it and what is known.
    fn take_push(&mut self, seen: Seen) {
        let (room, id) = (seen.room, seen.id);
        // Pushes may come before the reply to the join, which says where the device's view begins.
        let Some(known) = self.rooms.get_mut(&room) else { return self.early.push(seen) };
        known.pushed.insert(id);
        let newest = known.newest();
        known.take_in(seen);
        if id > newest + 1 {
            self.gaps.entry(room).or_insert_with(Instant::now);
        }
    }

    /// Reads what is missing in gaps, after a while: a push that was overtaken comes by itself.
    async fn close_gaps(&mut self) {
        let due = self.gaps.iter().filter(|(_, since)| since.elapsed() > GAP_PATIENCE);
        for room in due.map(|(room, _)| *room).collect::<Vec<_>>() {
            self.gaps.remove(&room);
            let newest = self.rooms[&room].newest();
            self.catch_up(room, newest).await;
        }
    }

    /// Reads the history from where this device's view is complete up to an id.
    async fn catch_up(&mut self, room: Room, until: u64) {
        let (mut after, asked_at) = (self.rooms[&room].complete, Instant::now());
        while after < until {
            let page = self.history(room, after).await;
            let Some(newest) = page.last().map(|seen| seen.id) else { break };
            let known = self.rooms.get_mut(&room).expect("a room");
            page.into_iter().for_each(|seen| known.take_in(seen));
            after = newest;
        }
        self.rooms.get_mut(&room).expect("a room").pass_over_holes(asked_at);
    }

    /// Its token was revoked, as those of the next minute are. The application gives it another one.
    async fn renew_token(&mut self) {
        sleep(NEW_TOKEN_AFTER).await;
        self.token = self.reach.token(&self.claims);
    }

    async fn history(&mut self, room: Room, after: u64) -> Vec<Seen> {
        for () in tries() {
            let page = self.reach.history(&self.token, format!("chatroomId={room}&after={after}&limit=100")).await;
            if page.status == 200 {
                return page.body.as_array().expect("a list").iter().map(seen).collect();
            }
            match page.status {
                FORBIDDEN => self.renew_token().await,
                _ => sleep(BACKOFF).await,
            }
        }
        panic!("{} never gets the history of {room}", self.name);
    }
}

/// A message of a push or of the history.
pub(crate) fn seen(message: &Value) -> Seen {
    let content = message["content"].as_str().expect("a text").to_owned();
    Seen {
        id: message["id"].as_u64().expect("an id"),
        room: message["chatroomId"].as_u64().expect("a room"),
        user: message["senderId"].as_u64().expect("a user"),
        // The history does not show it. A device's texts begin with it.
        key: content.split_once(' ').map(|(key, _)| key.into()),
        content,
    }
}
