//! Judges what the clients of a chat saw, in the manner of Jepsen: from outside, once the dust has settled, sharing no
//! code with what it judges. No IO, no clock, no async.
//!
//! A history tells a message's key to nobody, a push does. So a key that is not known contradicts none, and what has no
//! key is told apart by its words: sends with words of their own are judged most strictly.

mod history;
mod rules;
#[cfg(test)]
mod tests;
mod violation;

pub use history::{Ack, History, Leftover, Room, Seen, Send, User, View};
pub use violation::{VIOLATIONS_PER_RULE_MAX, Violation, Witness};

use rules::{Facts, judge_leftovers, judge_order};
use violation::Report;

/// What may be expected of pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Pushes may be lost: a view is completed by catching up.
    Lossy,
    /// Nothing interfered: whatever is newer than a join's `lastId` was pushed.
    Reliable,
}

impl History {
    /// Everything that went wrong, at most [`VIOLATIONS_PER_RULE_MAX`] of each kind.
    ///
    /// What the history has wrong is not told again for every device that agrees with the history. A room without an
    /// entry in `stored` has an empty history.
    pub fn check(&self, delivery: Delivery) -> Vec<Violation> {
        let facts = Facts::of(self);
        let mut report = Report::default();

        let altered = facts.judge_acks(&self.acks, &mut report);
        for (&room, messages) in &self.stored {
            judge_order(room, messages, &mut report);
            facts.judge_stored(room, messages, &altered, &mut report);
            facts.judge_copies(room, &mut report);
        }
        for view in &self.views {
            facts.judge_view(view, &mut report);
            if delivery == Delivery::Reliable {
                facts.judge_pushes(view, &mut report);
            }
        }
        judge_leftovers(&self.leftovers, &mut report);
        report.violations
    }
}
