//! One JSON line per event, in the form that Lambda's log filters understand.

mod record;

pub(crate) use record::{Records, connection, posted, pushed_since, refused, reviewed_since, room, stored_since};

use crate::{Fault, Vars};
use chat::Timestamp;
use tracing_subscriber::filter::LevelFilter;

/// Sends this process's log to standard output, from the level that the function is configured for.
///
/// Lambda takes a line without `timestamp` and `level` at its top for INFO, and a WARN filter would drop it.
pub fn init(vars: &Vars) {
    let level = vars.optional("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // At TRACE the Lambda runtime prints whole events, with the tokens and messages in them.
    let level = level.min(LevelFilter::DEBUG);
    tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level).with_target(false).init();
}

/// Logs a fault that ends a request, once, with its whole cause.
pub(crate) fn fault(fault: &Fault, request_id: &str) {
    refused("internal");
    tracing::error!(requestId = request_id, cause = %fault.chain(), "request failed");
}

/// Logs a fault that ends the function itself.
pub(crate) fn fatal(fault: &Fault) {
    tracing::error!(cause = %fault.chain(), "function failed");
}

/// Logs a fault that a request got over.
pub fn survived(fault: &Fault) {
    tracing::warn!(cause = %fault.chain(), "part of a request failed");
}

/// Logs how many members a push did not reach because they do not read, or because the account makes too many requests.
/// No alarm counts it: a client that sleeps is not a fault.
pub(crate) fn pushes_throttled(throttled: usize, of: usize) {
    tracing::warn!(throttledPushes = throttled, of, "some members take no frames now");
}

/// Logs how many members a push did not reach. The template sums `failedPushes` for an alarm.
pub(crate) fn pushes_failed(failed: usize, of: usize) {
    tracing::warn!(failedPushes = failed, of, "some members were not reached");
}

/// A moment as Lambda's log filters read it.
fn timestamp(now: Timestamp) -> String {
    serde_json::to_value(now).ok().and_then(|text| text.as_str().map(String::from)).unwrap_or_default()
}
