//! The documents of the wire, `docs/asyncapi.yaml` and `docs/openapi.yaml`. The tests check what they see against them.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use chat_local::Template;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static SOCKET: LazyLock<Socket> = LazyLock::new(|| Socket::read("socket"));
static HISTORY: LazyLock<History> = LazyLock::new(|| History::read(LIST));
static CHANGES: LazyLock<History> = LazyLock::new(|| History::read(LIST_CHANGES));

static BUS: LazyLock<Socket> = LazyLock::new(|| Socket::read("bus"));

/// Where the history is, and where what changed in it.
pub const LIST: &str = "/chat-history/list";
pub const LIST_CHANGES: &str = "/chat-history/changes";

/// Who sends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// The document of the socket and of the bus: every message that goes over one of them.
pub struct Socket {
    pub document: Value,
    schemas: Schemas,
    messages: Vec<Message>,
}

struct Message {
    name: String,
    sender: Sender,
    /// Its fields that always have the same value: `type` and `action`.
    constants: Vec<(String, Value)>,
    payload: SchemaIndex,
}

/// The HTTP API's document.
pub struct History {
    pub document: Value,
    schemas: Schemas,
    answers: Answers,
    /// Those of routes that are no actions, by their keys: `GET /path`.
    routes: BTreeMap<String, Answers>,
    posts: BTreeMap<String, Post>,
}

/// What a route answers, by the status.
struct Answers {
    bodies: BTreeMap<u16, SchemaIndex>,
    headers: BTreeMap<u16, Vec<Header>>,
}

/// A path that takes an action.
struct Post {
    body: SchemaIndex,
    answers: BTreeMap<u16, SchemaIndex>,
}

struct Header {
    name: String,
    required: bool,
    value: SchemaIndex,
}

/// Makes the schemas of a document ready to judge values.
struct Reader {
    compiler: Compiler,
    schemas: Schemas,
}

pub fn socket() -> &'static Socket {
    &SOCKET
}

pub fn history() -> &'static History {
    &HISTORY
}

/// What is put onto the bus.
pub fn bus() -> &'static Socket {
    &BUS
}

/// Panics unless the document describes this event.
pub fn put_on_the_bus(event: &Value) {
    let messages = BUS.messages.iter().filter(|message| check(&BUS.schemas, message.payload, event).is_ok());
    let names: Vec<_> = messages.map(|message| message.name.as_str()).collect();
    assert_eq!(names.len(), 1, "docs/asyncapi.yaml describes this event as {names:?}: {event}");
}

/// The same of what changed.
pub fn changes() -> &'static History {
    &CHANGES
}

/// Reads a frame of the server. Panics unless the document describes it.
pub fn received(text: &str) -> Value {
    let frame = serde_json::from_str(text).expect("JSON");
    let checked = SOCKET.check(Sender::Server, &frame);
    checked.unwrap_or_else(|error| panic!("docs/asyncapi.yaml does not describe this frame: {frame}: {error}"));
    frame
}

/// Panics if the server took a request that the document does not describe.
pub fn answered(request: &Value, reply: &Value) {
    if matches!(reply["type"].as_str(), Some("ack" | "pong"))
        && let Err(error) = SOCKET.check(Sender::Client, request)
    {
        panic!("docs/asyncapi.yaml does not describe this request, and it was taken: {request}: {error}");
    }
}

/// Panics unless the document describes this answer of a path.
pub fn check_page(path: &str, status: u16, headers: &HeaderMap, body: &Value) {
    if let Err(error) = of(path).check_headers(status, headers) {
        panic!("docs/openapi.yaml does not describe these headers: {status} {headers:?}: {error}");
    }
    check_body(path, status, body);
}

fn of(path: &str) -> &'static History {
    if path == LIST_CHANGES { &CHANGES } else { &HISTORY }
}

/// Panics unless the document describes this body of an answer of a path.
pub fn check_body(path: &str, status: u16, body: &Value) {
    let checked = of(path).check_body(status, body);
    checked.unwrap_or_else(|error| panic!("docs/openapi.yaml does not describe this answer: {status} {body}: {error}"));
}

/// Panics unless the document describes this answer of a route, such as `GET /path/{id}`.
pub fn check_route(route: &str, status: u16, headers: &HeaderMap, body: &Value) {
    let answers = HISTORY.routes.get(route).unwrap_or_else(|| panic!("docs/openapi.yaml has no {route}"));
    let checked = answers.check_headers(&HISTORY.schemas, status, headers);
    let checked = checked.and_then(|()| answers.check_body(&HISTORY.schemas, status, body));
    checked
        .unwrap_or_else(|error| panic!("docs/openapi.yaml does not describe this: {route} {status} {body}: {error}"));
}

/// Panics unless the document describes this answer to a body that was posted to a path.
pub fn check_post(path: &str, status: u16, answer: &Value) {
    let checked = HISTORY.check_post(path, status, answer);
    checked
        .unwrap_or_else(|error| panic!("docs/openapi.yaml does not describe this: {path} {status} {answer}: {error}"));
}

impl Socket {
    fn read(channel: &str) -> Self {
        let document = Template::document(include_str!("../../docs/asyncapi.yaml")).expect("docs/asyncapi.yaml");
        let mut reader = Reader::of(&document, Draft::V7);
        let of_channel = &document["channels"][channel]["messages"];
        let mut senders = BTreeMap::new();
        for operation in entries(&document["operations"]).map(|(_, operation)| operation) {
            let sender = if operation["action"] == "receive" { Sender::Client } else { Sender::Server };
            let answers = names(&operation["reply"]["messages"]).map(|name| (name, Sender::Server));
            senders.extend(names(&operation["messages"]).map(|name| (name, sender)).chain(answers));
        }
        let message = |(name, message): (&String, &Value)| {
            let constant = |field: &str| {
                let value = &message["payload"]["properties"][field]["const"];
                (!value.is_null()).then(|| (field.to_owned(), value.clone()))
            };
            Message {
                name: name.clone(),
                sender: *senders.get(name).unwrap_or_else(|| panic!("no operation has the message {name}")),
                constants: ["type", "action"].into_iter().filter_map(constant).collect(),
                payload: reader.schema(&format!("/components/messages/{name}/payload")),
            }
        };
        let messages = entries(&document["components"]["messages"]);
        let messages = messages.filter(|(name, _)| !of_channel[name.as_str()].is_null()).map(message).collect();
        Self { document, schemas: reader.schemas, messages }
    }

    /// The name of the message that a frame is, or what is wrong with the frame.
    pub fn check(&self, sender: Sender, frame: &Value) -> Result<&str, String> {
        let fits = |message: &&Message| {
            message.sender == sender && message.constants.iter().all(|(name, v)| frame[name] == *v)
        };
        // An ack of an action, before a message without a type.
        let message = self.messages.iter().filter(fits).max_by_key(|message| message.constants.len());
        let message = message.ok_or("no message has this type and action")?;
        check(&self.schemas, message.payload, frame).map_err(|error| format!("{}: {error}", message.name))?;
        Ok(&message.name)
    }

    /// The messages that one side sends, with their schemas.
    pub fn messages(&self, sender: Sender) -> impl Iterator<Item = (&str, &Value)> {
        let sent = self.messages.iter().filter(move |message| message.sender == sender);
        sent.map(|message| (message.name.as_str(), &self.document["components"]["messages"][&message.name]))
    }

    /// A schema that messages share.
    pub fn shared(&self, name: &str) -> &Value {
        &self.document["components"]["schemas"][name]
    }
}

impl History {
    fn read(path: &str) -> Self {
        let document = Template::document(include_str!("../../docs/openapi.yaml")).expect("docs/openapi.yaml");
        let mut reader = Reader::of(&document, Draft::V2020_12);
        let answers = Answers::read(&document, &mut reader, path, "get");
        let mut routes = BTreeMap::new();
        for (path, operations) in entries(&document["paths"]) {
            for (method, operation) in entries(operations).filter(|(_, operation)| !is_action(operation)) {
                let key = format!("{} {path}", method.to_uppercase());
                assert!(operation["responses"].is_object(), "{key}");
                routes.insert(key, Answers::read(&document, &mut reader, path, method));
            }
        }
        let posts = entries(&document["paths"]).filter(|(_, path)| is_action(&path["post"]));
        let post = |(path, operations): (&String, &Value)| {
            let place = format!("/paths/{}/post", path.replace('/', "~1"));
            let body = reader.schema(&format!("{place}/requestBody/content/application~1json/schema"));
            let answer = |(status, answer): (&String, &Value)| {
                let shared = answer["$ref"].as_str().map(|reference| reference.trim_start_matches('#').to_owned());
                let place = shared.unwrap_or_else(|| format!("{place}/responses/{status}"));
                let schema = reader.schema(&format!("{place}/content/application~1json/schema"));
                (status.parse().expect("a status"), schema)
            };
            let answers = entries(&operations["post"]["responses"]).map(answer).collect();
            (path.clone(), Post { body, answers })
        };
        let posts = posts.map(post).collect();
        Self { document, schemas: reader.schemas, answers, routes, posts }
    }

    /// What is wrong with the headers of an answer.
    pub fn check_headers(&self, status: u16, headers: &HeaderMap) -> Result<(), String> {
        self.answers.check_headers(&self.schemas, status, headers)
    }

    /// What is wrong with the body of an answer.
    pub fn check_body(&self, status: u16, body: &Value) -> Result<(), String> {
        self.answers.check_body(&self.schemas, status, body)
    }

    /// The routes that are no actions.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(String::as_str)
    }

    /// What is wrong with a body for a path.
    pub fn check_posted(&self, path: &str, body: &Value) -> Result<(), String> {
        check(&self.schemas, self.posts.get(path).ok_or("no such path")?.body, body)
    }

    /// What is wrong with the answer to one.
    pub fn check_post(&self, path: &str, status: u16, answer: &Value) -> Result<(), String> {
        let answers = &self.posts.get(path).ok_or("no such path")?.answers;
        check(&self.schemas, *answers.get(&status).ok_or("no answer has this status")?, answer)
    }

    /// The paths that take an action.
    pub fn posts(&self) -> impl Iterator<Item = &str> {
        self.posts.keys().map(String::as_str)
    }

    /// A schema that answers share.
    pub fn shared(&self, name: &str) -> &Value {
        &self.document["components"]["schemas"][name]
    }
}

impl Answers {
    fn read(document: &Value, reader: &mut Reader, path: &str, method: &str) -> Self {
        let (mut bodies, mut headers) = (BTreeMap::new(), BTreeMap::new());
        let responses = format!("/paths/{}/{method}/responses", path.replace('/', "~1"));
        let follow = |place: String| match document.pointer(&place).and_then(|shared| shared["$ref"].as_str()) {
            Some(reference) => reference.trim_start_matches('#').to_owned(),
            None => place,
        };
        for status in entries(document.pointer(&responses).expect("responses")).map(|(status, _)| status) {
            let place = follow(format!("{responses}/{status}"));
            let status = status.parse().expect("a status");
            bodies.insert(status, reader.schema(&format!("{place}/content/application~1json/schema")));
            let header = |(name, _): (&String, &Value)| {
                let place = follow(format!("{place}/headers/{name}"));
                Header {
                    name: name.clone(),
                    required: document.pointer(&format!("{place}/required")) == Some(&json!(true)),
                    value: reader.schema(&format!("{place}/schema")),
                }
            };
            let response = document.pointer(&place).expect("a response");
            headers.insert(status, entries(&response["headers"]).map(header).collect());
        }
        Self { bodies, headers }
    }

    fn check_headers(&self, schemas: &Schemas, status: u16, headers: &HeaderMap) -> Result<(), String> {
        for header in self.headers.get(&status).into_iter().flatten() {
            match headers.get(&header.name) {
                Some(value) => check(schemas, header.value, &json!(value.to_str().map_err(|error| error.to_string())?)),
                None if header.required => Err("it is missing".into()),
                None => Ok(()),
            }
            .map_err(|error| format!("{}: {error}", header.name))?;
        }
        Ok(())
    }

    fn check_body(&self, schemas: &Schemas, status: u16, body: &Value) -> Result<(), String> {
        check(schemas, *self.bodies.get(&status).ok_or("no answer has this status")?, body)
    }
}

/// Whether an operation takes an action of the socket.
fn is_action(operation: &Value) -> bool {
    operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == "actions"))
}

impl Reader {
    /// What the document itself is called, so that its schemas can be named by their places in it.
    const DOCUMENT: &str = "urn:document";

    fn of(document: &Value, draft: Draft) -> Self {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(draft);
        compiler.add_resource(Self::DOCUMENT, document.clone()).expect("a document");
        Self { compiler, schemas: Schemas::new() }
    }

    /// The schema at a place of the document.
    fn schema(&mut self, place: &str) -> SchemaIndex {
        let schema = self.compiler.compile(&format!("{}#{place}", Self::DOCUMENT), &mut self.schemas);
        schema.unwrap_or_else(|error| panic!("{place}: {error:#}"))
    }
}

fn check(schemas: &Schemas, schema: SchemaIndex, value: &Value) -> Result<(), String> {
    schemas.validate(value, schema).map_err(|error| error.to_string())
}

fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

/// The names of the messages that a list of references leads to.
fn names(references: &Value) -> impl Iterator<Item = String> {
    let references = references.as_array().into_iter().flatten();
    references.filter_map(|reference| Some(reference["$ref"].as_str()?.rsplit('/').next()?.to_owned()))
}
