//! Every function answers every event, whatever it looks like: the samples, with something changed, removed or broken
//! in each, with a DynamoDB behind the functions. Random bytes are the fuzzer's part.

use chat_aws::Vars;
use chat_aws::entry::Function;
use chat_tests::{REQUEST_ID, Server, function_of, sample, sample_names};
use functions::FUNCTIONS;
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;

/// How many events are made from each sample.
const EACH: usize = 400;

/// The same events in each run, so that a failure can be repeated.
const SEED: u64 = 3;

/// Values that stand in the place of others.
fn hostile(dice: &mut StdRng) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("#"),
        json!("a#b"),
        json!("%"),
        json!("%ff&&=;"),
        json!("\r\nX: y"),
        json!("Bearer "),
        json!("[\"1\"]"),
        json!("9007199254740992"),
        json!("💥".repeat(10_000)),
        json!([]),
        json!([[[[[[[[]]]]]]]]),
        json!({}),
        json!({"S": "1"}),
    ];
    values.choose(dice).cloned().expect("there are some")
}

/// Pointers to everything inside a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (escape(key), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inside {
        let pointer = format!("{at}/{key}");
        pointers(value, &pointer, found);
        found.push(pointer);
    }
}

/// Breaks one thing in a document.
fn mangle(document: &mut Value, dice: &mut StdRng) {
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let Some(pointer) = all.choose(dice) else { return };
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let key = key.replace("~1", "/").replace("~0", "~");
    match dice.random_range(0..4) {
        0 => match document.pointer_mut(parent).expect("its parent") {
            Value::Object(fields) => drop(fields.remove(&key)),
            Value::Array(items) => drop(items.pop()),
            _ => {}
        },
        1 => {
            let value = document.pointer_mut(pointer).expect("it is there");
            if let Some(text) = value.as_str() {
                *value = json!(mangled_text(text, dice));
            }
        }
        _ => *document.pointer_mut(pointer).expect("it is there") = hostile(dice),
    }
}

/// A text with a part cut out or doubled; in a frame more often within one field.
fn mangled_text(text: &str, dice: &mut StdRng) -> String {
    if let Ok(mut frame @ Value::Object(_)) = serde_json::from_str(text)
        && dice.random_ratio(3, 4)
    {
        mangle(&mut frame, dice);
        return frame.to_string();
    }
    let chars: Vec<char> = text.chars().collect();
    let (one, other) = (dice.random_range(0..=chars.len()), dice.random_range(0..=chars.len()));
    chars[..one].iter().chain(&chars[other..]).collect()
}

/// Whether this function can give such an answer.
fn is_answer(function: &str, answer: &Value) -> bool {
    let body = || serde_json::from_str::<Value>(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    let status = answer["statusCode"].as_u64();
    match function {
        "authorize" => {
            ["Allow", "Deny"].iter().any(|effect| answer["policyDocument"]["Statement"][0]["Effect"] == *effect)
        }
        "connect" | "disconnect" => matches!(status, Some(200 | 400 | 403 | 500)),
        "deliver" => answer["people"].is_u64(),
        "disconnect-user" => answer["connectionsEnded"].is_u64(),
        "keep-alive" => answer.is_null(),
        // A packet, or the end without one.
        "socket-io" => {
            status == Some(200) && (answer["body"].is_null() || !answer["body"].as_str().unwrap_or_default().is_empty())
        }
        "list-history" => match status {
            Some(200) => body().is_array(),
            Some(400 | 403 | 413 | 500) => body()["statusCode"] == answer["statusCode"],
            _ => false,
        },
        "chatrooms" => match status {
            Some(200) => !answer["body"].as_str().unwrap_or_default().is_empty(),
            Some(400 | 403 | 413 | 429 | 500) => body()["statusCode"] == answer["statusCode"],
            _ => false,
        },
        // Of most signals nothing is told.
        "signal" if status == Some(200) && answer["body"].is_null() => true,
        "change-message" | "create-upload" | "mark-read" | "moderate" | "send-message" | "signal" => {
            let told = ["ack", "error"].iter().any(|kind| body()["type"] == *kind);
            matches!(status, Some(200 | 400 | 403 | 404 | 413 | 429 | 500)) && told
        }
        _ => status == Some(200) && ["ack", "pong", "error"].iter().any(|kind| body()["type"] == *kind),
    }
}

#[tokio::test]
async fn whatever_an_event_looks_like_its_function_answers() {
    let server = Server::start_with_parameter("SocketIo", "on").await;
    let mut vars = server.vars();
    vars.insert("TOKEN_SECRET", "sample-secret-for-the-events-folder-only".into());
    vars.insert("AWS_LAMBDA_FUNCTION_NAME", "DeliverFunction".into());
    let vars = Vars::from_iter(vars);
    let mut dice = StdRng::seed_from_u64(SEED);
    for (name, build) in FUNCTIONS {
        let function: Function = build(&vars).expect("it starts");
        for sample in samples(name) {
            for _ in 0..EACH {
                let mut event = sample.clone();
                for _ in 0..dice.random_range(1..4) {
                    mangle(&mut event, &mut dice);
                }
                let answer = AssertUnwindSafe(function.invoke_as(REQUEST_ID, event.clone())).catch_unwind().await;
                match answer.unwrap_or_else(|_| panic!("{name} panicked over {event}")) {
                    Ok(answer) => assert!(is_answer(name, &answer), "{name} answered {answer} to {event}"),
                    // They cannot read such an event. The invocation fails, and nobody is let in.
                    Err(error) => {
                        let may = ["authorize", "chatrooms", "disconnect-user", "list-history"];
                        // API Gateway names a route that leads to the function.
                        let no_route = error.to_string() == "the function has no such route";
                        assert!(no_route || may.contains(&name), "{name} failed over {event}: {error}");
                    }
                }
            }
        }
    }
    // No event made a row of an unknown kind.
    let mut written = 0;
    for (table, kinds) in
        [("ConnectionsTable", &["CONN#", "ROOM#"][..]), ("ChatTable", &["MINE#", "ROOM#", "USER#"][..])]
    {
        let keys = server.keys(table).await;
        written += keys.len();
        assert!(keys.iter().all(|key| kinds.iter().any(|kind| key.starts_with(kind))), "{keys:?}");
    }
    assert!(written > 10, "some of it was good enough to be written: {written} rows");
    server.stop().await;
}

/// The samples of a function.
fn samples(function: &str) -> Vec<Value> {
    let names = sample_names().into_iter().filter(|name| function_of(name) == function);
    let samples: Vec<_> = names.map(|name| sample(&name)).collect();
    assert!(!samples.is_empty(), "{function} has a sample");
    samples
}
