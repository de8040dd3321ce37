//! What was seen a moment ago, and need not be looked at again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Things that were seen by this instance of the function, each for a while.
#[derive(Clone)]
pub struct Lately<T> {
    seen: Arc<Mutex<HashMap<T, Instant>>>,
    kept: Duration,
    /// Above so many, those whose time is over are forgotten.
    most: usize,
}

impl<T: Eq + Hash + Clone> Lately<T> {
    pub fn new(kept: Duration, most: usize) -> Self {
        Self { seen: Arc::default(), kept, most }
    }

    pub fn has(&self, thing: &T) -> bool {
        self.seen().get(thing).is_some_and(|until| Instant::now() < *until)
    }

    pub fn note(&self, thing: &T) {
        let (now, mut seen) = (Instant::now(), self.seen());
        if seen.len() >= self.most {
            seen.retain(|_, until| now < *until);
        }
        seen.insert(thing.clone(), now + self.kept);
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<T, Instant>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_is_forgotten_after_a_while() {
        let lately = Lately::new(Duration::from_secs(30), 10);
        assert!(!lately.has(&1));
        lately.note(&1);
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert!(lately.has(&1) && !lately.has(&2));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lately.has(&1));
        for number in 0..100 {
            lately.note(&number);
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        assert!(lately.seen().len() <= 10, "{}", lately.seen().len());
    }
}
