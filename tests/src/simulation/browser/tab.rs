//! The tab in which a client runs: hands on what happens, and carries out what the client does.

use super::super::clock;
use super::super::dice::Dice;
use super::super::world::{Simulated, World};
use super::application::Application;
use super::network::Network;
use super::node::{Client, Node, Timers};
use super::plan::{Errand, Visit};
use crate::chaos::lock;
use crate::reach::Reach;
use chat_aws::now;
use chat_local::InMemory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How long a tab is watched after its application has disconnected: a client that is done does nothing more.
const AFTER_THE_END: Duration = Duration::from_secs(45);

/// What a tab is told to do.
pub enum Command {
    Run(Errand),
    /// Nothing goes wrong any more, and whoever is there stays.
    Rest,
    /// There is no network, until it comes back.
    Away,
    Back,
    Close,
}

pub struct Tab {
    world: Arc<World>,
    client: Arc<Client>,
    node: Node,
    visit: Visit,
    application: Arc<Mutex<Application>>,
    network: Network,
    arrivals: mpsc::UnboundedReceiver<(Instant, Value)>,
    /// What happens, by when and in which order.
    happens: BTreeMap<(Instant, u64), Value>,
    count: u64,
    /// When the schedule began: the client is told how long ago that is.
    origin: Instant,
    /// When the client's next timer is due.
    wake_at: Option<Instant>,
}

impl Tab {
    pub fn new(world: Arc<World>, client: &Arc<Client>, visit: Visit, application: Arc<Mutex<Application>>) -> Self {
        let (arrives, arrivals) = mpsc::unbounded_channel();
        Self {
            client: Arc::clone(client),
            node: client.take(),
            network: Network::new(Arc::clone(&world), visit.clone(), arrives),
            world,
            visit,
            application,
            arrivals,
            happens: BTreeMap::new(),
            count: 0,
            origin: Instant::now() - clock::elapsed(),
            wake_at: None,
        }
    }

    /// Runs until the tab is closed. Counts the client's steps.
    pub async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>, steps: watch::Sender<u64>) {
        self.begin();
        let mut end = None;
        loop {
            let due = self.happens.first_key_value().map(|((due, _), _)| *due);
            let next = [due, self.wake_at, end].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some(command) = commands.recv() => match command {
                    Command::Run(errand) => self.run_errand(&errand),
                    Command::Rest => self.rest(),
                    Command::Away => self.happen(vec![json!({"network": "offline"})]),
                    Command::Back => self.happen(vec![json!({"network": "online"})]),
                    Command::Close => {
                        end = Some(Instant::now() + AFTER_THE_END);
                        let calls = lock(&self.application).close();
                        self.happen(calls);
                    }
                },
                Some((due, what)) = self.arrivals.recv() => self.happen_at(due, what),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    if end.is_some_and(|end| Instant::now() >= end) {
                        break;
                    }
                    self.step();
                    steps.send_modify(|steps| *steps += 1);
                }
            }
        }
        lock(&self.application).end();
        self.client.give_back(self.node);
    }

    fn begin(&mut self) {
        let dice = &mut Dice::of(self.world.plan.seed, (&self.visit.name, "begin"));
        let mut settings = json!({
            "url": self.world.gateway().websocket_url(),
            "historyUrl": format!("{}/chat-history/list", InMemory::GATEWAY_URL),
            "lifetimeMs": self.visit.lifetime.as_millis() as u64,
        });
        if let Some(interval) = self.visit.ping_interval {
            settings["pingIntervalMs"] = json!(interval.as_millis() as u64);
        }
        // Both of the client's clocks begin anywhere, and one of them may be wrong.
        let wall = now().millis() - i64::try_from(clock::elapsed().as_millis()).unwrap_or(0) + self.visit.clock_millis;
        let (seed, performance) = (dice.number(0..1 << 31), dice.number(0..1_000_000));
        let begins =
            json!({"begin": true, "seed": seed, "wall": wall, "performance": performance, "settings": settings});
        self.happen(vec![begins]);
    }

    fn happen_at(&mut self, due: Instant, what: Value) {
        self.count += 1;
        self.happens.insert((due, self.count), what);
    }

    fn happen(&mut self, all: Vec<Value>) {
        self.happen_after(all.into_iter().map(|what| (Duration::ZERO, what)).collect());
    }

    fn happen_after(&mut self, all: Vec<(Duration, Value)>) {
        for (wait, what) in all {
            self.happen_at(Instant::now() + wait, what);
        }
    }

    fn run_errand(&mut self, errand: &Errand) {
        self.world.log.note(format_args!("{} {errand:?}", self.visit.name));
        match errand {
            Errand::Cut => self.network.cut(),
            Errand::Silence(time) => self.network.silence(*time),
            Errand::Offline(time) => {
                self.happen_after(vec![
                    (Duration::ZERO, json!({"network": "offline"})),
                    (*time, json!({"network": "online"})),
                ]);
            }
            Errand::Hide(time) => {
                self.happen_after(vec![(Duration::ZERO, json!({"hidden": true})), (*time, json!({"hidden": false}))]);
            }
            Errand::Clock(millis) => self.happen(vec![json!({"clock": millis})]),
            _ => {
                let calls = lock(&self.application).run(errand);
                self.happen(calls);
            }
        }
    }

    fn rest(&mut self) {
        self.world.log.note(format_args!("{} rests", self.visit.name));
        self.happen(vec![json!({"network": "online"}), json!({"hidden": false})]);
        let calls = lock(&self.application).rest();
        self.happen(calls);
    }

    /// Tells the client what has happened by now, and carries out what it does.
    fn step(&mut self) {
        let later = self.happens.split_off(&(Instant::now() + Duration::from_nanos(1), 0));
        let happened: Vec<Value> = std::mem::replace(&mut self.happens, later).into_values().collect();
        for what in &happened {
            if let Some(network) = what["network"].as_str() {
                self.network.set_online(network == "online");
            }
            self.note("<-", what);
        }
        let timers = match self.wake_at {
            Some(at) if at > Instant::now() => Timers::Later,
            _ if self.visit.timers_first => Timers::First,
            _ => Timers::Last,
        };
        let done = self.node.step(clock::elapsed().as_millis() as u64, timers, &happened);
        let every = self.visit.timers_every_millis;
        self.wake_at = done.wake_at.map(|at| self.origin + Duration::from_millis(at.next_multiple_of(every)));
        for did in &done.did {
            self.note("->", did);
            self.carry_out(did);
        }
    }

    fn carry_out(&mut self, did: &Value) {
        let id = |what: &str| did[what].as_u64();
        if let Some(socket) = id("opens") {
            let url = did["url"].as_str().expect("a URL");
            self.network.open(socket, url, &did["protocols"]);
        } else if let Some(socket) = id("sends") {
            self.network.send(socket, did["text"].as_str().expect("a text"));
        } else if let Some(socket) = id("closes") {
            self.network.close(socket);
        } else if let Some(request) = id("asks") {
            self.network.ask(request, did["url"].as_str().expect("a URL"), &did["headers"]);
        } else if let Some(request) = id("signs") {
            let (wait, answer) = self.sign(request);
            self.happen_at(Instant::now() + wait, answer);
        } else {
            let calls = lock(&self.application).take_in(did);
            self.happen_after(calls);
        }
    }

    /// The application's own endpoint: it signs a token, or it is down.
    fn sign(&self, request: u64) -> (Duration, Value) {
        let dice = &mut Dice::of(self.world.plan.seed, (&self.visit.name, "signs", request));
        let wait = dice.millis(0..2 * self.visit.latency + 1);
        if dice.chance(self.visit.lost) && self.world.is_hostile() {
            return (wait, json!({"failed": request}));
        }
        let rooms = self.world.plan.grants.get(&self.visit.user).map_or_else(|| json!("*"), |rooms| json!(rooms));
        let claims = json!({"userId": self.visit.user, "username": self.visit.name, "rooms": rooms});
        let token = Simulated(Arc::clone(&self.world)).token(&claims);
        (wait, json!({"signed": request, "token": token}))
    }

    /// Notes what goes in or comes out, without tokens.
    fn note(&self, way: &str, what: &Value) {
        let mut what = what.clone();
        if let Some(fields) = what.as_object_mut() {
            fields.retain(|name, _| !matches!(name.as_str(), "token" | "protocols" | "headers"));
        }
        self.world.log.note(format_args!("{} {way} {what}", self.visit.name));
    }
}
