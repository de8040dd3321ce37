//! API Gateway's own limits. A frame within them passes, one beyond them ends the connection.

use chat_tests::{Client, Closed, Deployment, fresh, text_message};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// Sends a text in frames of at most so many bytes.
async fn send_in_frames(client: &mut Client, text: &str, size: usize) {
    let chunks: Vec<_> = text.as_bytes().chunks(size).collect();
    for (n, chunk) in chunks.iter().enumerate() {
        let kind = if n == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(chunk.to_vec(), OpCode::Data(kind), n + 1 == chunks.len());
        client.send_into_the_void(Message::Frame(frame)).await;
    }
}

#[tokio::test]
async fn a_frame_over_32_kb_closes_with_1009() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    client.send_raw(Message::text("x".repeat(32 * 1024))).await;
    assert_eq!(client.expect(json!({"type": "error"})).await["code"], "badRequest");
    client.send_into_the_void(Message::text("x".repeat(32 * 1024 + 1))).await;
    assert_eq!(client.closed().await, Closed(Some(1009)));
    deployment.stop().await;
}

#[tokio::test]
async fn a_message_over_128_kb_closes_with_1009_and_a_smaller_one_is_too_large_for_the_room() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    let fits = text_message(fresh(), &"x".repeat(100_000)).to_string();
    send_in_frames(&mut client, &fits, 32 * 1024).await;
    assert_eq!(client.expect(json!({"type": "error"})).await["code"], "tooLarge");
    send_in_frames(&mut client, &"x".repeat(128 * 1024 + 1), 32 * 1024).await;
    assert_eq!(client.closed().await, Closed(Some(1009)));
    deployment.stop().await;
}

#[tokio::test]
async fn binary_and_broken_frames_close_the_connection() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    client.send_raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.closed().await, Closed(Some(1003)));
    let mut client = deployment.connect(fresh()).await;
    let no_utf8 = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    client.send_raw(Message::Frame(no_utf8)).await;
    assert_eq!(client.closed().await, Closed(Some(1007)));
    deployment.stop().await;
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_own_code() {
    let deployment = Deployment::start().await;
    for code in [1000, 1001, 3000, 4999] {
        assert_eq!(deployment.connect(fresh()).await.close_with(code).await, Closed(Some(code)));
    }
    deployment.stop().await;
}

#[tokio::test]
async fn pages_of_any_origin_may_read_the_history() {
    let deployment = Deployment::start().await;
    let url = deployment.url(&format!("/chat-history/list?chatroomId={}", fresh()));
    let preflight = deployment.http().request(reqwest::Method::OPTIONS, &url).header("origin", "https://example.org");
    let preflight = preflight.header("access-control-request-method", "GET");
    let preflight = preflight.header("access-control-request-headers", "authorization");
    let preflight = preflight.send().await.expect("an answer");
    assert_eq!(preflight.status().as_u16(), 204);
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization,content-type");
    assert_eq!(preflight.headers()["access-control-allow-methods"], "GET,POST");

    let read = deployment.http().get(&url).bearer_auth(deployment.token_of(fresh()));
    let read = read.header("origin", "https://example.org").send().await.expect("an answer");
    assert_eq!(read.status().as_u16(), 200);
    assert_eq!(read.headers()["access-control-allow-origin"], "*");
    assert_eq!(read.headers()["access-control-expose-headers"], "link,date");
    deployment.stop().await;
}
