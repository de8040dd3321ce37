use super::in_simulated_time;
use super::invocation::INVOCATION;
use super::plan::{Plan, Thresholds};
use super::rest::scan;
use super::wire::Calls;
use super::world::{Simulated, World};
use super::{REST, Without};
use crate::chaos::{Director, Fault, lock};
use crate::checker::{History, Room, User};
use crate::reach::{Handshake, Reach};
use crate::trial::{come_to_rest, leftover};
use crate::{App, Device, Record, schema};
use axum::body::{Body, to_bytes};
use axum::http::response::Parts;
use axum::http::{Request, header};
use chat_aws::Vars;
use chat_local::InMemory;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a test may take, in simulated time: where nothing happens any more, that passes in a moment.
const PLAY_MAX: Duration = Duration::from_secs(3_600);

/// How often it is looked whether something holds, in simulated time.
const POLL: Duration = Duration::from_millis(10);

/// A world in which one test says what happens, and what goes wrong. Time passes only where something waits.
#[derive(Clone)]
pub struct Stage {
    world: Arc<World>,
    pub record: Arc<Mutex<Record>>,
}

impl Stage {
    /// Plays a test. The director decides about invocations by their function and event; they are numbered from 0.
    pub fn play<T>(connections_per_user: usize, director: Director, play: impl AsyncFnOnce(Self) -> T) -> T {
        Self::play_in_rounds(None, connections_per_user, director, play)
    }

    /// The same, where rooms go over into rounds that are crowds by these thresholds.
    pub fn play_in_rounds<T>(
        rounds: Option<Thresholds>,
        connections_per_user: usize,
        director: Director,
        play: impl AsyncFnOnce(Self) -> T,
    ) -> T {
        in_simulated_time(0, async {
            let plan = Plan { connections_per_user, rounds, ..Plan::staged() };
            let world = World::new(plan, Without::default(), None, Some(director));
            timeout(PLAY_MAX, play(Self { world, record: Arc::default() })).await.expect("the test ends")
        })
    }

    /// A device that is not connected yet. Its user may enter every room.
    pub fn device(&self, name: impl Into<String>, user: User) -> Device {
        let device = Device::new(Arc::new(self.reach()), &self.record, name.into(), user, None);
        // Each other one is pushed message by message.
        if self.world.plan.rounds.is_some() { device.in_rounds(user % 2 == 1) } else { device }
    }

    fn reach(&self) -> Simulated {
        Simulated(Arc::clone(&self.world))
    }

    /// Opens a connection. Answers the status with which it was refused, if it was.
    pub async fn refused(&self, claims: &Value) -> Option<u16> {
        let reach = self.reach();
        reach.open(Handshake { name: "", token: &reach.token(claims), way: None }).await.err().flatten()
    }

    /// The parts that functions are made of, for a look behind them by [`Stage::behind`].
    pub fn app(&self) -> App {
        let vars = self.world.vars().into_iter().collect::<Vars>();
        App::new(&vars.through(Arc::new(Calls(Arc::downgrade(&self.world))))).expect("the parts")
    }

    /// Does something behind the functions.
    pub async fn behind<T>(&self, what: impl Future<Output = T>) -> T {
        INVOCATION.scope(self.world.behind(None), what).await
    }

    /// The same, where one of its calls, from 0, meets a fault.
    pub async fn behind_meeting<T>(&self, call: usize, fault: Fault, what: impl Future<Output = T>) -> T {
        INVOCATION.scope(self.world.behind(Some((call, fault))), what).await
    }

    /// Waits until functions have been run for all events.
    pub async fn has_no_events(&self) {
        while self.world.gateway().kept_events() > 0 {
            sleep(POLL).await;
        }
    }

    /// Invokes a function as a backend does. Answers its answer, or nothing if it failed.
    pub async fn call(&self, function: &str, payload: &Value) -> Option<Value> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", InMemory::GATEWAY_URL);
        let request = Request::post(url)
            .header(header::AUTHORIZATION, "AWS4-HMAC-SHA256 a backend")
            .header("x-amz-date", "today");
        let response =
            self.world.gateway().answer(request.body(Body::from(payload.to_string())).expect("a request")).await;
        let failed = response.headers().contains_key("x-amz-function-error") || !response.status().is_success();
        let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        (!failed).then(|| serde_json::from_slice(&body).expect("JSON"))
    }

    /// What a route of the kept rooms answers to a user: `POST /chatroom/quit/{id}`, with a room for the path. Panics unless
    /// `docs/openapi.yaml` describes it.
    pub async fn chatroom(&self, user: User, route: &str, room: &str, asked: &Value) -> (u16, Value) {
        let token = self.reach().token(&serde_json::json!({"userId": user, "rooms": "@mine"}));
        let (method, path) = route.split_once(' ').expect("a route key");
        let mut uri = path.replace("{id}", room);
        if method == "GET" {
            let fields = asked.as_object().expect("fields").iter();
            let pairs = fields
                .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), String::from)));
            uri = format!("{uri}?{}", pairs.collect::<Vec<_>>().join("&"));
        }
        let body = if method == "GET" { Body::empty() } else { Body::from(asked.to_string()) };
        let (head, body) = self.http(&token, method, &uri, body).await;
        schema::check_route(route, head.status.as_u16(), &head.headers, &body);
        (head.status.as_u16(), body)
    }

    /// What an action is answered that is posted by somebody with these claims. Panics unless `docs/openapi.yaml` describes it.
    pub async fn post(&self, claims: &Value, path: &str, asked: &Value) -> (u16, Value) {
        let token = self.reach().token(claims);
        let (head, body) = self.http(&token, "POST", path, Body::from(asked.to_string())).await;
        schema::check_post(path, head.status.as_u16(), &body);
        (head.status.as_u16(), body)
    }

    /// The status that somebody with these claims is answered who reads a room's history.
    pub async fn page(&self, claims: &Value, room: Room) -> u16 {
        let reach = self.reach();
        reach.page(schema::LIST, &reach.token(claims), format!("chatroomId={room}")).await.status
    }

    async fn http(&self, token: &str, method: &str, uri: &str, body: Body) -> (Parts, Value) {
        let request = Request::builder().method(method).uri(format!("{}{uri}", InMemory::GATEWAY_URL));
        let request = request
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        let response = self.world.gateway().answer(request.expect("a request")).await;
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        (head, serde_json::from_slice(&body).expect("JSON"))
    }

    /// Puts a file where it would be if it had been uploaded.
    pub async fn keep_file(&self, key: &str) {
        self.world.gateway().keep_file(key).await.expect("kept");
    }

    /// The keys of the files that there are.
    pub fn files(&self) -> Vec<String> {
        self.world.gateway().files()
    }

    /// Waits until an invocation has answered or is dead.
    pub async fn ended(&self, number: u64) {
        self.world.ended(number).await;
    }

    /// The calls of an invocation, in the order in which they began, and whether its fault has struck.
    pub fn outcome_of(&self, number: u64) -> (Vec<String>, bool) {
        self.world.outcome_of(number)
    }

    /// A page of a room's history. Panics unless `docs/openapi.yaml` describes it.
    pub async fn history(&self, room: Room) -> Vec<u64> {
        let reach = self.reach();
        let token = reach.token(&serde_json::json!({"userId": "reader", "rooms": "*"}));
        let page = reach.page(schema::LIST, &token, format!("chatroomId={room}")).await;
        page.ids()
    }

    /// Ends a test without faults: all devices come back, one more message is sent to every room, all catch up, and all
    /// leave. Then somebody sends to every room, which removes members that are gone. Returns what they saw and what is
    /// left.
    pub async fn settle(&self, mut devices: Vec<Device>) -> History {
        let mut history = come_to_rest(&self.reach(), &self.record, &mut devices, BTreeMap::new(), ready(())).await;
        join_all(devices.iter_mut().map(Device::close)).await;
        sleep(REST).await;
        self.has_no_events().await;
        let rooms: BTreeSet<Room> = history.stored.keys().copied().collect();
        let mut sweeper = self.device("sweeper", crate::fresh());
        for room in &rooms {
            sweeper.send(*room).await;
        }
        sweeper.close().await;
        sleep(REST).await;
        self.has_no_events().await;
        history.leftovers = scan(&self.world, "ConnectionsTable").iter().map(|item| leftover(item, &rooms)).collect();
        history
    }

    /// Requests and replies, to explain a violation.
    pub fn trace(&self) -> String {
        lock(&self.record).trace.join("\n")
    }
}
