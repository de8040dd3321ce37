//! Routes that only the local run has: tokens without a login, and the page's way to find the WebSocket API.

use super::http::{preflight, with_cors};
use super::{Gateway, refuse};
use crate::template::Cors;
use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::http_refusal;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::time::timeout;
use url::{Host, Url};

/// `GET /local/endpoints`: the WebSocket API's path on this host, and how long a connection may live.
pub async fn endpoints(State(gateway): State<Arc<Gateway>>) -> Json<Value> {
    let lifetime = u64::try_from(gateway.limits.lifetime.as_millis()).unwrap_or(u64::MAX);
    Json(json!({"webSocketPath": format!("/{}", gateway.stage()), "connectionLifetimeMs": lifetime}))
}

/// `POST /local/token`: a token with the claims in the body.
pub async fn token(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    // DNS rebinding: a foreign name that resolves to this machine is same-origin, so CORS would not stop it.
    if !headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .is_some_and(|host| is_here(&format!("http://{host}")))
    {
        return refuse(StatusCode::FORBIDDEN, "tokens are given out by the names of this machine alone");
    }
    let cors = cors(&headers);
    if let Some(preflight) = preflight(&cors, &method, &headers) {
        return preflight;
    }
    let response = match method {
        Method::POST => match timeout(gateway.limits.request, String::from_request(request, &())).await {
            Ok(Ok(body)) => issue(&gateway, &body),
            Ok(Err(refused)) => refused.into_response(),
            Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "Request Timeout"),
        },
        _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    };
    with_cors(&cors, &headers, response)
}

/// A frontend on any port of this machine may get a token, for development. A page from another host may not.
fn cors(headers: &HeaderMap) -> Cors {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    Cors {
        allow_origins: origin.filter(|origin| is_here(origin)).into_iter().map(String::from).collect(),
        allow_methods: vec!["POST".into()],
        allow_headers: vec!["content-type".into()],
        ..Cors::default()
    }
}

/// Whether an origin is one of this machine.
fn is_here(origin: &str) -> bool {
    match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn issue(gateway: &Gateway, body: &str) -> Response {
    let bad =
        |message: &str| (StatusCode::BAD_REQUEST, Json(http_refusal(400, "Bad Request", message))).into_response();
    let Ok(claims) = serde_json::from_str::<Map<String, Value>>(body) else {
        return bad("the body must be a JSON object of claims, such as {\"userId\":1,\"rooms\":\"*\"}");
    };
    match gateway.tokens.issue(claims) {
        Ok(token) => Json(json!({"token": token})).into_response(),
        Err(error) => bad(&error.to_string()),
    }
}
