//! Workloads from a random seed: people in rooms who send, edit, recall, come, go, and are cut off, with faults or
//! without.

use crate::chaos::{Chaos, Direction, Director, Fault, Weather, lock};
use crate::checker::{Delivery, History, Room, User, Violation};
use crate::trial::Trial;
use crate::{Device, Way, fresh};
use chat_local::Limits;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// How many calls of an invocation may meet a fault: about as many as the longest path of a function makes.
const CALLS: usize = 12;

/// Of a hundred: invocations of which a call meets a fault, `$disconnect`s that are lost, events that come twice, and
/// frames that wait for later ones.
const FAULTS: u32 = 10;
const LOST: u32 = 20;
const TWICE: u32 = 2;
const LATE: u32 = 5;

/// API Gateway cuts every connection after two hours; here after seconds.
const LIFETIME: Duration = Duration::from_secs(8);

/// What devices speak, one after the other: half of them JSON.
const WAYS: [Option<Way>; 6] = [None, Some(Way::Eio4), None, Some(Way::Eio4ByAuth), None, Some(Way::Eio3)];

/// How often a newcomer looks whether it is its turn, and how often a device that is done looks whether all others are.
const NEWS_EVERY: Duration = Duration::from_millis(20);

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Decides what the devices do and which faults happen. When they happen depends on the machine.
    pub seed: u64,
    pub rooms: usize,
    pub users: usize,
    /// Devices of each user.
    pub devices: usize,
    /// Devices that come one after the other while the others talk. Each enters every room and listens.
    pub newcomers: usize,
    /// Messages that all devices together send and see acknowledged.
    pub messages: usize,
    /// Whether there are faults, and devices are cut off and leave. If not, every push must arrive.
    pub hostile: bool,
}

/// The result of a run.
pub struct Outcome {
    pub history: History,
    pub violations: Vec<Violation>,
    /// Requests and replies.
    pub trace: Vec<String>,
    /// How many calls and events met each fault.
    pub faults: BTreeMap<String, usize>,
    /// How often each function was invoked.
    pub invocations: BTreeMap<String, usize>,
    pub connects: u64,
}

/// Random faults, until the run is to be calm.
struct Dice {
    seed: u64,
    hostile: AtomicBool,
    met: Mutex<BTreeMap<String, usize>>,
    invocations: Mutex<BTreeMap<String, usize>>,
}

impl Dice {
    fn director(dice: &Arc<Self>) -> Director {
        let dice = Arc::clone(dice);
        Box::new(move |function, _: &Value, number| dice.direct(function, number))
    }

    fn direct(&self, function: &str, number: u64) -> Direction {
        *lock(&self.invocations).entry(function.to_owned()).or_default() += 1;
        if !self.hostile.load(Ordering::Relaxed) {
            return Direction::default();
        }
        let mut dice = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut direction = Direction::default();
        let mut chance = |percent: u32| dice.random_ratio(percent, 100);
        let (fault, lost, twice, late) = (chance(FAULTS), chance(LOST), chance(TWICE), chance(LATE));
        let note = |what: String| *lock(&self.met).entry(what).or_default() += 1;
        if fault {
            direction.fault = Some((dice.random_range(0..CALLS), *Fault::ALL.choose(&mut dice).expect("faults")));
        }
        if lost && function == "disconnect" {
            direction.lost = true;
            note("$disconnect lost".into());
        }
        if twice {
            direction.twice = true;
            note("delivered twice".into());
        }
        if late {
            let wait = Duration::from_millis(dice.random_range(1..40));
            direction.start = Some(sleep(wait).boxed());
            note("started late".into());
        }
        direction
    }
}

impl Workload {
    /// Runs to the end, and checks what the devices saw.
    pub async fn run(&self) -> Outcome {
        let dice = Arc::new(Dice {
            seed: self.seed,
            hostile: AtomicBool::new(self.hostile),
            met: Mutex::default(),
            invocations: Mutex::default(),
        });
        let limits =
            Limits { lifetime: if self.hostile { LIFETIME } else { Limits::default().lifetime }, ..Limits::default() };
        let trial = Trial::start(Dice::director(&dice), limits, &[("SocketIo", "on")]).await;
        let rooms: Vec<Room> = (0..self.rooms).map(|_| fresh()).collect();
        let users: Vec<User> = (0..self.users).map(|_| fresh()).collect();
        // The last user may enter half of the rooms.
        let half: BTreeSet<Room> = rooms[..rooms.len().div_ceil(2)].iter().copied().collect();
        let grants = BTreeMap::from([(users[users.len() - 1], half)]);

        let budget = Arc::new(AtomicUsize::new(0));
        let living = Arc::new(AtomicUsize::new(self.users * self.devices));
        let mut lives = Vec::new();
        let residents = users.iter().flat_map(|user| std::iter::repeat_n(*user, self.devices)).map(|user| (user, None));
        let newcomers = (0..self.newcomers).map(|n| (fresh(), Some(self.messages * (n + 1) / (self.newcomers + 1))));
        for (number, (user, comes_after)) in residents.chain(newcomers).enumerate() {
            let granted = grants.get(&user);
            let life = Life {
                comes_after,
                device: trial.device(format!("d{number}"), user, granted).speaking(WAYS[number % WAYS.len()]),
                rooms: granted.map_or_else(|| rooms.clone(), |granted| granted.iter().copied().collect()),
                forbidden: granted.map_or_else(Vec::new, |granted| {
                    rooms.iter().copied().filter(|room| !granted.contains(room)).collect()
                }),
                dice: StdRng::seed_from_u64(self.seed.wrapping_add(number as u64 + 1)),
                budget: Arc::clone(&budget),
                living: Arc::clone(&living),
                messages: self.messages,
                hostile: self.hostile,
            };
            #[allow(clippy::disallowed_methods, reason = "joined below")]
            lives.push(tokio::spawn(life.live()));
        }
        #[allow(clippy::disallowed_methods, reason = "ended below")]
        let weather = self.hostile.then(|| tokio::spawn(weather(trial.chaos.clone(), self.seed)));
        let devices = join_all(lives).await.into_iter().map(|life| life.expect("a life without panic")).collect();
        dice.hostile.store(false, Ordering::Relaxed);
        if let Some(weather) = weather {
            weather.abort();
        }
        trial.chaos.set_weather(Weather::default());

        let connects = |devices: &Vec<Device>| devices.iter().map(|device| device.connects).sum();
        let connects = connects(&devices);
        let delivery = if self.hostile { Delivery::Lossy } else { Delivery::Reliable };
        let history = trial.settle(devices, grants, delivery).await;
        let violations = history.check(delivery);
        let trace = std::mem::take(&mut lock(&trial.record).trace);
        let mut faults = lock(&dice.met).clone();
        faults.extend(trial.chaos.struck().into_iter().map(|(fault, count)| (fault.to_string(), count)));
        let invocations = lock(&dice.invocations).clone();
        trial.stop().await;
        Outcome { history, violations, trace, faults, invocations, connects }
    }
}

/// DynamoDB throttles for a while, or the management API does, or fails.
async fn weather(chaos: Chaos, seed: u64) {
    let mut dice = StdRng::seed_from_u64(!seed);
    loop {
        sleep(Duration::from_millis(dice.random_range(1_000..3_000))).await;
        let bad = match dice.random_range(0..3) {
            0 => Weather { tables_throttled: true, ..Weather::default() },
            1 => Weather { pushes_throttled: true, ..Weather::default() },
            _ => Weather { pushes_failing: true, ..Weather::default() },
        };
        chaos.set_weather(bad);
        sleep(Duration::from_millis(dice.random_range(100..1_500))).await;
        chaos.set_weather(Weather::default());
    }
}

/// A device and its part in the run.
struct Life {
    device: Device,
    /// After how many messages a newcomer comes.
    comes_after: Option<usize>,
    rooms: Vec<Room>,
    forbidden: Vec<Room>,
    dice: StdRng,
    /// Messages that all devices together began to send.
    budget: Arc<AtomicUsize>,
    /// Devices that still have something to do.
    living: Arc<AtomicUsize>,
    messages: usize,
    hostile: bool,
}

/// Counts a device as busy. It is dropped when the device is done, or fails.
struct Living(Arc<AtomicUsize>);

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Life {
    async fn live(mut self) -> Device {
        if let Some(messages) = self.comes_after {
            // If the others fail, nobody waits for their messages.
            while self.budget.load(Ordering::Relaxed) < messages && self.living.load(Ordering::Relaxed) > 0 {
                sleep(NEWS_EVERY).await;
            }
            for room in &self.rooms {
                self.device.join(*room).await;
            }
        } else {
            let _living = Living(Arc::clone(&self.living));
            self.reside().await;
        }
        // A socket that is not read fills up.
        while self.living.load(Ordering::Relaxed) > 0 {
            self.device.hear(NEWS_EVERY).await;
        }
        self.device
    }

    /// Sends, leaves and comes back until everything is sent.
    async fn reside(&mut self) {
        let first = *self.rooms.choose(&mut self.dice).expect("a room");
        self.device.join(first).await;
        let mut inside = BTreeSet::from([first]);
        loop {
            match self.dice.random_range(0..100) {
                0..6 => {
                    let room = *self.rooms.choose(&mut self.dice).expect("a room");
                    self.device.join(room).await;
                    inside.insert(room);
                }
                6..9 if self.hostile && inside.len() > 1 => {
                    let room = inside.pop_first().expect("a room");
                    self.device.leave(room).await;
                }
                9..12 if self.hostile => self.device.cut(),
                12..14 if self.hostile => self.device.close().await,
                14..16 => {
                    if let Some(room) = self.forbidden.choose(&mut self.dice) {
                        assert!(!self.device.trespass(*room).await, "let in where it may not be");
                    }
                }
                16..22 => self.device.listen().await,
                // A user may change one message a second.
                22..24 => {
                    let room = *inside.first().expect("a room");
                    match self.dice.random_range(0..3) {
                        0 => self.device.recall(room).await,
                        1 => self.device.edit_again().await,
                        _ => self.device.edit(room).await,
                    }
                }
                _ => {
                    if self.budget.fetch_add(1, Ordering::Relaxed) >= self.messages {
                        break;
                    }
                    let inside: Vec<Room> = inside.iter().copied().collect();
                    let room = *inside.choose(&mut self.dice).expect("a room");
                    if self.hostile && self.dice.random_ratio(1, 10) {
                        self.device.send_cut(room).await;
                    } else {
                        self.device.send(room).await;
                    }
                    if self.dice.random_ratio(1, 10) {
                        self.device.send_again().await;
                    }
                }
            }
        }
    }
}

impl Outcome {
    /// The violations, and the requests and replies that led to them. The same seed gives the same plan; the timing is
    /// the machine's.
    pub fn report(&self, workload: &Workload) -> String {
        let violations: Vec<_> = self.violations.iter().map(ToString::to_string).collect();
        format!("{workload:?}\n{}\n\nfaults: {:?}\n\n{}", violations.join("\n"), self.faults, self.trace.join("\n"))
    }
}
