//! Every sample event goes through its function with the variables of `.env.example`, and answers what the samples'
//! README says: in this process, or with `CHAT_INVOKE=cargo-lambda` as the README says it is done with cargo-lambda.

use chat_aws::Vars;
use chat_tests::{CargoLambda, Server, function_of, invoke, sample};
use functions::FUNCTIONS;
use serde_json::Value;
use std::collections::BTreeSet;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");
const ENV_EXAMPLE: &str = include_str!("../../../.env.example");

/// The samples in the order of a conversation, each with a piece of its answer.
const ANSWERS: [(&str, &str); 20] = [
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
    ("disconnect-user", r#""seen":true"#),
];

/// The names of all event files, without `.json`.
fn names() -> BTreeSet<String> {
    let files = std::fs::read_dir(FOLDER).expect("the events").map(|file| file.expect("a file").file_name());
    let names = files.map(|name| name.into_string().expect("a name"));
    names.filter_map(|name| name.strip_suffix(".json").map(String::from)).collect()
}

/// `.env.example`, with the addresses of a run that is not on the default ports.
fn env_file(server: &Server) -> String {
    let vars = server.vars();
    let mut text = ENV_EXAMPLE.to_owned();
    for (variable, default) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:3000/dev"),
    ] {
        let line = format!("{variable}={default}\n");
        assert!(text.contains(&line), "{line}");
        text = text.replace(&line, &format!("{variable}={}\n", vars[variable]));
    }
    text
}

fn assert_answers(name: &str, piece: &str, answer: &Value) {
    let answer = answer.to_string();
    assert!(answer.contains(piece), "{name}: {answer}");
    assert!(!answer.contains("internal"), "{name}: {answer}");
}

#[tokio::test]
async fn every_sample_goes_through_its_function() {
    let server = Server::start().await;
    let env = env_file(&server);
    match Vars::from_env().optional("CHAT_INVOKE") {
        None => {
            let lines = env.lines().filter(|line| !line.starts_with('#'));
            let vars: Vars = lines.map(|line| line.split_once('=').expect("NAME=VALUE")).collect();
            for (name, piece) in ANSWERS {
                assert_answers(name, piece, &invoke(function_of(name), &vars, sample(name)).await);
            }
        }
        Some("cargo-lambda") => {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join(".env");
            std::fs::write(&file, env).expect("written");
            // The samples of one function follow one another.
            for group in ANSWERS.chunk_by(|one, other| function_of(one.0) == function_of(other.0)) {
                let function = CargoLambda::watch(function_of(group[0].0), &file).await;
                for (name, piece) in group {
                    assert_answers(name, piece, &function.invoke(name).await);
                }
                function.stop().await;
            }
        }
        Some(other) => panic!("CHAT_INVOKE is {other:?}; it can be cargo-lambda"),
    }
    server.stop().await;
}

#[test]
fn every_sample_has_its_answer_here() {
    let expected: BTreeSet<_> = ANSWERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(), expected);
}

#[test]
fn every_function_has_a_sample() {
    let names = names();
    for (name, _) in FUNCTIONS {
        assert!(names.contains(name), "events/{name}.json is missing");
    }
}
