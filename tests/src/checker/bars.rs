//! What is said and heard by whoever is barred.

use super::history::{Bar, Change, History, Room, User};
use super::violation::{Report, Violation};
use std::collections::HashMap;

/// When each send was sent, the first time and the last.
struct Said<'a>(HashMap<(Room, User, &'a str), (u64, u64)>);

impl<'a> Said<'a> {
    fn of(history: &'a History) -> Self {
        let mut said = HashMap::with_capacity(history.attempts.len());
        for attempt in &history.attempts {
            let (first, last) =
                said.entry((attempt.room, attempt.user, attempt.key.as_str())).or_insert((attempt.at, attempt.at));
            (*first, *last) = (attempt.at.min(*first), attempt.at.max(*last));
        }
        Self(said)
    }

    /// Whether all attempts of a send were between these moments. A retry of what was sent before may be stored.
    fn is_within(&self, room: Room, user: User, key: &str, from: u64, to: u64) -> bool {
        self.0.get(&(room, user, key)).is_some_and(|(first, last)| from < *first && *last < to)
    }
}

impl Bar {
    fn forbids(&self, change: &Change) -> bool {
        // Whoever is barred may take back what it said.
        let speaks = change.key.is_some();
        speaks
            && (change.room, change.user) == (self.room, self.user)
            && (self.from + 1..self.to).contains(&change.asked)
    }
}

impl History {
    /// Nothing is stored that was begun while its user was barred.
    pub(super) fn judge_barred(&self, report: &mut Report) {
        if self.bars.is_empty() {
            return;
        }
        let said = Said::of(self);
        for bar in &self.bars {
            for seen in self.stored.get(&bar.room).into_iter().flatten().filter(|seen| seen.user == bar.user) {
                let key = seen.key.as_deref().unwrap_or_default();
                if said.is_within(bar.room, bar.user, key, bar.from, bar.to) {
                    report.add(Violation::StoredThoughBarred { seen: seen.clone(), bar: bar.clone() });
                }
            }
            for change in self.changes.iter().filter(|change| bar.forbids(change)) {
                let acked = |room, id, key: &Option<String>| (room, id, key) == (change.room, change.id, &change.key);
                let mut stored = self.stored.get(&bar.room).into_iter().flatten();
                if self.change_acks.iter().any(|ack| acked(ack.room, ack.id, &ack.key))
                    || stored.any(|seen| seen.id == change.id && seen.content == change.content)
                {
                    report.add(Violation::ChangedThoughBarred { change: change.clone(), bar: bar.clone() });
                }
            }
        }
    }

    /// What was pushed to whoever is banned although it was begun after the ban, while the bars stand. What was begun
    /// before may be on its way yet.
    pub fn heard_in_spite(&self) -> Vec<Violation> {
        let (said, mut report) = (Said::of(self), Report::default());
        for bar in &self.bars {
            let Some(from) = bar.banned else { continue };
            for view in self.views.iter().filter(|view| (view.room, view.user) == (bar.room, bar.user)) {
                for seen in view.messages.iter().filter(|seen| view.pushed.contains(&seen.id)) {
                    let key = seen.key.as_deref().unwrap_or_default();
                    if said.is_within(seen.room, seen.user, key, from, bar.to) {
                        report.add(Violation::HeardThoughBanned { device: view.device.clone(), seen: seen.clone() });
                    }
                }
                let of_room = self.change_acks.iter().filter(|ack| ack.room == bar.room && !ack.duplicate);
                for ack in of_room.filter(|ack| view.heard.contains(&ack.version)) {
                    let asked = self.changes.iter().find(|change| {
                        (change.room, change.id, &change.key) == (ack.room, ack.id, &ack.key)
                            && (from + 1..bar.to).contains(&change.asked)
                    });
                    if let Some(change) = asked {
                        report.add(Violation::ToldThoughBanned {
                            device: view.device.clone(),
                            change: change.clone(),
                            version: ack.version,
                        });
                    }
                }
            }
        }
        report.violations
    }
}
