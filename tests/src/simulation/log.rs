use super::clock;
use std::fmt::Arguments;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Everything that happened, in its order. Two runs of a seed have the same, to the byte.
#[derive(Default)]
pub struct Log(Mutex<Vec<String>>);

impl Log {
    pub fn note(&self, what: Arguments<'_>) {
        let at = clock::elapsed().as_millis();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{at:>7} {what}"));
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One number for a log.
pub fn hash(log: &[String]) -> u64 {
    // Its keys are fixed.
    let mut hasher = DefaultHasher::new();
    log.hash(&mut hasher);
    hasher.finish()
}
