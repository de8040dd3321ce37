//! Lambda's queue: runs functions for events that it has taken
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).

use super::Gateway;
use crate::template::EventInvokeConfig;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What [`Limits::minute`](super::Limits::minute) stands for.
const MINUTE: Duration = Duration::from_secs(60);

impl Gateway {
    /// Runs a function for an event, and again after an error: a minute later, and then two, under the same request id.
    /// Whatever is left of that ends with the gateway.
    pub fn keep(self: &Arc<Self>, function: String, event: Value) {
        let (gateway, request_id) = (Arc::clone(self), self.ids.request());
        let EventInvokeConfig { retries, kept } = self.template.functions[&function].event_invoke;
        let ends = Instant::now() + self.limits.minute.mul_f64(kept.as_secs_f64() / MINUTE.as_secs_f64());
        let closing = self.closing.clone();
        let run = async move {
            for retry in 1.. {
                // A failure is in the log already.
                if gateway.functions.invoke(&function, &request_id, event.clone()).await.is_ok() {
                    return;
                }
                let wait = gateway.limits.minute * retry;
                if u64::from(retry) > retries || Instant::now() + wait > ends {
                    break;
                }
                sleep(wait).await;
            }
            tracing::warn!(function, requestId = request_id, "an event is given up");
        };
        let run = self.kept_events.track_future(async move { closing.run_until_cancelled(run).await });
        self.tasks.spawn(run);
    }
}
