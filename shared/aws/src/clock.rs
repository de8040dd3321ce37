use chat::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time, in the only place that asks for it.
#[allow(clippy::disallowed_methods, reason = "the one owner of the clock")]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
