//! A route of the HTTP API: from API Gateway's event, and to the answer that it takes.

use super::action::ActionEvent;
use super::{Function, misshapen, status, unreadable};
use crate::{Failure, Fault, Users};
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_smithy_types::base64;
use chat::limits::FRAME_BYTES_MAX;
use chat::{Caller, Params, Rejection, Reply, Request, http_internal, http_refusal};
use lambda_http::Body;
use lambda_http::http::{HeaderValue, header};
use lambda_runtime::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

/// A request that the authorizer let through.
#[derive(Debug)]
pub struct HttpEvent {
    pub caller: Caller,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// As the client sent it, without the query string.
    pub path: String,
    /// The query string, as the client sent it.
    pub query: String,
    /// The parts of the path that the route names, decoded.
    path_parameters: HashMap<String, String>,
    /// Where it came from.
    pub(super) ip: Option<String>,
    body: Vec<u8>,
}

/// What is read of API Gateway's event, in its payload format 2.0
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>). A request
/// that `lambda_http` makes of it has an address put together of headers that a client may send as it likes; and a type
/// for all that an event may have is 70 KB of every function that serves both APIs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    raw_query_string: String,
    /// `null` where a route has none, by some who play API Gateway.
    path_parameters: Option<HashMap<String, String>>,
    request_context: EventContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct EventContext {
    http: EventHttp,
    authorizer: Option<EventAuthorizer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventHttp {
    method: String,
    source_ip: Option<String>,
}

/// What `authorize` answered.
#[derive(Deserialize)]
struct EventAuthorizer {
    lambda: Option<HashMap<String, Value>>,
}

/// A JSON answer.
#[derive(Debug)]
pub struct HttpAnswer {
    status: u16,
    body: String,
    link: Option<String>,
}

impl HttpAnswer {
    /// An answer with status 200.
    pub fn ok(body: &impl Serialize) -> Result<Self, Fault> {
        Self::with_status(200, body)
    }

    pub fn with_status(status: u16, body: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_string(body).map_err(Fault::doing("failed to build a response"))?;
        Ok(Self { status, body, link: None })
    }

    /// The same with a `Link` header (RFC 8288).
    pub fn with_link(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }
}

pub fn http<S, F>(state: S, handle: impl Fn(S, HttpEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<HttpAnswer, Failure>> + Send,
{
    Function::of(state, HttpEvent::read, handle, response)
}

/// `POST /<action>`: the frame of an action as the body, and its reply as the answer. There is no `$connect` in its way,
/// so it is looked up whether the token was revoked.
pub fn posted<S, F>(
    action: &'static str,
    users: Users,
    state: S,
    handle: impl Fn(S, ActionEvent) -> F + Copy + Send + Sync + 'static,
) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    let answered = move |(users, state): (Users, S), event: HttpEvent| async move {
        let asked = event.request();
        let said = async {
            let request = asked.clone()?.on_path(action)?;
            let banned = users.may_act(&event.caller, request.room().as_ref()).await?;
            handle(state, ActionEvent { caller: event.caller, sender: None, ip: event.ip, request, banned }).await
        };
        let said = said.await;
        // Even a request for another action is answered by its name.
        let named = asked.clone().and_then(|asked| asked.on_path(action));
        Ok(Done { asked: named.or(asked).ok(), said })
    };
    Function::of((users, state), HttpEvent::read, answered, reply)
}

/// What became of a request.
struct Done {
    asked: Option<Request>,
    said: Result<Reply, Failure>,
}

fn reply(done: Result<Done, Failure>, context: &Context) -> Result<Value, super::Error> {
    let Done { asked, said } = done.unwrap_or_else(|failure| Done { asked: None, said: Err(failure) });
    let (status, reply) = match said {
        Ok(reply) => (200, reply),
        Err(failure) => {
            let reply = match &failure {
                Failure::Rejected(rejection) => Reply::rejected(rejection),
                Failure::Fault(_) => Reply::internal(&context.request_id),
            };
            (status(&failure, context), reply)
        }
    };
    written(HttpAnswer::with_status(status, &reply.answering(asked.as_ref()))?)
}

impl HttpEvent {
    /// The body as an action's request.
    fn request(&self) -> Result<Request, Rejection> {
        let body = self.body()?;
        if body.len() > FRAME_BYTES_MAX {
            return Err(Rejection::TooManyBytes { field: "the body", limit: FRAME_BYTES_MAX });
        }
        Request::parse(body)
    }

    fn read(payload: Value) -> Result<Self, Failure> {
        let event: Event = serde_json::from_value(payload).map_err(misshapen)?;
        let fields = event.request_context.authorizer.and_then(|authorizer| authorizer.lambda);
        let caller = Caller::from_context(&fields.unwrap_or_default())?;
        let body = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded {
            base64::decode(body).map_err(|_| unreadable("the body is not Base64"))?
        } else {
            body.into_bytes()
        };
        let EventHttp { method, source_ip: ip } = event.request_context.http;
        let (path, query) = (event.raw_path, event.raw_query_string);
        let path_parameters = event.path_parameters.unwrap_or_default();
        Ok(Self { caller, method, path, query, path_parameters, ip, body })
    }

    /// What is asked: by the query string of a `GET`, by the body of a `POST`; and in the room that the path names, if it
    /// names one.
    pub fn params(&self) -> Result<Params, Rejection> {
        let params = if self.method == "GET" { Params::of_query(&self.query) } else { Params::of_body(self.body()?) }?;
        match self.path_parameters.get("id") {
            Some(id) => params.in_room(id),
            None => Ok(params),
        }
    }

    /// The body as text, empty where there is none. Refused if it is not UTF-8.
    pub fn body(&self) -> Result<&str, Rejection> {
        std::str::from_utf8(&self.body).map_err(|_| Rejection::Invalid { field: "the body", expected: "UTF-8".into() })
    }
}

/// The answer as API Gateway takes it. `no-store`: neither a browser that several people use nor a proxy may keep
/// messages.
fn response(result: Result<HttpAnswer, Failure>, context: &Context) -> Result<Value, super::Error> {
    written(match result {
        Ok(answer) => answer,
        Err(failure) => refusal(&failure, context)?,
    })
}

fn written(answer: HttpAnswer) -> Result<Value, super::Error> {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = answer.status.into();
    response.body = Some(Body::Text(answer.body));
    response.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Some(link) = answer.link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers.insert(header::LINK, link);
    }
    Ok(serde_json::to_value(response)?)
}

fn refusal(failure: &Failure, context: &Context) -> Result<HttpAnswer, Fault> {
    let status = status(failure, context);
    match failure {
        Failure::Rejected(rejection) => {
            let (_, reason) = rejection.status();
            HttpAnswer::with_status(status, &http_refusal(status, reason, &rejection.to_string()))
        }
        Failure::Fault(_) => HttpAnswer::with_status(status, &http_internal(&context.request_id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        let authorizer = json!({"userId": "7", "username": "7", "nickName": "7", "rooms": "*",
            "issuedAt": "0", "goodUntil": "4102444860000"});
        json!({
            "version": "2.0", "routeKey": "POST /x/{id}", "rawPath": "/x/a%20b", "rawQueryString": "a=%F0&b",
            "headers": {"host": "not a host", "content-type": "application/json"}, "pathParameters": {"id": "a b"},
            "requestContext": {
                "http": {"method": "POST", "path": "/x/a%20b", "sourceIp": "127.0.0.1"},
                "stage": "dev", "domainName": "::", "authorizer": {"lambda": authorizer},
            },
            "body": "eyJhIjoxfQ==", "isBase64Encoded": true,
        })
    }

    #[test]
    fn an_event_says_what_the_client_sent() {
        let read = HttpEvent::read(event()).expect("an event");
        let said = (read.method.as_str(), read.path.as_str(), read.query.as_str(), read.body());
        assert_eq!(said, ("POST", "/x/a%20b", "a=%F0&b", Ok(r#"{"a":1}"#)));
        assert_eq!(read.caller.user().to_string(), "7");
        let in_room = |params: &str| Params::of_query(params).expect("a query").in_room("a b").expect("a room");
        assert_eq!(read.params(), Params::of_body(r#"{"a":1}"#).expect("a body").in_room("a b"));
        let mut asked = event();
        asked["requestContext"]["http"]["method"] = json!("GET");
        asked["rawQueryString"] = json!("a=1");
        assert_eq!(HttpEvent::read(asked).expect("an event").params(), Ok(in_room("a=1")));

        let mut without = event();
        without["pathParameters"] = Value::Null;
        without.as_object_mut().expect("an event").remove("body");
        assert_eq!(HttpEvent::read(without).expect("an event").body(), Ok(""));
    }

    #[test]
    fn a_body_that_is_no_text_is_refused_and_a_caller_that_is_none_is_a_fault() {
        let mut binary = event();
        binary["body"] = json!("/w==");
        let body = HttpEvent::read(binary).expect("an event").body().map(String::from);
        assert!(matches!(body, Err(Rejection::Invalid { .. })), "and only where a route reads it");
        let mut garbled = event();
        garbled["body"] = json!("{\"a\":1}");
        assert!(matches!(HttpEvent::read(garbled), Err(Failure::Fault(_))), "it is no Base64");
        let mut nobody = event();
        nobody["requestContext"]["authorizer"] = json!({"lambda": {}});
        assert!(matches!(HttpEvent::read(nobody), Err(Failure::Fault(_))));
    }

    #[test]
    fn an_answer_is_json_that_nobody_keeps() {
        let answer = HttpAnswer::ok(&json!([1])).expect("JSON").with_link(Some("<?a=1>; rel=\"prev\"".into()));
        let response = response(Ok(answer), &Context::default()).expect("an answer");
        assert_eq!((&response["statusCode"], &response["body"]), (&json!(200), &json!("[1]")));
        let headers = json!({"cache-control": "no-store", "content-type": "application/json; charset=utf-8",
            "link": "<?a=1>; rel=\"prev\""});
        assert_eq!(response["headers"], headers);
    }
}
