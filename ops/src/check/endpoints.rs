//! Whether both APIs answer, over TLS, and let nobody in without a token.

use super::{Found, Subject};
use crate::limits::CALL_TIMEOUT;
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use url::{Host, Url};

const NOT_NAMED: &str = "name the stack with --stack, or the address with";

pub async fn http(subject: &Subject) -> Found {
    let Some(url) = &subject.http_url else { return Found::Unknown(format!("{NOT_NAMED} --http-url")) };
    let request = subject.http.get(format!("{url}/chat-history/list?chatroomId=1"));
    match request.send().await {
        Ok(answer) => judge(url, "https", answer.status().as_u16()),
        Err(error) => Found::NotOk(format!("{url} does not answer: {}", chain(&error))),
    }
}

pub async fn websocket(subject: &Subject) -> Found {
    let Some(url) = &subject.websocket_url else { return Found::Unknown(format!("{NOT_NAMED} --websocket-url")) };
    match timeout(CALL_TIMEOUT, Box::pin(connect_async(url))).await {
        Ok(Err(Error::Http(answer))) => judge(url, "wss", answer.status().as_u16()),
        Ok(Ok(_)) => Found::NotOk(format!("{url} lets somebody in without a token: is it this chat room?")),
        Ok(Err(error)) => Found::NotOk(format!("{url} does not answer: {}", chain(&error))),
        Err(_) => Found::NotOk(format!("{url} does not answer in {} s", CALL_TIMEOUT.as_secs())),
    }
}

/// How a token travels to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Encrypted,
    /// It does not leave this machine.
    Here,
    Clear,
}

impl Way {
    pub fn of(url: &str) -> Self {
        let Ok(url) = Url::parse(url) else { return Self::Clear };
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" | "wss" => Self::Encrypted,
            _ if is_here => Self::Here,
            _ => Self::Clear,
        }
    }
}

/// Whoever brings no token must be refused, by API Gateway (401) or by the authorizer (403).
fn judge(url: &str, secure: &str, status: u16) -> Found {
    match (status, Way::of(url)) {
        (401 | 403, Way::Encrypted) => Found::Ok(format!("{url} answers over TLS, and refuses a stranger ({status})")),
        (401 | 403, Way::Here) => {
            Found::Ok(format!("{url} answers, on this machine, and refuses a stranger ({status})"))
        }
        (401 | 403, Way::Clear) => {
            Found::NotOk(format!("{url} is not encrypted: tokens travel in the clear; use {secure}://"))
        }
        (429, _) => Found::NotOk(format!("{url} turns requests away (429): RequestsPerSecond is used up")),
        (500.., _) => {
            Found::NotOk(format!("{url} fails ({status}): look in the function log, output FunctionLogsName"))
        }
        _ => Found::NotOk(format!("{url} answers {status}, not 401 or 403: is it this chat room?")),
    }
}

/// An error with its causes: "error sending request" alone says nothing.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
