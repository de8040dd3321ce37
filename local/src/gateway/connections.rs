//! The open connections. Each is shared by the task that serves its socket and the management API.

use super::limits::{OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX};
use chat::Timestamp;
use chat_aws::now;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Something to write to a socket.
#[derive(Debug)]
pub enum Outgoing {
    /// A frame, with the permit for its bytes, which is released when the frame is written.
    Frame(String, Option<OwnedSemaphorePermit>),
    /// Close with this code. Nothing is written after it.
    Close(u16),
}

/// One connection, from the end of `$connect` to the end of its socket.
pub struct Connection {
    pub id: String,
    pub connected_at: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
    pub host: String,
    /// The authorizer's context. Every event of the connection carries it.
    pub authorizer: Value,
    outbox: mpsc::Sender<Outgoing>,
    /// Free bytes of the outbox. Waiting for them ends when the client reads, or when the outbox is dropped.
    places: Arc<Semaphore>,
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
    /// Queues a frame. Frames are written in the order of these calls.
    pub fn send(&self, frame: String) -> Result<(), Refused> {
        let place = Arc::clone(&self.places).try_acquire_many_owned(bytes(&frame)).map_err(|_| Refused::Full)?;
        self.outbox.try_send(Outgoing::Frame(frame, Some(place))).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Closed(_) => Refused::Gone,
        })?;
        self.touch();
        Ok(())
    }

    /// Queues a reply as soon as the outbox has room. Only a client that has left misses it.
    pub async fn reply(&self, frame: String) {
        let place = Arc::clone(&self.places).acquire_many_owned(bytes(&frame)).await.ok();
        if self.outbox.send(Outgoing::Frame(frame, place)).await.is_ok() {
            self.touch();
        }
    }

    /// Closes the socket after everything that is queued.
    pub async fn send_last(&self, code: u16) {
        // A closed socket needs no close frame.
        let _ = self.outbox.send(Outgoing::Close(code)).await;
    }

    /// Ends the connection from outside.
    pub fn close(&self) {
        self.close.cancel();
    }

    pub async fn told_to_close(&self) {
        self.close.cancelled().await;
    }

    /// Records a frame in either direction, which restarts the idle time-out.
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

/// What the handshake tells of a client.
pub struct Client {
    pub source_ip: String,
    pub user_agent: String,
    pub host: String,
}

#[derive(Default)]
pub struct Connections(Mutex<BTreeMap<String, Arc<Connection>>>);

impl Connections {
    /// A connection that posts cannot reach yet.
    pub fn prepare(id: String, client: Client, authorizer: Value) -> (Connection, mpsc::Receiver<Outgoing>) {
        let (outbox, outgoing) = mpsc::channel(OUTBOX_FRAMES_MAX);
        let places = Arc::new(Semaphore::new(OUTBOX_BYTES_MAX));
        let activity = Mutex::new((Instant::now(), now()));
        let Client { source_ip, user_agent, host } = client;
        let connected_at = now();
        let close = CancellationToken::new();
        let connection =
            Connection { id, connected_at, source_ip, user_agent, host, authorizer, outbox, places, close, activity };
        (connection, outgoing)
    }

    pub fn add(&self, connection: Connection) -> Arc<Connection> {
        let connection = Arc::new(connection);
        lock(&self.0).insert(connection.id.clone(), Arc::clone(&connection));
        connection
    }

    pub fn get(&self, id: &str) -> Option<Arc<Connection>> {
        lock(&self.0).get(id).cloned()
    }

    pub fn ids(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    pub fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}

/// The bytes that a frame takes in the outbox. It never takes more than the whole outbox, or it would wait for ever.
fn bytes(frame: &str) -> u32 {
    u32::try_from(frame.len().min(OUTBOX_BYTES_MAX)).unwrap_or(u32::MAX)
}

/// Ignores poisoning: a panic cannot leave the value of such a lock half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
