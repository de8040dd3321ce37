//! Pushes to a user, in whichever rooms the user's connections are.

use crate::delivery::encode;
use crate::pusher::Pusher;
use crate::store::{Connections, Users};
use crate::{Fault, telemetry};
use chat::{Frames, Push, UserId};
use futures_util::{StreamExt, stream};

/// Tells people what concerns them alone. It is best effort: the list of rooms says the same.
#[derive(Clone)]
pub struct Personal {
    users: Users,
    connections: Connections,
    pusher: Pusher,
}

impl Personal {
    pub(crate) fn new(users: Users, connections: Connections, pusher: Pusher) -> Self {
        Self { users, connections, pusher }
    }

    /// Posts a frame to every open connection of these users. What fails is logged.
    pub async fn tell(&self, users: impl IntoIterator<Item = &UserId>, push: &Push<'_>) {
        let frames = match encode(push) {
            Ok(frames) => frames,
            Err(fault) => return telemetry::survived(&fault),
        };
        for user in users {
            self.tell_one(user, &frames).await.unwrap_or_else(|fault| telemetry::survived(&fault));
        }
    }

    /// A connection is written to as its handshake said, which its row knows.
    async fn tell_one(&self, user: &UserId, frames: &Frames) -> Result<(), Fault> {
        let devices = self.users.devices(user).await?;
        let open = self.connections.encodings(devices.into_iter().map(|device| device.connection)).await?;
        let posts = open.into_iter().map(|(connection, encoding)| async move {
            self.pusher.tell(&connection, frames.encoded(encoding)).await.map(drop)
        });
        let told: Vec<_> = stream::iter(posts).buffer_unordered(self.pusher.in_flight()).collect().await;
        told.into_iter().filter_map(Result::err).for_each(|fault| telemetry::survived(&fault));
        Ok(())
    }
}
