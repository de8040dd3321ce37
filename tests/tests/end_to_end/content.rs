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

/// What is said beside a text comes back as it came, by the push and by the history.
#[tokio::test]
async fn replies_mentions_and_metadata_arrive_as_they_were_sent() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut client = deployment.connect(fresh()).await;
    client.join(room).await;
    let deep = (0..40).fold(json!(null), |inner, _| json!([inner]));
    let extras = [
        json!({}),
        json!({"replyTo": 1}),
        json!({"mentions": [7, "guang", "all"]}),
        json!({"metadata": {"": "光", "n": [0, -1, 0.1, 1e300, 9_007_199_254_740_991_u64, true, null], "deep": deep}}),
        json!({"replyTo": 9_007_199_254_740_991_u64, "mentions": ["all"], "metadata": {}}),
    ];
    let said = |message: &Value| {
        let fields = message.as_object().into_iter().flatten();
        let fields = fields.filter(|(name, _)| ["replyTo", "mentions", "metadata"].contains(&name.as_str()));
        fields.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>()
    };
    for (number, extras) in extras.iter().enumerate() {
        let mut request = text_message(room, "hi");
        // Half of them are stored by a transaction.
        if number % 2 == 1 {
            request["clientMessageId"] = json!(format!("id-{number}"));
        }
        let fields = request["message"].as_object_mut().expect("an object");
        fields.extend(extras.as_object().expect("an object").clone());
        client.ask(request).await;
        let push = client.expect(json!({"type": "sendMessage"})).await;
        assert_eq!(json!(said(&push["message"])), *extras);
    }
    let page = deployment.history(&format!("chatroomId={room}")).await;
    let kept: Vec<_> = page.body.as_array().expect("a list").iter().map(|item| json!(said(item))).collect();
    assert_eq!(kept, extras);
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
