//! Socket.IO's first transport: requests that wait. API Gateway has no such endpoint, and a client that tries one must
//! be told what to set.

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

/// What the developer of such a client has to write.
const SET: &str = "a Socket.IO client must be told to use WebSockets alone: \
                   io(address, { path: \"/dev\", transports: [\"websocket\"], addTrailingSlash: false, auth: { token } })";

/// The answer to a polling handshake, or none if it is something else. On AWS it is one without words.
pub fn answer(uri: &Uri, headers: &HeaderMap, stage: &str) -> Option<Response> {
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.find(|(name, value)| name == "transport" && value == "polling")?;
    let set = SET.replace("/dev", &format!("/{stage}"));
    tracing::warn!("{set}");
    let mut response = (StatusCode::BAD_REQUEST, set).into_response();
    if headers.contains_key(header::ORIGIN) {
        // A page may read it, so that its console says it.
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    Some(response)
}
