//! API Gateway cuts a connection on which nothing is said for ten minutes, and a client of Engine.IO 4 says nothing by
//! itself.

use crate::pusher::{Pusher, Told};
use crate::store::Connections;
use crate::{Fault, telemetry};
use chat::socketio::NOOP;
use futures_util::TryStreamExt;

/// Says something to those that would be cut.
#[derive(Clone)]
pub struct KeepAlive {
    connections: Connections,
    pusher: Pusher,
}

impl KeepAlive {
    pub(crate) fn new(connections: Connections, pusher: Pusher) -> Self {
        Self { connections, pusher }
    }

    /// Posts nothing, in a frame, to every client of Engine.IO 4. Whoever cannot be reached is cut at worst, and comes
    /// back; whoever is gone is left to its `$disconnect`, or to its row's expiry.
    pub async fn run(&self) -> Result<(), Fault> {
        let posts = self.connections.kept_alive().map_ok(|connection| async move {
            let told = self.pusher.tell(&connection, NOOP.as_bytes()).await;
            Ok::<_, Fault>(told)
        });
        let mut told = std::pin::pin!(posts.try_buffer_unordered(self.pusher.in_flight()));
        let (mut posts, mut gone, mut failed) = (0, 0, Vec::new());
        while let Some(told) = told.try_next().await? {
            posts += 1;
            match told {
                Ok(Told::Delivered | Told::Full) => {}
                Ok(Told::Gone) => gone += 1,
                Err(fault) => failed.push(fault),
            }
        }
        telemetry::posted(posts, gone);
        if let Some(fault) = failed.first() {
            telemetry::pushes_failed(failed.len(), posts);
            telemetry::survived(fault);
        }
        Ok(())
    }
}
