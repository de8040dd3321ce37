use crate::limits::BUDGET_AHEAD_MAX;
use crate::store::Posts;
use crate::{Fault, now};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How fast all couriers of a deployment post together: a row says until when the posts last that were planned.
#[derive(Clone)]
pub struct Budget {
    posts: Posts,
    per_second: f64,
    /// Whoever plans has it meanwhile: slices begin in the order in which they are asked for, or the posts of one that was
    /// overtaken would be late when their turn comes, and be made all at once.
    plan: Arc<Mutex<Plan>>,
}

/// What this run knows of what is planned.
struct Plan {
    /// Whether there were others before the last slice; then there are others, as a rule, before the next.
    is_busy: bool,
    /// When the posts end that it planned by itself.
    own_end: Instant,
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
        let plan = Plan { is_busy: false, own_end: Instant::now() };
        Self { posts, per_second, plan: Arc::new(Mutex::new(plan)) }
    }

    /// From one post to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }

    /// Plans so many posts.
    pub async fn slice(&self, posts: usize) -> Result<Slice, Fault> {
        let interval = self.interval();
        let cost = interval.mul_f64(posts as f64);
        let mut plan = self.plan.lock().await;
        loop {
            let (asked_at, now) = (Instant::now(), now());
            let ahead = match plan.is_busy {
                true => self.posts.queue(now, cost).await?,
                false => self.posts.begin(now, cost).await?.then_some(Duration::ZERO),
            };
            if let Some(ahead) = ahead {
                let mut begin = asked_at + ahead;
                if ahead > BUDGET_AHEAD_MAX {
                    // A clock that is far ahead of the others planned what is before this. Nobody waits for it.
                    begin = asked_at.max(plan.own_end);
                    plan.own_end = begin + cost;
                }
                return Ok(Slice { begin, interval });
            }
            plan.is_busy = !plan.is_busy;
        }
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
