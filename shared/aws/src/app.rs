use crate::limits::{
    CONNECTION_LIFETIME, DEFAULT_MEMORY, DISPLACE_TIMEOUT, HANDSHAKE_MAX, HANDSHAKE_POLL, ROOMS_IN_FLIGHT,
    posts_in_flight,
};
use crate::push::Pusher;
use crate::sdk::Clients;
use crate::store::{Connections, Members, Messages, Users};
use crate::{Fault, Pace, Vars, now, telemetry};
use chat::limits::CONNECTIONS_PER_USER;
use chat::{ConnectionId, Device, Member, Profile, Push, Rejection, Reply, RoomId, UserId, departs, surplus};
use futures_util::{StreamExt, future, stream};
use std::collections::BTreeSet;
use std::time::Instant;
use tokio::time::{sleep, timeout};

/// What a function works with; built once at cold start, cheap to clone.
#[derive(Clone)]
pub struct App {
    pub connections: Connections,
    pub messages: Messages,
    pub users: Users,
    pub pace: Pace,
    pusher: Pusher,
    connections_per_user: usize,
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
            messages: Messages::new(clients.dynamodb.clone(), chat_table, retention_days),
            users: Users::new(clients.dynamodb, chat_table, vars.flag("EXPOSE_EMAIL")?),
            pace: Pace::new(vars)?,
            pusher: Pusher::new(clients.management, in_flight),
            connections_per_user: vars.parsed("CONNECTIONS_PER_USER", CONNECTIONS_PER_USER)?,
        })
    }

    /// Pushes a frame to the members of a room, takes out those whose connection is gone, and tells the others who
    /// left with them.
    ///
    /// A push may be lost, since the room's history has the message; so a member that cannot be reached is logged and
    /// left to its catch-up. Only when nobody at all could be reached, or not all members could be read, does the
    /// whole delivery fail.
    pub async fn deliver(&self, room: &RoomId, members: Members, push: &Push<'_>) -> Result<(), Fault> {
        let mut posted = self.pusher.post(members.stream(), &encode(push)?).await;
        if let Some(fault) = posted.unread.take() {
            return Err(fault);
        }
        if let Some(fault) = posted.failure.take() {
            telemetry::pushes_failed(posted.failed, posted.posts());
            if posted.failed == posted.posts() {
                return Err(fault);
            }
            telemetry::survived(&fault);
        }
        self.take_out(room, posted.gone).await
    }

    /// Takes members out whose connection is gone, and tells the others whose user left with it. It is housekeeping:
    /// what fails here is found again at the next push.
    async fn take_out(&self, room: &RoomId, mut gone: Vec<Member>) -> Result<(), Fault> {
        while !gone.is_empty() {
            let users = self.remove(room, std::mem::take(&mut gone)).await;
            if users.is_empty() {
                break;
            }
            // Read again: whoever lost a connection may have come back on another one since.
            let mut members = match self.all_members(room).await {
                Ok(members) => members,
                Err(fault) => {
                    telemetry::survived(&fault);
                    break;
                }
            };
            for user in users.iter().filter(|user| departs(user, &members)).collect::<Vec<_>>() {
                let frame = encode(&Push::left(room, user))?;
                let posted = self.pusher.post(stream::iter(members.clone()).map(Ok), &frame).await;
                if let Some(fault) = &posted.failure {
                    telemetry::pushes_failed(posted.failed, posted.posts());
                    telemetry::survived(fault);
                }
                members.retain(|member| !posted.gone.contains(member));
                gone.extend(posted.gone);
            }
        }
        Ok(())
    }

    async fn all_members(&self, room: &RoomId) -> Result<Vec<Member>, Fault> {
        self.connections.members(room).await?.all().await
    }

    /// Takes a connection out of a room, and tells the others if its user left with it.
    pub async fn leave(&self, connection: &ConnectionId, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        if !self.connections.leave(connection, room).await? {
            return Ok(());
        }
        let remaining = self.all_members(room).await?;
        if departs(user, &remaining) {
            self.deliver(room, remaining.into(), &Push::left(room, user)).await?;
        }
        Ok(())
    }

    /// Ends all connections of a user, and has none of the tokens that were issued until now connect again. Answers how many
    /// connections there were. Their `$disconnect`s follow, as after every end.
    ///
    /// Waits for those of them whose handshake is under way: there is nothing to end before it is over.
    pub async fn disconnect(&self, user: &UserId) -> Result<usize, Fault> {
        let mut devices = self.users.revoke(user).await?;
        let (mut ended, until) = (0, Instant::now() + HANDSHAKE_MAX);
        loop {
            let ends = devices.into_iter().map(|device| async move {
                self.connections.close(&device.connection).await?;
                Ok::<_, Fault>((self.pusher.close(&device.connection).await?, device))
            });
            let ends: Vec<_> = stream::iter(ends).buffer_unordered(ROOMS_IN_FLIGHT).collect().await;
            let ends: Vec<_> = ends.into_iter().collect::<Result<_, _>>()?;
            ended += ends.iter().filter(|(there, _)| *there).count();
            let missing = ends.into_iter().filter(|(there, _)| !there).map(|(_, device)| device);
            devices = missing.filter(may_be_coming).collect();
            if devices.is_empty() || Instant::now() > until {
                return Ok(ended);
            }
            sleep(HANDSHAKE_POLL).await;
        }
    }

    /// Ends those of a user's devices that are too many now that `newest` has come, each after a word about why. It is
    /// housekeeping: what fails here is tried again when the user connects the next time.
    pub async fn displace(&self, user: &UserId, devices: Vec<Device>, newest: &Device) -> Result<(), Fault> {
        let surplus = surplus(devices, newest, self.connections_per_user);
        if surplus.is_empty() {
            return Ok(());
        }
        let why = Rejection::TooManyConnections { limit: self.connections_per_user };
        let frame = encode(&Reply::rejected(&why))?;
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

    /// Ends a connection after a last frame. Answers whether it is no more. It enters no room from then on even if it is still on
    /// its way in, so that many handshakes at once multiply nothing.
    async fn end(&self, device: &Device, frame: &[u8]) -> bool {
        let ended = async {
            self.connections.close(&device.connection).await?;
            let told = self.pusher.tell(&device.connection, frame).await?;
            let there = self.pusher.close(&device.connection).await?;
            Ok(told || there || !may_be_coming(device))
        };
        let in_time = timeout(DISPLACE_TIMEOUT, ended).await;
        let ended = in_time.unwrap_or_else(|late| Err(Fault::because("failed to end a connection in time", late)));
        ended.unwrap_or_else(|fault| {
            telemetry::survived(&fault);
            false
        })
    }

    /// Takes a member out whose connection ended while it joined. Another device of the user may have kept silent because
    /// it saw this one before itself; then this one announces them both.
    pub async fn undo_join(&self, member: &Member, room: &RoomId, user: &Profile) -> Result<(), Fault> {
        self.connections.leave(&member.connection, room).await?;
        let members = self.all_members(room).await?;
        if !departs(&member.user, &members) {
            self.deliver(room, members.into(), &Push::joined(room, user)).await?;
        }
        Ok(())
    }

    /// Takes members out of a room for good, and answers the users of those that nobody else took out meanwhile.
    async fn remove(&self, room: &RoomId, lost: Vec<Member>) -> BTreeSet<UserId> {
        let leaves = lost.into_iter().map(|member| async move {
            let left = self.connections.leave(&member.connection, room).await;
            left.inspect_err(telemetry::survived).unwrap_or(false).then_some(member.user)
        });
        stream::iter(leaves).buffer_unordered(ROOMS_IN_FLIGHT).filter_map(future::ready).collect().await
    }
}

/// Whether a connection that is not there may be one whose handshake is not over.
fn may_be_coming(device: &Device) -> bool {
    now() < device.connected_at.after(HANDSHAKE_MAX)
}

fn encode(frame: &impl serde::Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(frame).map_err(Fault::doing("failed to encode a frame"))
}
