//! Every sample event goes through its function, and answers what the samples' README says.

use chat_aws::Vars;
use chat_local::HANDLERS;
use chat_tests::{Server, invoke, sample};
use std::collections::BTreeSet;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
const SECRET: &str = "sample-secret-for-the-events-folder-only";

/// The samples in the order of a conversation, each with a piece of its answer.
const ANSWERS: [(&str, &str); 19] = [
    ("authorize", r#""Effect":"Allow""#),
    ("authorize-query", r#""Effect":"Allow""#),
    ("authorize-http", r#""Effect":"Allow""#),
    ("authorize-no-token", r#""Effect":"Deny""#),
    ("connect", r#""Sec-WebSocket-Protocol":"chat""#),
    ("join-room", r#"\"type\":\"ack\",\"action\":\"joinRoom\",\"requestId\":\"r1\",\"chatroomId\":1,\"lastId\":0"#),
    ("join-room-not-granted", r#"\"code\":\"notAllowed\""#),
    ("send-message", r#"\"type\":\"ack\",\"action\":\"sendMessage\",\"requestId\":\"r3\",\"chatroomId\":1,\"id\":1"#),
    ("send-message-image", r#"\"requestId\":\"r4\",\"chatroomId\":1,\"id\":2"#),
    ("send-message-file", r#"\"requestId\":\"r6\",\"chatroomId\":1,\"id\":3"#),
    ("send-message-blank", r#"\"code\":\"badRequest\""#),
    ("list-history", r#"\"id\":1"#),
    ("list-history-before", r#""statusCode":200"#),
    ("list-history-bad-limit", r#""statusCode":400"#),
    ("default", r#"\"code\":\"unknownAction\""#),
    ("default-ping", r#"\"type\":\"pong\""#),
    ("default-not-json", r#"\"code\":\"badRequest\""#),
    ("leave-room", r#"\"type\":\"ack\",\"action\":\"leaveRoom\""#),
    ("disconnect", r#"{"statusCode":200}"#),
];

/// The names of all event files, without `.json`.
fn names() -> BTreeSet<String> {
    let files = std::fs::read_dir(FOLDER).expect("the events").map(|file| file.expect("a file").file_name());
    let names = files.map(|name| name.into_string().expect("a name"));
    names.filter_map(|name| name.strip_suffix(".json").map(String::from)).collect()
}

/// The function that a sample is for: `<function>[-case]`.
fn function_of(sample: &str) -> &'static str {
    let is_for = |name: &str| sample == name || sample.starts_with(&format!("{name}-"));
    let (name, _) =
        HANDLERS.iter().find(|(name, _)| is_for(name)).unwrap_or_else(|| panic!("{sample} is for no function"));
    name
}

#[tokio::test]
async fn every_sample_goes_through_its_function() {
    let server = Server::start().await;
    let mut vars = server.vars();
    vars.insert("TOKEN_SECRET", SECRET.into());
    let vars = Vars::from_iter(vars);
    let expected: BTreeSet<_> = ANSWERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(), expected, "a sample without an answer here, or the other way round");
    for (name, piece) in ANSWERS {
        let answer = invoke(function_of(name), &vars, sample(name)).await.to_string();
        assert!(answer.contains(piece), "{name}: {answer}");
        assert!(!answer.contains("internal"), "{name}: {answer}");
    }
    server.stop().await;
}

#[test]
fn every_function_has_a_sample() {
    let names = names();
    for (name, _) in HANDLERS {
        assert!(names.contains(name), "events/{name}.json is missing");
    }
}
