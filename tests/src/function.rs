use crate::schema;
use chat_aws::Vars;
use functions::FUNCTIONS;
use serde_json::{Value, json};

/// The request id of every invocation by [`invoke`].
pub const REQUEST_ID: &str = "request-7";

/// Runs one function with one event, without the gateway.
pub async fn invoke(name: &str, vars: &Vars, event: Value) -> Value {
    let event = on_route(name, event);
    let (_, build) = FUNCTIONS.iter().find(|(handler, _)| *handler == name).expect("a function");
    build(vars).expect("a function that starts").invoke_as(REQUEST_ID, event).await.expect("an answer")
}

/// Adds what API Gateway sets on this function's route, where a test's event has no route: the event type, and the route
/// that the frame's action selects.
fn on_route(name: &str, mut event: Value) -> Value {
    let kind = match name {
        "connect" => "CONNECT",
        "disconnect" => "DISCONNECT",
        _ => "MESSAGE",
    };
    let frame: Value = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let context = event.get_mut("requestContext").and_then(Value::as_object_mut);
    if let Some(context) =
        context.filter(|context| context.contains_key("connectionId") && !context.contains_key("routeKey"))
    {
        context.entry("eventType").or_insert_with(|| kind.into());
        if let Some(action) = frame["action"].as_str() {
            context.insert("routeKey".into(), action.into());
        }
    }
    event
}

/// The event of a WebSocket function, of user 7, who may enter every room. The gateway does not know this connection.
pub fn websocket_event(body: &Value) -> Value {
    let authorizer = json!({"userId": "7", "username": "7", "nickName": "7", "rooms": "*",
        "issuedAt": "0", "goodUntil": "4102444860000"});
    let id = "YQAAAAAAAAAAAAA=";
    let context = json!({"connectionId": id, "connectedAt": 0, "requestTimeEpoch": 0, "authorizer": authorizer});
    json!({"requestContext": context, "body": body.to_string(), "isBase64Encoded": false})
}

/// The event of a packet of Socket.IO, of the same user.
pub fn packet_event(body: &str) -> Value {
    let mut event = websocket_event(&Value::Null);
    event["body"] = json!(body);
    event["requestContext"]["authorizer"]["encoding"] = json!("eio4");
    event
}

/// The same of a client that came in as nobody, on a connection of its own.
pub fn guest_event(body: &str) -> Value {
    let mut event = packet_event(body);
    event["requestContext"]["connectionId"] = json!("Z3Vlc3QAAAAAAAA=");
    event["requestContext"]["authorizer"] = json!({"encoding": "eio4", "token": "missing"});
    event
}

/// The function that a sample is for: `<function>[-case]`.
pub fn function_of(sample: &str) -> &'static str {
    let is_for = |name: &&str| sample == *name || sample.starts_with(&format!("{name}-"));
    let names = FUNCTIONS.iter().map(|(name, _)| *name).filter(is_for);
    // Of `disconnect` and `disconnect-user`, the longer one.
    names.max_by_key(|name| name.len()).unwrap_or_else(|| panic!("{sample} is for no function"))
}

/// A request of `chatrooms` by this user, whose token grants kept rooms: `POST /chatroom/join/{id}` with a room, and a body.
pub fn room_event(user: u64, route: &str, room: &str, body: &Value) -> Value {
    let mut event = crate::sample("chatrooms");
    let (method, path) = route.split_once(' ').expect("a route key");
    let context = event.get_mut("requestContext").expect("a context");
    context["routeKey"] = json!(route);
    context["http"]["method"] = json!(method);
    context["authorizer"]["lambda"]["userId"] = json!(user.to_string());
    event["routeKey"] = json!(route);
    event["rawPath"] = json!(path.replace("{id}", room));
    let said = body.as_object().expect("fields").iter();
    let said = said.map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), String::from)));
    event["rawQueryString"] = json!(if method == "GET" { said.collect::<Vec<_>>().join("&") } else { String::new() });
    event["body"] = json!(body.to_string());
    if path.contains("{id}") {
        event["pathParameters"] = json!({"id": room});
    }
    event
}

/// The event of an action that somebody posts who moderates every room.
pub fn post_by_moderator(user: &str, action: &str, body: &Value) -> Value {
    let mut event = crate::sample("moderate-post");
    let (route, path) = (format!("POST /{action}"), format!("/{action}"));
    let context = event.get_mut("requestContext").expect("a context");
    context["routeKey"] = json!(route);
    context["http"]["path"] = json!(path);
    context["authorizer"]["lambda"]["userId"] = json!(user);
    context["authorizer"]["lambda"]["moderates"] = json!("*");
    event["routeKey"] = json!(route);
    event["rawPath"] = json!(path);
    event["body"] = json!(body.to_string());
    event
}

/// The same event of somebody whose token grants kept rooms too.
pub fn with_kept_rooms(mut event: Value) -> Value {
    event["requestContext"]["authorizer"]["mine"] = json!("true");
    event
}

/// The page, or the error, in the answer of the history's function. It is checked against `docs/openapi.yaml`.
pub fn page(answer: &Value) -> Value {
    page_of(schema::LIST, answer)
}

/// The same of another path.
pub fn page_of(path: &str, answer: &Value) -> Value {
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let body = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    schema::check_body(path, status, &body);
    body
}

/// The frame in a function's answer. It is checked against `docs/asyncapi.yaml`.
pub fn frame(answer: &Value) -> Value {
    schema::received(answer["body"].as_str().expect("a body"))
}
