//! Both reviewers say the same, and what they say is an answer.

use chat_tests::Lambda;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_review");
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

fn asked(content: &str) -> Value {
    json!({"Content": content, "MessageId": "7f3a", "RoomArn": "1", "Attributes": {"action": "sendMessage", "type": "text"},
        "Sender": {"UserId": "7", "Ip": "203.0.113.9", "Attributes": {"username": "dong", "nickName": "东"}}})
}

fn cases() -> [(&'static str, Value); 3] {
    let allow = |content: &str| json!({"ReviewResult": "ALLOW", "Content": content, "Attributes": {}});
    let deny = json!({"ReviewResult": "DENY", "Content": "", "Attributes": {"Reason": "no addresses here"}});
    [
        ("hi there", allow("hi there")),
        ("Damn it, 该死 it is", allow("**** it, ** it is")),
        ("see https://example.com", deny),
    ]
}

#[tokio::test]
async fn the_one_in_rust_answers() {
    let mut lambda = Lambda::start(BINARY, "bootstrap", BTreeMap::from([("WORDS", "damn, 该死".into())])).await;
    for (content, expected) in cases() {
        assert_eq!(lambda.invoke(asked(content)).await, ("response".into(), expected), "{content}");
    }
    lambda.kill().await;
}

/// By the Node that `CHAT_NODE` names, or the one that is there. Only where it is named does it fail to be there.
#[test]
#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "whoever has no Node reads why nothing was tried")]
fn the_one_for_node_answers_the_same() {
    let named = std::env::var("CHAT_NODE").ok();
    let script = format!(
        "import {{ handler }} from '{FOLDER}/index.mjs';
         const asked = JSON.parse(process.argv[1]);
         console.log(JSON.stringify(await Promise.all(asked.map(handler))));"
    );
    let events: Vec<_> = cases().iter().map(|(content, _)| asked(content)).collect();
    let ran = Command::new(named.as_deref().unwrap_or("node"))
        .args(["--input-type=module", "--eval", &script, &json!(events).to_string()])
        .env("WORDS", "damn, 该死")
        .stderr(Stdio::inherit())
        .output();
    let output = match ran {
        Ok(output) => output,
        Err(error) if named.is_none() => return println!("not tried, without Node: {error}"),
        Err(error) => panic!("CHAT_NODE: {error}"),
    };
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answers, json!(cases().map(|(_, expected)| expected)));
}
