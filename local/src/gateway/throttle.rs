//! How much API Gateway lets through: each route by its stage's settings, and all of an account's APIs together
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-protect.html>). On AWS both are
//! targets, not exact limits; here they are exact.

use crate::template::{Template, Throttle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// The message of a refusal, as API Gateway words it for HTTP.
pub const TOO_MANY: &str = "Too Many Requests";

/// A token bucket.
pub struct Bucket {
    throttle: Throttle,
    /// Its tokens, and when they were counted.
    tokens: Mutex<(f64, Instant)>,
}

impl Bucket {
    pub fn full(throttle: Throttle) -> Self {
        Self { throttle, tokens: Mutex::new((throttle.burst, Instant::now())) }
    }

    /// Takes a token, if there is one.
    pub fn take(&self, now: Instant) -> bool {
        let Throttle { per_second, burst } = self.throttle;
        let mut bucket = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = *bucket;
        let tokens = burst.min(tokens + per_second * now.saturating_duration_since(since).as_secs_f64());
        let taken = tokens >= 1.0;
        *bucket = (if taken { tokens - 1.0 } else { tokens }, now.max(since));
        taken
    }
}

/// The buckets of a run.
pub struct Throttles {
    account: Bucket,
    /// By route key, `sendMessage` or `GET /path`. A stage's default settings apply to each route separately, so each
    /// has a bucket.
    routes: BTreeMap<String, Bucket>,
}

impl Throttles {
    pub fn new(template: &Template, account: Throttle) -> Self {
        let (websocket, http) = (&template.websocket, &template.http);
        let bucket = |key: String, throttle: Option<Throttle>| Some((key, Bucket::full(throttle?)));
        let websocket_routes = websocket.routes.keys().filter_map(|key| bucket(key.clone(), websocket.throttle));
        let http_routes = http.routes.iter().filter_map(|route| bucket(route.key(), http.throttle));
        Self { account: Bucket::full(account), routes: websocket_routes.chain(http_routes).collect() }
    }

    /// Whether a request to a route may pass.
    pub fn admit(&self, route_key: &str) -> bool {
        let now = Instant::now();
        self.routes.get(route_key).is_none_or(|route| route.take(now)) && self.account.take(now)
    }

    /// Whether a call of the management API may pass. It counts only for the account.
    pub fn admit_callback(&self) -> bool {
        self.account.take(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let bucket = Bucket::full(Throttle { per_second: 10.0, burst: 5.0 });
        let start = Instant::now();
        let passed = |millis: u64| (0..100).filter(|_| bucket.take(start + Duration::from_millis(millis))).count();
        assert_eq!((passed(0), passed(50), passed(150), passed(390)), (5, 0, 1, 2));
        assert_eq!((passed(60_000), passed(60_000)), (5, 0), "never more than the burst");
        assert_eq!((passed(0), passed(60_000)), (0, 0), "a clock that goes back gives nothing");
    }
}
