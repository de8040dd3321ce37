//! What `connect` does once its answer is out, of the binary under Lambda's runtime API.

use chat::ConnectionId;
use chat_tests::{Lambda, Management, Server, sample, until};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_functions");

/// The sample handshake, of a client of Socket.IO or of JSON.
fn handshake(encoding: Option<&str>) -> (ConnectionId, Value) {
    let mut event = sample("connect");
    if let Some(encoding) = encoding {
        event["requestContext"]["authorizer"]["encoding"] = json!(encoding);
    }
    let id = event["requestContext"]["connectionId"].as_str().expect("an id");
    (ConnectionId::new(id), event)
}

async fn start(server: &Server, management: &Management) -> Lambda {
    let mut vars = server.vars();
    vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management.url().to_owned());
    let mut lambda = Lambda::start(BINARY, "connect", vars).await;
    lambda.ready().await;
    lambda
}

/// The caller waits for none of it, and Lambda freezes the process only when it asks for the next event.
#[tokio::test]
async fn a_client_of_socket_io_is_greeted_between_the_answer_and_the_next_event() {
    let (server, management) = (Server::start().await, Management::start().await);
    let mut lambda = start(&server, &management).await;
    for encoding in ["eio4", "eio3"] {
        let (id, event) = handshake(Some(encoding));
        management.hold(true);
        let (asked, attempts) = (lambda.asked(), management.attempts(&id));
        let (kind, answer) = lambda.invoke(event).await;
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(200)));
        until("the greeting is posted", async || management.attempts(&id) > attempts).await;
        assert_eq!(lambda.asked(), asked, "it does not ask before it has greeted");
        management.hold(false);
        lambda.asks_after(asked).await;
        let said: Vec<_> = management.take_texts().into_iter().map(|(_, text)| text).collect();
        assert!(said[0].starts_with("0{"), "{said:?}");
        let rest: &[&str] = if encoding == "eio3" { &["40"] } else { &[] };
        assert_eq!(&said[1..], rest);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_of_json_is_greeted_by_nobody() {
    let (server, management) = (Server::start().await, Management::start().await);
    let mut lambda = start(&server, &management).await;
    let ((id, event), asked) = (handshake(None), lambda.asked());
    lambda.invoke(event).await;
    lambda.asks_after(asked).await;
    assert_eq!(management.attempts(&id), 0);
    server.stop().await;
}

/// It may hang up in its handshake. Nobody hears of it, and the function goes on.
#[tokio::test]
async fn a_client_that_is_never_there_is_given_up() {
    let (server, management) = (Server::start().await, Management::start().await);
    let mut lambda = start(&server, &management).await;
    let ((id, event), asked) = (handshake(Some("eio4")), lambda.asked());
    management.refuse(&id, 410);
    lambda.invoke(event).await;
    lambda.asks_after(asked).await;
    assert!(management.attempts(&id) > 3, "{}", management.attempts(&id));
    let log = lambda.kill().await;
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    server.stop().await;
}

/// A greeting that fails ends the connection, so that its client comes back at once.
#[tokio::test]
async fn a_client_that_cannot_be_greeted_is_ended() {
    let (server, management) = (Server::start().await, Management::start().await);
    let mut lambda = start(&server, &management).await;
    let ((id, event), asked) = (handshake(Some("eio4")), lambda.asked());
    management.refuse(&id, 429);
    lambda.invoke(event).await;
    lambda.asks_after(asked).await;
    // The post, and the end, which is tried again.
    assert!(management.attempts(&id) > 1, "{}", management.attempts(&id));
    assert_eq!(management.take_texts(), []);
    server.stop().await;
}
