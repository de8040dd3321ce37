//! What members see of each other depends on the deployment.

use chat_tests::{Client, Server};
use serde_json::json;

#[tokio::test]
async fn an_address_is_shown_where_the_deployment_exposes_it() {
    let server = Server::start_with_parameter("ExposeEmail", "true").await;
    let claims = json!({"userId": 1, "email": "guang@example.com", "rooms": "*"});
    let mut guang = Client::connect(&server.socket_url(&server.token(claims))).await;
    guang.join(1).await;
    guang.say(1, "hi").await;
    let pushed = guang.expect(json!({"type": "sendMessage"})).await;
    assert_eq!(pushed["message"]["sender"]["email"], "guang@example.com");
    assert_eq!(server.history("chatroomId=1").await.body[0]["sender"]["email"], "guang@example.com");
    server.stop().await;
}
