//! The first frames of a connection of Socket.IO: its client says nothing before it has them.

use crate::entry::After;
use crate::limits::{GREETING_BACKOFF, GREETING_MAX};
use crate::pusher::{Pusher, Told};
use crate::{Fault, telemetry};
use chat::ConnectionId;
use chat::socketio::Greeting;
use tokio::time::{Instant, sleep};

impl Pusher {
    /// Greets a connection once its handshake is answered. One that cannot be greeted is ended, so that its client
    /// comes back at once, and not after the 20 seconds that it waits for its first frame.
    pub fn greet(&self, connection: ConnectionId, greeting: Greeting) -> After {
        let pusher = self.clone();
        After::new(async move {
            if let Err(fault) = pusher.say_first(&connection, &greeting).await {
                telemetry::survived(&fault);
                let closed = pusher.close(&connection).await;
                closed.map(drop).unwrap_or_else(|fault| telemetry::survived(&fault));
            }
        })
    }

    async fn say_first(&self, connection: &ConnectionId, greeting: &Greeting) -> Result<(), Fault> {
        let mut is_there = false;
        for frame in &greeting.frames {
            let told = match is_there {
                true => self.tell(connection, frame.as_bytes()).await?,
                false => self.tell_when_there(connection, frame.as_bytes()).await?,
            };
            match told {
                Told::Delivered => is_there = true,
                // It hung up.
                Told::Gone => return Ok(()),
                Told::Full => return Err(Fault::because("failed to greet a connection", "it takes no frames")),
            }
        }
        if greeting.ends {
            self.close(connection).await?;
        }
        Ok(())
    }

    /// API Gateway knows a connection only a moment after its handshake was answered.
    async fn tell_when_there(&self, connection: &ConnectionId, frame: &[u8]) -> Result<Told, Fault> {
        let (until, mut wait) = (Instant::now() + GREETING_MAX, GREETING_BACKOFF);
        loop {
            let told = self.tell(connection, frame).await?;
            if told != Told::Gone || Instant::now() + wait > until {
                return Ok(told);
            }
            sleep(wait).await;
            wait *= 2;
        }
    }
}
