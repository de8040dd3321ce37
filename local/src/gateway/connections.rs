//! The open connections, known to the socket that serves each and to the management API.

use super::limits::{OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX};
use chat::Timestamp;
use chat_aws::now;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What waits to be written to a socket.
#[derive(Debug)]
pub enum Outgoing {
    /// A frame, and the place that its bytes take until it is written.
    Frame(String, Option<OwnedSemaphorePermit>),
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
    /// Bytes that the outbox has place for. Who waits for some waits until the client reads, or the outbox is given up.
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
    /// Has a frame written, in the order of these calls.
    pub fn send(&self, frame: String) -> Result<(), Refused> {
        let place = Arc::clone(&self.places).try_acquire_many_owned(bytes(&frame)).map_err(|_| Refused::Full)?;
        self.outbox.try_send(Outgoing::Frame(frame, Some(place))).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Full,
            TrySendError::Closed(_) => Refused::Gone,
        })?;
        self.touch();
        Ok(())
    }

    /// Has a reply written, as soon as there is room for it. Only a client that is gone misses it.
    pub async fn reply(&self, frame: String) {
        let place = Arc::clone(&self.places).acquire_many_owned(bytes(&frame)).await.ok();
        if self.outbox.send(Outgoing::Frame(frame, place)).await.is_ok() {
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

    pub fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}

/// What a frame takes in the outbox. None takes more than there is, or it would wait for ever.
fn bytes(frame: &str) -> u32 {
    u32::try_from(frame.len().min(OUTBOX_BYTES_MAX)).unwrap_or(u32::MAX)
}

/// A panic while holding one of these locks cannot leave its value half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
