//! A schedule's world: the gateway and the functions in memory, what strikes their calls, and how devices reach them.

mod events;
mod judge;

use events::Events;
use judge::Event;

use super::dice::Dice;
use super::invocation::{INVOCATION, Invocation};
use super::log::Log;
use super::mutant::Mutant;
use super::mutation::Mutation;
use super::orders::AllHeld;
use super::plan::{Fate, Plan, Thresholds};
use super::wire::{Answer, Call, Calls};
use super::{Without, clock};
use crate::chaos::{Director, Fault, Refusal, lock};
use crate::checker::{Bar, Room, User};
use crate::reach::{Handshake, Reach, Refused, Socket, shake};
use crate::{Page, in_time, packets, schema};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use chat_local::{Delivery, InMemory, Inside, InvocationFailed, Limits, Rest, Tables, Template, Tokens};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_util::either::Either as Stream;

/// The project's template, read once: that takes longer than most schedules.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| template("off"));

/// The same where clients of Socket.IO are let in.
static WITH_PACKETS: LazyLock<Template> = LazyLock::new(|| template("on"));

fn template(socket_io: &str) -> Template {
    let parameters = [("TokenSecret", SECRET), ("SocketIo", socket_io)];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Template::parse(include_str!("../../../template.yaml"), &parameters).expect("the template")
}

/// What tokens are signed with.
const SECRET: &str = "a secret that only the simulation knows";

/// Largest page of the history.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Posts a second where hands post: so many that there are three of them.
const POSTS_OF_HANDS: u32 = 12_000;

/// Characters of a function's answer that the log has.
const SAID_CHARS: usize = 120;

pub struct World {
    pub plan: Plan,
    pub without: Without,
    pub log: Log,
    pub tables: Tables,
    pub mutation: Option<Mutation>,
    /// Says what befalls each event, instead of chance.
    director: Option<Director>,
    /// The invocations that were directed, by their number, each with its fault.
    directed: Mutex<BTreeMap<u64, Directed>>,
    template: Template,
    tokens: Tokens,
    memory: OnceLock<InMemory>,
    hostile: AtomicBool,
    /// How many events without a name of their own there were, by what they are.
    unnamed: Mutex<BTreeMap<String, u64>>,
    /// When each connection's row was closed.
    closed: Mutex<BTreeMap<String, Duration>>,
    /// Connections whose row was closed when their handshake ended. Nobody ends them but their own frames.
    came_in_closed: Mutex<BTreeSet<String>>,
    /// When users were shut out, in the end.
    shut_out: Mutex<BTreeMap<String, Duration>>,
    /// The users of tokens, and when these were issued, in seconds.
    issued: Mutex<BTreeMap<String, (String, i64)>>,
    /// The same of connections that brought their token after the handshake: their context does not say it.
    guests: Mutex<BTreeMap<String, (String, i64)>>,
    /// How often each wake of a courier failed in a row, and the rooms of those that Lambda gave up.
    failed_wakes: Mutex<BTreeMap<String, u32>>,
    given_up: Mutex<BTreeSet<String>>,
    /// The bars that surely hold now, and those that stood until all had come to rest.
    pub held: Mutex<AllHeld>,
    pub stood: Mutex<Vec<Bar>>,
    /// Invocations that took a number for a message.
    counted: Mutex<BTreeSet<String>>,
    under_way: AtomicUsize,
    findings: Mutex<BTreeSet<String>>,
    /// The faults that happened.
    struck: Mutex<Vec<String>>,
    calls: AtomicUsize,
}

/// An invocation that a test says something about.
struct Directed {
    invocation: Arc<Invocation>,
    fault: Option<(usize, Fault)>,
    /// One of its calls met the fault.
    struck: bool,
}

impl World {
    pub fn new(plan: Plan, without: Without, mutant: Option<Mutant>, director: Option<Director>) -> Arc<Self> {
        let packets = plan.devices.iter().any(|part| part.way.is_some());
        let mut template = if packets { WITH_PACKETS.clone() } else { TEMPLATE.clone() };
        for spec in template.functions.values_mut() {
            let mut set = |name: &str, value: String| spec.variables.insert(name.to_owned(), value);
            set("CONNECTIONS_PER_USER", plan.connections_per_user.to_string());
            set("NOTICES_UP_TO", plan.notices_up_to.to_string());
            set("SENDS_PER_SECOND", plan.sends_per_second.to_string());
            if let Some(Thresholds { large, hot, messages, hand }) = plan.rounds {
                set("LARGE_ROOM", large.to_string());
                set("HOT_ROOM", hot.to_string());
                set("ROUND_MESSAGES", messages.to_string());
                if let Some(members) = hand {
                    set("HAND_MEMBERS", members.to_string());
                    set("POSTS_PER_SECOND", POSTS_OF_HANDS.to_string());
                }
            } else {
                // In simulated time many things happen in one millisecond: every room would be hot.
                set("HOT_ROOM", f64::MAX.to_string());
            }
        }
        let tokens = Tokens::signed_with(SECRET).expect("a secret");
        let world = Arc::new(Self {
            without,
            log: Log::default(),
            tables: Tables::of(&template).expect("tables"),
            mutation: mutant.map(Mutation::new),
            director,
            directed: Mutex::default(),
            template: template.clone(),
            tokens: tokens.clone(),
            memory: OnceLock::new(),
            hostile: AtomicBool::new(plan.hostile),
            unnamed: Mutex::default(),
            closed: Mutex::default(),
            came_in_closed: Mutex::default(),
            shut_out: Mutex::default(),
            issued: Mutex::default(),
            guests: Mutex::default(),
            failed_wakes: Mutex::default(),
            given_up: Mutex::default(),
            held: Mutex::default(),
            stood: Mutex::default(),
            counted: Mutex::default(),
            under_way: AtomicUsize::new(0),
            findings: Mutex::default(),
            struck: Mutex::default(),
            calls: AtomicUsize::new(0),
            plan,
        });
        let memory = InMemory::new(Inside {
            template,
            tokens,
            limits: Limits { lifetime: world.plan.lifetime, ..Limits::default() },
            interference: Arc::new(Events(Arc::downgrade(&world))),
            wire: Arc::new(Calls(Arc::downgrade(&world))),
            seed: world.plan.seed,
        });
        assert!(world.memory.set(memory.expect("the functions")).is_ok(), "set once");
        world
    }

    pub fn gateway(&self) -> &InMemory {
        self.memory.get().expect("set when the world is made")
    }

    /// From here on nothing goes wrong.
    pub fn calm_down(&self) {
        self.hostile.store(false, Ordering::Relaxed);
    }

    pub fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::Relaxed)
    }

    pub fn find(&self, finding: String) {
        self.log.note(format_args!("FOUND {finding}"));
        lock(&self.findings).insert(finding);
    }

    pub fn findings(&self) -> Vec<String> {
        lock(&self.findings).iter().cloned().collect()
    }

    pub fn struck(&self) -> Vec<String> {
        lock(&self.struck).clone()
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Whether a fault that was drawn happens: not if it is left out.
    fn strikes(&self, what: String) -> bool {
        if self.without.faults.contains(&what) {
            return false;
        }
        lock(&self.struck).push(what);
        true
    }

    /// What becomes of an attempt of a call.
    pub fn fate(&self, dice: &mut Dice, invocation: &Arc<Invocation>, call: &Call) -> Fate {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.director.is_some() {
            return self.directed_fate(invocation, call);
        }
        if !self.is_hostile() || !dice.chance(self.plan.climate.faults) {
            return Fate::Fine;
        }
        let fate = dice.choose(&self.plan.climate.fates);
        if fate.fits(&call.operation) && self.strikes(format!("{} {fate}", call.label)) { fate } else { Fate::Fine }
    }

    fn directed_fate(&self, invocation: &Arc<Invocation>, call: &Call) -> Fate {
        let mut directed = lock(&self.directed);
        let directed = directed.values_mut().find(|directed| Arc::ptr_eq(&directed.invocation, invocation));
        let Some(directed) = directed else { return Fate::Fine };
        let first = call.attempt == 0;
        match directed.fault.filter(|(number, fault)| *number == call.number && (first || !fault.strikes_once())) {
            None => Fate::Fine,
            Some((_, fault)) => {
                directed.struck = true;
                match fault {
                    Fault::RefusedOnce(Refusal::Failed) | Fault::Refused(Refusal::Failed) => Fate::Refused,
                    Fault::RefusedOnce(Refusal::Unavailable) | Fault::Refused(Refusal::Unavailable) => {
                        Fate::Unavailable
                    }
                    Fault::RefusedOnce(Refusal::Throttled) | Fault::Refused(Refusal::Throttled) => Fate::Throttled,
                    Fault::AnswerLostOnce | Fault::AnswerLost => Fate::Lost,
                    Fault::Delayed => Fate::Delayed,
                    Fault::KilledBefore => Fate::KilledBefore,
                    Fault::KilledAfter => Fate::KilledAfter,
                }
            }
        }
    }

    /// The calls of an invocation, in the order in which they began, and whether its fault has struck.
    pub fn outcome_of(&self, number: u64) -> (Vec<String>, bool) {
        let directed = lock(&self.directed);
        let directed = directed.get(&number).expect("it was directed");
        (directed.invocation.calls(), directed.struck)
    }

    /// Waits until an invocation has answered or is dead, or its event is lost.
    pub async fn ended(&self, number: u64) {
        let ended = lock(&self.directed).get(&number).expect("it was directed").invocation.ended.subscribe();
        // The sender is kept with the invocation.
        let _ = in_time("an invocation ends", { ended }.wait_for(|ended| *ended)).await;
    }

    /// What a test does behind the functions, as an invocation of its own.
    pub fn behind(&self, fault: Option<(usize, Fault)>) -> Arc<Invocation> {
        let invocation = Arc::new(Invocation::new("the test".into(), "the test", 1, 0));
        if fault.is_some() {
            let mut directed = lock(&self.directed);
            let number = directed.len() as u64;
            directed.insert(number, Directed { invocation: Arc::clone(&invocation), fault, struck: false });
        }
        invocation
    }

    /// Where whoever looks behind the functions finds the tables.
    pub fn vars(&self) -> BTreeMap<String, String> {
        let id = "ConnectFunction";
        self.gateway().environment(id, &self.template.functions[id])
    }

    /// Notes when rows of connections are closed, and who takes a number.
    pub fn watch(&self, invocation: &Invocation, call: &Call, answer: &Answer) {
        let counts = call.body["UpdateExpression"].as_str().is_some_and(|update| update.contains("ADD lastId"));
        if counts && answer.status == 200 {
            lock(&self.counted).insert(invocation.label.clone());
        }
        let closes = call.body["UpdateExpression"].as_str().is_some_and(|update| update.contains("closedAt"));
        if let Some(connection) = call.body["Key"]["PK"]["S"].as_str().filter(|_| closes && answer.status == 200) {
            lock(&self.closed).entry(connection.trim_start_matches("CONN#").to_owned()).or_insert_with(clock::elapsed);
        }
    }

    /// A name for an event that is the same whatever else is left out of the schedule.
    fn name(&self, function: &str, event: &Value) -> String {
        let context = &event["requestContext"]["authorizer"];
        let name = context["username"].as_str().or_else(|| context["lambda"]["username"].as_str());
        // Whoever brings its token later says its name in its handshake.
        let agent = event["requestContext"]["identity"]["userAgent"].as_str().filter(|agent| !agent.is_empty());
        // An event of Lambda's has no caller, and may be about a room.
        let room = room_of(event).map(|room| format!("room {room}"));
        let who = room.as_deref().or(name).or(agent).unwrap_or("nobody");
        if let Some(request) = frame(event)["requestId"].as_u64() {
            return format!("{who} {function} {request}");
        }
        let mut unnamed = lock(&self.unnamed);
        let count = unnamed.entry(format!("{who} {function}")).or_default();
        *count += 1;
        format!("{who} {function} #{count}")
    }

    fn invocation(&self, function: &str, label: String, dice: &mut Dice) -> Arc<Invocation> {
        let climate = &self.plan.climate;
        let slow_function = climate.slow_function.filter(|(slow, _)| *slow == function).map_or(1, |(_, times)| times);
        let slow = if dice.chance(climate.slow_invocations) { 10 } else { 1 };
        // Two instances of each function, each with a clock.
        let skew = Dice::of(self.plan.seed, (function, dice.number(0..2))).skew(climate.skew_millis);
        Arc::new(Invocation::new(label, function, slow_function * slow, skew))
    }

    /// Runs one delivery of an event: it may die.
    async fn run(
        &self,
        invocation: Arc<Invocation>,
        event: Event,
        delivery: Delivery<'_>,
    ) -> Result<Value, InvocationFailed> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let before = self.known_of(&event);
        self.log.note(format_args!("{} begins", invocation.label));
        if let Some(mutation) = &self.mutation {
            let room = event.wake.as_ref().map_or(&event.room, |(room, _)| room);
            mutation.begins(self, &invocation, room);
        }
        let (killed, running) =
            (pin!(invocation.kill.notified()), pin!(INVOCATION.scope(Arc::clone(&invocation), delivery)));
        let answer = match select(killed, running).await {
            Either::Left(_) => Err(InvocationFailed("it was killed".into())),
            Either::Right((answer, _)) => answer,
        };
        let said = answer.as_ref().map_or_else(|failed| failed.0.clone(), said);
        self.log.note(format_args!("{} ends: {said}", invocation.label));
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        invocation.ended.send_replace(true);

        if let Some((room, wake)) = &event.wake {
            self.note_wake(room, wake, answer.is_ok());
        }
        if let Ok(answer) = &answer {
            self.judge(&invocation, &event, &before, answer);
        }
        match &self.mutation {
            Some(mutation) => mutation.ended(&invocation, answer),
            None => answer,
        }
    }

    /// Runs what a delivery left for after its answer: it may die yet.
    async fn run_rest(&self, invocation: Arc<Invocation>, rest: Rest) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let (killed, running) =
            (pin!(invocation.kill.notified()), pin!(INVOCATION.scope(Arc::clone(&invocation), rest)));
        select(killed, running).await;
        self.log.note(format_args!("{} rests", invocation.label));
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Who is surely banned now, and from where.
    pub fn banned(&self) -> BTreeSet<(User, Room)> {
        lock(&self.held).iter().filter(|(_, held)| held.banned.is_some()).map(|(key, _)| *key).collect()
    }

    /// What is answered to a request over HTTP.
    pub async fn post(&self, path: &str, token: &str, asked: &Value) -> (u16, Value) {
        let request = Request::post(format!("{}{path}", InMemory::GATEWAY_URL))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(asked.to_string()));
        let (head, body) = self.gateway().answer(request.expect("a request")).await.into_parts();
        let body = to_bytes(body, PAGE_BYTES_MAX).await.expect("a body");
        (head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Shuts a user out, as an application's backend does.
    pub async fn shut_out(&self, user: u64) {
        let id = format!("{}/2015-03-31/functions/disconnect-user/invocations", InMemory::GATEWAY_URL);
        let request =
            Request::post(id).header(header::AUTHORIZATION, "AWS4-HMAC-SHA256 a backend").header("x-amz-date", "today");
        let request = request.body(Body::from(json!({"userId": user}).to_string())).expect("a request");
        self.gateway().answer(request).await;
    }
}

/// The room that a courier's event is about.
fn room_of(event: &Value) -> Option<String> {
    let room = &event["room"];
    room.as_u64().map(|room| room.to_string()).or_else(|| room.as_str().map(ToOwned::to_owned))
}

/// The frame that an event is about, if it is about one.
fn frame(event: &Value) -> Value {
    let body = event["body"].as_str().unwrap_or_default();
    packets::asked(body).or_else(|| serde_json::from_str(body).ok()).unwrap_or_default()
}

/// The function whose part a function does: that of all packets does what the others do for clients of JSON.
fn part_of(function: &str, event: &Value) -> String {
    let action = frame(event)["action"].as_str().map(String::from);
    match (function, action.as_deref()) {
        ("socket-io", Some("joinRoom")) => "join-room",
        ("socket-io", Some("leaveRoom")) => "leave-room",
        ("socket-io", Some("sendMessage")) => "send-message",
        ("socket-io", Some("editMessage" | "deleteMessage" | "reactMessage")) => "change-message",
        _ => function,
    }
    .to_owned()
}

/// The beginning of an answer, for the log.
fn said(answer: &Value) -> String {
    let body = answer["body"].as_str().map_or_else(|| answer.to_string(), ToOwned::to_owned);
    body.chars().take(SAID_CHARS).collect()
}

/// A world, as its devices reach it.
pub struct Simulated(pub Arc<World>);

impl Reach for Simulated {
    fn token(&self, claims: &Value) -> String {
        let token = self.0.tokens.issue(claims.as_object().expect("claims").clone()).expect("a token");
        let issued = (claims["userId"].to_string(), clock::seconds_at(clock::elapsed()));
        lock(&self.0.issued).insert(token.clone(), issued);
        token
    }

    fn open<'a>(&'a self, Handshake { name, token, way }: Handshake<'a>) -> BoxFuture<'a, Result<Socket, Refused>> {
        let url = self.0.gateway().websocket_url();
        let request = |url: String| ClientRequestBuilder::new(url.parse().expect("a URL"));
        let request = match way {
            None => request(format!("{url}?token={token}")),
            Some(way) => request(format!("{url}/?{}", way.query(token))).with_header("User-Agent", name),
        };
        async move { shake(request, Stream::Right(self.0.gateway().connect())).await }.boxed()
    }

    fn page<'a>(&'a self, path: &'static str, token: &'a str, query: String) -> BoxFuture<'a, Page> {
        let request = Request::get(format!("{}{path}?{query}", InMemory::GATEWAY_URL));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty());
        async move {
            let response = self.0.gateway().answer(request.expect("a request")).await;
            let (head, body) = response.into_parts();
            let body = to_bytes(body, PAGE_BYTES_MAX).await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            schema::check_page(path, head.status.as_u16(), &head.headers, &body);
            Page { status: head.status.as_u16(), headers: head.headers, body }
        }
        .boxed()
    }
}
