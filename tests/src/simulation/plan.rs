//! What happens in a schedule, drawn from its seed: who is there, what they do, and how AWS is that day.

use super::browser::Visit;
use super::dice::Dice;
use super::orders::Orders;
use crate::Way;
use crate::checker::{Room, User};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Devices of a schedule, and what each of them does at most.
const DEVICES: std::ops::Range<u64> = 2..5;
const ACTIONS: std::ops::Range<u64> = 4..13;

/// How many in a thousand schedules have devices that speak Socket.IO.
const PACKETS: u32 = 300;

/// Functions that may be slow in a schedule. What a handshake meets is found where handshakes are.
const SLOW: [&str; 9] = [
    "change-message",
    "connect",
    "connect",
    "connect",
    "disconnect",
    "join-room",
    "leave-room",
    "list-history",
    "send-message",
];

/// How long API Gateway lets a connection live.
const LIFETIME: Duration = Duration::from_secs(7_200);

/// How wrong clocks are at most where a room is in rounds, in ms. A sender whose clock is ahead by more than what is left of
/// a lease takes the room from its courier with every send, and no round ends.
const SKEW_IN_ROUNDS: i64 = 3_000;

/// How often in a thousand rooms go over into rounds.
const IN_ROUNDS: u32 = 250;

/// How often in a thousand of those the courier has hands.
const BY_HANDS: u32 = 400;

/// Devices that come to a schedule with such rooms besides.
const CROWD: u64 = 2;

/// The longest pause of a device between two things that it does.
const PAUSE_MILLIS: u64 = 400;

/// What is drawn from a seed.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Whether there are faults. If not, every push must arrive.
    pub hostile: bool,
    pub climate: Climate,
    pub connections_per_user: usize,
    pub notices_up_to: usize,
    pub sends_per_second: u64,
    /// When rooms go over into rounds, if they do.
    pub rounds: Option<Thresholds>,
    /// API Gateway cuts every connection after two hours; here, in some schedules, after seconds.
    pub lifetime: Duration,
    pub rooms: Vec<Room>,
    /// Rooms that a user may enter; a user without an entry may enter all.
    pub grants: BTreeMap<User, BTreeSet<Room>>,
    pub devices: Vec<Part>,
    /// What happens in browsers, if the schedule has a client for them.
    pub browsers: Vec<Visit>,
    /// Users that are shut out, and when.
    pub revocations: Vec<(Duration, User)>,
    /// What a moderator does, if there is one.
    pub orders: Orders,
}

/// From when on a room is a crowd, in a schedule. In others no room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Connections, above which it is in rounds.
    pub large: usize,
    /// Posts a second, from which on it is.
    pub hot: u64,
    /// How many messages a round carries at most.
    pub messages: usize,
    /// How many members a hand of the courier posts to, where it has hands.
    pub hand: Option<usize>,
}

impl Thresholds {
    /// By a dice of its own, so that the other schedules stay what they are.
    pub fn drawn(seed: u64) -> Option<Self> {
        let (dice, hands) = (&mut Dice::of(seed, "rounds"), &mut Dice::of(seed, "hands"));
        let hand = hands.chance(BY_HANDS).then(|| hands.choose(&[1, 2]));
        let of = |dice: &mut Dice| {
            let (large, messages) = (dice.choose(&[1, 3, 3]), dice.choose(&[1, 4, 4]));
            Self { large, hot: 5, messages, hand }
        };
        dice.chance(IN_ROUNDS).then(|| of(dice))
    }
}

/// What one device does.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    pub user: User,
    pub comes_after: Duration,
    /// It does not go when it is told that its connection is gone, as a client that wants to get round it does not.
    pub stays_on: bool,
    /// It asks for frames of rounds.
    pub asks_for_rounds: bool,
    pub actions: Vec<(Duration, Action)>,
    /// Set where it speaks Socket.IO.
    pub way: Option<Way>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Join(Room),
    Leave(Room),
    Send(Room),
    /// The last text once more, as a client does that got no ack.
    SendAgain,
    /// The connection is cut before the ack.
    SendCut(Room),
    SendUnnamed(Room),
    /// What it said last says something else.
    Edit(Room),
    /// An edit once more, though others have followed it.
    EditAgain,
    Recall(Room),
    /// The newest message, whoever said it. Moderators may.
    RecallAny(Room),
    /// To the newest message, and back.
    React(Room),
    Trespass(Room),
    Listen,
    Cut,
    Close,
    /// Frames back to back: the next is sent before the one before is answered. Nobody knows which is carried out last;
    /// then the last one is sent again by itself, or it is left as it is.
    Pipeline {
        steps: Vec<Step>,
        put_right: bool,
    },
}

/// A frame of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Join(Room),
    Leave(Room),
    Send(Room),
    /// Of what it said last.
    Edit(Room),
    Recall(Room),
}

/// How long things take, and what goes wrong. A schedule that has everything finds less than many that each have some of
/// it.
#[derive(Debug, Clone)]
pub struct Climate {
    /// Milliseconds that a request is on its way, and its answer, at most.
    pub latency: u64,
    /// How much slower than that one function is, or one table.
    pub slow_function: Option<(&'static str, u64)>,
    pub slow_table: Option<(&'static str, u64)>,
    /// How often in a thousand an invocation is slow as a whole, and a call by itself.
    pub slow_invocations: u32,
    pub slow_calls: u32,
    /// How long a frame waits before its function begins, at most.
    pub start: u64,
    /// How wrong the functions' clocks are at most.
    pub skew_millis: i64,
    /// How often in a thousand a call meets a fault, and which.
    pub faults: u32,
    pub fates: Vec<Fate>,
    /// How often in a thousand a `$disconnect` never comes, and an event comes twice.
    pub lost: u32,
    pub twice: u32,
}

/// What becomes of one attempt of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Fine,
    /// 500, and not applied.
    Refused,
    /// 503, and not applied.
    Unavailable,
    Throttled,
    /// Applied, and answered with a 500.
    Lost,
    /// The socket breaks before it is applied, or after.
    BrokenBefore,
    BrokenAfter,
    /// The function dies before it is applied, or after.
    KilledBefore,
    KilledAfter,
    /// Applied so late that others came before it.
    Delayed,
    /// Applied after its function has given up.
    Late,
    /// A transaction meets another one.
    Conflict,
    /// A batch comes back with nothing done.
    Unprocessed,
    /// A post is taken and never delivered.
    Swallowed,
}

impl Fate {
    pub const FAULTS: [Self; 13] = [
        Self::Refused,
        Self::Unavailable,
        Self::Throttled,
        Self::Lost,
        Self::BrokenBefore,
        Self::BrokenAfter,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Delayed,
        Self::Late,
        Self::Conflict,
        Self::Unprocessed,
        Self::Swallowed,
    ];

    /// Whether it can happen to such a call.
    pub fn fits(self, operation: &str) -> bool {
        match self {
            Self::Conflict => operation == "TransactWriteItems",
            Self::Unprocessed => operation == "BatchGetItem",
            Self::Swallowed => operation == "POST",
            _ => true,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let dice = &mut Dice::of(seed, "plan");
        let hostile = dice.chance(500);
        let climate = Climate::drawn(dice, hostile);
        let users = dice.number(1..4);
        let rounds = Thresholds::drawn(seed);
        // A crowd is in one room.
        let rooms = dice.number(1..4);
        let rooms: Vec<Room> = (1..=if rounds.is_some() { 1 } else { rooms }).collect();
        let mut grants = BTreeMap::new();
        if users > 1 && rooms.len() > 1 && dice.chance(300) {
            grants.insert(users, BTreeSet::from([rooms[0]]));
        }
        // What comes together finds more than what comes one after another.
        let within = dice.choose(&[4, 300, 300]);
        let more = if rounds.is_some() { CROWD } else { 0 };
        let devices: Vec<Part> = (0..dice.number(DEVICES) + more)
            .map(|number| {
                let user = dice.number(1..users + 1);
                let may: Vec<Room> =
                    grants.get(&user).map_or(rooms.clone(), |granted| granted.iter().copied().collect());
                let part = Part::drawn(dice, format!("d{number}"), user, &may, &rooms, hostile);
                let asks_for_rounds = rounds.is_some() && Dice::of(seed, ("rounds", number)).chance(600);
                Part { comes_after: dice.millis(0..within), asks_for_rounds, ..part }
            })
            .collect();
        let few = [1, 1, 2, 20];
        let climate = match rounds {
            Some(_) => Climate { skew_millis: climate.skew_millis.min(SKEW_IN_ROUNDS), ..climate },
            None => climate,
        };
        let shut_out = dice.chance(150).then(|| (dice.millis(500..3_000), dice.number(1..users + 1)));
        // Whoever needs longer for its joins than a connection lives would never get in.
        let is_slow = climate.slow_function.is_some() || climate.slow_table.is_some();
        let cut_soon = |dice: &mut Dice| (hostile && dice.chance(200)).then(|| dice.millis(3_000..20_000));
        let mut plan = Self {
            seed,
            hostile,
            climate,
            connections_per_user: dice.choose(if rounds.is_some() { &[20; 4] } else { &few }),
            notices_up_to: dice.choose(&[1, 2, 100, 100]),
            sends_per_second: dice.choose(&[5, 1_000, 1_000]),
            rounds,
            lifetime: cut_soon(dice).filter(|_| !is_slow).unwrap_or(LIFETIME),
            rooms,
            grants,
            devices,
            browsers: Vec::new(),
            revocations: shut_out.into_iter().collect(),
            orders: Orders::default(),
        };
        let may = |user| plan.grants.get(&user).map_or(plan.rooms.clone(), |rooms| rooms.iter().copied().collect());
        plan.orders = Orders::drawn(seed, &plan.devices, may, plan.climate.skew_millis);
        plan.browsers = Visit::all(&plan);
        plan.draw_ways();
        plan
    }

    /// Has some devices of some schedules speak Socket.IO. What it does to the others' fate is all that it changes.
    fn draw_ways(&mut self) {
        let dice = &mut Dice::of(self.seed, "ways");
        // Whoever speaks Socket.IO is dismissed by two frames and an end. A `connect` that is slow has no time for all three,
        // and leaves the connection to the next handshake.
        let dismisses_in_time = self.climate.slow_function.is_none_or(|(function, _)| function != "connect");
        if !dice.chance(PACKETS) || !dismisses_in_time {
            return;
        }
        for part in &mut self.devices {
            part.way = dice.chance(600).then(|| dice.choose(&Way::ALL));
        }
    }

    /// A schedule in which nothing happens by itself: one test says what does.
    pub fn staged() -> Self {
        let climate = Climate {
            latency: 2,
            slow_function: None,
            slow_table: None,
            slow_invocations: 0,
            slow_calls: 0,
            start: 1,
            skew_millis: 0,
            faults: 0,
            fates: Vec::new(),
            lost: 0,
            twice: 0,
        };
        Self {
            seed: 0,
            hostile: true,
            climate,
            connections_per_user: 20,
            notices_up_to: 100,
            sends_per_second: 1_000,
            rounds: None,
            lifetime: LIFETIME,
            rooms: Vec::new(),
            grants: BTreeMap::new(),
            devices: Vec::new(),
            browsers: Vec::new(),
            revocations: Vec::new(),
            orders: Orders::default(),
        }
    }

    /// What all devices do, and how many things that is.
    pub fn actions(&self) -> impl Iterator<Item = (usize, usize)> {
        let parts = self.devices.iter().enumerate();
        parts.flat_map(|(device, part)| (0..part.actions.len()).map(move |action| (device, action)))
    }
}

impl Part {
    fn drawn(dice: &mut Dice, name: String, user: User, may: &[Room], rooms: &[Room], hostile: bool) -> Self {
        let forbidden: Vec<Room> = rooms.iter().copied().filter(|room| !may.contains(room)).collect();
        let first = Action::Join(dice.choose(may));
        let later: Vec<Action> =
            (0..dice.number(ACTIONS)).map(|_| Action::drawn(dice, may, &forbidden, hostile)).collect();
        // Whoever never joins is found by its sends alone.
        let only_speaks = dice.chance(150);
        let actions = std::iter::once(first).chain(later).map(|action| {
            let action = if only_speaks { action.spoken(may) } else { action };
            // Most things follow at once: what happens together finds more than what happens after another.
            let pause = if dice.chance(700) { dice.number(0..10) } else { dice.number(0..PAUSE_MILLIS) };
            (Duration::from_millis(pause), action)
        });
        let actions = actions.collect();
        let (comes_after, stays_on, asks_for_rounds) = (Duration::ZERO, dice.chance(250), false);
        Self { name, user, comes_after, stays_on, asks_for_rounds, actions, way: None }
    }
}

impl Action {
    fn drawn(dice: &mut Dice, may: &[Room], forbidden: &[Room], hostile: bool) -> Self {
        let room = dice.choose(may);
        match dice.number(0..100) {
            0..12 => Self::Join(room),
            12..18 => Self::Leave(room),
            18..28 => Self::Pipeline { steps: Step::drawn(dice, room), put_right: dice.chance(500) },
            28..33 => Self::SendAgain,
            33..38 if hostile => Self::SendCut(room),
            38..42 if hostile => Self::SendUnnamed(room),
            42..47 => Self::Cut,
            47..50 => Self::Close,
            50..53 => Self::Listen,
            56..65 => Self::Edit(room),
            65..68 => Self::EditAgain,
            68..71 => Self::Recall(room),
            71..73 => Self::RecallAny(room),
            73..77 => Self::React(room),
            77..79 => Self::Pipeline { steps: Step::changes(dice, room), put_right: false },
            53..56 if !forbidden.is_empty() => Self::Trespass(dice.choose(forbidden)),
            _ => Self::Send(room),
        }
    }
}

impl Action {
    /// The same of a device that never joins.
    fn spoken(self, may: &[Room]) -> Self {
        match self {
            Self::Join(room) | Self::Leave(room) => Self::Send(room),
            Self::Pipeline { .. } | Self::Trespass(_) => Self::Send(may[0]),
            other => other,
        }
    }
}

impl Step {
    /// The room that it enters.
    pub fn joined(&self) -> Option<Room> {
        if let Self::Join(room) = self { Some(*room) } else { None }
    }

    /// Changes of one message.
    fn changes(dice: &mut Dice, room: Room) -> Vec<Self> {
        let mut steps = vec![Self::Edit(room), Self::Recall(room)];
        steps.extend(dice.chance(500).then_some(Self::Edit(room)));
        steps.rotate_right(usize::from(dice.chance(500)));
        steps
    }

    fn drawn(dice: &mut Dice, room: Room) -> Vec<Self> {
        use Step::{Join, Leave, Send};
        match dice.number(0..7) {
            0 => vec![Leave(room), Join(room)],
            1 => vec![Join(room), Leave(room)],
            2 => vec![Join(room), Leave(room), Join(room)],
            3 => vec![Join(room), Join(room)],
            4 => vec![Send(room), Leave(room)],
            5 => vec![Join(room), Send(room)],
            _ => vec![Send(room), Send(room), Send(room)],
        }
    }
}

impl Climate {
    fn drawn(dice: &mut Dice, hostile: bool) -> Self {
        let slow_function = dice.chance(400).then(|| (dice.choose(&SLOW), dice.choose(&[3, 10, 30])));
        let slow_table =
            dice.chance(200).then(|| (dice.choose(&["ConnectionsTable", "ChatTable"]), dice.choose(&[3, 10])));
        let mut fates: Vec<Fate> = Fate::FAULTS.into_iter().filter(|_| dice.chance(500)).collect();
        if fates.is_empty() {
            fates = Fate::FAULTS.into();
        }
        let some = |dice: &mut Dice, numbers: &[u32]| if hostile { dice.choose(numbers) } else { 0 };
        Self {
            latency: dice.choose(&[2, 4, 12, 12, 40]),
            slow_function,
            slow_table,
            slow_invocations: dice.choose(&[0, 100, 300]),
            slow_calls: dice.choose(&[0, 40, 40]),
            start: dice.choose(&[1, 8, 8, 30]),
            skew_millis: i64::from(some(dice, &[0, 0, 1_000, 60_000])),
            faults: some(dice, &[5, 20, 60]),
            fates,
            lost: some(dice, &[0, 150]),
            twice: some(dice, &[0, 30]),
        }
    }
}
