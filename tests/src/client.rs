use crate::{in_time, packets, schema};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One connection, as a frontend has it. Every frame of the server is checked against `docs/asyncapi.yaml`. Where the
/// address says so, it speaks Socket.IO, by hand: then frames are what the events and acks hold.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that came while another one was waited for.
    seen: Vec<Value>,
    requests: u64,
    /// Set for a client of Socket.IO.
    packets: Option<Packets>,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

/// How a server ended a connection.
#[derive(Debug, PartialEq)]
pub struct Closed(pub Option<u16>);

/// What a client of Socket.IO keeps in mind.
#[derive(Debug, Default)]
struct Packets {
    /// Whether it asks to be let in, as one of Engine.IO 4 does.
    asks: bool,
    acks: u64,
    /// Texts that hold no frame.
    others: Vec<String>,
}

impl Client {
    pub async fn connect(url: &str) -> Self {
        let mut client = Self::begin(url).await;
        if client.packets.is_some() {
            let answer = client.enter(json!({})).await;
            assert!(answer.starts_with("40"), "{answer}");
        }
        client
    }

    /// Connects, and says and hears nothing yet.
    pub async fn begin(url: &str) -> Self {
        Self::shake(url.parse::<Uri>().map(ClientRequestBuilder::new).expect("a URL")).await.expect("connected")
    }

    /// Asks to be let in once it is greeted, with `auth`, unless that is empty. Returns the answer.
    pub async fn enter(&mut self, auth: Value) -> String {
        let greeting = self.text().await.expect("a greeting");
        assert!(greeting.starts_with("0{"), "{greeting}");
        if self.packets.as_ref().is_some_and(|packets| packets.asks) {
            let auth = if auth == json!({}) { String::new() } else { auth.to_string() };
            self.send_raw(Message::text(format!("40{auth}"))).await;
        }
        self.text().await.expect("an answer")
    }

    /// The next text as it came, unless the server ends the connection before.
    pub async fn text(&mut self) -> Option<String> {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        in_time("a text, or the end", next).await
    }

    /// The texts since the last time that held no frame, of a client of Socket.IO.
    pub fn others(&mut self) -> Vec<String> {
        self.packets.as_mut().map(|packets| std::mem::take(&mut packets.others)).unwrap_or_default()
    }

    /// The frame in a text, if there is one.
    fn read(&mut self, text: &str) -> Option<Value> {
        let Some(client) = &mut self.packets else { return Some(schema::received(text)) };
        let frame = packets::heard(text);
        if frame.is_none() {
            client.others.push(text.to_owned());
        }
        frame
    }

    /// Tries to connect.
    pub async fn try_connect(url: &str) -> Option<Self> {
        Self::shake(ClientRequestBuilder::new(url.parse().expect("a URL"))).await.ok()
    }

    /// The status that a handshake is refused with.
    pub async fn refused(url: &str) -> u16 {
        Self::refusal(ClientRequestBuilder::new(url.parse().expect("a URL"))).await.status().as_u16()
    }

    pub async fn refusal(request: impl IntoClientRequest + Unpin) -> Response<Option<Vec<u8>>> {
        match Self::shake(request).await {
            Err(Error::Http(response)) => *response,
            Err(error) => panic!("neither connected nor refused: {error}"),
            Ok(_) => panic!("connected instead of refused"),
        }
    }

    pub async fn shake(request: impl IntoClientRequest + Unpin) -> Result<Self, Error> {
        let request = request.into_client_request()?;
        let query = request.uri().query().unwrap_or_default();
        let packets = query.contains("EIO=").then(|| Packets { asks: query.contains("EIO=4"), ..Packets::default() });
        let (socket, response) = in_time("a handshake is answered", Box::pin(connect_async(request))).await?;
        let subprotocol = response.headers().get("sec-websocket-protocol");
        let subprotocol = subprotocol.map(|value| value.to_str().expect("ASCII").to_owned());
        Ok(Self { socket, seen: Vec::new(), requests: 0, packets, subprotocol })
    }

    /// Sends a WebSocket message unchanged.
    pub async fn send_raw(&mut self, message: Message) {
        in_time("a frame is sent", self.socket.send(message)).await.expect("sent");
    }

    /// Sends a message to a socket that may close before all of it is written.
    pub async fn send_into_the_void(&mut self, message: Message) {
        // An error is expected here: the server may close in the middle.
        let _ = in_time("a frame is sent", self.socket.send(message)).await;
    }

    /// Sends a request: as JSON, or as an event that asks for an ack.
    pub async fn send(&mut self, frame: Value) {
        let text = match &mut self.packets {
            None => frame.to_string(),
            Some(client) => {
                client.acks += 1;
                packets::event(client.acks, &frame)
            }
        };
        self.send_raw(Message::text(text)).await;
    }

    /// The next frame, waiting for it if there is none.
    pub async fn next(&mut self) -> Value {
        if self.seen.is_empty() { self.receive().await } else { self.seen.remove(0) }
    }

    /// The first frame, seen or to come, that has all of these fields.
    pub async fn expect(&mut self, members: Value) -> Value {
        if let Some(at) = self.seen.iter().position(|frame| has(frame, &members)) {
            return self.seen.remove(at);
        }
        loop {
            let frame = self.receive().await;
            if has(&frame, &members) {
                return frame;
            }
            self.seen.push(frame);
        }
    }

    /// Sends a request with a `requestId` of its own and waits for the reply.
    pub async fn ask(&mut self, mut request: Value) -> Value {
        self.requests += 1;
        let id = format!("request-{}", self.requests);
        request["requestId"] = json!(id);
        self.send(request.clone()).await;
        let reply = self.expect(json!({"requestId": id})).await;
        schema::answered(&request, &reply);
        reply
    }

    /// Asks again when it is told to.
    pub async fn ask_patiently(&mut self, request: Value) -> Value {
        loop {
            let reply = self.ask(request.clone()).await;
            let Some(wait) = reply["retryAfterMs"].as_u64().filter(|_| reply["code"] == "rateLimited") else {
                return reply;
            };
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Joins a room, and drops the frames up to the ack.
    pub async fn join(&mut self, room: impl Into<Value>) -> Value {
        let ack = self.ask(json!({"action": "joinRoom", "chatroomId": room.into()})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        self.seen.clear();
        ack
    }

    /// Sends a text and waits for the ack.
    pub async fn say(&mut self, room: impl Into<Value>, text: &str) -> Value {
        let ack = self.ask(text_message(room, text)).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// All frames that were pushed so far. Pushes go out before the sender's reply, so a `pong` comes after them.
    pub async fn pushed(&mut self) -> Vec<Value> {
        let pong = self.ask(json!({"action": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{pong}");
        std::mem::take(&mut self.seen)
    }

    /// The first frame of one of these types, unless the server ends the connection before.
    pub async fn first_of(&mut self, types: &[&str]) -> Option<Value> {
        let is_wanted = |frame: &Value| frame["type"].as_str().is_some_and(|kind| types.contains(&kind));
        if let Some(at) = self.seen.iter().position(is_wanted) {
            return Some(self.seen.remove(at));
        }
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => {
                        if let Some(frame) = self.read(&text).filter(is_wanted) {
                            return Some(frame);
                        }
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                }
            }
        };
        in_time("a frame, or the end", next).await
    }

    /// Waits for the server to end the connection.
    pub async fn closed(&mut self) -> Closed {
        self.rest().await.1
    }

    /// The frames that still come until the server ends the connection, and how it does.
    pub async fn rest(&mut self) -> (Vec<Value>, Closed) {
        let mut frames = std::mem::take(&mut self.seen);
        let end = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Message::Text(text))) => frames.extend(self.read(&text)),
                    Some(Ok(Message::Close(frame))) => return Closed(frame.map(|frame| frame.code.into())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Closed(None),
                }
            }
        };
        let closed = in_time("the server closes", end).await;
        (frames, closed)
    }

    /// Closes with this code. Returns the code of the server's answer.
    pub async fn close_with(mut self, code: u16) -> Closed {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        in_time("a goodbye is sent", self.socket.close(Some(frame))).await.expect("closed");
        self.closed().await
    }

    pub async fn close(self) {
        assert_eq!(self.close_with(1000).await, Closed(Some(1000)));
    }

    /// Resets the socket, without a close frame.
    pub fn vanish(self) {
        let stream = match self.socket.get_ref() {
            MaybeTlsStream::Plain(stream) => stream,
            MaybeTlsStream::Rustls(stream) => stream.get_ref().0,
            _ => unreachable!("no other TLS is built in"),
        };
        stream.set_zero_linger().expect("a socket");
    }

    async fn receive(&mut self) -> Value {
        let what = format!("a frame comes; seen: {:?}", self.seen);
        let next = async {
            loop {
                match self.socket.next().await.expect("the connection stays open").expect("a frame") {
                    Message::Text(text) => {
                        if let Some(frame) = self.read(&text) {
                            return frame;
                        }
                    }
                    Message::Close(frame) => panic!("the server closed: {frame:?}"),
                    _ => {}
                }
            }
        };
        in_time(what, next).await
    }
}

/// A `sendMessage` request.
pub fn text_message(room: impl Into<Value>, text: &str) -> Value {
    json!({"action": "sendMessage", "chatroomId": room.into(), "message": {"type": "text", "content": text}})
}

fn has(frame: &Value, members: &Value) -> bool {
    members.as_object().expect("an object").iter().all(|(name, value)| frame[name] == *value)
}
