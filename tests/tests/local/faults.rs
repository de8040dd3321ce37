//! When AWS cannot be reached, the client gets a code and a request id, the log has the whole cause once, and neither
//! has a secret.

use chat_aws::Vars;
use chat_tests::{REQUEST_ID, Server, frame, open, page, plain_frame, sample, schema, text_message, websocket_event};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use tracing::Level;

/// Port 1 is reserved, and nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
const CONTENT: &str = "a secret between friends";

/// One invocation's answer and log, at the level that a deployment has by default.
async fn logged(name: &str, vars: &Vars, event: Value) -> (Value, Vec<Value>) {
    chat_tests::logged(Level::INFO, name, vars, event).await
}

/// There is one line of level ERROR, with the request id and the cause down to the socket.
fn assert_logged_once(lines: &[Value]) {
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    let [error] = errors.as_slice() else { panic!("not one error: {lines:?}") };
    assert_eq!(error["requestId"], REQUEST_ID);
    assert!(error["timestamp"].is_string(), "{error}");
    let cause = error["cause"].as_str().expect("a cause");
    assert!(cause.starts_with("failed to ") && cause.contains("Connection refused"), "{cause}");
}

fn assert_discreet(answer: &Value, lines: &[Value]) {
    let told = format!("{answer} {lines:?}");
    for secret in ["local-access-key", "local-secret-key", CONTENT] {
        assert!(!told.contains(secret), "{secret} got out: {told}");
    }
    let said = answer.to_string();
    assert!(!said.contains("dispatch") && !said.contains("127.0.0.1") && !said.contains("panicked"), "{said}");
}

/// Functions that ask DynamoDB nothing to answer their sample.
const NO_TABLE: [&str; 2] = ["authorize", "default"];

#[tokio::test]
async fn without_dynamodb_a_client_is_told_and_the_log_says_why() {
    let server = Server::start().await;
    let mut vars = server.vars();
    vars.insert("AWS_ENDPOINT_URL_DYNAMODB", NOWHERE.into());
    vars.insert("TOKEN_SECRET", "sample-secret-for-the-events-folder-only".into());
    let vars = Vars::from_iter(vars);
    for (name, _) in FUNCTIONS.iter().filter(|(name, _)| !NO_TABLE.contains(name)) {
        let mut event = sample(name);
        if event["requestContext"].is_null() {
            // Whoever invokes it is told by Lambda, and a backend may read the cause.
            continue;
        }
        let request = plain_frame(name).map(|mut request| {
            if let Some(content) = request.pointer_mut("/message/content") {
                *content = json!(CONTENT);
            }
            event["body"] = json!(request.to_string());
            request
        });
        let (answer, lines) = logged(name, &vars, event.clone()).await;
        assert_logged_once(&lines);
        assert_discreet(&answer, &lines);
        if *name == "signal" {
            // It is posted to a connection that nobody knows.
            assert_eq!(answer, json!({"statusCode": 200}));
        } else if let Some(request) = request {
            let reply = frame(&answer);
            assert_eq!((&reply["type"], &reply["code"]), (&json!("error"), &json!("internal")), "{name}");
            assert_eq!(reply["requestId"], request["requestId"], "{name}");
            assert!(reply["message"].as_str().is_some_and(|said| said.contains(REQUEST_ID)), "{reply}");
        } else if *name == "socket-io" {
            let body = answer["body"].as_str().expect("a packet");
            assert!(body.starts_with(r#"431[{"type":"error","action":"joinRoom","code":"internal""#), "{body}");
        } else if event["requestContext"]["http"].is_null() {
            assert_eq!(answer, json!({"statusCode": 500}), "{name}");
        } else if event["requestContext"]["http"]["method"] == "POST" {
            let reply: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
            schema::check_post(event["rawPath"].as_str().expect("a path"), 500, &reply);
            assert_eq!((&answer["statusCode"], &reply["code"]), (&json!(500), &json!("internal")), "{name}");
            assert!(reply["message"].as_str().is_some_and(|said| said.contains(REQUEST_ID)), "{reply}");
        } else {
            let body = page(&answer);
            assert_eq!(answer["statusCode"], 500, "{name}");
            assert_eq!((&body["statusCode"], &body["error"]), (&json!(500), &json!("Internal Server Error")));
            assert!(body["message"].as_str().is_some_and(|said| said.contains(REQUEST_ID)), "{body}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn without_the_management_api_nothing_is_lost() {
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    client.join(1).await;
    open(&server.app(), &websocket_event(&json!(null))).await;
    let mut vars = server.vars();
    vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", NOWHERE.into());
    let mut send = text_message(1, CONTENT);
    send["clientMessageId"] = json!("a");
    let (answer, lines) = logged("send-message", &Vars::from_iter(vars), websocket_event(&send)).await;
    let reply = frame(&answer);
    assert_eq!(reply["code"], "internal");
    assert_logged_once(&lines);
    assert!(lines.iter().any(|line| line["failedPushes"] == 1), "the line that an alarm counts: {lines:?}");
    assert_discreet(&answer, &lines);
    assert_eq!(server.history("chatroomId=1").await.ids(), [1], "it was stored before it was pushed");

    let (answer, lines) = logged("send-message", &Vars::from_iter(server.vars()), websocket_event(&send)).await;
    let reply = frame(&answer);
    assert_eq!((&reply["id"], &reply["duplicate"]), (&json!(1), &json!(true)));
    assert_eq!(client.expect(json!({"type": "sendMessage"})).await["message"]["content"], CONTENT);
    // The embedded DynamoDB logs the failed condition by which a retry is known. The function logs no fault.
    assert!(lines.iter().all(|line| line["target"] == "dynoxide::server"), "{lines:?}");
    server.stop().await;
}

#[tokio::test]
async fn an_event_without_an_authorizers_context_is_our_fault_and_serves_nobody() {
    let server = Server::start().await;
    let vars = Vars::from_iter(server.vars());
    let mut event = websocket_event(&text_message(1, CONTENT));
    event["requestContext"].as_object_mut().expect("an object").remove("authorizer");
    let (answer, lines) = logged("send-message", &vars, event).await;
    let reply = frame(&answer);
    assert_eq!(reply["code"], "internal");
    let cause = lines[0]["cause"].as_str().expect("a cause");
    assert_eq!(cause, "failed to identify the caller: the authorizer's context lacks userId");
    assert!(server.keys("ChatTable").await.is_empty());
    server.stop().await;
}

#[test]
fn a_function_that_lacks_a_variable_names_it() {
    for (name, build) in FUNCTIONS {
        let fault = build(&Vars::default()).err().unwrap_or_else(|| panic!("{name} started"));
        let said = fault.chain().to_string();
        // authorize needs one of three variables to check tokens.
        let one = said.contains(": none of ") && said.ends_with(" is set");
        assert!(said.ends_with(" is not set") || one, "{name}: {said}");
    }
}
