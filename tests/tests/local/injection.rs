//! Text that tries to be more than text, in everything that a client can say.

use chat_aws::Vars;
use chat_tests::{Server, invoke, logged, sample, text_message, websocket_event};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use tracing::Level;

const FORGED: &str = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n\u{1b}[2J\u{2028}";

/// Everything that a client says, each with a line break and a log line of its own in it.
fn said() -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for field in ["action", "chatroomId", "requestId", "sendUserId", "clientMessageId", FORGED] {
        let mut frame = text_message(1, "hi");
        frame[field] = json!(FORGED);
        all.extend(["default", "join-room", "leave-room", "send-message"].map(|name| (name, websocket_event(&frame))));
    }
    for field in ["type", "content"] {
        let mut frame = text_message(1, "hi");
        frame["message"][field] = json!(FORGED);
        all.push(("send-message", websocket_event(&frame)));
    }
    // The claims of a token, whoever signed it.
    for name in ["connect", "join-room", "send-message", "disconnect"] {
        let mut event = websocket_event(&text_message(1, "hi"));
        for field in ["username", "nickName", "headPic", "email"] {
            event["requestContext"]["authorizer"][field] = json!(FORGED);
        }
        all.push((name, event));
    }
    let in_one_line: String = FORGED.chars().filter(|char| !char.is_control()).collect();
    for header in ["Origin", "Authorization", "Sec-WebSocket-Protocol", "User-Agent"] {
        let mut event = sample("authorize-no-token");
        event["headers"][header] = json!(format!("Bearer {in_one_line}"));
        all.push(("authorize", event));
    }
    let mut event = sample("authorize-no-token");
    event["queryStringParameters"] = json!({"token": FORGED});
    all.push(("authorize", event));
    for field in ["chatroomId", "limit", "before", "after"] {
        let mut event = sample("list-history");
        event["queryStringParameters"][field] = json!(FORGED);
        event["rawQueryString"] = json!(format!("chatroomId=1&{field}={FORGED}"));
        all.push(("list-history", event));
    }
    all
}

#[tokio::test]
async fn nobody_writes_a_log_line_of_their_own() {
    let server = Server::start().await;
    let mut lines_seen = 0;
    for outage in [false, true] {
        let mut vars = server.vars();
        vars.extend([
            ("TOKEN_SECRET", "a secret of this test, 32 bytes or more".to_owned()),
            ("ALLOWED_ORIGINS", "https://chat.example.com".into()),
        ]);
        if outage {
            // Port 1 is reserved, and nobody listens there.
            for name in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] {
                vars.insert(name, "http://127.0.0.1:1".into());
            }
        }
        let vars = Vars::from_iter(vars);
        for (name, event) in said() {
            // Each line is one JSON document; otherwise parsing would have failed.
            let (_, lines) = logged(Level::DEBUG, name, &vars, event).await;
            lines_seen += lines.len();
            for line in &lines {
                assert_ne!(line["message"], "forged", "{name}: {line}");
                let has_own = line.as_object().is_some_and(|line| line.contains_key("timestamp"));
                assert!(has_own, "{name} logged a line that is not ours: {line}");
            }
        }
    }
    assert!(lines_seen > 50, "{lines_seen} lines were looked at");
    server.stop().await;
}

/// The runtime logs why an invocation failed.
#[tokio::test]
async fn an_event_that_cannot_be_read_is_not_repeated() {
    let mut handshake = sample("authorize-no-token");
    handshake["headers"]["Authorization"] = json!(FORGED);
    let vars = Vars::from_iter([("TOKEN_SECRET", "a secret of this test, 32 bytes or more")]);
    let (_, authorize) = FUNCTIONS.iter().find(|(name, _)| *name == "authorize").expect("a function");
    let failed = authorize(&vars).expect("it starts").invoke_as("request-7", handshake).await.expect_err("unreadable");
    assert_eq!(failed.to_string(), "failed to read the event: invalid value: string");
}

#[tokio::test]
async fn an_answer_says_back_what_was_said_as_text_alone() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    client.join(1).await;
    let reply = client.ask(json!({"action": FORGED})).await;
    assert_eq!(reply["code"], "unknownAction", "{reply}");
    // A text may contain anything. It is stored and read unchanged.
    client.say(1, FORGED).await;
    let page = server.history("chatroomId=1").await;
    assert_eq!(page.body[0]["content"], FORGED, "{}", page.body);
    // An id may not contain it, so it gets neither into a key nor into a header.
    let reply = client.ask(json!({"action": "joinRoom", "chatroomId": FORGED})).await;
    assert_eq!(reply["code"], "badRequest", "{reply}");
    let strange = client.join("#\"<>;,&=%0d%0a").await;
    assert_eq!(strange["chatroomId"], "#\"<>;,&=%0d%0a");
    for text in ["one", "two"] {
        client.say("#\"<>;,&=%0d%0a", text).await;
    }
    let query = "chatroomId=%23%22%3C%3E%3B%2C%26%3D%250d%250a&limit=1";
    let page = server.history(query).await;
    assert_eq!(page.ids(), [2]);
    let older = page.link("prev").expect("an older page");
    assert_eq!(server.history(&older).await.ids(), [1], "{older}");
    server.stop().await;
}

/// Not every client escapes what it puts into a URL.
#[tokio::test]
async fn a_query_of_any_bytes_is_answered() {
    let server = Server::start().await;
    let vars = Vars::from_iter(server.vars());
    for (query, status) in [
        ("chatroomId=1&x=\"<>{}|\\^`", 200),
        ("chatroomId=東京 1", 200),
        ("chatroomId=1#before=2", 200),
        ("chatroomId=1&limit=\u{1b}", 400),
        (&format!("chatroomId=1&before={FORGED}"), 400),
        ("%", 400),
        ("", 400),
        // The largest query that API Gateway accepts. Every byte of it must be escaped, so it is longer than a URI may
        // be.
        (&"\u{0}".repeat(10_240), 413),
        (&"\u{0}".repeat(65_536), 413),
    ] {
        let mut event = sample("list-history");
        event["rawQueryString"] = json!(query);
        let answer = invoke("list-history", &vars, event).await;
        assert_eq!(answer["statusCode"], status, "{query:?}: {answer}");
    }
    server.stop().await;
}
