//! The wire is what `docs/asyncapi.yaml` and `docs/openapi.yaml` say, to the last field. The clients of all other tests
//! check their frames and pages as well ([`chat_tests::schema`]).

use chat::limits::{
    BAR_SECONDS_MAX, BARS_MAX, CLIENT_MESSAGE_ID_CHARS_MAX, CONNECTIONS_PER_USER, ECHO_CHARS_MAX, FRAME_BYTES_MAX,
    HOT_ROOM, ID_BYTES_MAX, JSON_BYTES_MAX, LARGE_ROOM, LEAVERS_PER_FRAME, LISTS_PER_SECOND, MENTIONS_MAX,
    NOTICES_UP_TO, PAGE_DEFAULT, PAGE_MAX, PRESENT_MAX, PROFILE_TEXT_CHARS_MAX, QUERY_BYTES_MAX, REPORT_CHARS_MAX,
    REPORTS_LISTED_MAX, REQUEST_ID_CHARS_MAX, ROOMS_PER_CONNECTION_MAX, ROUND_FRAME_BYTES, ROUND_MESSAGES_MAX,
    SAFE_INTEGER_MAX, SENDS_BURST_SECONDS, SENDS_PER_SECOND, SIGNAL_KIND_CHARS_MAX, SIGNALS_PER_SECOND, SIGNALS_UP_TO,
    SLOW_SECONDS_MAX, TEXT_CHARS_MAX, TOKEN_BYTES_MAX, URL_CHARS_MAX,
};
use chat::{
    Attachment, Change, ChangeNumber, Content, Emoji, Extras, HistoryItem, Message, MessageId, MessageKind, Profile,
    Reactions, Rejection, Reply, Request, Timestamp, http_internal, http_refusal,
};
use chat_local::{Limits, Template};
use chat_tests::schema::{self, Sender};
use chat_tests::{Client, Server, room, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn message(kind: MessageKind, content: &str) -> Message {
    Message {
        id: MessageId::new(42),
        room: room("lobby"),
        sender: user("7"),
        content: Content::parse(kind, content).expect("content"),
        create_time: Timestamp::from_millis(1_741_746_165_123),
        client_message_id: serde_json::from_value(json!("7f3a")).expect("an id"),
        changed: None,
        reactions: Reactions::default(),
    }
}

/// With what is left of its reactions, which no function leaves.
fn recalled() -> Message {
    let (by, time) = (user("9"), Timestamp::from_millis(1));
    let message = Change::Recall.apply(message(MessageKind::Text, "hi"), &by, ChangeNumber::new(18), time);
    let emoji = Emoji::parse("👍").expect("an emoji");
    let reactions = Reactions { version: ChangeNumber::new(12), by_emoji: [(emoji, [by].into())].into() };
    Message { reactions, ..message }
}

fn messages() -> [Message; 7] {
    let address = "https://example.com/cat.png";
    let extras = json!({"replyTo": 41, "mentions": ["all"], "metadata": {"mood": "happy"}});
    let extras: Extras = serde_json::from_value(extras).expect("extras");
    let reply = Content::parse(MessageKind::Text, "hi").expect("content").with(extras);
    let attached =
        Attachment::of(&room("lobby"), &user("7"), &serde_json::from_value(json!("7f3a")).expect("an id"), "a");
    let attached = Content::attached(MessageKind::Image, attached).at(address.into());
    [
        message(MessageKind::Text, "hi"),
        message(MessageKind::Image, address),
        Message { client_message_id: None, ..message(MessageKind::File, address) },
        Message { content: reply, ..message(MessageKind::Text, "hi") },
        Message { content: Content::erased(Timestamp::from_millis(0)), ..message(MessageKind::Text, "hi") },
        recalled(),
        Message { content: attached, ..message(MessageKind::Image, address) },
    ]
}

/// What a schema refers to, or the schema.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(&reference[1..]).expect("a schema")),
        None => schema,
    }
}

/// The fields that a schema describes, those of inner objects too: `message.sender.id`.
fn described(document: &Value, schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let schema = resolve(document, schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        described(document, field, &format!("{path}."), fields);
        fields.insert(path);
    }
}

/// The fields that a value has. What an application names is its own, and so is each emoji, and each sender's id.
fn had(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        if !["metadata", "data", "reactions", "senders"].contains(&name.as_str()) {
            had(field, &format!("{path}."), fields);
        }
        fields.insert(path);
    }
}

#[test]
fn every_answer_of_the_history_is_described_and_nothing_else() {
    let history = schema::history();
    let unknown = Profile::unknown(user("7"));
    let everything = Profile {
        email: Some("guang@example.com".into()),
        head_pic: Some("https://example.com/g.png".into()),
        create_time: Some(Timestamp::from_millis(0)),
        ..unknown.clone()
    };
    let senders = [everything, unknown];
    let item = |(message, sender): (Message, &Profile)| HistoryItem::new(message, sender.clone());
    let page: Vec<_> = messages().into_iter().zip(senders.iter().cycle()).map(item).collect();
    let page = serde_json::to_value(page).expect("serializes");
    history.check_body(200, &page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (mut fields, mut seen) = (BTreeSet::new(), BTreeSet::new());
    described(&history.document, history.shared("HistoryItem"), "", &mut fields);
    page.as_array().expect("a page").iter().for_each(|item| had(item, "", &mut seen));
    assert_eq!(seen, fields, "what is answered, and what is described");

    let feed = schema::changes();
    let edit = Change::Edit {
        content: Content::parse(MessageKind::Text, "hi there").expect("content"),
        client_message_id: serde_json::from_value(json!("9c1e")).expect("an id"),
    };
    let [_, _, _, reply, erased, recalled, _] = messages();
    let (version, time) = (ChangeNumber::new(17), Timestamp::from_millis(1));
    let erased = Message {
        content: erased.content,
        ..Change::Recall.apply(message(MessageKind::Text, "hi"), &user("7"), version, time)
    };
    let edited = edit.apply(reply, &user("7"), version, time);
    let page: Vec<_> = [edited, erased, recalled].map(|message| HistoryItem::changed(message, version)).into();
    let page = serde_json::to_value(page).expect("serializes");
    feed.check_body(200, &page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (mut fields, mut seen) = (BTreeSet::new(), BTreeSet::new());
    described(&feed.document, feed.shared("Change"), "", &mut fields);
    page.as_array().expect("a page").iter().for_each(|item| had(item, "", &mut seen));
    assert_eq!(seen, fields, "what the feed answers, and what is described");

    let field = "chatroomId";
    let rejections = [
        Rejection::Missing { field },
        Rejection::Invalid { field, expected: "an id".into() },
        Rejection::QueryTooLarge,
        Rejection::TwoCursors,
        Rejection::RoomNotGranted,
        Rejection::TokenRevoked,
    ];
    for rejection in rejections {
        let (status, reason) = rejection.status();
        let body = http_refusal(status, reason, &rejection.to_string());
        history.check_body(status, &body).unwrap_or_else(|error| panic!("{status} {body}: {error}"));
    }
    history.check_body(500, &http_internal("4f")).expect("described");
}

/// The examples of what the server sends are its frames: the tests of `chat` see to that.
#[test]
fn every_field_of_a_frame_is_described_and_has_an_example() {
    let socket = schema::socket();
    for sender in [Sender::Client, Sender::Server] {
        for (name, message) in socket.messages(sender) {
            let (mut fields, mut seen) = (BTreeSet::new(), BTreeSet::new());
            described(&socket.document, &message["payload"], "", &mut fields);
            for example in message["examples"].as_array().unwrap_or_else(|| panic!("{name} has no examples")) {
                assert_eq!(socket.check(sender, &example["payload"]), Ok(name), "{example}");
                had(&example["payload"], "", &mut seen);
            }
            // With what a client may send besides, its frames are tried below.
            assert!(sender == Sender::Client || seen == fields, "{name}: {seen:?} of {fields:?}");
        }
    }
}

#[test]
fn what_both_documents_describe_they_describe_alike() {
    let (socket, history) = (schema::socket(), schema::history());
    for name in [
        "Id",
        "MessageId",
        "Text",
        "Address",
        "Attachment",
        "FileAddress",
        "Time",
        "ReplyTo",
        "Mentions",
        "Metadata",
        "RequestId",
        "ClientMessageId",
        "SignalKind",
        "SignalData",
    ] {
        assert_eq!(socket.shared(name), history.shared(name), "{name}");
    }
    let fields = |document: &Value, schema: &Value| {
        let mut fields = BTreeSet::new();
        described(document, schema, "", &mut fields);
        (fields, schema["required"].clone(), schema["if"].clone(), schema["then"].clone(), schema["else"].clone())
    };
    let pushed = fields(&socket.document, socket.shared("Change"));
    assert_eq!(pushed, fields(&history.document, history.shared("Change")), "a change, in a round and in the feed");
    let (pushed, mut listed) = (socket.shared("Profile"), history.shared("Profile").clone());
    listed["properties"].as_object_mut().expect("fields").remove("createTime");
    assert_eq!((pushed, &pushed["additionalProperties"]), (&listed, &json!(false)));
}

/// An action that is taken over HTTP is the same there, but for its name, which may be left out.
#[test]
fn what_is_posted_is_described_as_a_frame_is() {
    let (socket, http) = (schema::socket(), schema::history());
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("a file");
    let parameters = [("TokenSecret".to_owned(), "x".repeat(32))].into();
    let routes = Template::parse(&template, &parameters).expect("understood").http.routes;
    let keys: BTreeSet<_> = routes.iter().map(chat_local::HttpRoute::key).collect();
    let posts: BTreeSet<&str> = http.posts().collect();
    let described = http.routes().map(String::from).chain(posts.iter().map(|path| format!("POST {path}")));
    assert_eq!(keys, described.collect(), "the routes there are, and those that are described");
    let mut tried = BTreeSet::new();
    for (_, message) in socket.messages(Sender::Client) {
        for example in message["examples"].as_array().expect("examples") {
            let mut body = example["payload"].clone();
            let path = format!("/{}", body["action"].as_str().expect("an action"));
            if posts.contains(&*path) {
                assert_eq!(http.check_posted(&path, &body), Ok(()), "{body}");
                body.as_object_mut().expect("an object").remove("action");
                assert_eq!(http.check_posted(&path, &body), Ok(()), "{body}");
                body["chatroomId"] = json!(-1);
                assert!(http.check_posted(&path, &body).is_err(), "{body}");
                tried.insert(path);
            }
        }
    }
    for path in posts.iter().filter(|path| !tried.contains(**path)).copied().collect::<Vec<_>>() {
        // Over HTTP alone.
        let place = format!("/paths/{}/post/requestBody/content/application~1json/example", path.replace('/', "~1"));
        let mut body = http.document.pointer(&place).expect("an example").clone();
        assert_eq!(http.check_posted(path, &body), Ok(()), "{body}");
        body["chatroomId"] = json!(-1);
        assert!(http.check_posted(path, &body).is_err(), "{body}");
        tried.insert(path.to_owned());
    }
    assert_eq!(tried.iter().map(String::as_str).collect::<BTreeSet<_>>(), posts);
    for (_, message) in socket.messages(Sender::Server) {
        for ack in message["examples"].as_array().expect("examples").iter().map(|example| &example["payload"]) {
            let path = format!("/{}", ack["action"].as_str().unwrap_or_default());
            if ack["type"] == "ack" && posts.contains(&*path) {
                assert_eq!(http.check_post(&path, 200, ack), Ok(()), "{ack}");
            }
        }
    }
    // What the socket says to a request, for which there is a status.
    for rejection in [
        Rejection::NotAnObject,
        Rejection::TooManyBytes { field: "the body", limit: FRAME_BYTES_MAX },
        Rejection::TokenRevoked,
        Rejection::RateLimited { retry_after_ms: 200 },
    ] {
        let reply = serde_json::to_value(Reply::rejected(&rejection).answering(None)).expect("serializes");
        for path in &posts {
            assert_eq!(http.check_post(path, rejection.status().0, &reply), Ok(()), "{path} {reply}");
        }
    }
    let description = http.document.pointer("/paths/~1sendMessage/post/description").expect("a text");
    assert!(description.as_str().expect("a text").contains(&format!("{FRAME_BYTES_MAX} bytes at most")));
}

/// The routes of the template, and what the function behind `$default` answers.
#[test]
fn every_action_is_described_and_no_other() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("a file");
    let template = Template::document(&template).expect("YAML");
    let routes = template["Resources"]["ChatApi"]["Properties"]["Routes"].as_object().expect("routes");
    let actions = routes.keys().filter(|key| !key.starts_with('$')).map(String::as_str).chain(["ping"]);
    let action = |(_, message): (&str, &'static Value)| message["payload"]["properties"]["action"]["const"].as_str();
    let described: Option<BTreeSet<_>> = schema::socket().messages(Sender::Client).map(action).collect();
    assert_eq!(described, Some(actions.collect()));
}

#[test]
fn the_limits_of_the_documents_are_those_of_the_code() {
    let (socket, history) = (&schema::socket().document, &schema::history().document);
    let shared = |path: &str| format!("/components/schemas/{path}");
    let limit = |name: &str| format!("/info/x-limits/{name}");
    let payload = |path: &str| format!("/components/messages/{path}");
    let parameter = |number: usize, path: &str| format!("/paths/~1chat-history~1list/get/parameters/{number}/{path}");
    let local = Limits::default();
    let profile_chars = PROFILE_TEXT_CHARS_MAX.max(ID_BYTES_MAX); // an id stands in for a name
    for (document, place, expected) in [
        (socket, shared("Id/oneOf/0/maximum"), json!(SAFE_INTEGER_MAX)),
        (socket, shared("Id/oneOf/1/maxLength"), json!(ID_BYTES_MAX)),
        (socket, shared("MessageId/maximum"), json!(SAFE_INTEGER_MAX)),
        (socket, shared("RequestId/oneOf/0/maxLength"), json!(REQUEST_ID_CHARS_MAX)),
        (socket, shared("RequestId/oneOf/1/maximum"), json!(SAFE_INTEGER_MAX)),
        (socket, shared("ClientMessageId/maxLength"), json!(CLIENT_MESSAGE_ID_CHARS_MAX)),
        (socket, shared("Text/maxLength"), json!(TEXT_CHARS_MAX)),
        (socket, shared("Mentions/maxItems"), json!(MENTIONS_MAX)),
        (socket, shared("Address/maxLength"), json!(URL_CHARS_MAX)),
        (socket, shared("Profile/properties/username/maxLength"), json!(profile_chars)),
        (socket, shared("Profile/properties/nickName/maxLength"), json!(profile_chars)),
        (socket, shared("Profile/properties/headPic/maxLength"), json!(URL_CHARS_MAX)),
        (socket, shared("Profile/properties/email/maxLength"), json!(PROFILE_TEXT_CHARS_MAX)),
        (socket, payload("error/payload/properties/action/maxLength"), json!(ECHO_CHARS_MAX)),
        (socket, payload("joinRoomAck/payload/properties/lastId/maximum"), json!(SAFE_INTEGER_MAX)),
        (socket, payload("userLeft/payload/properties/userIds/maxItems"), json!(LEAVERS_PER_FRAME)),
        (socket, limit("tokenBytes"), json!(TOKEN_BYTES_MAX)),
        (socket, limit("roomsPerConnection"), json!(ROOMS_PER_CONNECTION_MAX)),
        (socket, limit("sendsPerSecond"), json!(SENDS_PER_SECOND)),
        (socket, limit("sendsAtOnce"), json!(u64::from(SENDS_PER_SECOND) * SENDS_BURST_SECONDS)),
        (socket, limit("connectionsPerUser"), json!(CONNECTIONS_PER_USER)),
        (socket, limit("noticesUpTo"), json!(NOTICES_UP_TO)),
        (socket, limit("signalsUpTo"), json!(SIGNALS_UP_TO)),
        (socket, limit("largeRoom"), json!(LARGE_ROOM)),
        (socket, limit("hotRoom"), json!(HOT_ROOM as u64)),
        (socket, limit("roundBytes"), json!(ROUND_FRAME_BYTES)),
        (socket, limit("roundMessages"), json!(ROUND_MESSAGES_MAX)),
        (socket, payload("messagesSent/payload/properties/messages/maxItems"), json!(ROUND_MESSAGES_MAX)),
        (socket, limit("signalsPerSecond"), json!(SIGNALS_PER_SECOND)),
        (socket, limit("signalsAtOnce"), json!(u64::from(SIGNALS_PER_SECOND) * SENDS_BURST_SECONDS)),
        (socket, limit("listsPerSecond"), json!(LISTS_PER_SECOND)),
        (socket, shared("ReportReason/maxLength"), json!(REPORT_CHARS_MAX)),
        (history, shared("ReportReason/maxLength"), json!(REPORT_CHARS_MAX)),
        (socket, shared("SlowSeconds/maximum"), json!(SLOW_SECONDS_MAX)),
        (socket, payload("barUser/payload/properties/seconds/maximum"), json!(BAR_SECONDS_MAX)),
        (history, shared("BarUser/properties/seconds/maximum"), json!(BAR_SECONDS_MAX)),
        (socket, payload("listBarsAck/payload/properties/bars/maxItems"), json!(BARS_MAX)),
        (socket, payload("listReportsAck/payload/properties/reports/maxItems"), json!(REPORTS_LISTED_MAX)),
        (socket, shared("SignalKind/maxLength"), json!(SIGNAL_KIND_CHARS_MAX)),
        (socket, shared("SignalData/maxLength"), json!(JSON_BYTES_MAX - 2)),
        (socket, payload("joinRoomAck/payload/properties/online/maxItems"), json!(PRESENT_MAX)),
        (socket, payload("listMembersAck/payload/properties/members/maxItems"), json!(PRESENT_MAX)),
        (socket, limit("idleSeconds"), json!(local.idle.as_secs())),
        (socket, limit("lifetimeSeconds"), json!(local.lifetime.as_secs())),
        // API Gateway's; the end-to-end tests and `bounds` try them.
        (socket, limit("frameBytes"), json!(32 * 1024)),
        (socket, limit("messageBytes"), json!(128 * 1024)),
        (socket, limit("handshakeUrlCharacters"), json!(4_096)),
        (history, parameter(0, "schema/maxLength"), json!(ID_BYTES_MAX)),
        (history, parameter(1, "schema/maximum"), json!(PAGE_MAX)),
        (history, parameter(1, "schema/default"), json!(PAGE_DEFAULT)),
        (history, shared("Cursor/maximum"), json!(SAFE_INTEGER_MAX)),
        (
            history,
            "/paths/~1chat-history~1list/get/responses/200/content/application~1json/schema/maxItems".into(),
            json!(PAGE_MAX),
        ),
    ] {
        assert_eq!(document.pointer(&place), Some(&expected), "{place}");
    }
    let said = [
        (socket, format!("more than {TEXT_CHARS_MAX} characters")),
        (socket, format!("it has {JSON_BYTES_MAX} bytes")),
        (history, format!("has {QUERY_BYTES_MAX} bytes")),
    ];
    for (document, sentence) in said {
        assert!(document.to_string().contains(&sentence), "{sentence}");
    }
}

/// What a field may hold instead of what it should, at the bounds of each kind.
fn instead() -> Vec<Value> {
    let lengths = [0, 1, 64, 65, 128, 129, 255, 256, TEXT_CHARS_MAX, TEXT_CHARS_MAX + 1];
    let texts = lengths.map(|length| json!("x".repeat(length)));
    let others =
        [" ", "a\u{0}b", "\u{7f}", "光 1", "image", "https://example.com/", "http://", "ftp://example.com/", "https:a"];
    let numbers = [json!(-1), json!(0), json!(1.5), json!(SAFE_INTEGER_MAX), json!(SAFE_INTEGER_MAX + 1)];
    let rest = [json!(true), json!([]), json!(["x"]), json!({}), json!({"type": "text"})];
    texts.into_iter().chain(others.map(Value::from)).chain(numbers).chain(rest).collect()
}

/// The frame without each of its fields, and with other things in each.
fn altered(frame: &Value) -> Vec<Value> {
    let mut all = vec![frame.clone()];
    let places = |object: &Value, path: &str| {
        let names = object.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.map(|name| (path.to_owned(), name)).collect::<Vec<_>>()
    };
    for (object, field) in [places(frame, ""), places(&frame["message"], "/message")].concat() {
        let fields = |frame: &Value| {
            let mut frame = frame.clone();
            let fields = frame.pointer_mut(&object).and_then(Value::as_object_mut).expect("an object").clone();
            (frame, fields)
        };
        let put = |value: Option<Value>| {
            let (mut frame, mut inner) = fields(frame);
            match value {
                Some(value) => inner.insert(field.clone(), value),
                None => inner.remove(&field),
            };
            *frame.pointer_mut(&object).expect("an object") = Value::Object(inner);
            frame
        };
        all.push(put(None));
        all.extend(instead().into_iter().map(|value| put(Some(value))));
    }
    all
}

/// Whether the server takes a frame for what the document calls one: it may still refuse what the frame asks for.
async fn is_read(client: &mut Client, frame: &Value) -> bool {
    client.send(frame.clone()).await;
    let reply = client.first_of(&["ack", "pong", "error"]).await.expect("a reply");
    !matches!(reply["code"].as_str(), Some("badRequest" | "tooLarge" | "unknownAction"))
}

#[tokio::test]
async fn the_document_takes_the_frames_that_the_server_takes_and_no_others() {
    let server = Server::start().await;
    let socket = schema::socket();
    for (name, message) in socket.messages(Sender::Client) {
        let (mut fields, mut seen) = (BTreeSet::new(), BTreeSet::new());
        described(&socket.document, &message["payload"], "", &mut fields);
        let mut client = server.connect(7).await;
        for example in message["examples"].as_array().expect("examples") {
            // With every field that there is, so that each is altered.
            let mut frame = example["payload"].clone();
            for (field, value) in [
                ("requestId", json!(5)),
                ("userId", json!(7)),
                ("sendUserId", json!(7)),
                ("batches", json!(true)),
                ("online", json!(true)),
                ("clientMessageId", json!("a")),
            ] {
                if fields.contains(field) {
                    frame[field] = value;
                }
            }
            had(&frame, "", &mut seen);
            for frame in altered(&frame) {
                // Of some signals nobody is told what became of them.
                if Request::parse(&frame.to_string()).is_ok_and(|request| request.is_unanswered()) {
                    continue;
                }
                let described = socket.check(Sender::Client, &frame);
                let read = is_read(&mut client, &frame).await;
                assert_eq!(described.is_ok(), read, "{frame}: {described:?}");
            }
        }
        assert_eq!(seen, fields, "{name}: every field is tried");
        client.close().await;
    }
    server.stop().await;
}
