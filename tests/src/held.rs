use crate::proxy::{self, Answer, Passage, operation};
use crate::{App, Server};
use crate::{device_of, ghost, user};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use chat::{ConnectionId, Device, Member, Profile, RoomId, Timestamp};
use chat_aws::{JoinNumber, Kept, now};
use chat_local::{Interference, Limits, Plan};
use futures_util::FutureExt;
use serde_json::Value;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Lets a user have one connection, and holds up the handshakes that ask for it with [`held`].
#[derive(Debug)]
pub struct HeldHandshakes {
    /// A management API that accepts every call and never answers.
    deaf: TcpListener,
    released: watch::Sender<bool>,
}

/// Where a handshake is held up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// While it displaces the user's other connections, until it gives up on them. The user's row has it; it is not
    /// open yet.
    Displacing,
    /// Once it is open, and before API Gateway knows of it, until [`HeldHandshakes::release`].
    Answered,
}

impl Default for HeldHandshakes {
    fn default() -> Self {
        Self { deaf: TcpListener::bind("127.0.0.1:0").expect("a port"), released: watch::Sender::default() }
    }
}

impl HeldHandshakes {
    /// Lets the handshakes that are held at [`Held::Answered`] go on.
    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

impl Interference for HeldHandshakes {
    fn plan(&self, function: &str, event: &Value) -> Plan {
        if function != "connect" {
            return Plan::default();
        }
        let mut plan = Plan { vars: vec![("CONNECTIONS_PER_USER".into(), "1".into())], ..Plan::default() };
        let asked = event["queryStringParameters"]["held"].as_str();
        if asked == Some(Held::Displacing.name()) {
            let url = format!("http://{}", self.deaf.local_addr().expect("an address"));
            plan.vars.push(("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI".into(), url));
        } else if asked == Some(Held::Answered.name()) {
            let mut released = self.released.subscribe();
            // The sender may be dropped by then.
            plan.answer = async move { drop(released.wait_for(|released| *released).await) }.boxed();
        }
        plan
    }
}

/// Lets a user have one connection, and holds up the packets of clients of Socket.IO where the function writes a row,
/// until [`HeldRows::release`].
#[derive(Debug, Clone)]
pub struct HeldRows {
    passage: Passage,
    /// Of the proxy before DynamoDB.
    url: Arc<OnceLock<String>>,
    dynamodb_url: Arc<OnceLock<String>>,
    released: watch::Sender<bool>,
}

impl HeldRows {
    /// Starts a run of which this holds up the rows.
    pub async fn start() -> (Self, Server) {
        let (url, dynamodb_url) = Default::default();
        let held = Self { passage: Passage::new(), url, dynamodb_url, released: watch::Sender::default() };
        let url = proxy::serve(Router::new().fallback(pass).with_state(held.clone())).await;
        held.url.set(url).expect("set once");
        let parameters = [("SocketIo", "on"), ("ConnectionsPerUser", "1")];
        let interference = Arc::new(held.clone());
        let server = Server::start_with_parameters_and(&parameters, interference, Limits::default()).await;
        held.dynamodb_url.set(server.dynamodb_url().to_owned()).expect("set once");
        (held, server)
    }

    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

impl Interference for HeldRows {
    fn plan(&self, function: &str, _: &Value) -> Plan {
        let url = self.url.get().filter(|_| function == "socket-io");
        let vars = url.map(|url| ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url.clone())).into_iter().collect();
        Plan { vars, ..Plan::default() }
    }
}

async fn pass(State(held): State<HeldRows>, method: Method, headers: HeaderMap, body: Bytes) -> Answer {
    if operation(&headers) == "PutItem" {
        let _ = held.released.subscribe().wait_for(|released| *released).await;
    }
    let url = held.dynamodb_url.get().expect("the run has started");
    held.passage.pass_on(method, url, headers, body).await
}

impl Held {
    fn name(self) -> &'static str {
        match self {
            Self::Displacing => "displacing",
            Self::Answered => "answered",
        }
    }
}

/// The address of a socket whose handshake is to be held up.
pub fn held(socket_url: &str, held: Held) -> String {
    format!("{socket_url}&held={}", held.name())
}

/// A connection of a minute ago that the gateway does not know: its `$disconnect` never came.
pub fn lost_device() -> Device {
    Device { connected_at: Timestamp::from_millis(now().millis() - 60_000), ..device_of(&ghost("7").connection) }
}

/// Stores a user with a connection that is open, as its row says, and lost.
pub async fn lose(app: &App, id: &str) {
    remember(app, id, lost_device()).await;
    let opened = app.connections.open(&lost_device(), &user(id), Kept::default()).await;
    assert!(opened.expect("an answer"), "it was closed");
}

/// Stores a user with a connection.
pub async fn remember(app: &App, id: &str, device: Device) {
    app.users.remember(&Profile::unknown(user(id)), 0, &device).await.expect("remembered");
}

/// Marks the connection of an event as open.
pub async fn open(app: &App, event: &Value) {
    let connection = event["requestContext"]["connectionId"].as_str().expect("a connection");
    let device = device_of(&ConnectionId::new(connection));
    assert!(app.connections.open(&device, &user("1"), Kept::default()).await.expect("an answer"), "it was closed");
}

/// Makes a connection a member without `joinRoom`: the connection's own row does not list the room.
pub async fn enter(app: &App, member: &Member, room: &RoomId) {
    enter_until(app, member, room, Timestamp::MAX).await;
}

/// The same with a token that ends then.
pub async fn enter_until(app: &App, member: &Member, room: &RoomId, good_until: Timestamp) {
    let entered = app.connections.add_member(member, JoinNumber::FIRST, room, good_until).await;
    assert!(entered.expect("an answer"), "it joined again since");
}
