//! Secrets are nowhere: in no log line of any level that a deployment can choose, and in no answer.

use chat_aws::Vars;
use chat_local::Tokens;
use chat_tests::{Server, logged, plain_frame, sample, text_message, websocket_event};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use tracing::Level;

/// Port 1 is reserved, and nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";
const SECRET: &str = "marked-token-secret-of-32-bytes-and-more";
const PREVIOUS: &str = "marked-previous-token-secret-of-32-bytes";
const AWS_KEY: &str = "marked-aws-secret-access-key";
const EMAIL: &str = "marked@example.com";
const CONTENT: &str = "marked words between friends";

/// A token in each of the three places.
fn handshakes(token: &str) -> Vec<Value> {
    let mut handshakes = Vec::new();
    for (name, text) in
        [("Authorization", format!("Bearer {token}")), ("Sec-WebSocket-Protocol", format!("chat, bearer.{token}"))]
    {
        let mut event = sample("authorize-no-token");
        event["headers"][name] = json!(text);
        event["multiValueHeaders"][name] = json!([text]);
        handshakes.push(event);
    }
    let mut event = sample("authorize-no-token");
    event["queryStringParameters"] = json!({"token": token});
    handshakes.push(event);
    handshakes
}

/// Runs every function with everything that it accepts and refuses.
fn invocations(tokens: &[String]) -> Vec<(&'static str, Value)> {
    let mut all: Vec<_> = tokens.iter().flat_map(|token| handshakes(token)).map(|event| ("authorize", event)).collect();
    let mut said = text_message(1, CONTENT);
    let mut named = said.clone();
    named["clientMessageId"] = json!("marked");
    let mut forged = said.clone();
    forged["sendUserId"] = json!(8);
    said["requestId"] = json!({"an": "object"});
    let mut endless = text_message(1, CONTENT);
    endless["message"]["content"] = json!(CONTENT.repeat(1_000));
    let mut odd = text_message(1, CONTENT);
    odd["message"]["type"] = json!(CONTENT);
    for frame in [text_message(1, CONTENT), named.clone(), named, forged, said, endless, odd] {
        all.push(("send-message", websocket_event(&frame)));
    }
    for (name, action) in [("join-room", "joinRoom"), ("leave-room", "leaveRoom"), ("default", CONTENT)] {
        all.push((name, websocket_event(&json!({"action": action, "chatroomId": 1, "secret": CONTENT}))));
    }
    let mut broken = websocket_event(&json!(null));
    broken["body"] = json!(format!("{{\"{CONTENT}\": "));
    all.push(("default", broken));
    for name in ["connect", "disconnect"] {
        all.push((name, websocket_event(&json!(null))));
    }
    for event in ["list-history", "list-history-bad-limit"] {
        all.push(("list-history", sample(event)));
    }
    for event in ["chatrooms", "chatrooms-join", "chatrooms-list", "chatrooms-pair"] {
        all.push(("chatrooms", sample(event)));
    }
    // Whatever else answers frames is sent its sample.
    for (name, _) in FUNCTIONS {
        if let Some(mut frame) = plain_frame(name).filter(|_| all.iter().all(|(named, _)| *named != name)) {
            frame["secret"] = json!(CONTENT);
            all.push((name, websocket_event(&frame)));
        }
    }
    all
}

#[tokio::test]
async fn no_secret_is_in_a_log_or_in_an_answer() {
    let server = Server::start().await;
    let claims = |expires: i64| json!({"userId": 7, "email": EMAIL, "rooms": "*", "exp": expires});
    let signed = |secret: &str, claims: Value| {
        let tokens = Tokens::signed_with(secret).expect("long enough");
        tokens.issue(claims.as_object().expect("claims").clone()).expect("a token")
    };
    let good = signed(SECRET, claims(4_000_000_000));
    let tokens = [
        good.clone(),
        signed(SECRET, claims(1_700_000_000)),
        signed(PREVIOUS, claims(4_000_000_000)),
        signed("another-secret-that-nobody-here-takes", claims(4_000_000_000)),
        format!("{good}x"),
        "marked.markedpayload.markedsignature".to_owned(),
    ];
    let parts: Vec<&str> = tokens.iter().flat_map(|token| token.split('.').skip(1)).collect();
    let mut lines_seen = 0;
    for outage in [false, true] {
        let mut vars = server.vars();
        vars.extend([
            ("TOKEN_SECRET", SECRET.to_owned()),
            ("TOKEN_SECRET_PREVIOUS", PREVIOUS.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", AWS_KEY.to_owned()),
        ]);
        if outage {
            for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] {
                vars.insert(name, NOWHERE.into());
            }
        }
        let vars = Vars::from_iter(vars);
        for (name, event) in invocations(&tokens) {
            let (answer, lines) = logged(Level::DEBUG, name, &vars, event).await;
            // The embedded DynamoDB logs in this process too. On AWS it does not.
            let lines =
                lines.iter().filter(|line| !line["target"].as_str().is_some_and(|of| of.starts_with("dynoxide")));
            let log: Vec<String> = lines.map(Value::to_string).collect();
            lines_seen += log.len();
            for secret in [SECRET, PREVIOUS, AWS_KEY, EMAIL, CONTENT].iter().chain(&parts) {
                for line in &log {
                    assert!(!line.contains(secret), "{name} logs {secret}: {line}");
                }
                // What a user says comes back to that user, and to those who may read it.
                assert!(
                    *secret == CONTENT || !answer.to_string().contains(secret),
                    "{name} answers {secret}: {answer}"
                );
            }
        }
    }
    assert!(lines_seen > 50, "{lines_seen} lines were looked at");
    server.stop().await;
}
