use super::orders::Orders;
use super::plan::Thresholds;
use super::{Client, Mutant, Outcome, Schedule};
use crate::chaos::lock;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Many schedules, one seed after the other, on all cores.
#[derive(Debug, Clone)]
pub struct Hunt {
    pub seeds: Range<u64>,
    /// No schedule begins later than this.
    pub time: Option<Duration>,
    pub mutant: Option<Mutant>,
    /// The client of the browsers, if there are any.
    pub client: Option<Arc<Client>>,
    /// How many that fail are enough.
    pub enough: usize,
}

/// What a hunt found.
#[derive(Debug)]
pub struct Hunted {
    pub schedules: u64,
    pub calls: usize,
    pub took: Duration,
    /// Those that failed, by seed.
    pub failed: Vec<Outcome>,
}

impl Hunt {
    /// All seeds of a range, until one fails.
    pub fn of(seeds: Range<u64>) -> Self {
        Self { seeds, time: None, mutant: None, client: None, enough: 1 }
    }

    pub fn run(&self) -> Hunted {
        let (next, began) = (AtomicU64::new(self.seeds.start), Instant::now());
        let (done, calls) = (AtomicU64::new(0), AtomicU64::new(0));
        let failed = Mutex::new(Vec::new());
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let late = self.time.is_some_and(|time| began.elapsed() >= time);
                if !self.seeds.contains(&seed) || late || lock(&failed).len() >= self.enough {
                    return;
                }
                // A mistake of rounds is looked for where there are some, and another where there are none: a room that stands
                // still in rounds is asked again and again, and says nothing of that mistake.
                let has_rounds = Thresholds::drawn(seed).is_some();
                if self.mutant.is_some_and(|mutant| mutant.is_of_rounds() != has_rounds) {
                    continue;
                }
                if self.mutant.is_some_and(Mutant::is_of_bars) && !Orders::are_drawn(seed) {
                    continue;
                }
                let outcome = Schedule { mutant: self.mutant, client: self.client.clone(), ..Schedule::of(seed) }.run();
                done.fetch_add(1, Ordering::Relaxed);
                calls.fetch_add(outcome.calls as u64, Ordering::Relaxed);
                if !outcome.findings.is_empty() {
                    lock(&failed).push(outcome);
                }
            }
        };
        thread::scope(|threads| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                threads.spawn(work);
            }
        });
        let mut failed = std::mem::take(&mut *lock(&failed));
        failed.sort_by_key(|outcome| outcome.seed);
        Hunted { schedules: done.into_inner(), calls: calls.into_inner() as usize, took: began.elapsed(), failed }
    }
}

impl fmt::Display for Hunted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.schedules as f64 / self.took.as_secs_f64();
        let (schedules, calls, seconds) = (self.schedules, self.calls, self.took.as_secs_f64());
        write!(
            f,
            "{schedules} schedules in {seconds:.0} s, {rate:.1} a second, {calls} AWS calls, {} failed",
            self.failed.len()
        )
    }
}
