//! A device's connection: how it gets one, asks on it, and loses it.

use super::{BACKOFF, Device, tries};
use crate::chaos::lock;
use crate::reach::{self, Socket};
use crate::schema;
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

pub(super) struct Line {
    pub(super) sink: SplitSink<Socket, Message>,
    pub(super) frames: SplitStream<Socket>,
}

/// The connection ended.
pub(super) struct Lost;

impl Device {
    /// Connects, unless it is connected, and joins its rooms again until it is in all of them.
    pub async fn connect(&mut self) {
        if self.line.is_some() {
            return;
        }
        for () in tries() {
            if self.line.is_none() {
                sleep_until(self.comes_back_at).await;
                let handshake = timeout(REPLY_TIMEOUT, self.reach.open(&self.token));
                let socket = match handshake.await {
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
                self.line = Some(Line { sink, frames });
                self.connects += 1;
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
        let line = self.line.as_mut().ok_or(Lost)?;
        for request in requests {
            line.sink.feed(Message::text(request.to_string())).await.map_err(|_| Lost)?;
        }
        line.sink.flush().await.map_err(|_| Lost)
    }

    /// Waits for the replies to requests. Takes in what is pushed meanwhile.
    pub(super) async fn replies(&mut self, requests: &[Value]) -> Result<Vec<Value>, Lost> {
        let mut replies: Vec<Option<Value>> = vec![None; requests.len()];
        while replies.contains(&None) {
            let line = self.line.as_mut().ok_or(Lost)?;
            let frame = match line.frames.next().await {
                Some(Ok(Message::Text(text))) => schema::received(&text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Lost),
                Some(Ok(_)) => continue,
            };
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
