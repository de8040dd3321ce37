//! Rooms in rounds: what senders leave to the courier, and what the courier does.

mod budget;
mod courier;
mod posting;

pub(crate) use budget::Budget;
pub use courier::{Couriers, Turn};
pub(crate) use posting::Posting;

use crate::clients::Invoker;
use crate::store::{Members, Messages, Written};
use crate::{Fault, now, telemetry};
use chat::rounds::{Crowd, Head, InRounds, Wake};
use chat::{ChangeNumber, Rejection, RoomId};
use std::sync::Arc;
use std::time::Duration;

/// What senders do for a room in rounds.
#[derive(Clone)]
pub struct Rounds {
    messages: Messages,
    waker: Waker,
    crowd: Crowd,
}

impl Rounds {
    pub(crate) fn new(messages: Messages, waker: Waker, crowd: Crowd) -> Self {
        Self { messages, waker, crowd }
    }

    /// Lets rounds begin, if a room with so many members, or more, has become a crowd by its last message. That message
    /// is still pushed by its sender. If this fails, the next one tries again.
    pub async fn begin_in_crowd(&self, room: &RoomId, head: &Head, (members, more): (usize, bool)) {
        if self.crowd.goes_over(head, members, more, now()) {
            let began = self.messages.enter_rounds(room, self.crowd.carries(0, 0)).await;
            began.err().iter().for_each(telemetry::survived);
        }
    }

    /// Wakes the room's courier, if it has none. What fails here is a fault of the sender, who must not take for
    /// delivered what nobody delivers.
    pub async fn wake(&self, room: &RoomId, rounds: &InRounds) -> Result<(), Fault> {
        if rounds.is_asleep(now()) {
            let seen = rounds.lease.map(|lease| lease.until);
            self.waker.wake(&Wake { room: room.clone(), seen }).await?;
        }
        Ok(())
    }

    /// Leaves a change that is stored to the room's courier, if the room is large and in rounds. Answers how long a round
    /// takes, or nothing if whoever made it has to push it. The members are read after the change, and the courier reads
    /// them after it was asked, so whoever is missing among them joins later, and reads how far the changes reach.
    ///
    /// A room that is busy and not large is told by whoever made the change: that is no more than a post for each member.
    pub async fn take_change(
        &self,
        room: &RoomId,
        change: ChangeNumber,
        members: &Members,
    ) -> Result<Option<Duration>, Fault> {
        let (known, more) = members.first_page();
        if !more && known <= self.crowd.large {
            return Ok(None);
        }
        let (Written::Done(head) | Written::Refused(Some(head))) = self.messages.knock(room, change).await? else {
            return Ok(None);
        };
        let Some(rounds) = head.rounds else { return Ok(None) };
        // A later change was asked for before, and may have been pushed already, and this one with it.
        if rounds.has_changes() {
            self.wake(room, &rounds).await?;
        }
        Ok(Some(self.round(&rounds)))
    }

    /// How long a round takes.
    pub fn round(&self, rounds: &InRounds) -> Duration {
        self.crowd.round(rounds.people)
    }

    /// What a sender is told whose message has no place.
    pub fn full(&self, rounds: &InRounds) -> Rejection {
        Rejection::RateLimited { retry_after_ms: u64::try_from(self.round(rounds).as_millis()).unwrap_or(u64::MAX) }
    }
}

/// Invokes the function that delivers.
#[derive(Clone)]
pub(crate) struct Waker {
    invoker: Invoker,
    function: Arc<str>,
}

impl Waker {
    pub fn new(invoker: Invoker, function: &str) -> Self {
        Self { invoker, function: function.into() }
    }

    async fn wake(&self, wake: &Wake) -> Result<(), Fault> {
        let event = serde_json::to_value(wake).map_err(Fault::doing("failed to write an event"))?;
        self.invoker.start(&self.function, &event).await
    }
}

/// The room's row after a write that was not refused.
fn done(written: Written) -> Option<Head> {
    match written {
        Written::Done(head) => Some(head),
        Written::Refused(_) => None,
    }
}
