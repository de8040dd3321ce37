use super::dice::Dice;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::task_local;

task_local! {
    /// The invocation that a request or a look at the clock belongs to.
    pub static INVOCATION: std::sync::Arc<Invocation>;
}

/// One run of a function.
pub struct Invocation {
    /// The same in every run of the seed, whatever else is left out: `d1 sendMessage 3000`.
    pub label: String,
    pub function: String,
    /// How much longer than usual its calls take.
    pub slow: u64,
    /// How far the function's clock is ahead.
    pub skew_millis: i64,
    /// Ends it at once.
    pub kill: Notify,
    /// The SDK's id of each call, in the order in which they began, and how many attempts it has made.
    calls: Mutex<Vec<(String, u32)>>,
}

impl Invocation {
    pub fn new(label: String, function: &str, slow: u64, skew_millis: i64) -> Self {
        let calls = Mutex::default();
        Self { label, function: function.to_owned(), slow, skew_millis, kill: Notify::new(), calls }
    }

    /// Counts an attempt. Answers the number of its call, from 0, and its own, from 0.
    pub fn attempt(&self, sdk_id: &str) -> (usize, u32) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        match calls.iter_mut().enumerate().find(|(_, (id, _))| id == sdk_id) {
            Some((at, (_, attempts))) => {
                *attempts += 1;
                (at, *attempts)
            }
            None => {
                calls.push((sdk_id.to_owned(), 0));
                (calls.len() - 1, 0)
            }
        }
    }

    /// What happens to a thing of this invocation.
    pub fn dice(&self, seed: u64, what: &str) -> Dice {
        Dice::of(seed, (&self.label, what))
    }
}
