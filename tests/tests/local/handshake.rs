//! The handshake: which tokens are accepted, where the local run's tokens come from, and what a refusal leaves behind.

use chat_aws::Vars;
use chat_local::Tokens;
use chat_tests::{Client, Server, invoke, sample};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

#[tokio::test]
async fn headers_may_hold_any_bytes() {
    let server = Server::start().await;
    let mut handshake = server.socket_url(&server.token_of(7)).into_client_request().expect("a request");
    handshake.headers_mut().insert("user-agent", HeaderValue::from_bytes("café".as_bytes()).expect("a header"));
    handshake.headers_mut().insert("cookie", HeaderValue::from_bytes(b"a=\xff").expect("a header"));
    Client::shake(handshake).await.expect("connected");
    let mut unreadable = server.websocket_url().into_client_request().expect("a request");
    unreadable.headers_mut().insert("authorization", HeaderValue::from_bytes(b"Bearer \xff").expect("a header"));
    assert_eq!(Client::refusal(unreadable).await.status().as_u16(), 403);
    server.stop().await;
}

#[tokio::test]
async fn pages_of_the_chosen_origins_may_connect_and_no_others() {
    let server = Server::start_with_parameter("AllowedOrigins", "https://chat.example.com,http://localhost:5173").await;
    let (token, history) = (server.token_of(7), server.url("/chat-history/list?chatroomId=1"));
    for (origin, is_let_in) in [
        (Some("https://chat.example.com"), true),
        (Some("http://localhost:5173"), true),
        // The client is no browser.
        (None, true),
        (Some("https://chat.example.com.evil.example"), false),
        (Some("http://chat.example.com"), false),
        (Some("null"), false),
    ] {
        let mut handshake = server.socket_url(&token).into_client_request().expect("a request");
        let mut read = server.http().get(&history).bearer_auth(&token);
        if let Some(origin) = origin {
            handshake.headers_mut().insert("origin", HeaderValue::from_static(origin));
            read = read.header("origin", origin);
        }
        let status = read.send().await.expect("an answer").status().as_u16();
        if is_let_in {
            Client::shake(handshake).await.expect("connected");
            assert_eq!(status, 200, "{origin:?}");
        } else {
            assert_eq!((Client::refusal(handshake).await.status().as_u16(), status), (403, 403), "{origin:?}");
        }
    }
    server.stop().await;
}

/// An origin that cannot be read, or one beside another, lets nobody in.
#[tokio::test]
async fn an_origin_that_is_there_is_looked_at_however_it_comes() {
    let listed = "https://chat.example.com";
    let server = Server::start_with_parameter("AllowedOrigins", listed).await;
    let token = server.token_of(7);
    let origins: [&[&[u8]]; 5] = [
        &["https://evil.example/é".as_bytes()],
        &[b"https://evil.example/\xff"],
        &[b"\xff"],
        &[listed.as_bytes(), b"https://evil.example"],
        &[b"https://evil.example", listed.as_bytes()],
    ];
    for origins in origins {
        let mut handshake = server.socket_url(&token).into_client_request().expect("a request");
        for origin in origins {
            handshake.headers_mut().append("origin", HeaderValue::from_bytes(origin).expect("a header"));
        }
        assert_eq!(Client::refusal(handshake).await.status().as_u16(), 403, "{origins:?}");
    }
    let read = server.http().get(server.url("/chat-history/list?chatroomId=1")).bearer_auth(&token);
    let read = read.header("origin", HeaderValue::from_bytes("https://évil.example".as_bytes()).expect("a header"));
    assert_eq!(read.send().await.expect("an answer").status().as_u16(), 403);

    let vars = [("TOKEN_SECRET", server.secret()), ("ALLOWED_ORIGINS", listed)];
    let vars: Vars = vars.map(|(name, value)| (name, value.to_owned())).into_iter().collect();
    for (single, multi, is_let_in) in [
        (json!({}), json!({}), true),
        (json!({"Origin": listed}), json!({"Origin": [listed]}), true),
        (json!({"ORIGIN": "https://évil.example"}), json!({}), false),
        (json!({}), json!({"origin": ["https://évil.example"]}), false),
        (json!({"Origin": listed}), json!({"Origin": ["https://evil.example", listed]}), false),
        (json!({"origin": "https://evil.example", "Origin": listed}), json!({}), false),
        (json!({"Origin": ""}), json!({}), false),
    ] {
        let mut event = sample("authorize-query");
        event["queryStringParameters"]["token"] = json!(token);
        (event["headers"], event["multiValueHeaders"]) = (single, multi);
        let said = event.to_string();
        let effect = &invoke("authorize", &vars, event).await["policyDocument"]["Statement"][0]["Effect"];
        assert_eq!(effect == "Allow", is_let_in, "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_is_refused_leaves_nothing_behind() {
    let server = Server::start().await;
    let expired = server.token(json!({"sub": "7", "rooms": "*", "exp": 1_700_000_000}));
    for url in [server.websocket_url().to_owned(), server.socket_url("a.b.c"), server.socket_url(&expired)] {
        Client::refused(&url).await;
    }
    assert!(server.keys("ConnectionsTable").await.is_empty());
    assert!(server.keys("ChatTable").await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn an_application_may_sign_its_own_tokens() {
    // Signed elsewhere with the samples' secret.
    let token = sample("authorize-query")["queryStringParameters"]["token"].as_str().expect("a token").to_owned();
    let stranger = Server::start().await;
    assert_eq!(Client::refused(&stranger.socket_url(&token)).await, 403);
    stranger.stop().await;
    let server = Server::start_with_parameter("TokenSecret", "sample-secret-for-the-events-folder-only").await;
    let mut client = Client::connect(&server.socket_url(&token)).await;
    assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": 1, "userId": 1})).await["type"], "ack");

    let tokens = Tokens::signed_with("sample-secret-for-the-events-folder-only").expect("long enough");
    for (claims, first, second) in [
        (json!({"sub": "7", "rooms": "*"}), "ack", "ack"),
        (json!({"sub": "7", "rooms": [1, "lobby"]}), "ack", "error"),
        (json!({"sub": "7"}), "error", "error"),
    ] {
        let token = tokens.issue(claims.as_object().expect("claims").clone()).expect("a token");
        let mut client = Client::connect(&server.socket_url(&token)).await;
        for (room, expected) in [(1, first), (2, second)] {
            let reply = client.ask(json!({"action": "joinRoom", "chatroomId": room, "userId": 7})).await;
            assert_eq!(reply["type"], expected, "{claims}, room {room}");
        }
    }
    assert!(Tokens::signed_with("short").is_err());
    server.stop().await;
}

/// The application signs with the new secret after it is deployed. Nobody with a token of the old one notices.
#[tokio::test]
async fn a_secret_is_changed_while_its_tokens_are_in_use() {
    let before = "the secret before, also 32 bytes or more";
    let signed_with = |secret: &str| {
        let claims = json!({"sub": "7", "rooms": "*"}).as_object().expect("claims").clone();
        Tokens::signed_with(secret).expect("long enough").issue(claims).expect("a token")
    };
    let old = signed_with(before);
    let stranger = Server::start().await;
    assert_eq!(Client::refused(&stranger.socket_url(&old)).await, 403);
    stranger.stop().await;
    let server = Server::start_with_parameter("TokenSecretPrevious", before).await;
    for token in [old, signed_with(server.secret())] {
        let mut client = Client::connect(&server.socket_url(&token)).await;
        assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": 1, "userId": 7})).await["type"], "ack");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_local_run_hands_out_tokens_and_says_why_it_does_not() {
    let server = Server::start().await;
    let ask = |body: &'static str| server.http().post(server.url("/local/token")).body(body).send();
    let body = r#"{"userId":1,"username":"guang","nickName":"光","headPic":"https://example.com/g.png","email":"g@example.com","rooms":"*"}"#;
    let token: Value = ask(body).await.expect("an answer").json().await.expect("JSON");
    let mut client = Client::connect(&server.socket_url(token["token"].as_str().expect("a token"))).await;
    assert_eq!(client.ask(json!({"action": "joinRoom", "chatroomId": 1, "userId": 1})).await["type"], "ack");
    for (body, said) in [
        ("", "the body must be a JSON object"),
        ("[]", "the body must be a JSON object"),
        ("{}", "the token names no user"),
        (r#"{"userId":1,"rooms":"1"}"#, "the token's rooms must be"),
    ] {
        let answer = ask(body).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 400, "{body}");
        let answer: Value = answer.json().await.expect("JSON");
        assert!(answer["message"].as_str().is_some_and(|message| message.starts_with(said)), "{answer}");
    }
    for (origin, readable) in
        [("http://localhost:5173", true), ("http://127.0.0.1:8080", true), ("https://evil.example", false)]
    {
        let url = server.url("/local/token");
        let preflight =
            server.http().request(reqwest::Method::OPTIONS, &url).header("access-control-request-method", "POST");
        for request in [preflight, server.http().post(&url).body(body)] {
            let answer = request.header("origin", origin).send().await.expect("an answer");
            assert_eq!(answer.headers().contains_key("access-control-allow-origin"), readable, "{origin}");
        }
    }
    // Names that resolve to this machine, and are not its own.
    for (host, status) in
        [("localhost:3000", 200), ("[::1]:3000", 200), ("evil.example", 403), ("127.0.0.1.evil.example:3000", 403)]
    {
        let answer = server.http().post(server.url("/local/token")).header("host", host).body(body).send().await;
        assert_eq!(answer.expect("an answer").status().as_u16(), status, "{host}");
    }
    server.stop().await;
}
