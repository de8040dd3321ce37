//! Time in a simulation: it stands still while anything can be done, and jumps to the next thing to do.

use super::invocation::INVOCATION;
use chat::Timestamp;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// When every schedule begins, in milliseconds since 1970: a moment in 2027.
const BEGAN: i64 = 1_800_000_000_000;

thread_local! {
    static ORIGIN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Begins a schedule on this thread. Its runtime's time must be paused.
pub fn begin() {
    ORIGIN.set(Some(Instant::now()));
    chat_aws::simulation::set_clock(read);
}

/// Since the schedule began.
pub fn elapsed() -> Duration {
    ORIGIN.get().map_or(Duration::ZERO, |origin| origin.elapsed())
}

/// What the clock of whoever asks says. Those of functions may be wrong.
fn read() -> Timestamp {
    let skew = INVOCATION.try_with(|invocation| invocation.skew_millis).unwrap_or(0);
    Timestamp::from_millis(BEGAN + i64::try_from(elapsed().as_millis()).unwrap_or(i64::MAX - BEGAN) + skew)
}

/// A moment of a schedule in seconds since 1970, as tokens have it.
pub fn seconds_at(elapsed: Duration) -> i64 {
    (BEGAN + i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX - BEGAN)) / 1_000
}
