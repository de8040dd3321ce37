//! Whether a message goes round: through the authorizer, four functions, both tables, and back.

use super::{Found, Subject};
use crate::check::endpoints::{Way, chain};
use crate::limits::{FRAME_TIMEOUT, GOODBYE_TIMEOUT, ROUND_TIMEOUT};
use anyhow::{Context, Result, anyhow, bail, ensure};
use chat_aws::now;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What came of it.
struct Round {
    id: u64,
    connected: Duration,
    sent: Duration,
}

/// Joins a room, says something, hears it, and finds it in the history. It stays there, so it goes to a room of its
/// own.
pub async fn goes_round(subject: &Subject) -> Found {
    let token = match &subject.token {
        Ok(token) => token,
        Err(why) => return Found::Unknown(why.clone()),
    };
    let (Some(websocket_url), Some(http_url)) = (&subject.websocket_url, &subject.http_url) else {
        return Found::Unknown("name the stack with --stack, or --websocket-url and --http-url".into());
    };
    if [websocket_url, http_url].into_iter().any(|url| Way::of(url) == Way::Clear) {
        return Found::Unknown("the token is not sent, since the address is not encrypted".into());
    }
    let round = timeout(ROUND_TIMEOUT, Box::pin(round(subject, websocket_url, http_url, token))).await;
    let late = || anyhow!("the message did not go round in {} s", ROUND_TIMEOUT.as_secs());
    match round.unwrap_or_else(|_| Err(late())) {
        Ok(Round { id, connected, sent }) => Found::Ok(format!(
            "message {id} of room {} went round: connected in {} ms, acknowledged and received in {} ms",
            subject.room,
            connected.as_millis(),
            sent.as_millis()
        )),
        Err(error) => Found::NotOk(format!("{error:#}")),
    }
}

async fn round(subject: &Subject, websocket_url: &str, http_url: &str, token: &str) -> Result<Round> {
    let began = Instant::now();
    let mut socket = connect(websocket_url, Some(token)).await?;
    let connected = began.elapsed();
    let room = &subject.room;
    ask(&mut socket, json!({"action": "joinRoom", "requestId": "join", "chatroomId": room})).await?;
    let text = format!("ops check {}", now());
    let message = json!({"type": "text", "content": text});
    let began = Instant::now();
    let send = json!({"action": "sendMessage", "requestId": "send", "chatroomId": room, "message": message});
    write(&mut socket, &send).await?;
    // The push goes out before the answer does, and may arrive after it.
    let (mut acked, mut pushed) = (None, None);
    while acked.is_none() || pushed.is_none() {
        let missing = if acked.is_none() { "the message is not acknowledged" } else { "the message is not received" };
        let frame = frame(&mut socket).await.context(missing)?;
        if frame["requestId"] == "send" {
            acked = Some(granted(&frame)?["id"].as_u64().context("the acknowledgement has no id")?);
        } else if frame["type"] == "sendMessage" && frame["message"]["content"] == json!(text) {
            pushed = frame["message"]["id"].as_u64();
        }
    }
    let sent = began.elapsed();
    let id = acked.unwrap_or_default();
    ensure!(acked == pushed, "the message is acknowledged as {id} and received as {}", pushed.unwrap_or_default());
    in_history(subject, http_url, token, id, &text).await?;
    // Whoever does not say goodbye is missed by the room ten minutes later.
    let _ = timeout(GOODBYE_TIMEOUT, socket.close(None)).await;
    Ok(Round { id, connected, sent })
}

/// The token goes into a header: an address is logged on its way.
pub(super) async fn connect(url: &str, token: Option<&str>) -> Result<Socket> {
    let mut request = ClientRequestBuilder::new(url.parse().context("the WebSocket address cannot be read")?);
    if let Some(token) = token {
        request = request.with_header("Authorization", format!("Bearer {token}"));
    }
    match connect_async(request).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) if token.is_some() && matches!(answer.status().as_u16(), 401 | 403) => {
            bail!("the token is refused: is it signed with this deployment's secret, and was its user not shut out?")
        }
        Err(error) => bail!("failed to connect: {}", chain(&error)),
    }
}

async fn in_history(subject: &Subject, http_url: &str, token: &str, id: u64, text: &str) -> Result<()> {
    let after = (id.saturating_sub(1)).to_string();
    let room = subject.room.to_string();
    let query = [("chatroomId", room.as_str()), ("limit", "1"), ("after", &after)];
    let request = subject.http.get(format!("{http_url}/chat-history/list")).query(&query).bearer_auth(token);
    let answer = request.send().await.context("failed to read the history")?;
    let status = answer.status();
    let page: Value = answer.json().await.unwrap_or_default();
    let found = &page[0];
    let is_there = found["id"] == json!(id) && found["content"] == json!(text);
    ensure!(is_there, "message {id} is acknowledged, and the history does not have it ({status})");
    Ok(())
}

async fn ask(socket: &mut Socket, request: Value) -> Result<()> {
    let action = request["action"].as_str().unwrap_or_default().to_owned();
    write(socket, &request).await?;
    loop {
        let frame = frame(socket).await.with_context(|| format!("{action} is not answered"))?;
        if frame["requestId"] == request["requestId"] {
            return granted(&frame).with_context(|| format!("{action} is refused")).map(drop);
        }
    }
}

/// The frame, unless it says that something was refused.
fn granted(frame: &Value) -> Result<&Value> {
    let text = |name: &str| frame[name].as_str().unwrap_or_default();
    ensure!(frame["type"] == "ack", "{}: {}", text("code"), text("message"));
    Ok(frame)
}

async fn write(socket: &mut Socket, frame: &Value) -> Result<()> {
    socket.send(Message::text(frame.to_string())).await.context("failed to send a frame")
}

/// The next frame.
async fn frame(socket: &mut Socket) -> Result<Value> {
    Ok(serde_json::from_str(&text(socket).await?)?)
}

/// The same as it is: a packet is no JSON.
pub(super) async fn text(socket: &mut Socket) -> Result<String> {
    let next = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => bail!("the connection ended"),
                Some(Ok(_)) => {}
            }
        }
    };
    timeout(FRAME_TIMEOUT, next).await.with_context(|| format!("nothing came in {} s", FRAME_TIMEOUT.as_secs()))?
}
