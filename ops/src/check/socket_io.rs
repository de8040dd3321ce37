//! What clients of Socket.IO need of API Gateway and AWS documents nowhere, each tried by itself.

use super::endpoints::Way;
use super::message::{Socket, connect, text};
use super::{Found, Subject};
use crate::limits::{FRAME_TIMEOUT, GOODBYE_TIMEOUT};
use anyhow::{Context, Result, bail, ensure};
use chat::socketio::NOOP;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::{timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use url::Url;

/// Whether clients of Socket.IO are let in. A stack says so; elsewhere a stranger among them is let in, to be told why
/// it is nobody.
pub async fn is_on(subject: &Subject) -> bool {
    match (subject.socket_io, &subject.websocket_url) {
        (Some(known), _) => known,
        (None, Some(url)) => {
            timeout(FRAME_TIMEOUT, connect(&handshake(url), None)).await.is_ok_and(|shaken| shaken.is_ok())
        }
        (None, None) => false,
    }
}

/// Whether API Gateway hands on a function's answer while its runtime has not asked for the next event: the greeting is
/// posted in between.
pub async fn greets(subject: &Subject) -> Found {
    let tried = async {
        let began = Instant::now();
        let mut socket = connect(&handshake(address(subject)?), None).await?;
        let connected = began.elapsed();
        greeted(&mut socket).await?;
        let waited = began.elapsed() - connected;
        part(socket).await;
        Ok(format!("connected in {} ms, and greeted {} ms later", connected.as_millis(), waited.as_millis()))
    };
    found(tried.await)
}

/// Whether a text that is a bare number goes to `$default`: a client that has no `auth` says `40`.
pub async fn takes_numbers(subject: &Subject) -> Found {
    let token = match token(subject) {
        Ok(token) => token,
        Err(unknown) => return unknown,
    };
    let tried = async {
        let mut socket = connect(&handshake(address(subject)?), Some(token)).await?;
        greeted(&mut socket).await?;
        let answer = ask(&mut socket, "40").await.context("40 is not answered: have clients set auth: {}")?;
        ensure!(answer.starts_with("40{"), "40 is answered {answer}: have clients set auth: {{}}");
        part(socket).await;
        Ok("a client without auth is let in, by the token of its handshake".to_owned())
    };
    found(tried.await)
}

/// Whether a handshake to `/<stage>/` is one to `/<stage>`: some clients always write the slash.
pub async fn takes_a_slash(subject: &Subject) -> Found {
    let tried = async {
        let mut url = Url::parse(address(subject)?)?;
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        let what_to_do = "some clients always write the slash: give them a domain of your own, whose path is /";
        let mut socket = connect(&handshake(url.as_str()), None).await.context(what_to_do)?;
        greeted(&mut socket).await.context(what_to_do)?;
        part(socket).await;
        Ok(format!("{} is the stage as well", url.path()))
    };
    found(tried.await)
}

/// Whether a post that is made before a connection's end arrives before it.
pub async fn says_why(subject: &Subject) -> Found {
    let tried = async {
        let mut socket = connect(&handshake(address(subject)?), None).await?;
        greeted(&mut socket).await?;
        let told = ask(&mut socket, "40{}").await.context("a stranger is cut, and does not hear why")?;
        ensure!(told.starts_with("44{"), "a stranger is answered {told}");
        let ends = async { while text(&mut socket).await.is_ok() {} };
        timeout(FRAME_TIMEOUT, ends).await.context("a stranger is told why, and is not cut")?;
        Ok("a stranger is told why before it is cut".to_owned())
    };
    found(tried.await)
}

/// Whether a post counts as activity: a client that says nothing stays for as long as it is watched.
pub async fn keeps(subject: &Subject, watched: Duration) -> Found {
    let token = match token(subject) {
        Ok(token) => token,
        Err(unknown) => return unknown,
    };
    let tried = async {
        let mut socket = connect(&handshake(address(subject)?), Some(token)).await?;
        greeted(&mut socket).await?;
        let answer = ask(&mut socket, "40{}").await?;
        ensure!(answer.starts_with("40{"), "40{{}} is answered {answer}");
        let began = tokio::time::Instant::now();
        let mut posts = 0;
        while let Ok(next) = timeout_at(began + watched, next_or_end(&mut socket)).await {
            match next {
                true => posts += 1,
                false => bail!("a silent client is cut after {} s, and {posts} posts", began.elapsed().as_secs()),
            }
        }
        part(socket).await;
        ensure!(posts > 0, "nothing was posted in {} s: does keep-alive run?", watched.as_secs());
        Ok(format!("a silent client is there after {} s, and {posts} posts", watched.as_secs()))
    };
    found(tried.await)
}

/// What a client hears when API Gateway turns a frame of it away. A stranger says packets that ask for nothing, until one
/// of them is turned away.
pub async fn turns_away(subject: &Subject, frames: u32) -> Found {
    let tried = async {
        let mut socket = connect(&handshake(address(subject)?), None).await?;
        greeted(&mut socket).await?;
        let heard = flood(&mut socket, frames).await?;
        part(socket).await;
        Ok(heard)
    };
    let what_to_do = "deploy with a lower RequestsPerSecond, or name more frames";
    let heard = match tried.await {
        Ok(heard) => heard,
        Err(error) => return found(Err(error)),
    };
    match heard {
        Heard::All => Found::Unknown(format!("none of {frames} frames is turned away: {what_to_do}")),
        Heard::Silence(answered) => {
            let missing = frames - answered;
            Found::NotOk(format!(
                "{missing} of {frames} frames are not answered: have clients set ackTimeout and retries"
            ))
        }
        Heard::End(answered) => {
            Found::NotOk(format!("a client is cut after {answered} frames: raise RequestsPerSecond"))
        }
        Heard::Other(answered, text) => match serde_json::from_str::<Value>(&text) {
            // Lambda turns invocations away too, where an account lets few of them run at once.
            Ok(own) if own["message"] == "Internal server error" => Found::Unknown(format!(
                "after {answered} frames a function fails, before one is turned away: {what_to_do}"
            )),
            Ok(Value::Object(own)) => Found::Ok(format!(
                "after {answered} frames one is answered {}, which is no packet: the client comes back",
                own.get("message").unwrap_or(&Value::Null)
            )),
            _ => Found::NotOk(format!("after {answered} frames one is answered {text}, which is a packet")),
        },
    }
}

/// What came of many frames, and after how many answers.
enum Heard {
    All,
    Silence(u32),
    End(u32),
    /// Something that the function does not answer.
    Other(u32, String),
}

/// Sends packets that are answered [`NOOP`], until one is answered otherwise.
async fn flood(socket: &mut Socket, frames: u32) -> Result<Heard> {
    let (mut sink, mut texts) = socket.split();
    let send = async {
        for _ in 0..frames {
            // That the connection has ended is read.
            if sink.send(Message::text(NOOP)).await.is_err() {
                break;
            }
        }
        std::future::pending().await
    };
    let read = async {
        let mut answered = 0;
        while answered < frames {
            match timeout(FRAME_TIMEOUT, texts.next()).await {
                Err(_) => return Heard::Silence(answered),
                Ok(None | Some(Err(_) | Ok(Message::Close(_)))) => return Heard::End(answered),
                Ok(Some(Ok(Message::Text(text)))) if text.as_str() == NOOP => answered += 1,
                Ok(Some(Ok(Message::Text(text)))) => return Heard::Other(answered, text.to_string()),
                Ok(Some(Ok(_))) => {}
            }
        }
        Heard::All
    };
    Ok(tokio::select! {
        never = send => never,
        heard = read => heard,
    })
}

/// Whether something came, however long that took, and not the end.
async fn next_or_end(socket: &mut Socket) -> bool {
    loop {
        match text(socket).await {
            Ok(_) => return true,
            Err(error) if error.is::<tokio::time::error::Elapsed>() => {}
            Err(_) => return false,
        }
    }
}

fn address(subject: &Subject) -> Result<&str> {
    subject.websocket_url.as_deref().context("name the stack with --stack, or the address with --websocket-url")
}

/// The token, unless there is none or it would travel in the clear.
fn token(subject: &Subject) -> Result<&str, Found> {
    if subject.websocket_url.as_deref().is_none_or(|url| Way::of(url) == Way::Clear) {
        return Err(Found::Unknown("the token is not sent, since the address is not encrypted".into()));
    }
    subject.token.as_deref().map_err(|why| Found::Unknown(why.clone()))
}

fn handshake(url: &str) -> String {
    format!("{url}?EIO=4&transport=websocket")
}

async fn greeted(socket: &mut Socket) -> Result<()> {
    let greeting = text(socket).await.context("a client is let in, and not greeted")?;
    ensure!(greeting.starts_with("0{"), "a client is greeted with {greeting}");
    Ok(())
}

async fn ask(socket: &mut Socket, packet: &str) -> Result<String> {
    socket.send(Message::text(packet)).await.context("failed to send a packet")?;
    text(socket).await
}

async fn part(mut socket: Socket) {
    // The deployment notices by itself, later.
    let _ = timeout(GOODBYE_TIMEOUT, socket.close(None)).await;
}

fn found(tried: Result<String>) -> Found {
    match tried {
        Ok(text) => Found::Ok(text),
        Err(error) => Found::NotOk(format!("{error:#}")),
    }
}
