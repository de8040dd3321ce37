use chat::Timestamp;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The wall clock, in the only place that asks for it. It may be set, back too: what waits goes by [`monotonic`].
#[allow(clippy::disallowed_methods, reason = "the one owner of the clock")]
pub fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(now) = crate::simulation::now() {
        return now;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A clock that is never set, to measure time that has passed. It is tokio's, so a test can stop it.
pub(crate) fn monotonic() -> Instant {
    tokio::time::Instant::now().into_std()
}
