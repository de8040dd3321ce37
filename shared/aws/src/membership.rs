//! Who is in which room.

use crate::delivery::Delivery;
use crate::store::{Arrival, Arrivals, Connections, Found, JoinNumber, Removal};
use crate::{Failure, Fault, now, telemetry};
use chat::departs;
use chat::{Caller, ConnectionId, Member, Newest, Profile, Push, Rejection, RoomId, Standing, Timestamp, UserId};

/// Lets connections into rooms and out of them, and tells the rooms.
#[derive(Clone)]
pub struct Membership {
    connections: Connections,
    arrivals: Arrivals,
    delivery: Delivery,
}

/// A join that stands.
#[derive(Debug)]
pub struct Arrived {
    /// How far the room reaches. Every message that was not pushed to this member has an id of at most the newest's, and
    /// is found in the history; the same holds for changes and the feed.
    pub newest: Newest,
    /// What the user may do there.
    pub standing: Standing,
    /// Whom to tell of it: all members, or the room is too large for that.
    pub found: Found,
}

impl Membership {
    pub(crate) fn new(connections: Connections, arrivals: Arrivals, delivery: Delivery) -> Self {
        Self { connections, arrivals, delivery }
    }

    /// Lets a connection into a room: adds the room to the connection, then the member to the room, and only then reads
    /// what may forbid it, and the room's newest id.
    ///
    /// So a close or a leave that comes meanwhile is seen here, or itself sees the room at the connection. And a sender
    /// counts first and reads the members after that, so a member that a sender did not see finds the message by
    /// `last_id`.
    pub async fn arrive(&self, me: &Member, room: &RoomId, caller: &Caller, changes: bool) -> Result<Arrived, Failure> {
        telemetry::room(room);
        let join = self.connections.add_room(&me.connection, room).await?;
        let entered = self.connections.add_member(me, join, room, caller.good_until).await?;
        let who = (&me.connection, &me.user);
        let verify = self.arrivals.verify(who, room, join, changes, caller.needs_right(room));
        let (arrival, members) = tokio::join!(verify, self.delivery.look(room));
        match arrival? {
            Arrival::In(newest, standing) if entered => Ok(Arrived { newest, standing, found: members? }),
            found => {
                self.undo(me, join, room, found, &caller.profile).await?;
                Err(match found {
                    Arrival::Closed => Rejection::ConnectionGone,
                    Arrival::NoRight => Rejection::RoomNotGranted,
                    Arrival::Barred(ban) => ban.refusal(now()),
                    Arrival::In(..) | Arrival::Overtaken => Rejection::Overtaken,
                }
                .into())
            }
        }
    }

    /// Takes a connection out of a room as its client asked at a certain time, and tells the others if its user left
    /// with it. If it was not in, its row is left alone: a join may be under way.
    pub async fn leave(
        &self,
        connection: &ConnectionId,
        user: &UserId,
        room: &RoomId,
        asked_at: Timestamp,
    ) -> Result<(), Fault> {
        telemetry::room(room);
        let removal = self.connections.remove_member_unless_newer(connection, room, asked_at).await?;
        let Removal::WasIn(join) = removal else { return Ok(()) };
        let removed = match join {
            Some(join) => self.connections.remove_room(connection, room, join).await,
            None => Ok(()),
        };
        self.tell_of_leave(user, room).await?;
        removed
    }

    /// Takes a closed connection out of a room, and tells the others if its user left with it.
    pub async fn depart(&self, connection: &ConnectionId, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        if self.connections.remove_member(connection, room).await? {
            self.tell_of_leave(user, room).await?;
        }
        Ok(())
    }

    /// Takes all connections of a user out of a room in which it may not be any more, and tells the others. It reads the
    /// members after that was written: a join that it does not see looks for it later. Answers none, and does nothing, if the
    /// user may be there again by then: somebody let it in meanwhile.
    pub async fn expel(
        &self,
        user: &UserId,
        room: &RoomId,
        may_stay: impl Future<Output = Result<bool, Fault>>,
    ) -> Result<Option<Vec<Member>>, Fault> {
        let members = self.delivery.members(room).await?.all().await?;
        if may_stay.await? {
            return Ok(None);
        }
        let mut expelled = Vec::new();
        for member in members.into_iter().filter(|member| member.user == *user) {
            // As it was seen: whoever comes again meanwhile stays.
            let Removal::WasIn(join) = self.connections.remove_member_as_seen(&member, room).await? else { continue };
            if let Some(join) = join {
                self.connections.remove_room(&member.connection, room, join).await?;
            }
            expelled.push(member);
        }
        if !expelled.is_empty() {
            self.tell_of_leave(user, room).await?;
        }
        Ok(Some(expelled))
    }

    /// The same for whoever may come again at once, or is kept out by what every join reads; and tells the user's own
    /// connections.
    pub async fn take_out(
        &self,
        user: &UserId,
        room: &RoomId,
        may_stay: impl Future<Output = Result<bool, Fault>>,
        push: &Push<'_>,
    ) -> Result<(), Fault> {
        telemetry::room(room);
        if let Some(expelled) = self.expel(user, room, may_stay).await? {
            self.delivery.tell(&expelled, push).await?;
        }
        Ok(())
    }

    async fn tell_of_leave(&self, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        match self.delivery.audience(room).await? {
            Some(remaining) if departs(user, &remaining) => {
                self.delivery.deliver(room, remaining.into(), &Push::left(room, user)).await
            }
            _ => Ok(()),
        }
    }

    /// Takes back a join that does not stand. Another device of the user may have kept silent because it saw this one
    /// before itself; then this one announces them both.
    pub async fn undo(
        &self,
        member: &Member,
        join: JoinNumber,
        room: &RoomId,
        found: Arrival,
        user: &Profile,
    ) -> Result<(), Fault> {
        self.connections.remove_member_of_join(&member.connection, room, join).await?;
        if found != Arrival::Closed {
            self.connections.remove_room(&member.connection, room, join).await?;
        }
        match self.delivery.audience(room).await? {
            Some(members) if !departs(&member.user, &members) => {
                self.delivery.deliver(room, members.into(), &Push::joined(room, user)).await
            }
            _ => Ok(()),
        }
    }
}
