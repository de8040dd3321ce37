//! The management API: `POST`, `GET` and `DELETE /<stage>/@connections/<id>`.

use super::Gateway;
use super::connections::{Connection, Refused};
use super::limits::MESSAGE_BYTES_MAX;
use super::throttle::TOO_MANY;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Answers a backend. The id's `=` comes percent-encoded, which the path extractor undoes.
pub async fn serve(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, request: Request) -> Response {
    if !is_signed(request.headers()) {
        return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    if !gateway.throttles.admit_callback() {
        return limit_exceeded(TOO_MANY);
    }
    let Some(connection) = gateway.connections.get(&id) else { return gone() };
    match *request.method() {
        Method::POST => post(&connection, request, gateway.limits.request).await,
        Method::GET => Json(describe(&connection)).into_response(),
        Method::DELETE => {
            connection.close();
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    }
}

/// Only the signature's presence is checked: there are no keys here to verify it.
pub fn is_signed(headers: &HeaderMap) -> bool {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    authorization.is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 ")) && headers.contains_key("x-amz-date")
}

async fn post(connection: &Connection, mut request: Request, patience: Duration) -> Response {
    DefaultBodyLimit::max(MESSAGE_BYTES_MAX).apply(&mut request);
    let Ok(body) = timeout(patience, Bytes::from_request(request, &())).await else {
        return error(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "the payload did not come in time");
    };
    let Ok(body) = body else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLargeException", "the payload is larger than 128 KB");
    };
    let Ok(frame) = String::from_utf8(body.into()) else {
        return error(StatusCode::BAD_REQUEST, "BadRequestException", "the payload is not UTF-8");
    };
    match connection.send(frame) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(Refused::Gone) => gone(),
        Err(Refused::Full) => limit_exceeded("the client's buffer is full"),
    }
}

fn describe(connection: &Connection) -> serde_json::Value {
    json!({
        "connectedAt": connection.connected_at,
        "identity": {"sourceIp": connection.source_ip, "userAgent": connection.user_agent},
        "lastActiveAt": connection.last_active_at(),
    })
}

fn gone() -> Response {
    error(StatusCode::GONE, "GoneException", "the connection is gone")
}

/// One error means two things: "the client is sending more than the allowed number of requests per unit of time or the
/// WebSocket client side buffer is full"
/// (<https://docs.rs/aws-sdk-apigatewaymanagement/latest/aws_sdk_apigatewaymanagement/types/error/struct.LimitExceededException.html>).
fn limit_exceeded(message: &str) -> Response {
    error(StatusCode::TOO_MANY_REQUESTS, "LimitExceededException", message)
}

/// The SDKs tell errors apart by this header.
pub fn error(status: StatusCode, kind: &'static str, message: &str) -> Response {
    (status, [("x-amzn-errortype", kind)], Json(json!({"message": message}))).into_response()
}
