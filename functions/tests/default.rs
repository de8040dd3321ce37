//! The binary itself, with the worst that API Gateway lets through: what is no request of a route comes here, whatever
//! it is.

use chat_tests::{Lambda, frame, sample};
use serde_json::json;
use std::collections::BTreeMap;

const BINARY: &str = env!("CARGO_BIN_EXE_functions");

/// The largest message of a WebSocket API, in bytes, over several frames
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>).
const MESSAGE_BYTES_MAX: usize = 128 * 1_024;

/// Half of what the template gives it, in kB.
const MEMORY_KB: u64 = 64 * 1_024;

/// As many of a part as fit a message, with commas between them and something around them.
fn full_of(around: [&str; 2], part: impl Fn(usize) -> String) -> String {
    let mut body = around[0].to_owned();
    for number in 0.. {
        let part = part(number);
        if body.len() + part.len() + 1 + around[1].len() > MESSAGE_BYTES_MAX {
            break;
        }
        body.push_str(&part);
        body.push(',');
    }
    body.pop();
    body + around[1]
}

#[tokio::test]
async fn the_largest_messages_are_answered_within_its_memory() {
    let vars = BTreeMap::from([
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "nobody".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "nobody".to_owned()),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:9/dev".to_owned()),
    ]);
    let mut lambda = Lambda::start(BINARY, "default", vars).await;
    for body in [
        "[".repeat(MESSAGE_BYTES_MAX),
        "\u{0}".repeat(MESSAGE_BYTES_MAX),
        "9".repeat(MESSAGE_BYTES_MAX),
        format!("\"{}\"", "\\u0000".repeat(MESSAGE_BYTES_MAX / 6)),
        full_of([r#"{"action":["#, "]}"], |_| "0".into()),
        full_of([r#"{"action":["#, "]}"], |_| "{}".into()),
        full_of(["{", "}"], |number| format!("\"{number}\":0")),
        full_of(["{", "}"], |_| r#""":[[]]"#.into()),
        full_of([r#"{"action":{"#, "}}"], |number| format!("\"{number:x}\":{{\"\":\"\"}}")),
    ] {
        let mut event = sample("default");
        event["body"] = json!(body);
        let (kind, answer) = lambda.invoke(event).await;
        assert_eq!((kind.as_str(), &frame(&answer)["type"]), ("response", &json!("error")), "{:.40}", body);
    }
    // Where the system tells: the most that it ever had.
    if let Ok(status) = std::fs::read_to_string(format!("/proc/{}/status", lambda.id())) {
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        let peak: u64 = peak.expect("a peak");
        assert!(peak < MEMORY_KB, "{peak} kB");
    }
}
