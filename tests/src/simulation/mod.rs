//! The whole system in simulated time. The real handlers, the real SDK and the real gateway run on one thread, whose
//! clock stands still while anything can be done and then jumps to the next thing to do. One seed decides everything:
//! who does what, how long each call takes, and what goes wrong. So a seed that fails fails again, in milliseconds.
//!
//! Nothing here reads a real clock, opens a socket or asks the system for chance. What only real sockets can show (TLS,
//! half-open sockets, full buffers), other suites show.

mod browser;
mod clock;
mod dice;
mod hunt;
mod invocation;
mod life;
mod log;
mod mutant;
mod mutation;
mod orders;
mod plan;
mod rest;
mod rounds;
mod shrink;
mod stage;
mod wire;
mod world;

pub use browser::{Client, Errand, Visit};
pub use hunt::{Hunt, Hunted};
pub use mutant::Mutant;
pub use plan::{Action, Fate, Plan, Step, Thresholds};
pub use shrink::shrink;
pub use stage::Stage;

use crate::Record;
use crate::chaos::lock;
use crate::checker::{Delivery, Room, Violation};
use crate::trial::{self, come_to_rest, leftover};
use browser::Browsers;
use futures_util::FutureExt;
use futures_util::future::join_all;
use life::{Life, live};
use rest::{Rows, scan};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;
use world::{Simulated, World};

/// How long nobody does anything before the rows are looked at: the latest call and `$disconnect` are over by then.
const REST: Duration = Duration::from_secs(60);

/// What is left out of a schedule, to see whether it fails without.
#[derive(Debug, Clone, Default)]
pub struct Without {
    /// By device and number.
    pub actions: BTreeSet<(usize, usize)>,
    /// By the label that the log has.
    pub faults: BTreeSet<String>,
}

/// One run of one seed.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    pub seed: u64,
    /// A mistake that is made for the functions.
    pub mutant: Option<Mutant>,
    pub without: Without,
    /// The client of the browsers, if there are any.
    pub client: Option<Arc<Client>>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    /// Each in a sentence. Empty if all was well.
    pub findings: Vec<String>,
    pub log: Vec<String>,
    /// The faults that happened, by the labels that the log has.
    pub faults: Vec<String>,
    /// Attempts of AWS calls.
    pub calls: usize,
}

impl Outcome {
    /// One number for all that happened.
    pub fn hash(&self) -> u64 {
        log::hash(&self.log)
    }
}

impl Schedule {
    pub fn of(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Runs it on this thread.
    pub fn run(&self) -> Outcome {
        in_simulated_time(self.seed, async {
            let world = World::new(Plan::of(self.seed), self.without.clone(), self.mutant, None);
            play(&world, self.client.as_ref()).await;
            let (findings, faults, calls) = (world.findings(), world.struck(), world.calls());
            Outcome { seed: self.seed, findings, log: world.log.take(), faults, calls }
        })
    }
}

/// Runs something on this thread, with a clock that stands still while anything can be done.
fn in_simulated_time<T>(seed: u64, what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    // The SDK's ids and its waits before a retry come from this generator.
    fastrand::seed(seed);
    runtime.expect("a runtime").block_on(async {
        clock::begin();
        what.await
    })
}

/// Plays a schedule to its end, and judges it.
async fn play(world: &Arc<World>, client: Option<&Arc<Client>>) {
    let record = Arc::new(Mutex::new(Record::default()));
    let browsers = Browsers::open(world, client, &record);
    #[allow(clippy::disallowed_methods, reason = "joined below")]
    let lives: Vec<_> = (0..world.plan.devices.len())
        .map(|number| tokio::spawn(live(Arc::clone(world), number, Arc::clone(&record))))
        .collect();
    let shut_out = async {
        for (after, user) in &world.plan.revocations {
            sleep(*after).await;
            world.shut_out(*user).await;
        }
    };
    let reach = Simulated(Arc::clone(world));
    // Browsers are not moderated.
    let moderated = async {
        if client.is_none() {
            orders::moderate(world, &reach, &record).await;
        }
    };
    let (lives, (), (), ()) = tokio::join!(join_all(lives), browsers.live(), shut_out, moderated);
    world.calm_down();
    rest(world).await;
    let mut survivors = Vec::new();
    for life in lives {
        match life {
            Ok(life) => survivors.push(life),
            Err(error) => world.find(said(error)),
        }
    }
    // A browser may be about to replace its connection, whenever it is looked at.
    if browsers.is_empty() {
        look_at_rows(world);
    }
    if client.is_none() && !world.plan.orders.all.is_empty() {
        look_at_barred(world, &mut survivors, &record).await;
    }
    if world.findings().is_empty() {
        let judged = AssertUnwindSafe(judge(world, survivors, browsers, &record)).catch_unwind().await;
        judged.err().into_iter().for_each(|panic| world.find(words(&*panic)));
    }
    rest(world).await;
    if world.under_way() > 0 {
        world.find(format!("{} invocations are under way for ever", world.under_way()));
    }
}

/// Nobody does anything, until functions have been run for all events.
async fn rest(world: &World) {
    sleep(REST).await;
    while world.gateway().kept_events() > 0 {
        sleep(REST).await;
    }
}

/// The words of a panic.
fn said(error: tokio::task::JoinError) -> String {
    words(&*error.into_panic())
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "a device panicked".into())
}

/// Rows at rest, while those who are connected stay so.
fn look_at_rows(world: &World) {
    Rows::read(world).faults().into_iter().for_each(|finding| world.find(finding));
    if !world.plan.hostile {
        let open = world.gateway().open().into_iter().collect();
        let found = Rows::read(world).faults_where_nothing_went_wrong(&open, world.plan.connections_per_user);
        found.into_iter().for_each(|finding| world.find(finding));
    }
}

/// What whoever is barred said and heard, and who is where it may not be, while the bars stand. Then all are let be.
async fn look_at_barred(world: &Arc<World>, lives: &mut [Life], record: &Mutex<Record>) {
    if !world.plan.hostile {
        let banned = world.banned();
        Rows::read(world).members_who_are_banned(&banned).into_iter().for_each(|finding| world.find(finding));
    }
    join_all(lives.iter_mut().map(|life| life.device.hear(Duration::from_secs(1)))).await;
    let mut history = trial::recorded(record);
    history.bars = orders::lift(world, &Simulated(Arc::clone(world)), record).await;
    history.views = lives.iter().flat_map(|life| life.device.views_so_far()).collect();
    history.heard_in_spite().into_iter().for_each(|violation| world.find(violation.to_string()));
    lock(&world.stood).extend(history.bars);
    orders::is_known_to_readers(world).await;
}

/// Has all devices come back, compares what they know, has them all go, and looks at what is left.
async fn judge(world: &Arc<World>, lives: Vec<Life>, mut browsers: Browsers, record: &Mutex<Record>) {
    let (stays, mut devices): (Vec<_>, Vec<_>) = lives.into_iter().map(|life| (life.stay, life.device)).unzip();
    let reach = Simulated(Arc::clone(world));
    browsers.come_to_rest().await;
    let crowds = match world.plan.rounds {
        Some(_) => rounds::listen(world, record, &stays, &mut devices).await,
        None => Vec::new(),
    };
    let mut history = come_to_rest(&reach, record, &mut devices, world.plan.grants.clone(), ready(())).await;
    let stayed = stays.iter().zip(&devices).flat_map(|(stay, device)| stay.rooms_all_the_time(device));
    let sure: BTreeSet<(String, Room)> = stayed.collect();
    // What is said after that is not pushed yet where a courier pushes it.
    let pushed_up_to: BTreeMap<Room, u64> = crowds.iter().map(|view| (view.room, view.until)).collect();
    history.views.extend(crowds);
    history.views.extend(browsers.views(&history).await);
    join_all(devices.iter_mut().map(crate::Device::close)).await;
    browsers.close().await;
    rest(world).await;
    look_at_rows(world);
    if world.plan.hostile {
        let mut sweeper =
            crate::Device::new(Arc::new(Simulated(Arc::clone(world))), &Arc::default(), "sweeper".into(), 99, None);
        for room in history.stored.keys() {
            sweeper.send(*room).await;
        }
        sweeper.close().await;
        rest(world).await;
    }
    history.bars = std::mem::take(&mut *lock(&world.stood));
    let rooms = history.stored.keys().copied().collect();
    history.leftovers = scan(world, "ConnectionsTable").iter().map(|item| leftover(item, &rooms)).collect();
    let delivery = if world.plan.hostile { Delivery::Lossy } else { Delivery::Reliable };
    for violation in history.check(delivery) {
        let is_due = match &violation {
            Violation::NotPushed { room, id, .. } if pushed_up_to.get(room).is_some_and(|last| id > last) => false,
            Violation::NotPushed { device, room, .. } | Violation::NotTold { device, room, .. } => {
                sure.contains(&(device.clone(), *room))
            }
            _ => true,
        };
        if is_due {
            world.find(violation.to_string());
        }
    }
}
