//! The line that a function writes for each invocation, read back from the binary.

use chat_tests::{INVOCATION_LINE_BYTES, Lambda, Server, enter, ghost, open, room, sample};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_functions");

/// The lines about invocations in what a function wrote.
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["message"] == "invocation").collect()
}

/// Sends the sample message, one that is refused, and a repeated one; with a member whose connection is gone.
async fn log_with(setting: &str) -> String {
    let server = Server::start().await;
    let mut member = server.connect(7).await;
    member.join(1).await;
    enter(&server.app(), &ghost("8"), &room("1")).await;
    open(&server.app(), &sample("send-message")).await;
    let mut vars = server.vars();
    vars.insert("INVOCATION_LOG", setting.to_owned());
    vars.insert("METRICS_NAMESPACE", "Chat/mine".to_owned());
    let mut lambda = Lambda::start(BINARY, "send-message", vars).await;
    for name in ["send-message", "send-message-blank"] {
        lambda.invoke(sample(name)).await;
    }
    let log = lambda.kill().await;
    server.stop().await;
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_says_what_an_invocation_did_and_nothing_of_what_was_said() {
    let log = log_with("metrics").await;
    let [sent, refused] = <[Value; 2]>::try_from(lines(&log)).expect("a line for each");
    let event = sample("send-message");
    // On AWS these two are longer: `chat-SendMessageFunction-0123456789ab` and a UUID.
    let longer = (37 - "function".len()) + (36 - "request-7".len());
    let bytes = sent.to_string().len() + longer;
    assert!(bytes.abs_diff(INVOCATION_LINE_BYTES) < 50, "{bytes} bytes");
    assert_eq!(
        (&sent["function"], &sent["requestId"], &sent["level"]),
        (&json!("function"), &json!("request-7"), &json!("INFO"))
    );
    assert_eq!((&sent["connection"], &sent["room"]), (&event["requestContext"]["connectionId"], &json!("1")));
    let counts = ["messages", "posts", "gone", "coldStarts", "refused"].map(|name| sent[name].as_u64());
    // The message to the member and to the one that is gone, and to the member that this one left.
    assert_eq!(counts, [Some(1), Some(3), Some(1), Some(1), None], "{sent}");
    assert!(["ms", "storeMs", "pushMs"].iter().all(|name| sent[name].as_f64().is_some_and(|ms| ms > 0.0)), "{sent}");
    assert_eq!((&refused["code"], &refused["refused"]), (&json!("badRequest"), &json!(1)));
    assert!(refused["coldStarts"].is_null() && refused["messages"].is_null(), "{refused}");

    // CloudWatch takes a metric where the directive names a member of the line, and a dimension likewise.
    for line in [&sent, &refused] {
        assert!(line["_aws"]["Timestamp"].as_i64().is_some());
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().expect("directives");
        assert!(!directives.is_empty());
        for directive in directives {
            assert_eq!(directive["Namespace"], "Chat/mine");
            let named = directive["Metrics"].as_array().expect("metrics").iter().map(|metric| &metric["Name"]);
            for name in named.chain([&directive["Dimensions"][0][0]]) {
                assert!(!line[name.as_str().expect("a name")].is_null(), "{name}: {line}");
            }
        }
    }

    let content = serde_json::from_str::<Value>(event["body"].as_str().expect("a body")).expect("JSON");
    let content = content["message"]["content"].as_str().expect("content").to_owned();
    for said in [content.as_str(), "127.0.0.1", "Bearer"] {
        assert!(!sent.to_string().contains(said) && !refused.to_string().contains(said), "{said}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_turns_the_lines_down() {
    let plain = lines(&log_with("lines").await);
    assert_eq!(plain.len(), 2);
    assert!(plain.iter().all(|line| line.get("_aws").is_none() && line.get("requestId").is_some()), "{plain:?}");
    assert_eq!(lines(&log_with("none").await), Vec::<Value>::new());
}
