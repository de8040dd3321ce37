//! What API Gateway sends, turned into our words at once, and what it wants back.

use crate::{Failure, Fault};
use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest, ApiGatewayWebsocketProxyRequest,
    ApiGatewayWebsocketProxyRequestContext,
};
use chat::{Caller, ConnectionId, Device, Rejection, Request, Timestamp, UserId};
use lambda_http::RequestExt;
use lambda_http::http::HeaderMap;
use serde_json::{Map, Value, json};

/// The connection that an event belongs to, and who opened it.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: ConnectionId,
    pub connected_at: Timestamp,
    pub caller: Caller,
}

impl Connection {
    /// The connection as one of its user's.
    pub fn device(&self) -> Device {
        Device { connection: self.id.clone(), connected_at: self.connected_at }
    }
}

/// A frame from a client, on whichever route.
#[derive(Debug)]
pub struct MessageEvent {
    pub connection: Connection,
    pub request: Request,
}

/// `$connect`: a handshake that the authorizer let through.
#[derive(Debug)]
pub struct ConnectEvent {
    pub connection: Connection,
    /// Subprotocols the client offers, in its order.
    pub subprotocols: Vec<String>,
}

/// `$disconnect`: the connection is no more. Best effort, it may never come.
#[derive(Debug)]
pub struct DisconnectEvent {
    pub connection: Connection,
}

/// A call by somebody who has the right to invoke the function: an application's backend.
#[derive(Debug)]
pub struct CallEvent {
    pub payload: Value,
}

/// A handshake or an HTTP request that is to be let through or not.
#[derive(Debug)]
pub struct AuthorizeEvent {
    /// What a policy has to name to let this very call through.
    pub method_arn: String,
    pub token: Option<String>,
    /// Of the page that a browser makes the request for: what every `Origin` header says. Empty where one cannot be read.
    pub origins: Vec<String>,
}

/// An HTTP request that the authorizer let through.
#[derive(Debug)]
pub struct HttpEvent {
    pub caller: Caller,
    /// The query string, as the client sent it.
    pub query: String,
}

impl HttpEvent {
    pub(crate) fn read(request: &lambda_http::Request, query: String) -> Result<Self, Failure> {
        let context = request.request_context_ref();
        let fields = context.and_then(|context| context.authorizer()).map(|authorizer| &authorizer.fields);
        let caller = Caller::from_context(fields.unwrap_or(&std::collections::HashMap::new()))?;
        Ok(Self { caller, query })
    }
}

/// An answer to `$connect` that lets the client in; a subprotocol must be echoed, or a browser gives up.
#[derive(Debug, Default)]
pub struct Accepted {
    pub subprotocol: Option<&'static str>,
}

/// What `authorize` decided.
#[derive(Debug)]
pub enum Verdict {
    /// `context` is what [`Caller::to_context`] made of the user.
    Allow {
        user: UserId,
        context: Vec<(&'static str, String)>,
        method_arn: String,
    },
    Deny {
        method_arn: String,
    },
}

impl Verdict {
    /// The authorizer result that both kinds of API take: an IAM policy and flat context strings.
    pub(crate) fn into_policy(self) -> Value {
        let (principal, effect, arn, context) = match self {
            Self::Allow { user, context, method_arn } => (user.to_string(), "Allow", method_arn, context),
            Self::Deny { method_arn } => ("anonymous".into(), "Deny", method_arn, Vec::new()),
        };
        let context: Map<_, _> = context.into_iter().map(|(name, text)| (name.to_owned(), json!(text))).collect();
        json!({
            "principalId": principal,
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}],
            },
            "context": context,
        })
    }
}

pub(crate) fn websocket(payload: Value) -> Result<ApiGatewayWebsocketProxyRequest, Failure> {
    serde_json::from_value(payload).map_err(misshapen)
}

pub(crate) fn connection(context: ApiGatewayWebsocketProxyRequestContext) -> Result<Connection, Failure> {
    let id = context.connection_id.ok_or_else(|| unreadable("requestContext.connectionId is missing"))?;
    let caller = Caller::from_context(&context.authorizer.fields)?;
    Ok(Connection { id: ConnectionId::new(id), connected_at: Timestamp::from_millis(context.connected_at), caller })
}

/// Refuses what is not the event that a route is for. Nothing documents that a client's frame whose `action` is `$disconnect` does not
/// run that route; and if it did, its sender would be forgotten and stay.
fn must_be(kind: &'static str, context: &ApiGatewayWebsocketProxyRequestContext) -> Result<(), Rejection> {
    if context.event_type.as_deref() == Some(kind) {
        return Ok(());
    }
    Err(Rejection::UnknownAction { action: format!("${}", kind.to_lowercase()) })
}

impl ConnectEvent {
    pub(crate) fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        must_be("CONNECT", &event.request_context)?;
        let subprotocols = subprotocols(&event.headers, &event.multi_value_headers);
        Ok(Self { subprotocols, connection: connection(event.request_context)? })
    }
}

impl DisconnectEvent {
    pub(crate) fn read(payload: Value) -> Result<Self, Failure> {
        let event = websocket(payload)?;
        must_be("DISCONNECT", &event.request_context)?;
        Ok(Self { connection: connection(event.request_context)? })
    }
}

impl AuthorizeEvent {
    /// The token may come as `Authorization: Bearer …`, as the subprotocol `bearer.…`, or as `?token=…`; the first of
    /// these that is there counts.
    pub(crate) fn read(payload: Value) -> Result<Self, Failure> {
        let origins = texts(&payload, "origin");
        let event: ApiGatewayCustomAuthorizerRequestTypeRequest = serde_json::from_value(payload).map_err(misshapen)?;
        let header = |name: &str| event.headers.get(name).and_then(|value| value.to_str().ok());
        let from_header = || {
            let (scheme, token) = header("authorization")?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let from_subprotocol = || {
            let offered = subprotocols(&event.headers, &event.multi_value_headers);
            offered.iter().find_map(|offer| offer.strip_prefix("bearer.").map(String::from))
        };
        let from_query = || event.query_string_parameters.first("token").map(String::from);
        Ok(Self {
            token: from_header().or_else(from_subprotocol).or_else(from_query),
            origins,
            method_arn: event.method_arn.ok_or_else(|| unreadable("methodArn is missing"))?,
        })
    }
}

/// What every header of a name says, of those in `headers` and in `multiValueHeaders`. It is read from the event itself: a
/// `HeaderMap` keeps one of two, and gives no text where a character is not ASCII. What is no text is an empty one here.
fn texts(payload: &Value, name: &str) -> Vec<String> {
    let maps = ["headers", "multiValueHeaders"].into_iter().filter_map(|map| payload[map].as_object());
    let named = maps.flatten().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    let values = named.flat_map(|(_, value)| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
    values.map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
}

/// What a client offers, in its order. The list may be spread over several headers (RFC 6455, section 11.3.4), of which
/// `headers` holds one; the HTTP API's authorizer sends no `multiValueHeaders`.
fn subprotocols(headers: &HeaderMap, multi_value_headers: &HeaderMap) -> Vec<String> {
    const NAME: &str = "sec-websocket-protocol";
    let all = if multi_value_headers.contains_key(NAME) { multi_value_headers } else { headers };
    let lines = all.get_all(NAME).into_iter().filter_map(|value| value.to_str().ok());
    let offers = lines.flat_map(|line| line.split(',').map(str::trim));
    offers.filter(|offer| !offer.is_empty()).map(String::from).collect()
}

/// What is wrong with an event's shape, without the value that is wrong: it may be a token.
fn misshapen(error: serde_json::Error) -> Failure {
    let said = error.to_string();
    unreadable(said.split('"').next().unwrap_or_default().trim_end().to_owned())
}

fn unreadable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Fault(Fault::because("failed to read the event", error))
}
