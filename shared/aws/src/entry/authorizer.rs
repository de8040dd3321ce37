//! The authorizer of both APIs. A fault is Lambda's error: API Gateway then answers 500 and lets nobody in.

use super::websocket::subprotocols;
use super::{Function, lambda_error, misshapen, unreadable};
use crate::Failure;
use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest;
use chat::{Encoding, UserId};
use serde_json::{Map, Value, json};

/// A handshake or an HTTP request that is to be let through or not.
#[derive(Debug)]
pub struct AuthorizeEvent {
    /// What a policy has to name to let this very call through.
    pub method_arn: String,
    pub token: Option<String>,
    /// What every `Origin` header says: the page that a browser makes the request for. Empty where one cannot be read.
    pub origins: Vec<String>,
    /// What a client of Socket.IO says in its handshake. The same function guards the history, where nobody comes in as
    /// nobody: so it is read from a handshake alone.
    pub encoding: Encoding,
}

pub fn authorize<S, F>(state: S, handle: impl Fn(S, AuthorizeEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Verdict, Failure>> + Send,
{
    Function::of(state, AuthorizeEvent::read, handle, |verdict: Result<Verdict, Failure>, _| {
        verdict.map(Verdict::into_policy).map_err(lambda_error)
    })
}

/// What `authorize` decided.
#[derive(Debug)]
pub enum Verdict {
    /// `context` is what [`chat::Opening::to_context`] wrote.
    Allow {
        /// Nobody yet, for some clients of Socket.IO.
        user: Option<UserId>,
        context: Vec<(&'static str, String)>,
        method_arn: String,
    },
    Deny {
        method_arn: String,
    },
}

impl Verdict {
    /// The authorizer result that both kinds of API take: an IAM policy and flat context strings.
    fn into_policy(self) -> Value {
        let (principal, effect, arn, context) = match self {
            Self::Allow { user, context, method_arn } => {
                (user.map_or_else(nobody, |user| user.to_string()), "Allow", method_arn, context)
            }
            Self::Deny { method_arn } => (nobody(), "Deny", method_arn, Vec::new()),
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

impl AuthorizeEvent {
    /// The token may come as `Authorization: Bearer …`, as the subprotocol `bearer.…`, or as `?token=…`; the first of
    /// these that is there counts.
    fn read(payload: Value) -> Result<Self, Failure> {
        let origins = texts(&payload, "origin");
        let is_handshake = payload["requestContext"]["eventType"] == "CONNECT";
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
        let query = |name: &str| event.query_string_parameters.first(name);
        let from_query = || query("token").map(String::from);
        let encoding = match is_handshake {
            true => Encoding::of_handshake(query("EIO"), query("transport")),
            false => Encoding::Json,
        };
        Ok(Self {
            encoding,
            token: from_header().or_else(from_subprotocol).or_else(from_query),
            origins,
            method_arn: event.method_arn.ok_or_else(|| unreadable("methodArn is missing"))?,
        })
    }
}

/// What a policy calls somebody whom no token names.
fn nobody() -> String {
    "anonymous".into()
}

/// What every header of a name says, of those in `headers` and in `multiValueHeaders`. It is read from the event
/// itself: a `HeaderMap` keeps one of two, and gives no text where a character is not ASCII. A value that is not text
/// counts as empty.
fn texts(payload: &Value, name: &str) -> Vec<String> {
    let maps = ["headers", "multiValueHeaders"].into_iter().filter_map(|map| payload[map].as_object());
    let named = maps.flatten().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    let values = named.flat_map(|(_, value)| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
    values.map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
}
