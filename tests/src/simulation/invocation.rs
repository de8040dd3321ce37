use super::dice::Dice;
use crate::chaos::lock;
use std::sync::Mutex;
use tokio::sync::{Notify, watch};
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
    /// True once the function has answered or is dead.
    pub ended: watch::Sender<bool>,
    /// In the order in which they began.
    calls: Mutex<Vec<Attempted>>,
}

/// A call with its attempts.
struct Attempted {
    sdk_id: String,
    operation: String,
    attempts: u32,
}

impl Invocation {
    pub fn new(label: String, function: &str, slow: u64, skew_millis: i64) -> Self {
        let (kill, ended, calls) = (Notify::new(), watch::Sender::default(), Mutex::default());
        Self { label, function: function.to_owned(), slow, skew_millis, kill, ended, calls }
    }

    /// Counts an attempt. Answers the number of its call, from 0, and its own, from 0.
    pub fn attempt(&self, sdk_id: &str, operation: &str) -> (usize, u32) {
        let mut calls = lock(&self.calls);
        match calls.iter_mut().enumerate().find(|(_, call)| call.sdk_id == sdk_id) {
            Some((at, call)) => {
                call.attempts += 1;
                (at, call.attempts)
            }
            None => {
                calls.push(Attempted { sdk_id: sdk_id.to_owned(), operation: operation.to_owned(), attempts: 0 });
                (calls.len() - 1, 0)
            }
        }
    }

    /// Its calls so far, in the order in which they began.
    pub fn calls(&self) -> Vec<String> {
        lock(&self.calls).iter().map(|call| call.operation.clone()).collect()
    }

    /// What happens to a thing of this invocation.
    pub fn dice(&self, seed: u64, what: &str) -> Dice {
        Dice::of(seed, (&self.label, what))
    }
}
