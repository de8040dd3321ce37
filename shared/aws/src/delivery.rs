//! Pushes to the members of a room.

use crate::clock::monotonic;
use crate::lately::Lately;
use crate::limits::{HOUSEKEEPING_MAX, HOUSEKEEPING_STEP_MAX, OPEN_KEPT, ROOMS_IN_FLIGHT, housekeeping_posts};
use crate::pusher::{Frame, Posted, Pusher};
use crate::store::{Connections, Found, Members};
use crate::{Failure, Fault, telemetry};
use chat::limits::{LEAVERS_PER_FRAME, SENDERS_KEPT};
use chat::{ConnectionId, Frames, Member, Push, Rejection, ReplyFrame, RoomId, UserId, departs};
use futures_util::{StreamExt, future, stream};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::{Instant, timeout};

/// Delivers frames to rooms, and takes out members whose connection is gone.
#[derive(Clone)]
pub struct Delivery {
    pusher: Pusher,
    connections: Connections,
    /// Up to how many connections in a room its members are told of joins and leaves.
    notices_up_to: usize,
    /// Connections that were open a moment ago.
    seen_open: Lately<ConnectionId>,
}

impl Delivery {
    pub(crate) fn new(pusher: Pusher, connections: Connections, notices_up_to: usize) -> Self {
        Self { pusher, connections, notices_up_to, seen_open: Lately::new(OPEN_KEPT, SENDERS_KEPT) }
    }

    /// The members of a room, as many at a time as one answer of DynamoDB holds.
    pub async fn members(&self, room: &RoomId) -> Result<Members, Fault> {
        self.connections.members(room).await
    }

    /// Pushes a frame to the members of a room, takes out those whose connection is gone, and tells the others who
    /// left with them.
    ///
    /// A push may be lost, since the room's history has the message; so a member that cannot be reached is logged and
    /// left to its catch-up. Only when nobody at all could be reached, or not all members could be read, does the
    /// whole delivery fail.
    pub async fn deliver(&self, room: &RoomId, members: Members, push: &Push<'_>) -> Result<(), Fault> {
        self.deliver_and_look(room, members, push, None).await.map(drop)
    }

    /// The same for a message. A sender that is not a member may have been closed during its handshake, to make place
    /// for another connection: API Gateway could not end it yet. Then the message is kept, and the sender is refused.
    /// One that came over HTTP has no connection to look for.
    pub async fn deliver_from(
        &self,
        sender: Option<&ConnectionId>,
        room: &RoomId,
        members: Members,
        push: &Push<'_>,
    ) -> Result<(), Failure> {
        let is_member = self.deliver_and_look(room, members, push, sender).await?;
        match sender.filter(|_| !is_member) {
            Some(sender) if !self.connections.is_open(sender).await? => Err(Rejection::ConnectionGone.into()),
            _ => Ok(()),
        }
    }

    /// The same for a notice, which a room that is too large is not told of. Its sender is looked at all the same.
    pub async fn deliver_notice_from(
        &self,
        sender: Option<&ConnectionId>,
        room: &RoomId,
        push: &Push<'_>,
    ) -> Result<(), Failure> {
        if let Some(members) = self.audience(room).await? {
            return self.deliver_from(sender, room, members.into(), push).await;
        }
        match sender {
            Some(sender) if !self.connections.is_open(sender).await? => Err(Rejection::ConnectionGone.into()),
            _ => Ok(()),
        }
    }

    /// Refuses a sender whose connection is closed, where nobody reads the members for its message. One that was open is
    /// not looked at again for a minute.
    pub async fn admit_sender(&self, sender: Option<&ConnectionId>) -> Result<(), Failure> {
        let Some(sender) = sender else { return Ok(()) };
        if self.seen_open.has(sender) {
            return Ok(());
        }
        if !self.connections.is_open(sender).await? {
            return Err(Rejection::ConnectionGone.into());
        }
        self.seen_open.note(sender);
        Ok(())
    }

    /// Posts a frame to connections that are in the room no more. Who is gone is left alone.
    pub(crate) async fn tell(&self, connections: &[Member], push: &Push<'_>) -> Result<(), Fault> {
        let members = stream::iter(connections.iter().cloned().map(Ok));
        let posted = self.pusher.post(members, &encode(push)?, None).await;
        telemetry::posted(posted.posts(), posted.gone.len());
        log_failures(&posted);
        posted.failure.iter().for_each(telemetry::survived);
        Ok(())
    }

    /// Delivers, and answers whether a connection was among the members.
    async fn deliver_and_look(
        &self,
        room: &RoomId,
        members: Members,
        push: &Push<'_>,
        looked_for: Option<&ConnectionId>,
    ) -> Result<bool, Fault> {
        let began = monotonic();
        let posted = self.pusher.post(members.stream(), &encode(push)?, looked_for).await;
        telemetry::pushed_since(began);
        self.settle(room, posted).await
    }

    /// Takes out whose connection is gone, and answers whether the connection that was looked for was met. A fault only if
    /// nobody at all was reached, or not all could be read.
    pub(crate) async fn settle(&self, room: &RoomId, posted: Posted) -> Result<bool, Fault> {
        telemetry::posted(posted.posts(), posted.gone.len());
        if let Some(fault) = posted.unread {
            return Err(fault);
        }
        log_failures(&posted);
        let all_failed = posted.failed == posted.posts();
        if let Some(fault) = posted.failure {
            if all_failed {
                return Err(fault);
            }
            telemetry::survived(&fault);
        }
        let live = posted.delivered + posted.full + posted.failed;
        let told_singly = if live > self.notices_up_to { 0 } else { posted.single };
        self.take_out(room, posted.gone, told_singly).await;
        Ok(posted.met)
    }

    /// Takes members out whose connection is gone, and tells the others whose user left with it. It is housekeeping
    /// that a sender waits for: it has little time, and what fails here, or is left over, is found again at the next
    /// push.
    async fn take_out(&self, room: &RoomId, mut gone: Vec<Member>, told_singly: usize) {
        let until = Instant::now() + HOUSEKEEPING_MAX;
        let at_once = housekeeping_posts(self.pusher.in_flight()) / told_singly.max(1);
        while !gone.is_empty() && Instant::now() < until {
            let some = gone.split_off(gone.len().saturating_sub(at_once.clamp(1, LEAVERS_PER_FRAME)));
            // What it has removed by then is not announced.
            match timeout(HOUSEKEEPING_STEP_MAX, self.take_some_out(room, some)).await {
                Ok(Ok(more)) => gone.extend(more),
                Ok(Err(fault)) => return telemetry::survived(&fault),
                Err(late) => {
                    return telemetry::survived(&Fault::because("failed to tell of those who are gone in time", late));
                }
            }
        }
    }

    /// Takes a few members out, and tells the others. Answers those others whose connection was gone as well.
    async fn take_some_out(&self, room: &RoomId, lost: Vec<Member>) -> Result<Vec<Member>, Fault> {
        let users = self.remove(room, lost).await;
        if users.is_empty() {
            return Ok(Vec::new());
        }
        // Read again: a user who lost a connection may have come back on another one since.
        let Some(members) = self.audience(room).await? else { return Ok(Vec::new()) };
        let users: Vec<_> = users.into_iter().filter(|user| departs(user, &members)).collect();
        let Some(together) = Push::left_together(room, &users) else { return Ok(Vec::new()) };
        let together = [encode(&together)?];
        let singly: Vec<_> = users.iter().map(|user| encode(&Push::left(room, user))).collect::<Result<_, _>>()?;
        let mut posts = Vec::new();
        for member in members {
            let frames = if member.batches { &together[..] } else { &singly[..] };
            let frames = frames.iter().map(|frames| Frame::clone(frames.encoded(member.encoding)));
            posts.extend(frames.map(|frame| Ok((member.clone(), frame))));
        }
        let posted = self.pusher.post_each(stream::iter(posts), None).await;
        let posts = posted.posts();
        log_failures(&posted);
        posted.failure.iter().for_each(telemetry::survived);
        // A connection that was posted several frames is gone once.
        let gone: BTreeMap<_, _> = posted.gone.into_iter().map(|gone| (gone.connection.clone(), gone)).collect();
        telemetry::posted(posts, gone.len());
        Ok(gone.into_values().collect())
    }

    /// Deletes member rows, and answers the users of those that were still there.
    async fn remove(&self, room: &RoomId, lost: Vec<Member>) -> BTreeSet<UserId> {
        let removals = lost.into_iter().map(|member| async move {
            let removed = self.connections.remove_member(&member.connection, room).await;
            removed.inspect_err(telemetry::survived).unwrap_or(false).then_some(member.user)
        });
        stream::iter(removals).buffer_unordered(ROOMS_IN_FLIGHT).filter_map(future::ready).collect().await
    }

    /// The members of a room, unless there are too many to tell them of joins and leaves.
    pub async fn audience(&self, room: &RoomId) -> Result<Option<Vec<Member>>, Fault> {
        Ok(self.look(room).await?.whole())
    }

    /// The same, with those that were read where there are too many.
    pub async fn look(&self, room: &RoomId) -> Result<Found, Fault> {
        match self.notices_up_to {
            0 => Ok(Found { members: Vec::new(), all: false }),
            most => self.connections.members_up_to(room, most).await,
        }
    }
}

fn log_failures(posted: &Posted) {
    if posted.full > 0 {
        telemetry::pushes_throttled(posted.full, posted.posts());
    }
    if posted.failed > 0 {
        telemetry::pushes_failed(posted.failed, posted.posts());
    }
}

/// What may be posted. A [`chat::Reply`] may not: without its envelope it has no type.
pub(crate) trait ToClient {
    fn frames(&self) -> Result<Frames, serde_json::Error>;
}

impl ToClient for Push<'_> {
    fn frames(&self) -> Result<Frames, serde_json::Error> {
        Frames::of_push(self)
    }
}

impl ToClient for ReplyFrame<'_> {
    fn frames(&self) -> Result<Frames, serde_json::Error> {
        Frames::of_reply(self)
    }
}

pub(crate) fn encode(frame: &impl ToClient) -> Result<Frames, Fault> {
    frame.frames().map_err(Fault::doing("failed to encode a frame"))
}
