use crate::checker::Seen;
use chat_aws::SEND_TIMEOUT_SECONDS;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// What a device knows of a room.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub since: u64,
    pub messages: BTreeMap<u64, Seen>,
    /// Messages that were seen again with another content.
    pub conflicts: Vec<Seen>,
    pub pushed: BTreeSet<u64>,
    /// When each message was first seen.
    first_seen: BTreeMap<u64, Instant>,
    /// Every message up to this id is known, or will never come.
    pub complete: u64,
    /// Its position in the feed: the state of every message up to this change is known.
    pub change: u64,
    /// All states of changed messages that it was told of.
    pub states: Vec<Seen>,
    /// How far the changes reached when it joined, for the last time.
    pub told: u64,
    /// The versions of the changes that were pushed to it.
    pub heard: BTreeSet<u64>,
    /// Ids of which it was told that they are unused.
    pub unused: BTreeSet<u64>,
    /// The highest id that it was told of, in whatever way: what it lacks up to there it asks for.
    pub border: u64,
    /// The same of changes.
    pub change_border: u64,
    /// What frames of rounds cover, after an id and up to one, where something before is not known yet.
    covered: BTreeSet<(u64, u64)>,
    /// Those of messages that are not known yet.
    ahead: BTreeMap<u64, Seen>,
}

impl Knowledge {
    /// What somebody knows who joined when this was the newest id.
    pub fn since(last_id: u64) -> Self {
        Self { since: last_id, complete: last_id, border: last_id, ..Self::default() }
    }

    pub fn newest(&self) -> u64 {
        self.messages.last_key_value().map_or(self.complete, |(id, _)| self.complete.max(*id))
    }

    pub fn take_in(&mut self, seen: Seen) {
        let id = seen.id;
        if id <= self.since {
            return;
        }
        match self.messages.get_mut(&id) {
            // Of two states the one with the higher version holds, in whichever order they come.
            Some(known) if known.version < seen.version => *known = seen,
            Some(known) if known.version == seen.version && *known != seen => self.conflicts.push(seen),
            Some(_) => {}
            None => {
                let ahead = self.ahead.remove(&id).filter(|ahead| ahead.version > seen.version);
                self.messages.insert(id, ahead.unwrap_or(seen));
                self.first_seen.insert(id, Instant::now());
            }
        }
        self.close_up();
    }

    /// Takes in what a message became.
    pub fn take_state(&mut self, seen: Seen) {
        self.states.push(seen.clone());
        if self.messages.contains_key(&seen.id) {
            self.take_in(seen);
        } else if self.ahead.get(&seen.id).is_none_or(|ahead| ahead.version < seen.version) {
            self.ahead.insert(seen.id, seen);
        }
    }

    /// Takes in that a frame covers these ids whole: one that has no message has none for ever.
    pub fn cover(&mut self, after: u64, up_to: u64, with: &BTreeSet<u64>) {
        let first = after.max(self.since) + 1;
        self.unused.extend((first..=up_to).filter(|id| !with.contains(id)));
        self.border = self.border.max(up_to);
        self.covered.insert((after, up_to));
        self.close_up();
    }

    fn close_up(&mut self) {
        loop {
            while self.messages.contains_key(&(self.complete + 1)) {
                self.complete += 1;
            }
            let complete = self.complete;
            self.covered.retain(|(_, up_to)| *up_to > complete);
            match self.covered.iter().find(|(after, _)| *after <= complete) {
                Some((_, up_to)) => self.complete = *up_to,
                None => return,
            }
        }
    }

    /// A hole is final if it was still one when a page was asked for, at a time when the message behind it was older than
    /// a send can take. Any other hole is asked for again.
    pub fn pass_over_holes(&mut self, asked_at: Instant) {
        while let Some((id, seen)) = self.first_seen.range(self.complete + 1..).next() {
            if asked_at.saturating_duration_since(*seen) < Duration::from_secs(SEND_TIMEOUT_SECONDS) {
                break;
            }
            self.complete = *id;
            self.close_up();
        }
        // What is complete is not asked for again.
        self.first_seen = self.first_seen.split_off(&(self.complete + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::Knowledge;
    use crate::checker::Seen;
    use chat_aws::SEND_TIMEOUT_SECONDS;
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    /// A simulated device once asked, then waited a minute for a new token, and took a hole for final that was filled
    /// right after it had asked.
    #[tokio::test(start_paused = true)]
    async fn a_hole_is_final_by_the_time_at_which_it_was_asked_for() {
        let mut known = Knowledge::since(0);
        let asked_at = Instant::now();
        known.take_in(Seen {
            id: 2,
            room: 1,
            user: 1,
            key: None,
            content: "after a hole".into(),
            version: 0,
            deleted: false,
        });
        advance(Duration::from_secs(60)).await;
        known.pass_over_holes(asked_at);
        assert_eq!(known.complete, 0, "it is asked for again");
        known.pass_over_holes(Instant::now() - Duration::from_secs(60 - SEND_TIMEOUT_SECONDS));
        assert_eq!(known.complete, 2, "the message behind it was old enough");
    }
}
