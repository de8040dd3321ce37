//! The open connections, known to the socket that serves each and to the management API.

use super::limits::OUTBOX_FRAMES_MAX;
use chat::Timestamp;
use chat_aws::now;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What waits to be written to a socket.
#[derive(Debug)]
pub enum Outgoing {
    Frame(String),
    /// Close with this code; nothing is written after it.
    Close(u16),
}

/// One connection, from a `$connect` that returned to the socket's end.
pub struct Connection {
    pub id: String,
    pub connected_at: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
    pub host: String,
    /// What the authorizer said; every event of the connection carries it.
    pub authorizer: Value,
    outbox: mpsc::Sender<Outgoing>,
    close: CancellationToken,
    activity: Mutex<(Instant, Timestamp)>,
}

/// Why a frame was not taken.
pub enum Refused {
    /// The client reads too slowly.
    Full,
    Gone,
}

impl Connection {
    /// Has a frame written, in the order of these calls.
    pub fn send(&self, frame: String) -> Result<(), Refused> {
        self.outbox.try_send(Outgoing::Frame(frame)).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Closed(_) => Refused::Gone,
        })?;
        self.touch();
        Ok(())
    }

    /// Has a reply written, as soon as there is room for it. Only a client that is gone misses it.
    pub async fn reply(&self, frame: String) {
        if self.outbox.send(Outgoing::Frame(frame)).await.is_ok() {
            self.touch();
        }
    }

    /// Has the socket closed after what waits to be written.
    pub async fn send_last(&self, code: u16) {
        // A socket that is gone needs no goodbye.
        let _ = self.outbox.send(Outgoing::Close(code)).await;
    }

    /// Ends the connection from outside.
    pub fn close(&self) {
        self.close.cancel();
    }

    pub async fn told_to_close(&self) {
        self.close.cancelled().await;
    }

    /// Notes a frame in either direction: it keeps the connection from idling.
    pub fn touch(&self) {
        *lock(&self.activity) = (Instant::now(), now());
    }

    pub fn idle_since(&self) -> Instant {
        lock(&self.activity).0
    }

    pub fn last_active_at(&self) -> Timestamp {
        lock(&self.activity).1
    }
}

/// What is known of a client at its handshake.
pub struct Client {
    pub source_ip: String,
    pub user_agent: String,
    pub host: String,
}

#[derive(Default)]
pub struct Connections(Mutex<HashMap<String, Arc<Connection>>>);

impl Connections {
    /// A connection that nobody can post to yet.
    pub fn prepare(id: String, client: Client, authorizer: Value) -> (Connection, mpsc::Receiver<Outgoing>) {
        let (outbox, outgoing) = mpsc::channel(OUTBOX_FRAMES_MAX);
        let activity = Mutex::new((Instant::now(), now()));
        let Client { source_ip, user_agent, host } = client;
        let connected_at = now();
        let close = CancellationToken::new();
        (Connection { id, connected_at, source_ip, user_agent, host, authorizer, outbox, close, activity }, outgoing)
    }

    pub fn add(&self, connection: Connection) -> Arc<Connection> {
        let connection = Arc::new(connection);
        lock(&self.0).insert(connection.id.clone(), Arc::clone(&connection));
        connection
    }

    pub fn get(&self, id: &str) -> Option<Arc<Connection>> {
        lock(&self.0).get(id).cloned()
    }

    pub fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}

/// A panic while holding one of these locks cannot leave its value half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
