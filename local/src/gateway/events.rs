//! The JSON events that API Gateway sends, with all their fields.

use super::connections::Connection;
use super::ids::Ids;
use crate::template::{ACCOUNT, REGION};
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chat::Timestamp;
use chat_aws::now;
use chrono::DateTime;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use url::form_urlencoded;

/// The API ids of the local run; real ones are ten random characters.
const WEBSOCKET_API: &str = "localwsapi";
const HTTP_API: &str = "localhttpa";

/// A request's headers as REST and WebSocket events have them: once with one value each, once with all values.
fn headers(headers: &HeaderMap) -> (Value, Value) {
    let (mut single, mut multi) = (Map::new(), Map::new());
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().map(text).collect();
        let name = canonical(name.as_str());
        single.insert(name.clone(), json!(values.last()));
        multi.insert(name, json!(values));
    }
    (Value::Object(single), Value::Object(multi))
}

/// A header's value as text, even if its bytes are not UTF-8.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The name as WebSocket events spell it, which is how browsers do. Here names arrive in lower case.
fn canonical(name: &str) -> String {
    let word = |word: &str| match word {
        "websocket" => "WebSocket".into(),
        "" => String::new(),
        word => word[..1].to_uppercase() + &word[1..],
    };
    name.split('-').map(word).collect::<Vec<String>>().join("-")
}

fn query(text: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(text.unwrap_or_default().as_bytes()).into_owned().collect()
}

fn query_maps(pairs: &[(String, String)]) -> (Value, Value) {
    let (mut single, mut multi) = (Map::new(), Map::new());
    for (name, value) in pairs {
        single.insert(name.clone(), json!(value));
        if let Value::Array(values) = multi.entry(name.clone()).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    (Value::Object(single), Value::Object(multi))
}

/// `12/Mar/2025:02:22:45 +0000`
fn request_time(at: Timestamp) -> String {
    let moment = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    moment.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

/// The part of a WebSocket event that describes the connection.
fn context(connection: &Connection, stage: &str, route_key: &str, event_type: &str, ids: &Ids) -> Map<String, Value> {
    let at = now();
    let request_id = ids.request();
    let mut context = Map::from_iter([
        ("routeKey".into(), json!(route_key)),
        ("eventType".into(), json!(event_type)),
        ("messageDirection".into(), json!("IN")),
        ("extendedRequestId".into(), json!(request_id)),
        ("requestId".into(), json!(request_id)),
        ("requestTime".into(), json!(request_time(at))),
        ("requestTimeEpoch".into(), json!(at.millis())),
        ("stage".into(), json!(stage)),
        ("connectedAt".into(), json!(connection.connected_at.millis())),
        ("identity".into(), json!({"userAgent": connection.user_agent, "sourceIp": connection.source_ip})),
        ("domainName".into(), json!(connection.host)),
        ("connectionId".into(), json!(connection.id)),
        ("apiId".into(), json!(WEBSOCKET_API)),
    ]);
    if !connection.authorizer.is_null() {
        context.insert("authorizer".into(), connection.authorizer.clone());
    }
    context
}

/// The ARN of a handshake, which the authorizer is asked about.
pub fn connect_arn(stage: &str) -> String {
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{WEBSOCKET_API}/{stage}/$connect")
}

/// The authorizer's event before `$connect`.
pub fn authorize_handshake(
    connection: &Connection,
    stage: &str,
    request: &HeaderMap,
    query_text: Option<&str>,
    ids: &Ids,
) -> Value {
    let (single, multi) = headers(request);
    let (query, multi_query) = query_maps(&query(query_text));
    json!({
        "type": "REQUEST",
        "methodArn": connect_arn(stage),
        "headers": single,
        "multiValueHeaders": multi,
        "queryStringParameters": query,
        "multiValueQueryStringParameters": multi_query,
        "stageVariables": {},
        "requestContext": context(connection, stage, "$connect", "CONNECT", ids),
    })
}

pub fn connect(
    connection: &Connection,
    stage: &str,
    request: &HeaderMap,
    query_text: Option<&str>,
    ids: &Ids,
) -> Value {
    let (single, multi) = headers(request);
    let pairs = query(query_text);
    let mut event = json!({
        "headers": single,
        "multiValueHeaders": multi,
        "requestContext": context(connection, stage, "$connect", "CONNECT", ids),
        "isBase64Encoded": false,
    });
    if !pairs.is_empty() {
        let (query, multi_query) = query_maps(&pairs);
        event["queryStringParameters"] = query;
        event["multiValueQueryStringParameters"] = multi_query;
    }
    event
}

pub fn message(connection: &Connection, stage: &str, route_key: &str, body: &str, ids: &Ids) -> Value {
    let mut context = context(connection, stage, route_key, "MESSAGE", ids);
    context.insert("messageId".into(), json!(ids.request()));
    json!({"requestContext": context, "body": body, "isBase64Encoded": false})
}

pub fn disconnect(connection: &Connection, stage: &str, code: u16, reason: &str, ids: &Ids) -> Value {
    let mut context = context(connection, stage, "$disconnect", "DISCONNECT", ids);
    context.insert("disconnectStatusCode".into(), json!(code));
    context.insert("disconnectReason".into(), json!(reason));
    let (host, ip) = (&connection.host, &connection.source_ip);
    json!({
        "headers": {"Host": host, "X-Forwarded-For": ip, "x-api-key": "", "x-restapi": ""},
        "multiValueHeaders": {"Host": [host], "X-Forwarded-For": [ip], "x-api-key": [""], "x-restapi": [""]},
        "requestContext": context,
        "isBase64Encoded": false,
    })
}

/// An HTTP request on its way through the HTTP API.
pub struct HttpRequest<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// The path as the route has it.
    pub route: &'a str,
    /// What stands for the route's variables, as the client wrote it.
    pub variables: &'a [(&'a str, &'a str)],
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub source_ip: String,
    pub request_id: String,
}

impl HttpRequest<'_> {
    fn header(&self, name: &str) -> Cow<'_, str> {
        self.headers.get(name).map(text).unwrap_or_default()
    }

    /// The route's variables, decoded.
    fn path_parameters(&self) -> Map<String, Value> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), json!(decoded(value)))).collect()
    }

    pub fn method_arn(&self) -> String {
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{HTTP_API}/$default/{}{}", self.method, self.path)
    }

    /// The authorizer's event in payload format 1.0.
    pub fn authorize(&self, identity_headers: &[String]) -> Value {
        let (single, _) = headers(self.headers);
        let (query, _) = query_maps(&query(self.query));
        let identity: Vec<_> = identity_headers.iter().map(|name| self.header(name)).collect();
        let at = now();
        json!({
            "version": "1.0",
            "type": "REQUEST",
            "methodArn": self.method_arn(),
            "identitySource": identity.join(","),
            "authorizationToken": identity.join(","),
            "resource": self.route,
            "path": self.path,
            "httpMethod": self.method,
            "headers": single,
            "queryStringParameters": query,
            "pathParameters": self.path_parameters(),
            "stageVariables": {},
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": HTTP_API,
                "domainName": self.header("host"),
                "domainPrefix": "local",
                "extendedRequestId": self.request_id,
                "httpMethod": self.method,
                "identity": {"sourceIp": self.source_ip, "userAgent": self.header("user-agent")},
                "path": self.path,
                "protocol": "HTTP/1.1",
                "requestId": self.request_id,
                "requestTime": request_time(at),
                "requestTimeEpoch": at.millis(),
                "resourceId": format!("{} {}", self.method, self.route),
                "resourcePath": self.route,
                "stage": "$default",
            },
        })
    }

    /// The integration's event, payload format 2.0.
    pub fn event(&self, authorizer: &Value) -> Value {
        let all = |name| {
            let values = self.headers.get_all(name).iter().map(text);
            values.collect::<Vec<_>>().join(",")
        };
        let headers: Map<String, Value> =
            self.headers.keys().map(|name| (name.as_str().to_owned(), json!(all(name)))).collect();
        let mut parameters: Map<String, Value> = Map::new();
        for (name, value) in query(self.query) {
            let joined = match parameters.get(&name).and_then(Value::as_str) {
                Some(earlier) => format!("{earlier},{value}"),
                None => value,
            };
            parameters.insert(name, json!(joined));
        }
        let at = now();
        let route_key = format!("{} {}", self.method, self.route);
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": self.path,
            "rawQueryString": self.query.unwrap_or_default(),
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": HTTP_API,
                "domainName": self.header("host"),
                "domainPrefix": "local",
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source_ip,
                    "userAgent": self.header("user-agent"),
                },
                "requestId": self.request_id,
                "routeKey": route_key,
                "stage": "$default",
                "time": request_time(at),
                "timeEpoch": at.millis(),
            },
            "isBase64Encoded": false,
        });
        if !parameters.is_empty() {
            event["queryStringParameters"] = Value::Object(parameters);
        }
        if !self.variables.is_empty() {
            event["pathParameters"] = Value::Object(self.path_parameters());
        }
        if !self.body.is_empty() {
            let text = std::str::from_utf8(self.body).ok().filter(|_| is_text(&self.header("content-type")));
            event["isBase64Encoded"] = json!(text.is_none());
            event["body"] = text.map_or_else(|| json!(BASE64_STANDARD.encode(self.body)), |text| json!(text));
        }
        if !authorizer.is_null() {
            event["requestContext"]["authorizer"] = json!({"lambda": authorizer});
        }
        event
    }
}

/// Whether a body of this type is handed over as text, and not as base64. AWS documents no list, so a function takes both.
fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.is_empty() || kind.starts_with("text/") || ["application/json", "application/xml"].contains(&kind.as_str())
}
