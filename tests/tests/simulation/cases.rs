//! Cases in which one invocation meets a fault: what those who enumerate them share.

use chat_tests::simulation::Stage;
use chat_tests::{Direction, Fault};
use serde_json::Value;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Who stands for the hands of room 1's courier, where a user is asked for.
pub(super) const HAND: u64 = 101;

/// More than any case opens, so that none displaces another.
const CONNECTIONS: usize = 20;

/// The function, and the user, whose next invocation meets the trouble.
pub(super) type Armed = Mutex<Option<(&'static str, u64)>>;

/// What happens to an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    None,
    /// One of its calls, from 0, meets a fault.
    Call(usize, Fault),
    /// Its event is delivered twice.
    Twice,
    /// Its event is not delivered. Only a `$disconnect` is ever lost.
    Lost,
}

impl Trouble {
    pub(super) fn direction(self) -> Direction {
        match self {
            Self::None => Direction::default(),
            Self::Call(call, fault) => Direction { fault: Some((call, fault)), ..Direction::default() },
            Self::Twice => Direction { twice: true, ..Direction::default() },
            Self::Lost => Direction { lost: true, ..Direction::default() },
        }
    }
}

/// The user that an event is of, as the authorizer found it; the room of a courier's.
pub(super) fn user_of(event: &Value) -> Option<u64> {
    if event["userId"].is_u64() {
        return event["userId"].as_u64(); // of a backend
    }
    if event["frame"].is_string() {
        return Some(HAND);
    }
    if event["room"].is_u64() {
        return event["room"].as_u64(); // a courier's
    }
    let authorizer = &event["requestContext"]["authorizer"];
    let user = authorizer["userId"].as_str().or_else(|| authorizer["lambda"]["userId"].as_str())?;
    user.parse().ok()
}

/// Plays a case in which somebody is armed. Answers the calls that the armed invocation made.
pub(super) fn with(trouble: Trouble, case: &impl Debug, play: impl AsyncFnOnce(&Stage, &Armed)) -> Vec<String> {
    let armed = Arc::new(Armed::default());
    let (in_for, met) = (Arc::clone(&armed), Arc::new(Mutex::new(None)));
    let was = Arc::clone(&met);
    let director = move |function: &str, event: &Value, number: u64| {
        let is_of = |(name, user): &mut (&str, u64)| *name == function && user_of(event) == Some(*user);
        if in_for.lock().expect("who is armed").take_if(is_of).is_none() {
            return Direction::default();
        }
        *was.lock().expect("a number") = Some(number);
        trouble.direction()
    };
    Stage::play(CONNECTIONS, Box::new(director), async |stage| {
        play(&stage, &armed).await;
        let number = met.lock().expect("a number").expect("it began");
        let (calls, struck) = stage.outcome_of(number);
        let tried = struck || !matches!(trouble, Trouble::Call(..));
        assert!(tried, "{case:?}, {trouble:?}: it strikes nothing; the calls were {calls:?}");
        calls
    })
}

/// Every fault at every call that each act makes, and its event delivered twice. How many cases there were.
pub(super) fn every_fault<A: Copy + Debug + Sync>(
    acts: &[A],
    with: impl Fn(A, Trouble) -> Vec<String> + Sync,
) -> usize {
    let mut cases = Vec::new();
    for act in acts {
        let calls = with(*act, Trouble::None);
        assert!(!calls.is_empty(), "{act:?} calls nobody");
        cases.extend((0..calls.len()).flat_map(|call| Fault::ALL.map(|fault| (*act, Trouble::Call(call, fault)))));
        cases.push((*act, Trouble::Twice));
    }
    each(&cases, |(act, trouble)| drop(with(act, trouble)));
    cases.len()
}

/// Does something with each of these, on all cores.
pub(super) fn each<T: Copy + Sync>(all: &[T], what: impl Fn(T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            what(*one);
        }
    };
    thread::scope(|threads| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(work);
        }
    });
}
