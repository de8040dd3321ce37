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

/// Whoever brings no token must be refused, by API Gateway (401) or by the authorizer (403).
fn judge(url: &str, secure: &str, status: u16) -> Found {
    let scheme = Url::parse(url).ok();
    let is_here = scheme.as_ref().is_some_and(|url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    });
    let is_secure = scheme.is_some_and(|url| url.scheme() == secure);
    match status {
        401 | 403 if is_secure => Found::Ok(format!("{url} answers over TLS, and refuses a stranger ({status})")),
        401 | 403 if is_here => Found::Ok(format!("{url} answers, on this machine, and refuses a stranger ({status})")),
        401 | 403 => Found::NotOk(format!("{url} is not encrypted: tokens travel in the clear; use {secure}://")),
        429 => Found::NotOk(format!("{url} turns requests away (429): RequestsPerSecond is used up")),
        500.. => Found::NotOk(format!("{url} fails ({status}): look in the function log, output FunctionLogsName")),
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
