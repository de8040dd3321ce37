//! What needs no connection is done over HTTP: the frame is the body, and the reply the answer.

use chat_tests::{Deployment, fresh};
use serde_json::{Value, json};

#[tokio::test]
async fn a_backend_says_something_without_a_connection() {
    let deployment = Deployment::start().await;
    let (room, bot) = (fresh(), fresh());
    let mut member = deployment.connect(fresh()).await;
    member.join(room).await;
    let token = deployment.token(json!({"userId": bot, "nickName": "机器人", "rooms": [room]}));
    let mut frame = json!({"chatroomId": room, "message": {"type": "text", "content": "hi", "metadata": {"by": "bot"}},
        "clientMessageId": "a-1", "requestId": "r1"});
    let (status, headers, ack) = deployment.post(&token, "/sendMessage", frame.to_string()).await;
    assert_eq!((status, &ack["type"], &ack["action"]), (200, &json!("ack"), &json!("sendMessage")), "{ack}");
    assert_eq!((&ack["id"], &ack["requestId"]), (&json!(1), &json!("r1")));
    assert_eq!(headers["cache-control"], "no-store");
    let push = member.expect(json!({"type": "sendMessage"})).await;
    assert_eq!((&push["userId"], &push["message"]["sender"]["nickName"]), (&json!(bot), &json!("机器人")));
    assert_eq!(push["message"]["metadata"], json!({"by": "bot"}));

    // The action may be named, and a repeated send is the same message.
    frame["action"] = json!("sendMessage");
    let (status, _, again) = deployment.post(&token, "/sendMessage", frame.to_string()).await;
    assert_eq!((status, &again["id"], &again["duplicate"]), (200, &json!(1), &json!(true)), "{again}");
    assert_eq!(deployment.history(&format!("chatroomId={room}")).await.ids(), [1]);

    let signal = json!({"chatroomId": room, "kind": "typing"}).to_string();
    let (status, _, ack) = deployment.post(&token, "/signal", signal).await;
    assert_eq!((status, &ack["action"], &ack["chatroomId"]), (200, &json!("signal"), &json!(room)));
    assert_eq!(member.expect(json!({"type": "signal"})).await["userId"], json!(bot));
    deployment.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_answered_with_its_status() {
    let deployment = Deployment::start().await;
    let (room, user) = (fresh(), fresh());
    let token = deployment.token(json!({"userId": user, "rooms": [room]}));
    let text = json!({"type": "text", "content": "hi"});
    let with = |field: &str, value: Value| {
        let mut frame = json!({"chatroomId": room, "message": text, "requestId": 5});
        frame[field] = value;
        frame.to_string()
    };
    let deep = format!(r#"{{"chatroomId":1,"message":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (body, status, code, named) in [
        (String::new(), 400, "badRequest", "JSON object"),
        ("[]".into(), 400, "badRequest", "JSON object"),
        (deep, 400, "badRequest", "JSON object"),
        (with("message", json!(null)), 400, "badRequest", "message is missing"),
        (with("action", json!("joinRoom")), 400, "badRequest", "action must be \"sendMessage\""),
        (with("requestId", json!([])), 400, "badRequest", "requestId must be"),
        (with("chatroomId", json!(fresh())), 403, "notAllowed", "does not grant the room"),
        (with("userId", json!(fresh())), 403, "notAllowed", "userId is not the user"),
        (with("message", json!({"type": "text", "content": "x".repeat(4_001)})), 413, "tooLarge", "message.content"),
        (with("padding", json!("x".repeat(32 * 1_024))), 413, "tooLarge", "the body is longer than 32768 bytes"),
    ] {
        let (answered, _, error) = deployment.post(&token, "/sendMessage", body.clone()).await;
        assert_eq!((answered, &error["code"]), (status, &json!(code)), "{body:.100}: {error}");
        assert!(error["message"].as_str().expect("a text").contains(named), "{error}");
    }
    let (_, _, error) = deployment.post(&token, "/sendMessage", with("message", json!("hi"))).await;
    assert_eq!((&error["action"], &error["requestId"]), (&json!("sendMessage"), &json!(5)), "it names its request");
    assert!(deployment.history(&format!("chatroomId={room}")).await.ids().is_empty());

    let without = deployment.http().post(deployment.url("/sendMessage")).body("{}").send().await.expect("an answer");
    assert_eq!(without.status().as_u16(), 401);
    let get =
        deployment.http().get(deployment.url("/sendMessage")).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(get.status().as_u16(), 404);
    deployment.stop().await;
}
