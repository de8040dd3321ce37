//! A schedule's world: the gateway and the functions in memory, and what happens to each event on its way.

use super::dice::Dice;
use super::invocation::{INVOCATION, Invocation};
use super::log::Log;
use super::mutation::{Mutant, Mutation};
use super::plan::{Fate, Plan};
use super::wire::{Answer, Call, Calls};
use super::{Without, clock};
use crate::chaos::lock;
use crate::reach::{Reach, Refused, Socket, shake};
use crate::{Page, schema};
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use chat_local::{
    Delivery, InMemory, Inside, Interference, InvocationFailed, Limits, Plan as Course, Tables, Template, Tokens,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, select};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, Weak};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::either::Either as Stream;

/// The project's template, read once: that takes longer than most schedules.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let parameters = BTreeMap::from([("TokenSecret".to_owned(), SECRET.to_owned())]);
    Template::parse(include_str!("../../../template.yaml"), &parameters).expect("the template")
});

/// What tokens are signed with.
const SECRET: &str = "a secret that only the simulation knows";

/// Largest page of the history.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// How long after the row of a connection was closed its frames must be refused: whoever closed it ends it meanwhile.
const ENDED_AFTER: Duration = Duration::from_secs(3);

/// How long after a revocation nothing that began may be let through.
const REVOKED_AFTER: Duration = Duration::from_secs(1);

pub struct World {
    pub plan: Plan,
    pub without: Without,
    pub log: Log,
    pub tables: Tables,
    pub mutation: Option<Mutation>,
    tokens: Tokens,
    memory: OnceLock<InMemory>,
    hostile: AtomicBool,
    /// How many events without a name of their own there were, by what they are.
    unnamed: Mutex<BTreeMap<String, u64>>,
    /// When each connection's row was closed.
    closed: Mutex<BTreeMap<String, Duration>>,
    /// When users were shut out, in the end.
    shut_out: Mutex<BTreeMap<String, Duration>>,
    under_way: AtomicUsize,
    findings: Mutex<BTreeSet<String>>,
    /// The faults that happened.
    struck: Mutex<Vec<String>>,
    calls: AtomicUsize,
}

impl World {
    pub fn new(plan: Plan, without: Without, mutant: Option<Mutant>) -> Arc<Self> {
        let mut template = TEMPLATE.clone();
        for spec in template.functions.values_mut() {
            let mut set = |name: &str, value: String| spec.variables.insert(name.to_owned(), value);
            set("CONNECTIONS_PER_USER", plan.connections_per_user.to_string());
            set("NOTICES_UP_TO", plan.notices_up_to.to_string());
            set("SENDS_PER_SECOND", plan.sends_per_second.to_string());
        }
        let tokens = Tokens::signed_with(SECRET).expect("a secret");
        let world = Arc::new(Self {
            without,
            log: Log::default(),
            tables: Tables::of(&template).expect("tables"),
            mutation: mutant.map(Mutation::new),
            tokens: tokens.clone(),
            memory: OnceLock::new(),
            hostile: AtomicBool::new(plan.hostile),
            unnamed: Mutex::default(),
            closed: Mutex::default(),
            shut_out: Mutex::default(),
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

    fn is_hostile(&self) -> bool {
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
    pub fn fate(&self, dice: &mut Dice, call: &Call) -> Fate {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !self.is_hostile() || !dice.chance(self.plan.climate.faults) {
            return Fate::Fine;
        }
        let fate = dice.choose(&self.plan.climate.fates);
        if fate.fits(&call.operation) && self.strikes(format!("{} {fate}", call.label)) { fate } else { Fate::Fine }
    }

    /// Notes when rows of connections are closed.
    pub fn watch(&self, call: &Call, answer: &Answer) {
        let closes = call.body["UpdateExpression"].as_str().is_some_and(|update| update.contains("closedAt"));
        if let Some(connection) = call.body["Key"]["PK"]["S"].as_str().filter(|_| closes && answer.status == 200) {
            lock(&self.closed).entry(connection.trim_start_matches("CONN#").to_owned()).or_insert_with(clock::elapsed);
        }
    }

    /// A name for an event that is the same whatever else is left out of the schedule.
    fn name(&self, function: &str, event: &Value) -> String {
        let context = &event["requestContext"]["authorizer"];
        let who = context["username"].as_str().or_else(|| context["lambda"]["username"].as_str()).unwrap_or("nobody");
        let frame: Value = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        if let Some(request) = frame["requestId"].as_u64() {
            return format!("{who} {function} {request}");
        }
        let mut unnamed = lock(&self.unnamed);
        let count = unnamed.entry(format!("{who} {function}")).or_default();
        *count += 1;
        format!("{who} {function} #{count}")
    }

    fn invocation(&self, function: &str, label: String, dice: &mut Dice) -> Arc<Invocation> {
        let climate = &self.plan.climate;
        let all = functions::FUNCTIONS.map(|(name, _)| name);
        let slow_function =
            climate.slow_function.filter(|(at, _)| all[at % all.len()] == function).map_or(1, |(_, times)| times);
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
        let began = clock::elapsed();
        let closed = lock(&self.closed).get(&event.connection).copied();
        let shut_out = lock(&self.shut_out).get(&event.user).copied();
        self.log.note(format_args!("{} begins", invocation.label));
        let (killed, running) =
            (pin!(invocation.kill.notified()), pin!(INVOCATION.scope(Arc::clone(&invocation), delivery)));
        let answer = match select(killed, running).await {
            Either::Left(_) => Err(InvocationFailed("it was killed".into())),
            Either::Right((answer, _)) => answer,
        };
        let said = answer.as_ref().map_or_else(|failed| failed.0.clone(), ToString::to_string);
        self.log.note(format_args!("{} ends: {said}", invocation.label));
        self.under_way.fetch_sub(1, Ordering::Relaxed);

        let body: Value = answer
            .as_ref()
            .ok()
            .and_then(|answer| serde_json::from_str(answer["body"].as_str()?).ok())
            .unwrap_or_default();
        let is_taken = body["type"] == "ack" || (invocation.function == "list-history" && body.is_array());
        if is_taken && !self.plan.hostile && closed.is_some_and(|closed| began >= closed + ENDED_AFTER) {
            self.find(format!("{} is taken, though its connection was closed before it began", invocation.label));
        }
        // A token that was issued until then; one that was issued within the next minute may be refused too.
        let is_old = |shut_out: Duration| event.issued_at <= clock::seconds_at(shut_out);
        if is_taken && shut_out.is_some_and(|shut_out| began >= shut_out + REVOKED_AFTER && is_old(shut_out)) {
            self.find(format!("{} is taken, though its token was revoked before it began", invocation.label));
        }
        if let Some(user) = answer.as_ref().ok().and_then(|answer| answer["userId"].as_u64()) {
            lock(&self.shut_out).insert(user.to_string(), clock::elapsed());
        }
        answer
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

/// What the rules need to know of an event.
struct Event {
    connection: String,
    user: String,
    /// When its token was issued, in seconds.
    issued_at: i64,
}

impl Event {
    fn read(event: &Value) -> Self {
        let context = &event["requestContext"];
        let authorizer = &context["authorizer"];
        let authorizer = if authorizer["lambda"].is_object() { &authorizer["lambda"] } else { authorizer };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            connection: text(&context["connectionId"]),
            user: text(&authorizer["userId"]),
            issued_at: text(&authorizer["issuedAt"]).parse().unwrap_or(i64::MAX),
        }
    }
}

/// What happens to the events of a world.
struct Events(Weak<World>);

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

impl Interference for Events {
    fn plan(&self, function: &str, event: &Value) -> Course {
        let Some(world) = self.0.upgrade() else { return Course::default() };
        let label = world.name(function, event);
        let mut dice = Dice::of(world.plan.seed, &label);
        let climate = &world.plan.climate;
        let hostile = world.is_hostile();
        let mut happens = |often: u32, what: &str| {
            let drawn = dice.chance(often);
            drawn && hostile && world.strikes(format!("{label} {what}"))
        };
        let deliveries = if function == "disconnect" && happens(climate.lost, "lost") {
            0
        } else if happens(climate.twice, "twice") {
            2
        } else {
            1
        };
        // A `$disconnect` may be late; a frame may overtake another one.
        let start = match function {
            "disconnect" if dice.chance(100) => dice.millis(100..2_000),
            "disconnect" => dice.millis(1..40),
            _ => dice.millis(0..climate.start + 1),
        };
        let again = start + dice.millis(0..500);
        let (first, second) = (
            world.invocation(function, label.clone(), &mut dice),
            world.invocation(function, format!("{label} again"), &mut dice),
        );
        let event = event.clone();
        Course::around(deliveries, move |number, delivery| {
            let world = Arc::clone(&world);
            let (invocation, wait) = if number == 0 { (&first, start) } else { (&second, again) };
            let (invocation, event) = (Arc::clone(invocation), Event::read(&event));
            async move {
                sleep(wait).await;
                world.run(invocation, event, delivery).await
            }
            .boxed()
        })
    }
}

/// A world, as its devices reach it.
pub struct Simulated(pub Arc<World>);

impl Reach for Simulated {
    fn token(&self, claims: &Value) -> String {
        self.0.tokens.issue(claims.as_object().expect("claims").clone()).expect("a token")
    }

    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Socket, Refused>> {
        let url = format!("{}?token={token}", self.0.gateway().websocket_url());
        async move { shake(url, Stream::Right(self.0.gateway().connect())).await }.boxed()
    }

    fn history<'a>(&'a self, token: &'a str, query: String) -> BoxFuture<'a, Page> {
        let request = Request::get(format!("{}/chat-history/list?{query}", InMemory::GATEWAY_URL));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty());
        async move {
            let response = self.0.gateway().answer(request.expect("a request")).await;
            let (head, body) = response.into_parts();
            let body = to_bytes(body, PAGE_BYTES_MAX).await.expect("a body");
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            schema::check_page(head.status.as_u16(), &head.headers, &body);
            Page { status: head.status.as_u16(), headers: head.headers, body }
        }
        .boxed()
    }
}
