//! EventBridge Scheduler: invokes functions at their times.

use super::Gateway;
use serde_json::json;
use std::sync::Arc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

impl Gateway {
    /// Invokes the template's scheduled functions until the gateway closes.
    pub fn keep_time(self: &Arc<Self>) {
        for schedule in &self.template.schedules {
            let (gateway, function) = (Arc::clone(self), schedule.function.clone());
            let period = self.limits.minute * schedule.minutes;
            self.tasks.spawn(async move {
                let mut times = interval_at(Instant::now() + period, period);
                times.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while gateway.closing.run_until_cancelled(times.tick()).await.is_some() {
                    // A failure is in the log already.
                    let _ = gateway.functions.invoke(&function, &gateway.ids.request(), json!({})).await;
                }
            });
        }
    }
}
