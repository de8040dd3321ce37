use crate::limits::BUDGET_AHEAD_MAX;
use crate::store::Posts;
use crate::{Fault, now};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How fast all couriers of a deployment post together: a row says until when the posts last that were planned.
#[derive(Clone)]
pub struct Budget {
    posts: Posts,
    per_second: f64,
    /// Whether there were others before the last slice; then there are others, as a rule, before the next.
    is_busy: Arc<AtomicBool>,
    /// When the posts end that this run planned by itself.
    own: Arc<Mutex<Instant>>,
}

/// A time in which so many posts may be made.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    pub begin: Instant,
    /// From one post to the next.
    pub interval: Duration,
}

impl Budget {
    pub fn new(posts: Posts, per_second: f64) -> Self {
        Self { posts, per_second, is_busy: Arc::default(), own: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Plans so many posts.
    pub async fn slice(&self, posts: usize) -> Result<Slice, Fault> {
        let interval = Duration::from_secs_f64(1.0 / self.per_second);
        let cost = interval.mul_f64(posts as f64);
        let mut busy = self.is_busy.load(Ordering::Relaxed);
        loop {
            let (asked_at, now) = (Instant::now(), now());
            let ahead = match busy {
                true => self.posts.queue(now, cost).await?,
                false => self.posts.begin(now, cost).await?.then_some(Duration::ZERO),
            };
            if let Some(ahead) = ahead {
                self.is_busy.store(busy, Ordering::Relaxed);
                // A clock that is far ahead of the others planned what is before this. Nobody waits for it.
                let is_lost = ahead > BUDGET_AHEAD_MAX;
                let begin = if is_lost { self.after_own(asked_at, cost) } else { asked_at + ahead };
                return Ok(Slice { begin, interval });
            }
            busy = !busy;
        }
    }

    /// When posts may begin that only those of this run come before.
    fn after_own(&self, now: Instant, cost: Duration) -> Instant {
        let mut end = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = now.max(*end);
        *end = begin + cost;
        begin
    }

    /// Lets everybody pause: API Gateway refuses what is above the account's rate.
    pub async fn pause(&self, pause: Duration) -> Result<(), Fault> {
        let now = now();
        match self.posts.queue(now, pause).await? {
            Some(_) => Ok(()),
            None => self.posts.begin(now, pause).await.map(drop),
        }
    }
}
