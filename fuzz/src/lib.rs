//! What must hold whatever comes in. The fuzzer looks for bytes that break it, and a test of the workspace includes
//! this file to try what the fuzzer has found worth keeping.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::limits::{ID_BYTES_MAX, TOKEN_BYTES_MAX};
use chat::socketio::{self, Packet};
use chat::{
    Caller, CreateUpload, Cursor, Encoding, FileSize, Form, Grant, HistoryPage, JoinRoom, LeaveRoom, ListHistory,
    ListMembers, MessageId, Profile, Rejection, Reply, ReplyFrame, Request, RoomId, SendMessage, Signal, Timestamp,
    UserId,
};
use chat_aws::Vars;
use chat_aws::entry::Function;
use serde_json::{Value, json};
use std::cell::OnceCell;
use tokio::runtime::{Builder, Runtime};

/// What must hold of some bytes; it panics if it does not.
pub type Check = fn(&[u8]);

/// Every target, by the name of its corpus.
pub const TARGETS: [(&str, Check); 6] = [
    ("events", events),
    ("frames", frames),
    ("ids", ids),
    ("packets", packets),
    ("queries", queries),
    ("tokens", tokens),
];

/// The keys of the authorizer that is tried. Nobody who makes the bytes has the secret, or the private key.
const SECRET: &str = "a secret that no input of the fuzzer was signed with";
const JWKS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

struct Functions {
    authorize: Function,
    default: Function,
    list_history: Function,
    runtime: Runtime,
}

thread_local! {
    static FUNCTIONS: OnceCell<Functions> = const { OnceCell::new() };
}

/// A frame is a request, or is refused with an answer that is itself a frame.
pub fn frames(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let request = match Request::parse(text) {
        Ok(request) => request,
        Err(rejection) => return is_frame(&Reply::rejected(&rejection).answering(None)),
    };
    let caller = caller();
    let refused = [
        request.require_action().err(),
        JoinRoom::read(&request, &caller).err(),
        LeaveRoom::read(&request, &caller).err(),
        SendMessage::read(&request, &caller).err(),
        Signal::read(&request, &caller).err(),
        CreateUpload::read(&request, &caller, FileSize::up_to_megabytes(10)).err(),
        ListMembers::read(&request, &caller).err(),
        request.clone().on_path("sendMessage").err(),
    ];
    if let Ok(message) = SendMessage::read(&request, &caller) {
        // What goes on as it came is JSON that a client reads.
        let shown = serde_json::to_string(message.content.extras()).expect("JSON");
        let again: Value = serde_json::from_str(&shown).expect("JSON");
        let reply_to = message.content.extras().reply_to;
        assert_eq!(again["replyTo"].as_u64(), reply_to.map(MessageId::get));
    }
    if let Ok(upload) = CreateUpload::read(&request, &caller, FileSize::up_to_megabytes(10)) {
        // Both stand in a form, in an address and in headers.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let key = upload.attachment.key();
        assert!(key.len() <= 1_024 && key.bytes().all(plain) && !key.contains("/."), "{key}");
        let headers = [upload.kind.as_str(), upload.disposition.as_str()];
        assert!(headers.iter().all(|header| header.bytes().all(|byte| (b' '..=b'~').contains(&byte))), "{headers:?}");
    }
    for rejection in refused.into_iter().flatten() {
        is_frame(&Reply::rejected(&rejection).answering(Some(&request)));
    }
}

/// A text is a packet of Socket.IO or it is none. An event is a request, or is refused; either way it is answered by a
/// packet that is read back as one.
pub fn packets(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (request, ack) = match Packet::parse(text) {
        Some(Packet::Event { name, argument, ack }) => {
            let request = Request::of_event(name.clone(), argument);
            if let Ok(request) = &request {
                assert_eq!(request.action(), Some(name.as_str()));
            }
            (request, ack)
        }
        Some(Packet::Refused { why, ack }) => (Err(why), ack),
        Some(Packet::ConnectElsewhere(namespace)) => {
            let answer = socketio::no_namespace(namespace, Encoding::Eio4);
            return assert_eq!(Packet::parse(&answer), Some(Packet::Nothing), "{answer}");
        }
        _ => return,
    };
    let rejection = match &request {
        Ok(request) => SendMessage::read(request, &caller()).err().unwrap_or(Rejection::ConnectionGone),
        Err(rejection) => rejection.clone(),
    };
    let reply = Reply::rejected(&rejection).answering(request.as_ref().ok());
    is_frame(&reply);
    let answer = Form { encoding: Encoding::Eio4, ack }.write(&reply).expect("JSON");
    match Packet::parse(&answer) {
        Some(Packet::Event { name, argument, ack: None }) => {
            assert!(ack.is_none() && name == "exception" && argument["type"] == "error", "{answer}");
        }
        // Clients answer no acks, so an ack is nothing to do for whoever reads it.
        Some(Packet::Nothing) => assert!(answer.starts_with(&format!("43{}[", ack.expect("one was asked for")))),
        other => panic!("{answer} is {other:?}"),
    }
}

/// Somebody who may enter every room.
fn caller() -> Caller {
    Caller {
        profile: Profile::unknown(UserId::parse("7").expect("an id")),
        rooms: Grant::All,
        moderates: Grant::none(),
        issued_at: 0,
        good_until: Timestamp::MAX,
    }
}

/// An id prints as what it was read from, so that two different ids never print alike.
pub fn ids(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for printed in [RoomId::parse(text).map(|id| id.to_string()), UserId::parse(text).map(|id| id.to_string())] {
        let Some(printed) = printed else { continue };
        assert_eq!(printed, text);
        assert!(printed.len() <= ID_BYTES_MAX && !printed.chars().any(char::is_control), "{printed:?}");
    }
    if let Ok(id) = serde_json::from_str::<RoomId>(text) {
        let again = serde_json::to_string(&id).expect("JSON");
        assert_eq!(serde_json::from_str::<RoomId>(&again).expect("an id"), id);
        assert_eq!(RoomId::parse(&id.to_string()), Some(id));
    }
}

/// What a query says is read or refused, and leads to the pages beside it by a header that says the same.
pub fn queries(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(request) = ListHistory::parse(text) else { return };
    let Some(links) = (HistoryPage { messages: Vec::new(), more: true }).links(&request) else { return };
    assert!(links.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{links:?}");
    for link in links.split(", ") {
        let (query, rel) = link.strip_prefix("<?").and_then(|link| link.split_once(">; rel=")).expect("a link");
        assert!(matches!(rel, "\"prev\"" | "\"next\""), "{link}");
        let beside = ListHistory::parse(query).expect("a request that we made ourselves");
        assert_eq!((&beside.room, beside.limit), (&request.room, request.limit));
        assert!(!matches!(beside.cursor, Cursor::Newest));
    }
}

/// Nobody comes in with a token that nobody signed.
pub fn tokens(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    // The bytes as they are, and as header, claims and signature of what looks like a token.
    let part = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    let parts: Vec<_> = text.splitn(3, '\n').map(part).collect();
    for token in [text.clone().into_owned(), parts.join(".")] {
        let event = json!({"type": "REQUEST", "methodArn": "arn:aws:execute-api:eu-central-1:1:a/dev/$connect",
            "headers": {"Sec-WebSocket-Protocol": format!("chat, bearer.{token}")},
            "queryStringParameters": {"token": token}, "requestContext": {}});
        let answer = with(|functions| functions.runtime.block_on(functions.authorize.invoke_as("fuzz", event)));
        if let Ok(answer) = answer {
            assert_eq!(effect(&answer), "Deny", "{} of {TOKEN_BYTES_MAX} bytes", token.len());
        }
    }
}

/// Whatever API Gateway sends, a function answers it.
pub fn events(bytes: &[u8]) {
    let event = serde_json::from_slice(bytes).unwrap_or_else(|_| {
        let body = String::from_utf8_lossy(bytes);
        let authorizer = json!({"userId": "7", "username": "7", "nickName": "7", "rooms": "*",
            "issuedAt": "0", "goodUntil": "4102444860000"});
        let context = json!({"connectionId": "a=", "connectedAt": 0, "requestTimeEpoch": 0, "authorizer": authorizer});
        json!({"requestContext": context, "body": body, "isBase64Encoded": false})
    });
    with(|functions| {
        let answered = functions.runtime.block_on(functions.default.invoke_as("fuzz", event.clone()));
        let answered = answered.expect("a route always answers");
        assert_eq!(answered["statusCode"], 200);
        let frame: Value = serde_json::from_str(answered["body"].as_str().expect("a body")).expect("JSON");
        assert!(frame["type"] == "pong" || frame["type"] == "error", "{frame}");
        // An event that cannot be read is an error, and lets nobody in.
        if let Ok(answer) = functions.runtime.block_on(functions.authorize.invoke_as("fuzz", event.clone())) {
            assert_eq!(effect(&answer), "Deny");
        }
        let refused = functions.runtime.block_on(functions.list_history.invoke_as("fuzz", read_by_nobody(event)));
        if let Ok(answer) = refused {
            let status = answer["statusCode"].as_u64();
            // 500 is for an event that is not one of API Gateway's.
            assert!(matches!(status, Some(400 | 403 | 413 | 500)), "{answer}");
            let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
            assert_eq!(body["statusCode"].as_u64(), status);
        }
    });
}

/// The event as an HTTP request of somebody who may read no room, so that DynamoDB is asked nothing; what is no event
/// at all is its query string.
fn read_by_nobody(mut event: Value) -> Value {
    if event.get("version").is_none() {
        let body = event.get_mut("body").map(Value::take).unwrap_or_default();
        event = json!({"version": "2.0", "routeKey": "GET /", "rawPath": "/", "rawQueryString": body, "headers": {},
            "requestContext": {"http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": "fuzz", "routeKey": "GET /", "stage": "$default", "timeEpoch": 0}, "isBase64Encoded": false});
    }
    if let Some(Value::Object(context)) = event.get_mut("requestContext") {
        let nobody = json!({"userId": "7", "username": "7", "nickName": "7", "rooms": "[]",
            "issuedAt": "0", "goodUntil": "4102444860000"});
        context.insert("authorizer".into(), json!({"lambda": nobody}));
    }
    event
}

fn is_frame(reply: &ReplyFrame<'_>) {
    let frame = serde_json::to_value(reply).expect("JSON");
    assert_eq!(frame["type"], "error");
    let (code, message) = (frame["code"].as_str().expect("a code"), frame["message"].as_str().expect("a message"));
    assert!(!code.is_empty() && !message.is_empty() && message.len() < 1_024, "{frame}");
}

fn effect(answer: &Value) -> &Value {
    &answer["policyDocument"]["Statement"][0]["Effect"]
}

fn with<T>(run: impl FnOnce(&Functions) -> T) -> T {
    FUNCTIONS.with(|functions| run(functions.get_or_init(start)))
}

/// The functions that call nobody, or are kept from it: what the others make of an event is what `frames` tries.
fn start() -> Functions {
    let vars = Vars::from_iter([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "fuzz"),
        ("AWS_SECRET_ACCESS_KEY", "fuzz"),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:9/dev"),
        ("TOKEN_SECRET", SECRET),
        ("TOKEN_JWKS", JWKS),
        ("TOKEN_ISSUER", "https://id.example.com"),
        ("TOKEN_AUDIENCE", "chat"),
        ("DEFAULT_ROOMS", "*"),
        ("CONNECTIONS_TABLE", "none"),
        ("CHAT_TABLE", "none"),
        ("FILES_BUCKET", "none"),
    ]);
    Functions {
        authorize: functions::authorize::function(&vars).expect("it starts"),
        default: functions::default::function(&vars).expect("it starts"),
        list_history: functions::list_history::function(&vars).expect("it starts"),
        runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
    }
}
