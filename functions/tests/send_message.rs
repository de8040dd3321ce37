//! The binary itself, as Lambda starts it. All functions are served by the same few lines; this one stands for them.

use chat_aws::posts_in_flight;
use chat_tests::{Chaos, Direction, Fault, Lambda, Posts, Refusal, Server, Tls, fill, frame, open, room, sample};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_functions");

#[tokio::test]
async fn it_serves_one_event_after_another() {
    let server = Server::start().await;
    open(&server.app(), &sample("send-message")).await;
    let mut lambda = Lambda::start(BINARY, "send-message", server.vars()).await;
    for (id, duplicate) in [(1, json!(null)), (1, json!(true))] {
        let (kind, answer) = lambda.invoke(sample("send-message")).await;
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(200)), "{answer}");
        let reply = frame(&answer);
        assert_eq!((&reply["type"], &reply["id"], &reply["duplicate"]), (&json!("ack"), &json!(id), &duplicate));
    }
    assert_eq!(server.history("chatroomId=1").await.ids(), [1]);
    server.stop().await;
}

#[tokio::test]
async fn it_does_not_start_without_its_environment_and_says_what_is_missing() {
    let server = Server::start().await;
    let mut vars = server.vars();
    vars.remove("CHAT_TABLE");
    let (status, log) = Lambda::start(BINARY, "send-message", vars).await.end().await;
    assert!(!status.success());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(
        (&lines[0]["level"], &lines[0]["cause"]),
        (&json!("ERROR"), &json!("failed to start: CHAT_TABLE is not set"))
    );
    server.stop().await;
}

#[tokio::test]
async fn a_handler_that_is_no_function_does_not_start() {
    let (status, log) = Lambda::start(BINARY, "bootstrap", BTreeMap::new()).await.end().await;
    assert!(!status.success());
    let line: Value = serde_json::from_str(&log).expect("a line");
    assert_eq!(line["cause"], r#"failed to start: no function is called "bootstrap""#);
}

/// Each line of level ERROR rings the alarm on faults, and the SDK tries again by itself.
#[tokio::test]
async fn what_a_retry_gets_over_is_no_line_of_level_error() {
    let server = Server::start().await;
    open(&server.app(), &sample("send-message")).await;
    let chaos = Chaos::start(Box::new(|_, _, _| Direction::default())).await;
    chaos.aim(server.dynamodb_url(), &server.vars()["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"], server.s3_url());
    for refusal in [Refusal::Failed, Refusal::Unavailable, Refusal::Throttled] {
        let fault = Fault::RefusedOnce(refusal);
        let vars = server.vars().into_iter().chain(chaos.endpoints_with(0, fault)).collect();
        let mut lambda = Lambda::start(BINARY, "send-message", vars).await;
        let (_, answer) = lambda.invoke(sample("send-message")).await;
        assert_eq!(frame(&answer)["type"], "ack", "{answer}");
        assert_eq!(chaos.struck()[&fault], 1);
        let log = lambda.kill().await;
        let lines = log.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let errors: Vec<Value> = lines.filter(|line: &Value| line["level"] == "ERROR").collect();
        assert!(errors.is_empty(), "{fault}: {errors:?}");
    }
    server.stop().await;
}

/// As on AWS: both hosts speak TLS, and the function is told whom to trust.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_tls_over_as_many_sockets_as_there_are_posts_in_flight() {
    let (server, tls) = (Server::start().await, Tls::new());
    fill(&server, &room("1"), 200).await;
    open(&server.app(), &sample("send-message")).await;
    let posts = Posts::start(Duration::from_millis(5), Some(&tls)).await;
    let mut vars = over_tls(&server, &posts, &tls).await;
    vars.insert("TLS_ROOTS", "system".into());
    vars.insert("SSL_CERT_FILE", tls.roots().display().to_string());
    vars.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512".into());
    let mut lambda = Lambda::start(BINARY, "send-message", vars).await;
    let (_, answer) = lambda.invoke(sample("send-message")).await;
    assert_eq!(frame(&answer)["type"], "ack", "{answer}");
    let posted = posts.take();
    assert_eq!(posted.posts, 200);
    assert!(posted.sockets <= posts_in_flight(512), "{} sockets", posted.sockets);
    server.stop().await;
}

/// Without being told otherwise it trusts Amazon alone, so nobody else can read what it sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_speaks_to_nobody_whom_amazon_did_not_certify() {
    let (server, tls) = (Server::start().await, Tls::new());
    let posts = Posts::start(Duration::ZERO, Some(&tls)).await;
    let mut lambda = Lambda::start(BINARY, "send-message", over_tls(&server, &posts, &tls).await).await;
    let (_, answer) = lambda.invoke(sample("send-message")).await;
    assert_eq!(frame(&answer)["code"], "internal", "{answer}");
    assert!(server.history("chatroomId=1").await.ids().is_empty());
    server.stop().await;
}

async fn over_tls(server: &Server, posts: &Posts, tls: &Tls) -> BTreeMap<&'static str, String> {
    let mut vars = server.vars();
    vars.insert("AWS_ENDPOINT_URL_DYNAMODB", tls.before(server.dynamodb_url()).await);
    vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", posts.url().to_owned());
    vars
}
