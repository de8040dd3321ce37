use chat_aws::Vars;
use functions::FUNCTIONS;
use serde_json::{Value, json};

/// The request id of every invocation by [`invoke`].
pub const REQUEST_ID: &str = "request-7";

/// Runs one function with one event, past the gateway.
pub async fn invoke(name: &str, vars: &Vars, event: Value) -> Value {
    let event = on_route(name, event);
    let (_, build) = FUNCTIONS.iter().find(|(handler, _)| *handler == name).expect("a function");
    build(vars).expect("a function that starts").invoke_as(REQUEST_ID, event).await.expect("an answer")
}

/// An event of ours, which has no route, with the kind that API Gateway gives it on this function's.
fn on_route(name: &str, mut event: Value) -> Value {
    let kind = match name {
        "connect" => "CONNECT",
        "disconnect" => "DISCONNECT",
        _ => "MESSAGE",
    };
    let context = event.get_mut("requestContext").and_then(Value::as_object_mut);
    if let Some(context) =
        context.filter(|context| context.contains_key("connectionId") && !context.contains_key("routeKey"))
    {
        context.entry("eventType").or_insert_with(|| kind.into());
    }
    event
}

/// What a WebSocket function is sent of user 7, who may enter every room. The gateway has no connection of this id.
pub fn websocket_event(body: &Value) -> Value {
    let authorizer = json!({"userId": "7", "username": "7", "nickName": "7", "rooms": "*",
        "issuedAt": "0", "goodUntil": "4102444860000"});
    let id = "YQAAAAAAAAAAAAA=";
    let context = json!({"connectionId": id, "connectedAt": 0, "requestTimeEpoch": 0, "authorizer": authorizer});
    json!({"requestContext": context, "body": body.to_string(), "isBase64Encoded": false})
}

/// The function that a sample is for: `<function>[-case]`.
pub fn function_of(sample: &str) -> &'static str {
    let is_for = |name: &&str| sample == *name || sample.starts_with(&format!("{name}-"));
    let names = FUNCTIONS.iter().map(|(name, _)| *name).filter(is_for);
    // Of `disconnect` and `disconnect-user` the longer one.
    names.max_by_key(|name| name.len()).unwrap_or_else(|| panic!("{sample} is for no function"))
}

/// A file of `events/`, by its name without `.json`.
pub fn sample(name: &str) -> Value {
    let path = format!("{}/../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The frame in a function's reply.
pub fn frame(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}
