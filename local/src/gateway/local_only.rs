//! What exists only here: tokens for whoever asks, and where the page finds the WebSocket API.

use super::http::{preflight, with_cors};
use super::{Gateway, refuse};
use crate::template::Cors;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::http_refusal;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use url::{Host, Url};

/// `GET /local/endpoints`: the path of the WebSocket API on this host, and how long it lets a connection live.
pub async fn endpoints(State(gateway): State<Arc<Gateway>>) -> Json<Value> {
    let lifetime = u64::try_from(gateway.limits.lifetime.as_millis()).unwrap_or(u64::MAX);
    Json(json!({"webSocketPath": format!("/{}", gateway.stage()), "connectionLifetimeMs": lifetime}))
}

/// `POST /local/token`: a token with the claims in the body.
pub async fn token(State(gateway): State<Arc<Gateway>>, method: Method, headers: HeaderMap, body: String) -> Response {
    let cors = cors(&headers);
    if let Some(preflight) = preflight(&cors, &method, &headers) {
        return preflight;
    }
    let response = match method {
        Method::POST => issue(&gateway, &body),
        _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"),
    };
    with_cors(&cors, &headers, response)
}

/// A frontend under development, on whichever port of this machine, may have a token; a page from elsewhere may not.
fn cors(headers: &HeaderMap) -> Cors {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let is_here = |origin: &&str| match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    Cors {
        allow_origins: origin.filter(is_here).into_iter().map(String::from).collect(),
        allow_methods: vec!["POST".into()],
        allow_headers: vec!["content-type".into()],
        ..Cors::default()
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
