//! Judges what the clients of a chat saw, in the manner of Jepsen: from outside, after the run, and without any code of
//! what it judges. No IO, no clock, no async.
//!
//! The history does not show a message's key, a push does. So an unknown key contradicts none, and messages without a
//! key are told apart by their text. Sends whose text is unique are judged most strictly.

mod bars;
mod changes;
mod history;
mod rules;
#[cfg(test)]
mod tests;
mod violation;

pub use history::{Ack, Attempt, Bar, Change, ChangeAck, History, Leftover, Room, Seen, Send, User, View};
pub use violation::{VIOLATIONS_PER_RULE_MAX, Violation, Witness};

use rules::{Facts, judge_leftovers, judge_order};
use std::collections::BTreeSet;
use violation::Report;

/// What pushes promise in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Pushes may be lost. A client catches up from the history.
    Lossy,
    /// Nothing interferes: every message that is newer than a join's `lastId` must be pushed.
    Reliable,
}

impl History {
    /// All violations, at most [`VIOLATIONS_PER_RULE_MAX`] of each rule.
    ///
    /// An error of the history is not reported again for every device that agrees with the history. A room without an
    /// entry in `stored` has an empty history.
    pub fn check(&self, delivery: Delivery) -> Vec<Violation> {
        let facts = Facts::of(self);
        let mut report = Report::default();

        let altered = facts.judge_acks(&self.acks, &mut report);
        facts.judge_changes(&self.stored, &mut report);
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
        self.judge_barred(&mut report);
        judge_leftovers(&self.leftovers, &mut report);
        report.violations
    }

    /// What members do not learn who were there all the time, at rest, where no push was lost: of every message and every
    /// change that was acked they were pushed it, or told of one behind it, which makes them ask.
    pub fn unlearned(&self) -> Vec<Violation> {
        let mut report = Report::default();
        for View { device, room, border, change_border, .. } in &self.views {
            let of_room = self.acks.iter().filter(|ack| ack.room == *room && ack.id > *border);
            for id in of_room.map(|ack| ack.id).collect::<BTreeSet<_>>() {
                report.add(Violation::NotLearned { device: device.clone(), room: *room, id });
            }
            let of_room = self.change_acks.iter().filter(|ack| ack.room == *room && ack.version > *change_border);
            for version in of_room.map(|ack| ack.version).collect::<BTreeSet<_>>() {
                report.add(Violation::NotTold { device: device.clone(), room: *room, version });
            }
        }
        report.violations
    }
}
