//! Bad input gets an error that names the field. The connection stays open, and nothing is stored or pushed.

use chat_tests::{Client, Deployment, fresh, text_message};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

fn with(mut request: Value, path: &str, value: Value) -> Value {
    *request.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
    request
}

fn without(mut request: Value, object: &str, field: &str) -> Value {
    request.pointer_mut(object).and_then(Value::as_object_mut).expect("an object").remove(field);
    request
}

/// Each field once for each way to refuse it. The tests of `shared/chat` have all bad values, and `local::schemas`
/// sends many.
#[tokio::test]
async fn every_field_that_is_missing_or_wrong_is_named() {
    let deployment = Deployment::start().await;
    let (room, user, stranger) = (fresh(), fresh(), fresh());
    let (mut client, mut other) = (deployment.connect(user).await, deployment.connect(stranger).await);
    other.join(room).await;
    let join = json!({"action": "joinRoom", "chatroomId": room, "userId": user});
    let send = json!({"action": "sendMessage", "chatroomId": room, "sendUserId": user, "clientMessageId": "a",
        "message": {"type": "text", "content": "hi"}});
    let mut foreign = text_message(room, "hi");
    foreign["userId"] = json!(stranger);
    let image = with(send.clone(), "/message/type", json!("image"));
    let beside = |field: &str, value: Value| {
        let mut send = send.clone();
        send["message"][field] = value;
        send
    };
    let cases = [
        (without(join.clone(), "", "chatroomId"), "badRequest", "chatroomId"),
        (json!({"action": "leaveRoom"}), "badRequest", "chatroomId"),
        (without(send.clone(), "", "chatroomId"), "badRequest", "chatroomId"),
        (without(send.clone(), "", "message"), "badRequest", "message"),
        (without(send.clone(), "/message", "type"), "badRequest", "message.type"),
        (without(send.clone(), "/message", "content"), "badRequest", "message.content"),
        (with(join.clone(), "/chatroomId", json!(-1)), "badRequest", "chatroomId"),
        (with(send.clone(), "/chatroomId", json!("a\u{0}")), "badRequest", "chatroomId"),
        (with(join.clone(), "/userId", json!(1.5)), "badRequest", "userId"),
        (with(send.clone(), "/sendUserId", json!({"id": 1})), "badRequest", "sendUserId"),
        (with(send.clone(), "/message", json!("hi")), "badRequest", "message"),
        (with(send.clone(), "/message/type", json!("video")), "badRequest", "message.type"),
        (with(send.clone(), "/message/content", json!("\n\t\u{3000}")), "badRequest", "message.content"),
        (with(image, "/message/content", json!("javascript:alert(1)")), "badRequest", "message.content"),
        (with(send.clone(), "/clientMessageId", json!("a b")), "badRequest", "clientMessageId"),
        (with(join, "/userId", json!(stranger)), "notAllowed", "userId"),
        (with(send.clone(), "/sendUserId", json!(stranger)), "notAllowed", "sendUserId"),
        (foreign, "notAllowed", "userId"),
        (json!({"action": "joinRoom", "chatroomId": room, "sendUserId": stranger}), "notAllowed", "sendUserId"),
        (json!({"action": "leaveRoom", "chatroomId": room, "userId": stranger}), "notAllowed", "userId"),
        (with(send.clone(), "/message/content", json!("x".repeat(4_001))), "tooLarge", "message.content"),
        (beside("replyTo", json!(0)), "badRequest", "message.replyTo"),
        (beside("mentions", json!("all")), "badRequest", "message.mentions"),
        (beside("mentions", json!(vec![7; 21])), "badRequest", "message.mentions"),
        (beside("metadata", json!([])), "badRequest", "message.metadata"),
        (beside("metadata", json!({"a": "x".repeat(1_017)})), "tooLarge", "message.metadata"),
        (json!({"action": "dance"}), "unknownAction", "dance"),
        (json!({"action": 5}), "badRequest", "action"),
        (json!({"action": null}), "badRequest", "action"),
        (json!({}), "badRequest", "action"),
    ];
    for (request, code, named) in cases {
        let error = client.ask(request.clone()).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{request}: {error}");
        assert!(error["message"].as_str().is_some_and(|said| said.contains(named)), "{request}: {error}");
        let action = request["action"].as_str().map_or(json!(null), |action| json!(action));
        assert_eq!(error.get("action").unwrap_or(&json!(null)), &action, "{request}: {error}");
    }
    assert!(client.pushed().await.is_empty());
    assert!(other.pushed().await.is_empty(), "nothing of it was pushed");
    let page = deployment.history(&format!("chatroomId={room}")).await;
    assert_eq!(page.body, json!([]), "nothing of it was stored");
    assert_eq!(client.join(room).await["lastId"], 0, "nothing of it was even counted");
    deployment.stop().await;
}

#[tokio::test]
async fn what_is_no_json_object_is_answered_and_survived() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    for frame in
        ["hello", "", "{", "null", "1", "[]", "\"joinRoom\"", "[{\"action\":\"ping\"}]", "{\"action\":\"\\ud800\"}"]
    {
        client.send_raw(Message::text(frame)).await;
        let error = client.expect(json!({"type": "error"})).await;
        assert_eq!(error["code"], "badRequest", "{frame}");
    }
    assert!(client.pushed().await.is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn json_that_is_nested_deeply_is_answered_and_survived() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    client.send_raw(Message::text("[".repeat(10_000))).await;
    assert_eq!(client.expect(json!({"type": "error"})).await["code"], "badRequest");
    assert!(client.pushed().await.is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn the_gateways_own_routes_are_no_actions() {
    let deployment = Deployment::start().await;
    let mut client = deployment.connect(fresh()).await;
    for action in ["$connect", "$disconnect", "$default"] {
        let error = client.ask(json!({"action": action})).await;
        assert_eq!((&error["code"], &error["action"]), (&json!("unknownAction"), &json!(action)));
    }
    assert!(client.pushed().await.is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn a_request_id_that_cannot_be_echoed_is_named() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut client = deployment.connect(fresh()).await;
    for id in [json!({}), json!([1]), json!(true), json!(1.5), json!("x".repeat(129))] {
        client.send(json!({"action": "joinRoom", "chatroomId": room, "requestId": id})).await;
        let error = client.expect(json!({"type": "error"})).await;
        assert!(error["message"].as_str().is_some_and(|said| said.starts_with("requestId must be")), "{error}");
        assert_eq!(error.get("requestId"), None);
    }
    client.send(json!({"action": "ping", "requestId": 5})).await;
    assert_eq!(client.next().await, json!({"type": "pong", "requestId": 5}));
    deployment.stop().await;
}

#[tokio::test]
async fn only_granted_rooms_are_entered_written_and_read() {
    let deployment = Deployment::start().await;
    let (room, lobby, other_room) = (fresh(), format!("lobby-{}", fresh()), fresh());
    let token = deployment.token(json!({"userId": fresh(), "rooms": [room, lobby]}));
    let mut client = Client::connect(&deployment.socket_url(&token)).await;
    let mut other = deployment.connect(fresh()).await;
    other.join(other_room).await;
    for granted in [json!(room), json!(room.to_string()), json!(lobby)] {
        assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": granted})).await["type"], "ack");
    }
    for request in [json!({"action": "joinRoom", "chatroomId": other_room}), text_message(other_room, "let me in")] {
        let error = client.ask(request).await;
        assert_eq!((&error["code"], &error["type"]), (&json!("notAllowed"), &json!("error")));
    }
    assert!(other.pushed().await.is_empty());
    assert_eq!(deployment.history_as(&token, &format!("chatroomId={room}")).await.status, 200);
    let refused = deployment.history_as(&token, &format!("chatroomId={other_room}")).await;
    let message = "the token does not grant the room in chatroomId";
    assert_eq!(
        (refused.status, refused.body),
        (403, json!({"statusCode": 403, "message": message, "error": "Forbidden"}))
    );
    deployment.stop().await;
}
