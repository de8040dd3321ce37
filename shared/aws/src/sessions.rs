//! A user's connections: how many there are, and how they end.

use crate::delivery::encode;
use crate::limits::{
    CONNECTION_LIFETIME, DISPLACE_TIMEOUT, ENDED_BY_ANOTHER, HANDSHAKE_MAX, HANDSHAKE_POLL, ROOMS_IN_FLIGHT,
};
use crate::pusher::Pusher;
use crate::store::{Connections, Users};
use crate::{Failure, Fault, now, telemetry};
use chat::limits::CLOCK_SKEW_SECONDS;
use chat::{Caller, Device, Rejection, Reply, Timestamp, UserId, surplus};
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

    /// Opens a connection of a caller, and ends the oldest ones of the same user if there are too many. The row of the
    /// connection is written last: a handshake that finds this connection at its user meanwhile closes it, and then it
    /// does not open.
    ///
    /// Refused if the token was revoked, or if a newer connection took this one's place already.
    pub async fn open(&self, device: &Device, caller: &Caller) -> Result<(), Failure> {
        let devices = self.users.remember(&caller.profile, caller.issued_at, device).await?;
        self.displace(caller.user(), devices, device).await?;
        if self.connections.open(device, caller.user()).await? {
            return Ok(());
        }
        self.users.forget(caller.user(), std::slice::from_ref(device)).await?;
        Err(self.too_many_connections().into())
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
        let (_, rooms) = self.connections.shut_out(&device.connection, now).await?;
        let there = self.pusher.close(&device.connection).await?;
        for room in rooms.iter().filter(|_| !there) {
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
        let frame = encode(&Reply::rejected(&self.too_many_connections()).answering(None))?;
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
    fn too_many_connections(&self) -> Rejection {
        Rejection::TooManyConnections { limit: self.connections_per_user }
    }

    /// Ends a connection after a last frame, unless another handshake is at it. Answers whether it was ended. One that
    /// is still on its way in cannot be told, and comes in all the same; it finds itself closed, and its first frame
    /// ends it.
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
