//! Signals: what is pushed, and kept nowhere.

use crate::delivery::Delivery;
use crate::store::{Connections, RoomBars};
use crate::{Failure, telemetry};
use chat::{Bar, ConnectionId, Push, Rejection, RoomId, UserId};

/// Pushes signals in rooms that are small enough for them.
#[derive(Clone)]
pub struct Signals {
    connections: Connections,
    bars: RoomBars,
    delivery: Delivery,
    /// Up to how many connections in a room.
    up_to: usize,
}

impl Signals {
    pub(crate) fn new(connections: Connections, bars: RoomBars, delivery: Delivery, up_to: usize) -> Self {
        Self { connections, bars, delivery, up_to }
    }

    /// Pushes a signal to the members of a room, but not to its user's own connections. Answers whether the room is
    /// small enough.
    ///
    /// A sender that is not among the members is refused. Somebody without a connection is let through by the grant
    /// alone.
    pub async fn push(
        &self,
        sender: Option<&ConnectionId>,
        user: &UserId,
        room: &RoomId,
        push: &Push<'_>,
    ) -> Result<bool, Failure> {
        telemetry::room(room);
        if self.up_to == 0 {
            return Ok(false);
        }
        let Some(members) = self.connections.members_up_to(room, self.up_to).await?.whole() else { return Ok(false) };
        if let Some(sender) = sender.filter(|sender| !members.iter().any(|member| member.connection == **sender)) {
            let is_open = self.connections.is_open(sender).await?;
            return Err(if is_open { Rejection::NotJoined } else { Rejection::ConnectionGone }.into());
        }
        let others: Vec<_> = members.into_iter().filter(|member| member.user != *user).collect();
        self.delivery.deliver(room, others.into(), push).await?;
        Ok(true)
    }

    /// Pushes a signal to all connections in a room but the sender's: other devices of its user hear it as well. The sender
    /// need not be in the room; of somebody who has no connection there the room's row says whether a ban keeps out.
    pub async fn tell_others(
        &self,
        sender: Option<&ConnectionId>,
        user: &UserId,
        room: &RoomId,
        push: &Push<'_>,
    ) -> Result<(), Failure> {
        telemetry::room(room);
        if self.up_to == 0 {
            return Ok(());
        }
        let Some(members) = self.connections.members_up_to(room, self.up_to).await?.whole() else { return Ok(()) };
        if !members.iter().any(|member| member.user == *user) {
            self.bars.admit(user, room, Bar::Ban).await?;
        }
        let others: Vec<_> = members.into_iter().filter(|member| Some(&member.connection) != sender).collect();
        Ok(self.delivery.deliver(room, others.into(), push).await?)
    }
}
