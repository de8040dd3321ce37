//! The HTTP API: CORS, the authorizer, the integration.

use super::authorizer::Authorizer;
use super::events::HttpRequest;
use super::limits::{HTTP_BODY_BYTES_MAX, INTEGRATION_TIMEOUT};
use super::throttle::TOO_MANY;
use super::{Gateway, refuse};
use crate::page;
use crate::template::Cors;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;

/// A request to one of the HTTP API's paths.
pub async fn serve(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let cors = &gateway.template.http.cors;
    if let Some(preflight) = preflight(cors, request.method(), request.headers()) {
        return preflight;
    }
    let (request, body) = request.into_parts();
    let headers = request.headers.clone();
    let body = match timeout(gateway.limits.request, to_bytes(body, HTTP_BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return with_cors(cors, &headers, refuse(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"));
        }
        Err(_) => return with_cors(cors, &headers, refuse(StatusCode::REQUEST_TIMEOUT, "Request Timeout")),
    };
    // On AWS a function runs on when its client hangs up, so it does here.
    let worker = Arc::clone(&gateway);
    let answer = gateway.tasks.spawn(async move { worker.call(&request, &body, peer).await }).await;
    let answer = answer.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"));
    with_cors(cors, &headers, answer)
}

/// A path without a route: a file of the page, or a 404. Where CORS is configured, API Gateway answers a preflight for
/// any path (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>); so a page sees that
/// 404.
pub async fn elsewhere(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let cors = &gateway.template.http.cors;
    if let Some(preflight) = preflight(cors, request.method(), request.headers()) {
        return preflight;
    }
    match page::file(request.uri()) {
        Some(file) => file,
        None => with_cors(cors, request.headers(), refuse(StatusCode::NOT_FOUND, "Not Found")),
    }
}

impl Gateway {
    async fn call(&self, request: &Parts, body: &[u8], peer: SocketAddr) -> Response {
        let (method, path) = (request.method.as_str(), request.uri.path());
        let api = &self.template.http;
        let mut routes = api.routes.iter().filter(|route| route.method == method);
        let found = routes.find_map(|route| Some((route, route.variables(path)?)));
        let Some((route, variables)) = found else { return refuse(StatusCode::NOT_FOUND, "Not Found") };
        if !self.throttles.admit(&route.key()) {
            return refuse(StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
        }
        let request_id = self.ids.request();
        let http = HttpRequest {
            method,
            path,
            route: &route.path,
            variables: &variables,
            query: request.uri.query(),
            headers: &request.headers,
            body,
            source_ip: peer.ip().to_string(),
            request_id: request_id.clone(),
        };
        let mut context = Value::Null;
        if let Some(function) = &api.authorizer {
            let authorizer = Authorizer { function, identity_headers: &api.identity_headers };
            let event = http.authorize(&api.identity_headers);
            match self.authorize(&authorizer, &request.headers, event, &http.method_arn()).await {
                Ok(mut allowed) => {
                    allowed.remove("principalId");
                    context = Value::Object(allowed);
                }
                Err(status) => return refuse(status, status.canonical_reason().unwrap_or_default()),
            }
        }
        let invocation = self.functions.invoke(&route.function, &request_id, http.event(&context));
        match timeout(INTEGRATION_TIMEOUT, invocation).await {
            Ok(Ok(answer)) => integration_response(&answer, &request_id),
            Ok(Err(_)) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }
}

/// Turns a function's `{statusCode, headers, body}` into a response.
fn integration_response(answer: &Value, request_id: &str) -> Response {
    let broken = || refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else { return broken() };
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        match BASE64_STANDARD.decode(text) {
            Ok(body) => body,
            Err(_) => return broken(),
        }
    } else {
        text.as_bytes().to_vec()
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let single = answer["headers"].as_object().into_iter().flatten();
    let multi = answer["multiValueHeaders"].as_object().into_iter().flatten();
    for (name, value) in single.chain(multi) {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in values.iter().filter_map(Value::as_str) {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
    }
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    response
}

/// An HTTP API answers preflights by itself, before authorizer and route.
pub fn preflight(cors: &Cors, method: &Method, request: &HeaderMap) -> Option<Response> {
    let asks = request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if method != Method::OPTIONS || !asks {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_METHODS, cors.allow_methods.join(","));
    set(header::ACCESS_CONTROL_ALLOW_HEADERS, cors.allow_headers.join(",").to_lowercase());
    if let Some(seconds) = cors.max_age {
        set(header::ACCESS_CONTROL_MAX_AGE, seconds.to_string());
    }
    Some(with_cors(cors, request, response))
}

/// Adds the headers that let a page of an allowed origin read the answer. Without them a browser hides it from the
/// page.
pub fn with_cors(cors: &Cors, request: &HeaderMap, mut response: Response) -> Response {
    let Some(origin) = request.get(header::ORIGIN) else { return response };
    let any = cors.allow_origins.iter().any(|allowed| allowed == "*");
    if !any && !cors.allow_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
        return response;
    }
    let headers = response.headers_mut();
    headers
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { HeaderValue::from_static("*") } else { origin.clone() });
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let exposed = HeaderValue::try_from(cors.expose_headers.join(",").to_lowercase());
    if let Some(exposed) = exposed.ok().filter(|exposed| !exposed.is_empty()) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}
