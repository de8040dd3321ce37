//! Who is in a browser, what they do there, and how good their network is.

use super::super::dice::Dice;
use super::super::plan::Plan;
use crate::checker::{Room, User};
use std::time::Duration;

const BROWSERS: std::ops::Range<u64> = 1..3;
const ERRANDS: std::ops::Range<u64> = 5..16;

/// What happens in one browser.
#[derive(Debug, Clone)]
pub struct Visit {
    pub name: String,
    pub user: User,
    pub comes_after: Duration,
    pub errands: Vec<(Duration, Errand)>,
    /// Milliseconds that a frame, a request or an answer is on its way, at most.
    pub latency: u64,
    /// How often in a thousand a request or a handshake is lost on its way.
    pub lost: u32,
    /// Messages in a page of the history.
    pub page: u64,
    /// What the application hands to the client: how long it may be silent, and how long a connection lives.
    pub ping_interval: Option<Duration>,
    pub lifetime: Duration,
    /// A tab in the background wakes its timers once a second.
    pub timers_every_millis: u64,
    /// Whether timers come before what happens at the same moment.
    pub timers_first: bool,
    /// How far the machine's clock is ahead.
    pub clock_millis: i64,
    /// Whether it is away when the last messages are sent. Nothing is pushed after them, so it has to ask for them.
    pub misses_the_end: bool,
}

/// What somebody does in a browser, or what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    Connect,
    Disconnect,
    Join(Room),
    Leave(Room),
    /// Leaves, and joins again at once.
    Rejoin(Room),
    Send(Room),
    /// Three texts at once.
    SendMany(Room),
    /// The rejected sends once more, as the same messages.
    Repeat,
    Trespass(Room),
    /// All sockets break, and the browser notices.
    Cut,
    /// All sockets fall silent for so long, and the browser does not notice.
    Silence(Duration),
    /// There is no network for so long, and the browser says so.
    Offline(Duration),
    /// The tab is hidden, and seen again.
    Hide(Duration),
    /// Somebody sets the machine's clock.
    Clock(i64),
}

impl Plan {
    /// What happens in all browsers, which come after the devices, and how many things that is.
    pub fn errands(&self) -> impl Iterator<Item = (usize, usize)> {
        let visits = self.browsers.iter().enumerate().map(|(number, visit)| (self.devices.len() + number, visit));
        visits.flat_map(|(number, visit)| (0..visit.errands.len()).map(move |errand| (number, errand)))
    }
}

impl Visit {
    /// All of a schedule, whose plan says who else is there.
    pub fn all(plan: &Plan) -> Vec<Self> {
        let dice = &mut Dice::of(plan.seed, "browsers");
        (0..dice.number(BROWSERS)).map(|number| Self::drawn(dice, format!("b{number}"), plan)).collect()
    }

    fn drawn(dice: &mut Dice, name: String, plan: &Plan) -> Self {
        // Somebody who has other devices too, or somebody new.
        let user = dice.number(1..plan.devices.iter().map(|part| part.user).max().unwrap_or(0) + 2);
        let rooms = &plan.rooms;
        let may: Vec<Room> = plan.grants.get(&user).map_or(rooms.clone(), |granted| granted.iter().copied().collect());
        let forbidden: Vec<Room> = rooms.iter().copied().filter(|room| !may.contains(room)).collect();
        let mut first = [Errand::Connect, Errand::Join(dice.choose(&may)), Errand::Send(dice.choose(&may))];
        // Rooms may be joined before there is a connection.
        first.rotate_left(dice.index(2));
        let first: Vec<Errand> = first.into_iter().take(dice.number(2..4) as usize).collect();
        let later: Vec<Errand> = (0..dice.number(ERRANDS)).map(|_| Errand::drawn(dice, &may, &forbidden)).collect();
        let errands = first.into_iter().chain(later).map(|errand| {
            let pause = match dice.number(0..100) {
                0..60 => dice.number(0..10),
                60..96 => dice.number(0..400),
                // Long enough for what waits to be tried again.
                _ => dice.number(0..10_000),
            };
            (Duration::from_millis(pause), errand)
        });
        let errands = errands.collect();
        // A connection is replaced well before it is cut.
        let short = plan.lifetime < Duration::from_secs(60);
        let lifetime = if short || dice.chance(600) { plan.lifetime } else { dice.millis(2_000..20_000) };
        Self {
            name,
            user,
            comes_after: dice.millis(0..300),
            errands,
            latency: dice.choose(&[1, 5, 60, 400]),
            lost: if plan.hostile { dice.choose(&[0, 0, 50, 200]) } else { 0 },
            page: dice.choose(&[1, 3, 50]),
            ping_interval: dice.chance(300).then(|| dice.millis(1_000..10_000)),
            lifetime,
            timers_every_millis: dice.choose(&[1, 1, 1, 1_000]),
            timers_first: dice.chance(500),
            clock_millis: dice.choose(&[0, 0, 90_000]) * dice.skew(1_000),
            misses_the_end: dice.chance(500),
        }
    }
}

impl Errand {
    fn drawn(dice: &mut Dice, may: &[Room], forbidden: &[Room]) -> Self {
        let room = dice.choose(may);
        match dice.number(0..100) {
            0..10 => Self::Join(room),
            10..14 => Self::Leave(room),
            14..19 => Self::Rejoin(room),
            19..27 => Self::SendMany(room),
            27..30 => Self::Repeat,
            30..33 => Self::Disconnect,
            33..41 => Self::Connect,
            41..50 => Self::Cut,
            // For a while, or until the client gives up by itself.
            50..55 => Self::Silence(dice.millis(0..40_000) * dice.choose(&[1, 1_000])),
            55..60 => Self::Offline(dice.millis(0..10_000)),
            60..62 => Self::Hide(dice.millis(0..10_000)),
            62..64 => Self::Clock(dice.skew(100_000_000)),
            64..67 if !forbidden.is_empty() => Self::Trespass(dice.choose(forbidden)),
            _ => Self::Send(room),
        }
    }
}
