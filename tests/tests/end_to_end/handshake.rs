//! The handshake: three ways to bring a token, and no way in without one.

use chat_tests::{Client, Deployment, fresh};
use serde_json::json;
use tokio_tungstenite::tungstenite::client::{ClientRequestBuilder, IntoClientRequest};

fn request(deployment: &Deployment) -> ClientRequestBuilder {
    ClientRequestBuilder::new(deployment.websocket_url().parse().expect("a URL"))
}

#[tokio::test]
async fn a_token_may_come_in_a_header_or_in_the_query_string() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let token = deployment.token_of(user);
    let bearer = format!("Bearer {token}");
    let mut clients = vec![
        Client::shake(request(&deployment).with_header("Authorization", bearer.clone())).await.expect("by header"),
        Client::shake(request(&deployment).with_header("authorization", bearer.replace("Bearer", "bearer")))
            .await
            .expect("by header"),
        Client::connect(&deployment.socket_url(&token)).await,
    ];
    for client in &mut clients {
        assert_eq!(client.subprotocol, None);
        assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": room, "userId": user})).await["type"], "ack");
    }
    deployment.stop().await;
}

#[tokio::test]
async fn a_token_may_come_as_a_subprotocol() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let bearer = format!("bearer.{}", deployment.token_of(user));
    let handshake = request(&deployment).with_sub_protocol("chat").with_sub_protocol(bearer);
    let mut client = Client::shake(handshake).await.expect("connected");
    assert_eq!(client.subprotocol.as_deref(), Some("chat"));
    assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": room, "userId": user})).await["type"], "ack");
    deployment.stop().await;
}

/// RFC 6455 lets a client spread its subprotocols over several headers.
#[tokio::test]
async fn subprotocols_may_come_in_several_headers() {
    let deployment = Deployment::start().await;
    let token = deployment.token_of(fresh());
    let mut handshake = deployment.websocket_url().into_client_request().expect("a request");
    for line in ["chat".to_owned(), format!("bearer.{token}")] {
        handshake.headers_mut().append("sec-websocket-protocol", line.parse().expect("a header"));
    }
    let client = Client::shake(handshake).await.expect("connected");
    assert_eq!(client.subprotocol.as_deref(), Some("chat"));
    deployment.stop().await;
}

#[tokio::test]
async fn nobody_comes_in_without_a_token_of_ours() {
    let deployment = Deployment::start().await;
    let user = fresh();
    let good = deployment.token_of(user);
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let payload = head.split_once('.').expect("two parts").1;
    let expired = deployment.token(json!({"sub": user, "rooms": "*", "exp": 1_700_000_000}));
    for (what, url) in [
        ("no token", deployment.websocket_url().to_owned()),
        ("an empty one", deployment.socket_url("")),
        ("rubbish", deployment.socket_url("a.b.c")),
        // {"alg":"none","typ":"JWT"}
        ("alg none", deployment.socket_url(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."))),
        // {"alg":"HS512","typ":"JWT"}
        (
            "another algorithm",
            deployment.socket_url(&format!("eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.{payload}.{signature}")),
        ),
        ("forged", deployment.socket_url(&format!("{head}.{}", signature.chars().rev().collect::<String>()))),
        ("expired", deployment.socket_url(&expired)),
    ] {
        assert_eq!(Client::refused(&url).await, 403, "{what}");
    }
    deployment.stop().await;
}
