//! A user's connections: how many there are, and how they end.

use crate::delivery::encode;
use crate::limits::{
    CONNECTION_LIFETIME, DISPLACE_TIMEOUT, ENDED_BY_ANOTHER, HANDSHAKE_MAX, HANDSHAKE_POLL, ROOMS_IN_FLIGHT,
};
use crate::pusher::Pusher;
use crate::store::{Connections, Kept, Users};
use crate::{Failure, Fault, now, telemetry};
use chat::limits::CLOCK_SKEW_SECONDS;
use chat::{Caller, Device, Encoding, Frames, Rejection, Reply, Timestamp, UserId, socketio, surplus};
use futures_util::{StreamExt, future, stream};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Opens connections, ends those that are too many, and shuts users out.
#[derive(Clone)]
pub struct Sessions {
    users: Users,
    connections: Connections,
    pusher: Pusher,
    connections_per_user: usize,
}

/// What became of the end of all connections of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether the user ever connected.
    pub seen: bool,
    pub connections: usize,
    /// How many more were known and not there to be ended: no `$disconnect` came for them, or they are another
    /// deployment's.
    pub missing: usize,
}

impl Sessions {
    pub(crate) fn new(users: Users, connections: Connections, pusher: Pusher, connections_per_user: usize) -> Self {
        Self { users, connections, pusher, connections_per_user }
    }

    /// Opens a connection of a caller whom the authorizer let in.
    ///
    /// Refused if the token was revoked, or if a newer connection took this one's place already.
    pub async fn open(&self, device: &Device, caller: &Caller, encoding: Encoding) -> Result<(), Failure> {
        self.enter(device, caller, Kept { encoding, caller: None }).await
    }

    /// Lets a caller in on a connection that was nobody's, and keeps at it who that is: its context does not say it.
    ///
    /// Refused as a handshake is, and if the connection is another user's already.
    pub async fn admit(&self, device: &Device, caller: &Caller, encoding: Encoding) -> Result<(), Failure> {
        self.enter(device, caller, Kept { encoding, caller: Some(caller) }).await
    }

    /// Ends the oldest connections of the same user if there are too many. The row of the connection is written last:
    /// what it says is believed from then on, so what forbids it must lie behind it. And a handshake that finds this
    /// connection at its user meanwhile closes it, and then it does not open.
    async fn enter(&self, device: &Device, caller: &Caller, kept: Kept<'_>) -> Result<(), Failure> {
        let devices = self.users.remember(&caller.profile, caller.issued_at, device).await?;
        self.displace(caller.user(), devices, device).await?;
        let refused = match self.connections.open(device, caller.user(), kept).await {
            Ok(true) => return Ok(()),
            Ok(false) => self.too_many_connections(),
            Err(Failure::Rejected(refused)) => refused,
            Err(fault) => return Err(fault),
        };
        self.users.forget(caller.user(), std::slice::from_ref(device)).await?;
        Err(refused.into())
    }

    /// Revokes all tokens that were issued to a user until now, by DynamoDB's time and with a minute for clocks that
    /// differ, and ends all connections of the user. Their `$disconnect`s follow, as after every end; a connection that
    /// is not there leaves its rooms here.
    ///
    /// Waits for connections whose handshake is under way: they cannot be ended before it is over.
    pub async fn end_all(&self, user: &UserId) -> Result<Ended, Fault> {
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
            // Once its `$disconnect` has come, a connection does not open any more.
            let counted = self.users.devices(user).await?;
            devices.retain(|device| counted.contains(device));
        }
    }

    /// Ends a connection without a word. Answers whether it was there. If it was not, it is taken out of its rooms, so
    /// that it hears nothing even if it is somewhere else: whoever asks may have named another deployment's management
    /// API. Nobody is told, since by that API everybody would be gone.
    async fn end_at_once(&self, device: &Device, now: Timestamp) -> Result<bool, Fault> {
        let shut = self.connections.shut_out(&device.connection, now).await?;
        let there = self.pusher.close(&device.connection).await?;
        for room in shut.rooms.iter().filter(|_| !there) {
            self.connections.remove_member(&device.connection, room).await?;
        }
        Ok(there)
    }

    /// Ends those of a user's devices that are too many now that `newest` has come, each after a word about why. It is
    /// housekeeping: what fails here is tried again when the user connects the next time.
    async fn displace(&self, user: &UserId, devices: Vec<Device>, newest: &Device) -> Result<(), Fault> {
        let surplus = surplus(devices, newest, self.connections_per_user);
        if surplus.is_empty() {
            return Ok(());
        }
        let frames = encode(&Reply::rejected(&self.too_many_connections()).answering(None))?;
        let ends = surplus.into_iter().map(|device| {
            let frames = &frames;
            async move {
                // `$disconnect` is best effort; one that API Gateway has cut by now need not be asked for.
                let is_over = device.connected_at.after(CONNECTION_LIFETIME) < now();
                let ended = is_over || self.end(&device, frames).await;
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
    fn too_many_connections(&self) -> Rejection {
        Rejection::TooManyConnections { limit: self.connections_per_user }
    }

    /// Ends a connection after a last frame, unless another handshake is at it. Answers whether it was ended. One that
    /// is still on its way in finds itself closed when it opens, and is told then: cut before, a client of Socket.IO
    /// would come back, and displace the next one. One that opened and is not in yet cannot be told, and comes in all
    /// the same; its first frame ends it.
    async fn end(&self, device: &Device, frames: &Frames) -> bool {
        let ended = async {
            // However long the rest takes: from here on it can do nothing.
            let now = now();
            let shut = self.connections.shut_out(&device.connection, now).await?;
            if shut.closed_at.is_some_and(|at| now.seconds() - at < ENDED_BY_ANOTHER.as_secs().cast_signed()) {
                return Ok(false);
            }
            let Some(encoding) = shut.encoding else { return Ok(true) };
            let mut last = vec![&frames.encoded(encoding)[..]];
            if encoding.is_socket_io() {
                // Without it, the client would come back, and displace the next one.
                last.push(socketio::DISCONNECT.as_bytes());
            }
            let in_time = timeout(DISPLACE_TIMEOUT, self.pusher.dismiss(&device.connection, &last)).await;
            in_time.map_err(|late| Fault::because("failed to end a connection in time", late))?.map(|_| true)
        };
        ended.await.inspect_err(telemetry::survived).unwrap_or(false)
    }
}
