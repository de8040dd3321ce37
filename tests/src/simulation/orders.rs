//! A moderator, who is on no device: what it orders in a schedule, and what is known of the bars that hold by that.

use super::dice::Dice;
use super::plan::Part;
use super::world::World;
use super::{REST, clock};
use crate::Record;
use crate::chaos::lock;
use crate::checker::{Bar, Room, User};
use crate::reach::Reach;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// How many in a thousand schedules have a moderator.
const MODERATED: u32 = 200;

/// What it orders, at most.
const ORDERS: std::ops::Range<u64> = 2..8;

/// Who it is. No device is of this user.
const MODERATOR: User = 98;

/// Longer than a schedule takes, and a bar that ends in one by itself.
const LONG: u64 = 36_000;
const SHORT: u64 = 3;

/// Clocks that are more wrong than this are as good as any bar that is short.
const SKEW_OF_SHORT: i64 = 1_000;

/// How long it waits where it is told of a failure.
const BACKOFF: Duration = Duration::from_millis(20);

/// How often it asks. Then something is wrong for good.
const TRIES: usize = 500;

/// What is ordered about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Mute,
    Ban,
    Kick,
    Lift,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Ban => "ban",
            Self::Kick => "kick",
            Self::Lift => "none",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Order {
    pub after: Duration,
    pub room: Room,
    pub target: User,
    pub act: Act,
    pub seconds: u64,
}

/// What a moderator does in a schedule.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    pub all: Vec<Order>,
    /// Whoever is barred in the end stays so, until all has come to rest.
    pub stand: bool,
}

impl Orders {
    /// Whether a schedule has a moderator.
    pub fn are_drawn(seed: u64) -> bool {
        Dice::of(seed, "bars").chance(MODERATED)
    }

    /// By a dice of its own, so that the other schedules stay what they are.
    pub fn drawn(seed: u64, devices: &[Part], may: impl Fn(User) -> Vec<Room>, skew_millis: i64) -> Self {
        let dice = &mut Dice::of(seed, "bars");
        if !dice.chance(MODERATED) {
            return Self::default();
        }
        let users: Vec<User> = devices.iter().map(|part| part.user).collect();
        // Most are about one user: what becomes of a bar depends on those before it.
        let first = dice.choose(&users);
        let mut order = || {
            let target = if dice.chance(700) { first } else { dice.choose(&users) };
            let act =
                dice.choose(&[Act::Mute, Act::Mute, Act::Ban, Act::Ban, Act::Ban, Act::Lift, Act::Lift, Act::Kick]);
            let is_short = dice.chance(150) && skew_millis <= SKEW_OF_SHORT;
            let after = if dice.chance(600) { dice.millis(0..60) } else { dice.millis(0..400) };
            Order { after, room: dice.choose(&may(target)), target, act, seconds: if is_short { SHORT } else { LONG } }
        };
        let all = (0..Dice::of(seed, "orders").number(ORDERS)).map(|_| order()).collect();
        Self { all, stand: Dice::of(seed, "bars that stand").chance(600) }
    }

    /// Rooms out of which somebody is taken.
    pub fn rooms_without(&self, user: User) -> impl Iterator<Item = Room> {
        let takes_out = move |order: &&Order| order.target == user && matches!(order.act, Act::Ban | Act::Kick);
        self.all.iter().filter(takes_out).map(|order| order.room)
    }
}

/// Bars that surely hold: they were acknowledged, and nobody began to end them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// Since when, among all moments of a run.
    pub muted: Option<u64>,
    pub banned: Option<u64>,
    /// Since when, in simulated time.
    pub since: Duration,
}

impl Held {
    /// The moment since which somebody says nothing.
    pub fn silent(&self) -> Option<u64> {
        self.muted.into_iter().chain(self.banned).min()
    }

    /// Whether it is the same bar as before: none was ended meanwhile.
    pub fn goes_on_from(&self, before: &Self) -> bool {
        self.silent() == before.silent()
    }
}

/// By user and room.
pub type AllHeld = BTreeMap<(User, Room), Held>;

/// Gives all orders of the plan, one after the other.
pub async fn moderate(world: &Arc<World>, reach: &dyn Reach, record: &Mutex<Record>) {
    let orders = &world.plan.orders;
    for order in &orders.all {
        sleep(order.after).await;
        give(world, reach, record, order).await;
    }
    if !orders.stand {
        lift(world, reach, record).await;
    }
}

/// Lets everybody be whom an order was about. Answers the bars that held until then.
pub async fn lift(world: &Arc<World>, reach: &dyn Reach, record: &Mutex<Record>) -> Vec<Bar> {
    let held = lock(&world.held).clone();
    let targets: BTreeSet<_> = world.plan.orders.all.iter().map(|order| (order.target, order.room)).collect();
    let to = lock(record).moment();
    for (target, room) in targets {
        let order = Order { after: Duration::ZERO, room, target, act: Act::Lift, seconds: 0 };
        give(world, reach, record, &order).await;
    }
    let of = |((user, room), held): (&(User, Room), &Held)| {
        held.silent().map(|from| Bar { room: *room, user: *user, from, banned: held.banned, to })
    };
    held.iter().filter_map(of).collect()
}

/// Waits until what is read over HTTP knows as well that all are let be: a ban ends there by two clocks.
pub async fn is_known_to_readers(world: &World) {
    sleep(REST + Duration::from_millis(2 * world.plan.climate.skew_millis.unsigned_abs())).await;
}

/// Asks again and again until that is acknowledged.
async fn give(world: &Arc<World>, reach: &dyn Reach, record: &Mutex<Record>, order: &Order) {
    let Order { room, target, act, seconds, .. } = order;
    let key = (*target, *room);
    world.log.note(format_args!("the moderator orders {act:?} of user {target} in room {room}"));
    // A shorter bar takes the place of a longer one.
    if *act == Act::Lift || (*act != Act::Kick && *seconds == SHORT) {
        lock(&world.held).remove(&key);
    }
    let token = reach.token(&json!({"userId": MODERATOR, "username": "moderator", "rooms": "*", "moderates": "*"}));
    let mut asked = json!({"chatroomId": room, "targetId": target, "bar": act.name()});
    if matches!(act, Act::Mute | Act::Ban) {
        asked["seconds"] = json!(seconds);
    }
    for _ in 0..TRIES {
        let (status, reply) = world.post("/barUser", &token, &asked).await;
        match status {
            200 => {
                let at = lock(record).moment();
                if *seconds == LONG {
                    note(&mut lock(&world.held), key, *act, at);
                }
                return;
            }
            429 | 500 | 502 | 503 | 504 => {
                sleep(reply["retryAfterMs"].as_u64().map_or(BACKOFF, Duration::from_millis)).await;
            }
            _ => break,
        }
    }
    world.find(format!("the moderator's {act:?} of user {target} in room {room} is never done"));
}

fn note(held: &mut AllHeld, key: (User, Room), act: Act, at: u64) {
    let mut bars = held.get(&key).copied().unwrap_or(Held { since: clock::elapsed(), ..Held::default() });
    match act {
        Act::Mute => bars.muted = bars.muted.or(Some(at)),
        Act::Ban => {
            if bars.banned.is_none() {
                bars.since = clock::elapsed();
            }
            bars.banned = bars.banned.or(Some(at));
        }
        Act::Kick | Act::Lift => return,
    }
    held.insert(key, bars);
}

/// What is known of somebody's bars, by the texts of an event.
pub fn held_of(held: &AllHeld, user: &str, room: &str) -> Option<Held> {
    held.get(&(user.parse().ok()?, room.parse().ok()?)).copied()
}

/// The room of a request over HTTP.
pub fn asked_room(event: &Value) -> String {
    event["queryStringParameters"]["chatroomId"].as_str().unwrap_or_default().to_owned()
}
