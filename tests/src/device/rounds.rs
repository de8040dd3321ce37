//! A device's part in rooms in rounds.

use super::Device;
use super::knows::seen;
use crate::checker::Room;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

impl Device {
    /// The same device, where rooms may be in rounds. It asks for their frames, or is pushed message by message.
    pub fn in_rounds(self, asks: bool) -> Self {
        Self { in_rounds: true, asks_for_rounds: asks, ..self }
    }

    /// How long it waits before it tries again what it was refused: as long as it was told to.
    pub(super) fn patience(&self, refusal: &Value) -> Option<Duration> {
        refusal["retryAfterMs"].as_u64().filter(|_| self.in_rounds).map(Duration::from_millis)
    }

    /// What it asks for when it joins, and more.
    pub(super) fn asking_for_rounds(&self, mut join: Value) -> Value {
        if self.asks_for_rounds {
            join["rounds"] = json!(true);
        }
        join
    }

    /// Takes in the frame of a round. Whoever knows all up to where it begins goes on to its end, without asking.
    pub(super) fn take_round(&mut self, frame: &Value) {
        let number = |field: &str| frame[field].as_u64().expect("a number");
        let room = number("chatroomId");
        let Some(known) = self.rooms.get_mut(&room) else { return self.early_rounds.push(frame.clone()) };
        let (after, up_to) = (number("after"), number("upTo"));
        let said: Vec<_> =
            frame["messages"].as_array().expect("a list").iter().map(|said| of_room(said, room)).collect();
        let messages: Vec<_> = said.iter().map(seen).collect();
        let ids: BTreeSet<u64> = messages.iter().map(|seen| seen.id).collect();
        assert!(ids.iter().all(|id| (after + 1..=up_to).contains(id)), "a frame has what it covers: {frame}");
        known.pushed.extend(&ids);
        messages.into_iter().for_each(|seen| known.take_in(seen));
        known.cover(after, up_to, &ids);
        if known.complete < up_to {
            self.gaps.entry(room).or_insert_with(Instant::now);
        }
        if let Some(changes) = frame["changes"].as_array() {
            let known = self.rooms.get_mut(&room).expect("a room");
            let (after, up_to) = (number("changesAfter"), number("changesUpTo"));
            changes.iter().for_each(|change| known.take_state(seen(change)));
            known.heard.extend(after + 1..=up_to);
            self.told_of_changes(room, after, up_to);
        }
    }

    /// Takes in frames that came before the reply to its join.
    pub(super) fn take_early_rounds(&mut self) {
        let early = std::mem::take(&mut self.early_rounds);
        early.iter().for_each(|frame| self.take_round(frame));
    }
}

/// A message of a frame that names the room once for all.
fn of_room(message: &Value, room: Room) -> Value {
    let mut message = message.clone();
    message["chatroomId"] = json!(room);
    message
}
