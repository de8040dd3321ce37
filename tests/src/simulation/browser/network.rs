//! Between a browser and the gateway: each frame, request and answer is on its way for a while.

use super::super::dice::Dice;
use super::super::world::World;
use super::plan::Visit;
use crate::reach::shake;
use crate::schema;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use chat_aws::now;
use chrono::DateTime;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::either::Either;

/// Largest body of an answer.
const BODY_BYTES_MAX: usize = 8 << 20;

/// How long a browser waits for the server's close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// What happens to a browser, and when it hears of it.
pub type Arrivals = mpsc::UnboundedSender<(Instant, Value)>;

/// A browser's network.
pub struct Network {
    world: Arc<World>,
    visit: Visit,
    arrivals: Arrivals,
    sockets: BTreeMap<u64, Socket>,
    online: watch::Sender<bool>,
}

/// The near end of a socket.
struct Socket {
    frames: mpsc::UnboundedSender<(Instant, Up)>,
    state: watch::Sender<State>,
    way: Way,
}

enum Up {
    Text(String),
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    Cut,
    /// Nothing gets through any more, for so long. Then it breaks.
    Silent(Duration),
}

impl State {
    /// Waits until the socket of this state breaks.
    async fn last(self, mut told: watch::Receiver<Self>) {
        if let Self::Silent(time) = self {
            let _ = timeout(time, told.wait_for(|state| *state == Self::Cut)).await;
        }
    }
}

/// One way of a connection, or of a request and its answer.
struct Way {
    dice: Dice,
    latency: u64,
    /// When the last thing on it arrives. None overtakes another.
    latest: Instant,
}

impl Way {
    fn new(world: &World, visit: &Visit, what: (&str, u64)) -> Self {
        let dice = Dice::of(world.plan.seed, (&visit.name, what));
        Self { dice, latency: visit.latency, latest: Instant::now() }
    }

    /// When what leaves now arrives.
    fn arrival(&mut self) -> Instant {
        self.latest = self.latest.max(Instant::now() + self.dice.millis(0..self.latency + 1));
        self.latest
    }

    fn loses(&mut self, world: &World, visit: &Visit) -> bool {
        self.dice.chance(visit.lost) && world.is_hostile()
    }
}

impl Network {
    pub fn new(world: Arc<World>, visit: Visit, arrivals: Arrivals) -> Self {
        Self { world, visit, arrivals, sockets: BTreeMap::new(), online: watch::Sender::new(true) }
    }

    /// Opens a socket as a browser does: with the subprotocols that the client asks for.
    pub fn open(&mut self, id: u64, url: &str, protocols: &Value) {
        let protocols: Vec<&str> = protocols.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut request = url.into_client_request().expect("a URL");
        let offered = protocols.join(", ").parse().expect("a header");
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
        let (frames, sent) = mpsc::unbounded_channel();
        let (state, told) = watch::channel(State::Fine);
        if !*self.online.borrow() {
            state.send_replace(State::Cut);
        }
        let (world, visit) = (Arc::clone(&self.world), self.visit.clone());
        let arrivals = self.arrivals.clone();
        #[allow(clippy::disallowed_methods, reason = "it ends with its socket")]
        tokio::spawn(async move {
            let mut down = Way::new(&world, &visit, ("down", id));
            let (code, reason) = serve(&world, &visit, id, request, sent, told, &arrivals, &mut down).await;
            let closed = json!({"closed": id, "code": code, "reason": reason});
            let _ = arrivals.send((down.arrival(), closed));
        });
        let way = Way::new(&self.world, &self.visit, ("up", id));
        self.sockets.insert(id, Socket { frames, state, way });
    }

    pub fn send(&mut self, id: u64, text: &str) {
        self.put(id, Up::Text(text.into()));
    }

    pub fn close(&mut self, id: u64) {
        self.put(id, Up::Close);
    }

    fn put(&mut self, id: u64, up: Up) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        // A socket that broke takes nothing any more. The client is about to hear of it.
        let _ = socket.frames.send((socket.way.arrival(), up));
    }

    /// Breaks all sockets.
    pub fn cut(&mut self) {
        for socket in std::mem::take(&mut self.sockets).into_values() {
            socket.state.send_replace(State::Cut);
        }
    }

    /// From here on nothing gets through on the sockets that are there, and nobody notices.
    pub fn silence(&mut self, time: Duration) {
        for socket in self.sockets.values() {
            socket.state.send_replace(State::Silent(time));
        }
    }

    pub fn set_online(&mut self, online: bool) {
        self.online.send_replace(online);
        if !online {
            self.cut();
        }
    }

    /// Asks the HTTP API, as a page does.
    pub fn ask(&self, id: u64, url: &str, headers: &Value) {
        let mut request = Request::get(url);
        for (name, value) in headers.as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().expect("a text"));
        }
        let request = request.body(Body::empty()).expect("a request");
        let (world, visit) = (Arc::clone(&self.world), self.visit.clone());
        let (arrivals, online) = (self.arrivals.clone(), self.online.subscribe());
        #[allow(clippy::disallowed_methods, reason = "it ends when it has answered")]
        tokio::spawn(async move {
            let mut way = Way::new(&world, &visit, ("request", id));
            let lost = way.loses(&world, &visit);
            sleep_until(way.arrival()).await;
            let answer = if *online.borrow() && !(lost && way.dice.chance(500)) {
                Some(answer(&world, request).await)
            } else {
                None
            };
            let arrival = way.arrival();
            match answer.filter(|_| *online.borrow() && !lost) {
                Some(mut answer) => {
                    answer["answered"] = json!(id);
                    let _ = arrivals.send((arrival, answer));
                }
                // Some never end: the client has to give up.
                None if way.dice.chance(200) => {}
                None => drop(arrivals.send((arrival, json!({"failed": id})))),
            }
        });
    }
}

/// Serves a socket to its end. Answers the code and the reason that the browser is told.
#[allow(clippy::too_many_arguments, reason = "they are what a socket is made of")]
async fn serve(
    world: &World,
    visit: &Visit,
    id: u64,
    request: Request<()>,
    mut sent: mpsc::UnboundedReceiver<(Instant, Up)>,
    mut told: watch::Receiver<State>,
    arrivals: &Arrivals,
    down: &mut Way,
) -> (u16, String) {
    let broken = (1006, String::new());
    sleep_until(down.arrival()).await;
    if down.loses(world, visit) {
        return broken;
    }
    let mut ends = pin!(async move {
        // A browser that is closed takes its sockets along.
        let state = told.wait_for(|state| *state != State::Fine).await.map_or(State::Cut, |state| *state);
        (state, told)
    });
    let mut shaken = pin!(shake(request, Either::Right(world.gateway().connect())));
    let socket = tokio::select! {
        biased;
        (state, told) = &mut ends => {
            state.last(told).await;
            return broken;
        }
        shaken = &mut shaken => match shaken {
            Ok(socket) => socket,
            Err(_) => return broken,
        },
    };
    let _ = arrivals.send((down.arrival(), json!({"opened": id})));
    let (mut sink, mut frames) = socket.split();
    let mut up: VecDeque<(Instant, Up)> = VecDeque::new();
    let mut closing = None;
    loop {
        let due = up.front().map(|(due, _)| *due).or(closing);
        tokio::select! {
            biased;
            (state, told) = &mut ends => {
                state.last(told).await;
                return broken;
            }
            Some(next) = sent.recv() => up.push_back(next),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let message = match up.pop_front() {
                    Some((_, Up::Text(text))) => Message::text(text),
                    Some((_, Up::Close)) => {
                        closing = Some(Instant::now() + CLOSE_PATIENCE);
                        Message::Close(None)
                    }
                    None => return broken,
                };
                // If the gateway takes nothing more, it says why.
                let _ = sink.send(message).await;
            }
            frame = frames.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let _ = schema::received(&text);
                    let _ = arrivals.send((down.arrival(), json!({"frame": id, "text": text.as_str()})));
                }
                Some(Ok(Message::Close(frame))) => {
                    // Answers the close frame.
                    let rest = async { while let Some(Ok(_)) = frames.next().await {} };
                    let _ = timeout(CLOSE_PATIENCE, rest).await;
                    return frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return broken,
            },
        }
    }
}

/// An answer of the HTTP API, with the date that a server adds.
async fn answer(world: &World, request: Request<Body>) -> Value {
    let (path, asks_for_page) = (request.uri().path().to_owned(), request.uri().query().is_some());
    let (mut head, body) = world.gateway().answer(request).await.into_parts();
    let date = DateTime::from_timestamp_millis(now().millis()).unwrap_or_default();
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    head.headers.insert(header::DATE, date.parse().expect("a header"));
    let body = to_bytes(body, BODY_BYTES_MAX).await.expect("a body");
    if asks_for_page {
        let body = serde_json::from_slice(&body).expect("JSON");
        schema::check_page(&path, head.status.as_u16(), &head.headers, &body);
    }
    let headers = head.headers.iter().map(|(name, value)| json!([name.as_str(), value.to_str().expect("text")]));
    let text = String::from_utf8_lossy(&body);
    json!({"status": head.status.as_u16(), "headers": headers.collect::<Vec<_>>(), "body": text})
}
