//! A device's connection: how it gets one, asks on it, and loses it.

use super::{BACKOFF, Device, tries};
use crate::chaos::lock;
use crate::reach::{self, Handshake, Socket};
use crate::{Way, packets, schema};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

/// How long a client waits for a reply before it considers its connection dead: longer than API Gateway waits for a
/// function, so that a busy machine cuts nobody off.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The answer to a handshake with a token that is not good, or not any more.
pub(super) const FORBIDDEN: u16 = 403;

/// The answer to a handshake whose place was taken by a later one before it was over.
const DISPLACED: u16 = 429;

/// How long a client waits for a new token: a revocation forbids those of the next minute too.
const NEW_TOKEN_AFTER: Duration = Duration::from_secs(10);

/// How long a client of Socket.IO waits for its greeting, and to be let in. The libraries wait 20 s.
const GREETING_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Line {
    pub(super) sink: SplitSink<Socket, Message>,
    pub(super) frames: SplitStream<Socket>,
    /// Set where it speaks Socket.IO.
    way: Option<Way>,
    /// Acks that it asked for.
    acks: u64,
}

/// The connection ended.
pub(super) struct Lost;

impl Line {
    /// A request as it is written here.
    pub(super) fn written(&mut self, request: &Value) -> Message {
        Message::text(match self.way {
            None => request.to_string(),
            Some(_) => {
                self.acks += 1;
                packets::event(self.acks, request)
            }
        })
    }
}

impl Device {
    /// Connects, unless it is connected, and joins its rooms again until it is in all of them.
    pub async fn connect(&mut self) {
        if self.line.is_some() {
            return;
        }
        for () in tries() {
            if self.line.is_none() {
                sleep_until(self.comes_back_at).await;
                let handshake = Handshake { name: &self.name, token: &self.token, way: self.way };
                let socket = match timeout(REPLY_TIMEOUT, self.reach.open(handshake)).await {
                    Ok(Ok(socket)) => socket,
                    Ok(Err(Some(FORBIDDEN))) => {
                        self.renew_token().await;
                        continue;
                    }
                    Ok(Err(Some(DISPLACED))) => {
                        self.comes_back_at = Instant::now() + NEW_TOKEN_AFTER;
                        continue;
                    }
                    _ => {
                        sleep(BACKOFF).await;
                        continue;
                    }
                };
                let (sink, frames) = socket.split();
                self.line = Some(Line { sink, frames, way: self.way, acks: 0 });
                self.connects += 1;
                if let Some(way) = self.way {
                    match timeout(GREETING_TIMEOUT, self.is_let_in(way)).await.unwrap_or(Err(Lost)) {
                        Ok(true) => {}
                        Ok(false) => {
                            self.line = None;
                            self.renew_token().await;
                            continue;
                        }
                        Err(Lost) => {
                            self.line = None;
                            sleep(BACKOFF).await;
                            continue;
                        }
                    }
                }
            }
            let mut back = true;
            for room in self.joined.clone() {
                back = back && self.try_join(room).await.is_ok();
            }
            if back {
                return;
            }
        }
        panic!("{} does not get in", self.name);
    }

    /// Sends a request and waits for its reply. Reads what is pushed meanwhile.
    pub(super) async fn ask(&mut self, mut request: Value) -> Result<Value, Lost> {
        self.requests += 1;
        let id = self.requests;
        request["requestId"] = json!(id);
        let replies = timeout(REPLY_TIMEOUT, self.converse(std::slice::from_ref(&request))).await.unwrap_or(Err(Lost));
        let reply = replies.map(|mut replies| replies.remove(0));
        let said = reply.as_ref().map_or_else(|Lost| "lost".into(), Value::to_string);
        let line = format!("{}: {request} -> {said}", self.name);
        lock(&self.record).trace.push(line);
        if reply.is_err() {
            self.line = None;
        }
        self.close_gaps().await;
        reply
    }

    /// Sends requests and waits for all of their replies.
    pub(super) async fn converse(&mut self, requests: &[Value]) -> Result<Vec<Value>, Lost> {
        self.say(requests).await?;
        self.replies(requests).await
    }

    pub(super) async fn say(&mut self, requests: &[Value]) -> Result<(), Lost> {
        requests.iter().for_each(|request| self.attempts(request));
        let line = self.line.as_mut().ok_or(Lost)?;
        for request in requests {
            let frame = line.written(request);
            line.sink.feed(frame).await.map_err(|_| Lost)?;
        }
        line.sink.flush().await.map_err(|_| Lost)
    }

    /// Waits for the replies to requests. Takes in what is pushed meanwhile.
    pub(super) async fn replies(&mut self, requests: &[Value]) -> Result<Vec<Value>, Lost> {
        let mut replies: Vec<Option<Value>> = vec![None; requests.len()];
        while replies.contains(&None) {
            let Some(frame) = self.hear_one().await? else { continue };
            self.take_in(&frame);
            // API Gateway's own error for a failed function does not name the request.
            let at = match frame["message"] == "Internal server error" {
                true => replies.iter().position(Option::is_none),
                false => requests.iter().position(|request| request["requestId"] == frame["requestId"]),
            };
            if let Some(at) = at {
                schema::answered(&requests[at], &frame);
                replies[at] = Some(frame);
            }
        }
        Ok(replies.into_iter().flatten().collect())
    }

    /// What comes next, if it holds a frame.
    pub(super) async fn hear_one(&mut self) -> Result<Option<Value>, Lost> {
        let line = self.line.as_mut().ok_or(Lost)?;
        let text = match line.frames.next().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Lost),
            Some(Ok(_)) => return Ok(None),
        };
        if line.way.is_none() {
            return Ok(Some(schema::received(&text)));
        }
        match text.as_bytes().first() {
            Some(b'4') if text == "41" => Err(self.stays_away()),
            Some(b'0'..=b'6') => Ok(packets::heard(&text)),
            // API Gateway says in JSON that a function failed. It is no packet, and the libraries reconnect.
            _ if schema::received(&text)["message"] == "Internal server error" => Err(Lost),
            _ => panic!("{} speaks Socket.IO, and hears {text}", self.name),
        }
    }

    /// The end of the namespace: a client of Socket.IO does not come back by itself. Whoever uses it comes back later.
    fn stays_away(&mut self) -> Lost {
        self.comes_back_at = self.comes_back_at.max(Instant::now() + NEW_TOKEN_AFTER);
        Lost
    }

    /// Is greeted, and asks to be let in, as a client of Socket.IO. Answers false where it is told why it is not.
    async fn is_let_in(&mut self, way: Way) -> Result<bool, Lost> {
        loop {
            let line = self.line.as_mut().ok_or(Lost)?;
            let text = match line.frames.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Lost),
                Some(Ok(_)) => continue,
            };
            match text.get(..2) {
                Some("0{") => {
                    if let Some(connect) = way.connect(&self.token) {
                        line.sink.send(Message::text(connect)).await.map_err(|_| Lost)?;
                    }
                }
                Some("40") => return Ok(true),
                Some("44") => return Ok(false),
                Some("41") => return Err(self.stays_away()),
                Some(r#"{""#) if schema::received(&text)["message"] == "Internal server error" => return Err(Lost),
                _ => self.take_in(&packets::heard(&text).unwrap_or_default()),
            }
        }
    }

    /// Its token was revoked, as those of the next minute are. The application gives it another one.
    pub(super) async fn renew_token(&mut self) {
        sleep(NEW_TOKEN_AFTER).await;
        self.token = self.reach.token(&self.claims);
    }

    /// Resets the socket, without a close frame.
    pub fn cut(&mut self) {
        if let Some(line) = self.line.take()
            && let Ok(socket) = line.sink.reunite(line.frames)
        {
            reach::reset(socket);
        }
    }

    /// Closes the connection.
    pub async fn close(&mut self) {
        if let Some(mut line) = self.line.take() {
            // Whether the close frame arrives does not matter here.
            let goodbye = async {
                let _ = line.sink.send(Message::Close(None)).await;
                while let Some(Ok(_)) = line.frames.next().await {}
            };
            let _ = timeout(REPLY_TIMEOUT, goodbye).await;
        }
    }

    /// Whether its connection lives, as far as it knows.
    pub fn is_connected(&self) -> bool {
        self.line.is_some()
    }
}
