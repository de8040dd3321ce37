//! The sample events, and what the table in `events/` says of them.

use crate::function_of;
use crate::schema::{self, Sender};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// Frames that are not in the table are sent before this sample.
const LEAVES: &str = "leave-room";

/// An event and what its answer must contain.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub function: &'static str,
    /// Parts of the answer as JSON, with the JSON of its body in place of the body's text.
    pub contains: Vec<String>,
}

impl Sample {
    /// Panics unless an answer is the one that the table promises.
    pub fn check(&self, answer: &Value) {
        let mut answer = answer.clone();
        if let Some(body) = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()) {
            answer["body"] = body;
        }
        let answer = answer.to_string();
        for part in &self.contains {
            assert!(answer.contains(part), "{}: {part} is not in {answer}", self.name);
        }
        assert!(!answer.contains("\"internal\""), "{}: {answer}", self.name);
    }
}

/// The names of all samples: of the files of `events/`, without `.json`, and of functions that need none.
pub fn sample_names() -> BTreeSet<String> {
    let files = std::fs::read_dir(FOLDER).expect("the events").map(|file| file.expect("a file").file_name());
    let names = files.map(|name| name.into_string().expect("a name"));
    let mut names: BTreeSet<_> = names.filter_map(|name| name.strip_suffix(".json").map(String::from)).collect();
    names.extend(FUNCTIONS.iter().filter(|(name, _)| example(name).is_some()).map(|(name, _)| (*name).to_owned()));
    names
}

/// A sample by its name. Without a file it is [`LEAVES`], with the example of its function's own action.
pub fn sample(name: &str) -> Value {
    let read = |name: &str| std::fs::read_to_string(format!("{FOLDER}/{name}.json")).ok();
    let parse = |text: String| serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    read(name).map(parse).unwrap_or_else(|| {
        let frame = example(name).unwrap_or_else(|| panic!("{name} has no file, and no action with an example"));
        let mut event: Value = parse(read(LEAVES).expect("a file"));
        event["requestContext"]["routeKey"] = frame["action"].clone();
        event["body"] = json!(frame.to_string());
        event
    })
}

/// The first example that `docs/asyncapi.yaml` has of the action that a function is called after.
fn example(function: &str) -> Option<Value> {
    let is_its = |message: &Value| {
        let action = message["payload"]["properties"]["action"]["const"].as_str().expect("an action");
        let words =
            action.chars().flat_map(|char| char.is_uppercase().then_some('-').into_iter().chain(char.to_lowercase()));
        words.eq(function.chars())
    };
    let (_, message) = schema::socket().messages(Sender::Client).find(|(_, message)| is_its(message))?;
    Some(message["examples"][0]["payload"].clone())
}

/// All samples in an order in which one makes the next possible. Panics if one has no answer to expect.
pub fn conversation() -> Vec<Sample> {
    let mut samples = table();
    let listed: BTreeSet<_> = samples.iter().map(|sample| sample.name.clone()).collect();
    let plain = sample_names().into_iter().filter(|name| !listed.contains(name)).map(|name| {
        let frame = frame_of(&sample(&name)).unwrap_or_else(|| panic!("events/README.md says no answer to {name}"));
        let field = |field: &str| format!("\"{field}\":{}", frame[field]);
        let contains = vec!["\"type\":\"ack\"".to_owned(), field("action"), field("requestId")];
        Sample { function: function_of(&name), name, contains }
    });
    let plain: Vec<_> = plain.collect();
    let place = samples.iter().position(|sample| sample.name == LEAVES).expect("somebody leaves");
    samples.splice(place..place, plain);
    samples
}

/// The frame of a function that serves one action: what somebody sends who is in a room.
pub fn plain_frame(function: &str) -> Option<Value> {
    sample_names().contains(function).then(|| frame_of(&sample(function))).flatten()
}

/// The frame in an event of a route for one action; none in a request of the HTTP API.
fn frame_of(event: &Value) -> Option<Value> {
    event["requestContext"]["connectionId"].as_str()?;
    event["requestContext"]["routeKey"].as_str().filter(|route| !route.starts_with('$'))?;
    serde_json::from_str(event["body"].as_str()?).ok()
}

/// The rows of the table, as somebody reads them.
fn table() -> Vec<Sample> {
    let document = std::fs::read_to_string(format!("{FOLDER}/README.md")).expect("the table");
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let columns: Vec<_> = row.trim_matches('|').split('|').map(quoted).collect();
        let [name, _, contains] = &columns[..] else { panic!("not three columns: {row}") };
        let [name] = &name[..] else { panic!("not one file: {row}") };
        assert!(!contains.is_empty(), "no answer: {row}");
        Sample { function: function_of(name), name: name.clone(), contains: contains.clone() }
    })
    .collect()
}

/// What stands between backticks.
fn quoted(column: &str) -> Vec<String> {
    column.split('`').skip(1).step_by(2).map(String::from).collect()
}
