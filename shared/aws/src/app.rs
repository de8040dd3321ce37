use crate::limits::{
    CONNECTION_LIFETIME, DEFAULT_MEMORY, DISPLACE_TIMEOUT, ENDED_BY_ANOTHER, HANDSHAKE_MAX, HANDSHAKE_POLL,
    HOUSEKEEPING_MAX, HOUSEKEEPING_STEP_MAX, ROOMS_IN_FLIGHT, housekeeping_posts, posts_in_flight,
};
use crate::push::{Frame, Posted, Pusher};
use crate::sdk::Clients;
use crate::store::{Arrival, Arrivals, Connections, JoinNumber, Left, Members, Messages, Tables, Users};
use crate::{Failure, Fault, Pace, Vars, now, telemetry};
use chat::limits::{CLOCK_SKEW_SECONDS, CONNECTIONS_PER_USER, LEAVERS_PER_FRAME, NOTICES_UP_TO};
use chat::{
    ConnectionId, Device, Member, Profile, Push, Rejection, Reply, RoomId, Timestamp, UserId, departs, surplus,
};
use futures_util::{StreamExt, future, stream};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// What a function works with; built once at cold start, cheap to clone.
#[derive(Clone)]
pub struct App {
    pub connections: Connections,
    pub arrivals: Arrivals,
    pub messages: Messages,
    pub users: Users,
    pub tables: Tables,
    pub pace: Pace,
    pusher: Pusher,
    connections_per_user: usize,
    /// Up to how many connections in a room its members are told of joins and leaves.
    notices_up_to: usize,
}

/// What became of the end of all connections of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether the user ever connected.
    pub seen: bool,
    pub connections: usize,
    /// How many more were known and not there to be ended: no `$disconnect` came for them, or they are another deployment's.
    pub missing: usize,
}

impl AsRef<Pusher> for App {
    fn as_ref(&self) -> &Pusher {
        &self.pusher
    }
}

impl AsRef<Self> for Pusher {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl App {
    /// Builds the clients and stores from the function's variables.
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let clients = Clients::new(vars)?;
        let (connections_table, chat_table) = (vars.required("CONNECTIONS_TABLE")?, vars.required("CHAT_TABLE")?);
        let retention_days = vars.parsed("MESSAGE_RETENTION_DAYS", 0)?;
        let in_flight = posts_in_flight(vars.parsed("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", DEFAULT_MEMORY)?);
        Ok(Self {
            connections: Connections::new(clients.dynamodb.clone(), connections_table),
            arrivals: Arrivals::new(clients.dynamodb.clone(), connections_table, chat_table),
            messages: Messages::new(clients.dynamodb.clone(), chat_table, retention_days),
            tables: Tables::new(clients.dynamodb.clone(), connections_table, chat_table),
            users: Users::new(clients.dynamodb, chat_table, vars.flag("EXPOSE_EMAIL")?),
            pace: Pace::new(vars)?,
            pusher: Pusher::new(clients.management, in_flight),
            connections_per_user: vars.parsed("CONNECTIONS_PER_USER", CONNECTIONS_PER_USER)?,
            notices_up_to: vars.parsed("NOTICES_UP_TO", NOTICES_UP_TO)?,
        })
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

    /// The same with what somebody said. A sender who is not a member may be one whose connection was closed to make place for
    /// another, and who comes in all the same, since API Gateway could not end it yet: its message is kept, and it is refused.
    pub async fn deliver_from(
        &self,
        sender: &ConnectionId,
        room: &RoomId,
        members: Members,
        push: &Push<'_>,
    ) -> Result<(), Failure> {
        let is_member = self.deliver_and_look(room, members, push, Some(sender)).await?;
        if is_member || self.connections.is_open(sender).await? {
            return Ok(());
        }
        Err(Rejection::ConnectionGone.into())
    }

    /// Delivers, and answers whether a connection was among the members.
    async fn deliver_and_look(
        &self,
        room: &RoomId,
        members: Members,
        push: &Push<'_>,
        looked_for: Option<&ConnectionId>,
    ) -> Result<bool, Fault> {
        let posted = self.pusher.post(members.stream(), encode(push)?, looked_for).await;
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

    /// Takes members out whose connection is gone, and tells the others whose user left with it. It is housekeeping that a sender
    /// waits for: it has little time, and what fails here, or is left over, is found again at the next push.
    async fn take_out(&self, room: &RoomId, mut gone: Vec<Member>, told_singly: usize) {
        let until = Instant::now() + HOUSEKEEPING_MAX;
        let at_once = housekeeping_posts(self.pusher.in_flight()) / told_singly.max(1);
        while !gone.is_empty() && Instant::now() < until {
            let some = gone.split_off(gone.len().saturating_sub(at_once.clamp(1, LEAVERS_PER_FRAME)));
            // Whom it has removed by then it tells nobody of.
            match timeout(HOUSEKEEPING_STEP_MAX, self.take_some_out(room, some)).await {
                Ok(Ok(more)) => gone.extend(more),
                Ok(Err(fault)) => return telemetry::survived(&fault),
                Err(late) => {
                    return telemetry::survived(&Fault::because("failed to tell of those who are gone in time", late));
                }
            }
        }
    }

    /// Takes a few members out. Answers those whose connection turned out to be gone when they were told.
    async fn take_some_out(&self, room: &RoomId, lost: Vec<Member>) -> Result<Vec<Member>, Fault> {
        let users = self.remove(room, lost).await;
        if users.is_empty() {
            return Ok(Vec::new());
        }
        // Read again: whoever lost a connection may have come back on another one since.
        let Some(members) = self.audience(room).await? else { return Ok(Vec::new()) };
        let users: Vec<_> = users.into_iter().filter(|user| departs(user, &members)).collect();
        let Some(together) = Push::left_together(room, &users) else { return Ok(Vec::new()) };
        let together = [encode(&together)?];
        let singly: Vec<_> = users.iter().map(|user| encode(&Push::left(room, user))).collect::<Result<_, _>>()?;
        let mut posts = Vec::new();
        for member in members {
            let frames = if member.batches { &together[..] } else { &singly[..] };
            posts.extend(frames.iter().map(|frame| Ok((member.clone(), Frame::clone(frame)))));
        }
        let posted = self.pusher.post_each(stream::iter(posts), None).await;
        log_failures(&posted);
        posted.failure.iter().for_each(telemetry::survived);
        let gone: BTreeMap<_, _> = posted.gone.into_iter().map(|gone| (gone.connection.clone(), gone)).collect();
        Ok(gone.into_values().collect())
    }

    /// Takes members out of a room for good, and answers the users of those that nobody else took out meanwhile.
    async fn remove(&self, room: &RoomId, lost: Vec<Member>) -> BTreeSet<UserId> {
        let removals = lost.into_iter().map(|member| async move {
            let removed = self.connections.remove(&member.connection, room).await;
            removed.inspect_err(telemetry::survived).unwrap_or(false).then_some(member.user)
        });
        stream::iter(removals).buffer_unordered(ROOMS_IN_FLIGHT).filter_map(future::ready).collect().await
    }

    /// The members of a room, unless there are so many that they are not told who comes and who goes.
    pub async fn audience(&self, room: &RoomId) -> Result<Option<Vec<Member>>, Fault> {
        match self.notices_up_to {
            0 => Ok(None),
            most => self.connections.members_up_to(room, most).await,
        }
    }

    /// Takes a connection out of a room as its client asked at a certain time, and tells the others if its user left with it. Nothing
    /// is struck where nothing was taken out: a join may be under way.
    pub async fn leave(
        &self,
        connection: &ConnectionId,
        user: &UserId,
        room: &RoomId,
        asked_at: Timestamp,
    ) -> Result<(), Fault> {
        let Left::WasIn(join) = self.connections.leave(connection, room, asked_at).await? else { return Ok(()) };
        let struck = match join {
            Some(join) => self.connections.strike(connection, room, join).await,
            None => Ok(()),
        };
        self.tell_of_leave(user, room).await?;
        struck
    }

    /// Takes a connection that is no more out of a room, and tells the others if its user left with it.
    pub async fn depart(&self, connection: &ConnectionId, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        if self.connections.remove(connection, room).await? {
            self.tell_of_leave(user, room).await?;
        }
        Ok(())
    }

    async fn tell_of_leave(&self, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        match self.audience(room).await? {
            Some(remaining) if departs(user, &remaining) => {
                self.deliver(room, remaining.into(), &Push::left(room, user)).await
            }
            _ => Ok(()),
        }
    }

    /// Takes back a join that does not stand. Another device of the user may have kept silent because it saw this one before itself;
    /// then this one announces them both.
    pub async fn undo_join(
        &self,
        member: &Member,
        join: JoinNumber,
        room: &RoomId,
        found: Arrival,
        user: &Profile,
    ) -> Result<(), Fault> {
        self.connections.undo(&member.connection, room, join).await?;
        if found != Arrival::Closed {
            self.connections.strike(&member.connection, room, join).await?;
        }
        match self.audience(room).await? {
            Some(members) if !departs(&member.user, &members) => {
                self.deliver(room, members.into(), &Push::joined(room, user)).await
            }
            _ => Ok(()),
        }
    }

    /// Ends all connections of a user, and has none of the tokens that were issued until now connect again, nor any that a clock may
    /// say was issued a minute from now. What counts is DynamoDB's time. The connections' `$disconnect`s follow, as after every
    /// end; one that is not there leaves its rooms here.
    ///
    /// Waits for those of them whose handshake is under way: there is nothing to end before it is over.
    pub async fn disconnect(&self, user: &UserId) -> Result<Ended, Fault> {
        let (seen, time) = self.users.look(user).await?;
        let asked = Instant::now();
        let mut devices = self.users.revoke(user, time.after(Duration::from_secs(CLOCK_SKEW_SECONDS))).await?;
        let (mut ended, handshake_millis) = (0, HANDSHAKE_MAX.as_millis() as u64);
        let known = devices.len();
        loop {
            let ends = devices.into_iter().map(|device| async move {
                let there = self.end_at_once(&device, time).await?;
                Ok::<_, Fault>((there, device))
            });
            let ends: Vec<_> = stream::iter(ends).buffer_unordered(ROOMS_IN_FLIGHT).collect().await;
            let ends: Vec<_> = ends.into_iter().collect::<Result<_, _>>()?;
            ended += ends.iter().filter(|(there, _)| *there).count();
            let missing = ends.into_iter().filter(|(there, _)| !there).map(|(_, device)| device);
            let now = time.after(asked.elapsed());
            let is_coming = |device: &Device| now.millis().abs_diff(device.connected_at.millis()) < handshake_millis;
            devices = missing.filter(is_coming).collect();
            if devices.is_empty() || asked.elapsed() > HANDSHAKE_MAX {
                return Ok(Ended { seen: seen || known > 0, connections: ended, missing: known.saturating_sub(ended) });
            }
            sleep(HANDSHAKE_POLL).await;
            // One whose `$disconnect` has come is on its way nowhere.
            let counted = self.users.devices(user).await?;
            devices.retain(|device| counted.contains(device));
        }
    }

    /// Ends a connection without a word. Answers whether it was there. If it was not, it is taken out of its rooms, so that it hears
    /// nothing even if it is somewhere else: whoever asks may have named another deployment's management API. Nobody is told,
    /// since by that API everybody would be gone.
    async fn end_at_once(&self, device: &Device, now: Timestamp) -> Result<bool, Fault> {
        let (_, rooms) = self.connections.shut_out(&device.connection, now).await?;
        let there = self.pusher.close(&device.connection).await?;
        for room in rooms.iter().filter(|_| !there) {
            self.connections.remove(&device.connection, room).await?;
        }
        Ok(there)
    }

    /// Ends those of a user's devices that are too many now that `newest` has come, each after a word about why. It is
    /// housekeeping: what fails here is tried again when the user connects the next time.
    pub async fn displace(&self, user: &UserId, devices: Vec<Device>, newest: &Device) -> Result<(), Fault> {
        let surplus = surplus(devices, newest, self.connections_per_user);
        if surplus.is_empty() {
            return Ok(());
        }
        let frame = encode(&Reply::rejected(&self.too_many_connections()))?;
        let ends = surplus.into_iter().map(|device| {
            let frame = &frame;
            async move {
                // `$disconnect` is best effort; one that API Gateway has cut by now need not be asked for.
                let is_over = device.connected_at.after(CONNECTION_LIFETIME) < now();
                let ended = is_over || self.end(&device, frame).await;
                ended.then_some(device)
            }
        });
        let ended: Vec<_> =
            stream::iter(ends).buffer_unordered(ROOMS_IN_FLIGHT).filter_map(future::ready).collect().await;
        if !ended.is_empty() {
            self.users.forget(user, &ended).await.unwrap_or_else(|fault| telemetry::survived(&fault));
        }
        Ok(())
    }

    /// Why a connection had to make place.
    pub fn too_many_connections(&self) -> Rejection {
        Rejection::TooManyConnections { limit: self.connections_per_user }
    }

    /// Ends a connection after a last frame, unless another handshake is at it. Answers whether it was ended. One that is still on its way in cannot be told, and comes in
    /// all the same; it finds itself closed, and its first frame ends it.
    async fn end(&self, device: &Device, frame: &[u8]) -> bool {
        let ended = async {
            // However long the rest takes: from here on it can do nothing.
            let now = now();
            let (closed, _) = self.connections.shut_out(&device.connection, now).await?;
            if closed.is_some_and(|at| now.seconds() - at < ENDED_BY_ANOTHER.as_secs().cast_signed()) {
                return Ok(false);
            }
            let in_time = timeout(DISPLACE_TIMEOUT, self.pusher.dismiss(&device.connection, frame)).await;
            in_time.map_err(|late| Fault::because("failed to end a connection in time", late))?.map(|_| true)
        };
        ended.await.inspect_err(telemetry::survived).unwrap_or(false)
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

fn encode(frame: &impl serde::Serialize) -> Result<Frame, Fault> {
    serde_json::to_vec(frame).map(Frame::from).map_err(Fault::doing("failed to encode a frame"))
}
