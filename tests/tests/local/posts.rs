//! Requests without a connection, where the deployment shuts somebody out or slows somebody down.

use chat_aws::now;
use chat_tests::{Server, user};
use serde_json::{Value, json};

async fn say(server: &Server, token: &str) -> (u16, Value) {
    let body = json!({"chatroomId": 1, "message": {"type": "text", "content": "hi"}}).to_string();
    let request = server.http().post(server.url("/sendMessage")).bearer_auth(token).body(body);
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

/// There is no handshake in its way that would have refused the token.
#[tokio::test]
async fn a_revoked_token_does_nothing_over_http() {
    let server = Server::start().await;
    let issued = |at: i64| server.token(json!({"userId": 7, "rooms": "*", "iat": at}));
    let (before, after) = (issued(now().seconds() - 1), issued(now().seconds() + 50));
    assert_eq!(say(&server, &before).await.0, 200, "a user who was never seen is none who was shut out");
    server.app().users.revoke(&user("7"), now()).await.expect("revoked");
    let (status, error) = say(&server, &before).await;
    assert_eq!(
        (status, &error["code"], &error["message"]),
        (403, &json!("notAllowed"), &json!("the token was revoked"))
    );
    assert_eq!(say(&server, &after).await.0, 200, "one that was issued since is good");
    assert_eq!(server.history("chatroomId=1").await.ids(), [1, 2]);
    server.stop().await;
}

#[tokio::test]
async fn who_posts_too_much_is_told_when_to_post_again() {
    let server = Server::start_with_parameter("SendsPerSecond", "1").await;
    let token = server.token_of(7);
    let refused = loop {
        let (status, reply) = say(&server, &token).await;
        if status != 200 {
            break (status, reply);
        }
    };
    assert_eq!((refused.0, &refused.1["code"]), (429, &json!("rateLimited")));
    assert!(refused.1["retryAfterMs"].is_u64(), "{}", refused.1);
    server.stop().await;
}
