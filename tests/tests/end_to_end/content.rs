//! Messages arrive as they were sent.

use chat_tests::{Deployment, fresh, text_message};
use serde_json::{Value, json};

#[tokio::test]
async fn text_is_kept_byte_for_byte() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut client = deployment.connect(fresh()).await;
    client.join(room).await;
    let longest = "光".repeat(4_000);
    let texts = [
        "hi",
        " spaces around ",
        "line\nbreak\ttab\r\n",
        "NUL \u{0} inside",
        "🦀 👩‍👩‍👧‍👦 e\u{301}",
        "مرحبا \u{202e}abc\u{202c} שלום",
        "\u{feff}<b>&amp;\"'\\</b>\u{1}\u{7f}\u{2028}",
        longest.as_str(),
    ];
    for text in texts {
        client.say(room, text).await;
        assert_eq!(client.expect(json!({"type": "sendMessage"})).await["message"]["content"], text);
    }
    let page = deployment.history(&format!("chatroomId={room}")).await;
    let kept: Vec<_> = page.body.as_array().expect("a list").iter().map(|item| item["content"].clone()).collect();
    assert_eq!(kept, texts);
    deployment.stop().await;
}

#[tokio::test]
async fn images_and_files_keep_their_kind() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut client = deployment.connect(fresh()).await;
    client.join(room).await;
    let url = "https://example.com/猫 .png".replace(' ', "%20");
    for (kind, number) in [("text", 0), ("image", 1), ("file", 2)] {
        let mut request = text_message(room, &url);
        request["message"]["type"] = json!(kind);
        let ack = client.ask(request).await;
        assert_eq!(client.expect(json!({"type": "sendMessage"})).await["message"]["type"], kind);
        let page = deployment.history(&format!("chatroomId={room}&limit=1")).await;
        let expected: (&Value, &Value) = (&json!(number), &ack["createTime"]);
        assert_eq!((&page.body[0]["type"], &page.body[0]["createTime"]), expected);
        assert_eq!(page.body[0]["content"], url);
    }
    deployment.stop().await;
}
