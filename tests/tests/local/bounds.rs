//! Every limit for a client, at the limit and beyond it, over the wire. The rates of sends and joins are in `refusals`,
//! the sizes of frames and messages in the end-to-end tests.

use chat::limits::{
    CLIENT_MESSAGE_ID_CHARS_MAX, CONNECTIONS_PER_USER, CONTEXT_BYTES_MAX, DISPLACED_RETRY_MS, ID_BYTES_MAX, PAGE_MAX,
    PROFILE_TEXT_CHARS_MAX, QUERY_BYTES_MAX, REQUEST_ID_CHARS_MAX, ROOMS_PER_CONNECTION_MAX, SAFE_INTEGER_MAX,
    TEXT_CHARS_MAX, TOKEN_BYTES_MAX, URL_CHARS_MAX,
};
use chat::{ConnectionId, Device, Timestamp};
use chat_aws::Vars;
use chat_local::Limits;
use chat_tests::{
    Client, Closed, Held, HeldHandshakes, Server, held, invoke, lose, lost_device, remember, sample, text_message,
    until, websocket_event,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

/// How deep the JSON of a frame may be nested: `serde_json`'s own limit.
const JSON_DEPTH_MAX: usize = 127;

fn url_of(length: usize) -> String {
    let head = "https://example.com/";
    format!("{head}{}", "a".repeat(length - head.len()))
}

/// The limits of a frame's fields, and of a query string's.
#[tokio::test]
async fn every_field_is_taken_at_its_bound_and_refused_past_it() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    let say = |kind: &str, content: String| json!({"action": "sendMessage", "chatroomId": 1, "message": {"type": kind, "content": content}});
    let named = |length: usize| {
        let mut send = text_message(1, "hi");
        send["clientMessageId"] = json!("x".repeat(length));
        send
    };
    let join = |room: Value| json!({"action": "joinRoom", "chatroomId": room});
    let asking = |length: usize| json!({"action": "ping", "requestId": "x".repeat(length)});
    // Characters of four bytes: a text is measured in characters, an id in bytes.
    let text = |length: usize| "🦀".repeat(length);
    let bounds = [
        (say("text", text(TEXT_CHARS_MAX)), say("text", text(TEXT_CHARS_MAX + 1)), "tooLarge"),
        (say("image", url_of(URL_CHARS_MAX)), say("image", url_of(URL_CHARS_MAX + 1)), "badRequest"),
        (say("file", url_of(URL_CHARS_MAX)), say("file", url_of(URL_CHARS_MAX + 1)), "badRequest"),
        (join(json!("é".repeat(127) + "x")), join(json!("é".repeat(128))), "badRequest"),
        (join(json!(SAFE_INTEGER_MAX)), join(json!(SAFE_INTEGER_MAX + 1)), "badRequest"),
        (named(CLIENT_MESSAGE_ID_CHARS_MAX), named(CLIENT_MESSAGE_ID_CHARS_MAX + 1), "badRequest"),
        (asking(REQUEST_ID_CHARS_MAX), asking(REQUEST_ID_CHARS_MAX + 1), "badRequest"),
    ];
    assert_eq!(ID_BYTES_MAX, 255, "127 of two bytes, and one of one");
    for (within, beyond, code) in bounds {
        client.send(within.clone()).await;
        let reply = client.expect(json!({})).await;
        assert_ne!(reply["type"], "error", "{within}: {reply}");
        client.pushed().await;
        client.send(beyond.clone()).await;
        let reply = client.expect(json!({"type": "error"})).await;
        assert_eq!(reply["code"], code, "{beyond}: {reply}");
    }

    let at_most = |limit: usize, cursor: u64| format!("chatroomId=1&limit={limit}&before={cursor}");
    for (query, status) in [
        (at_most(PAGE_MAX, SAFE_INTEGER_MAX), 200),
        (at_most(PAGE_MAX + 1, SAFE_INTEGER_MAX), 400),
        (at_most(PAGE_MAX, SAFE_INTEGER_MAX + 1), 400),
        (format!("chatroomId={}", "x".repeat(ID_BYTES_MAX)), 200),
        (format!("chatroomId={}", "x".repeat(ID_BYTES_MAX + 1)), 400),
        (format!("chatroomId=1&x={}", "x".repeat(QUERY_BYTES_MAX - 15)), 200),
        (format!("chatroomId=1&x={}", "x".repeat(QUERY_BYTES_MAX - 14)), 413),
    ] {
        let page = server.history(&query).await;
        assert_eq!(page.status, status, "{query}: {}", page.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn json_is_read_to_a_depth_and_no_deeper() {
    let server = Server::start().await;
    let mut client = server.connect(7).await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"action":"ping","whatever":{open}{close}}}"#)
    };
    client.send_raw(Message::text(nested(JSON_DEPTH_MAX))).await;
    assert_eq!(client.next().await, json!({"type": "pong"}));
    client.send_raw(Message::text(nested(JSON_DEPTH_MAX + 1))).await;
    assert_eq!(client.next().await["code"], "badRequest");
    server.stop().await;
}

/// A handshake with the token as a subprotocol, as a browser sends it. Such a token may be longer than one in a URL.
fn offering(server: &Server, token: &str) -> ClientRequestBuilder {
    let url = server.websocket_url().parse().expect("a URL");
    ClientRequestBuilder::new(url).with_sub_protocol("chat").with_sub_protocol(format!("bearer.{token}"))
}

/// The limit counts the host of a deployment, which is longer than ours.
#[tokio::test]
async fn a_handshakes_url_has_4096_characters_at_most() {
    const CHARS: usize = 4_096;
    let server = Server::start().await;
    let token = server.token(json!({"sub": "7", "rooms": "*", "padding": "x".repeat(2_000)}));
    let path = format!("/dev?token={token}&x=");
    let deployed = format!("wss://0123456789.execute-api.ap-southeast-1.amazonaws.com{path}");
    let url = |more: usize| format!("{}{}", server.socket_url(&token), "&x=".to_owned() + &"x".repeat(more));
    let fits = CHARS - deployed.len();
    Client::connect(&url(fits)).await.close().await;
    assert_eq!(Client::refused(&url(fits + 1)).await, 414);
    let long = server.token(json!({"sub": "7", "rooms": "*", "padding": "x".repeat(3_000)}));
    assert!(long.len() > CHARS);
    assert_eq!(Client::refused(&server.socket_url(&long)).await, 414);
    Client::shake(offering(&server, &long)).await.expect("connected").close().await;
    server.stop().await;
}

/// A profile's field that is too long is left out. Nobody is kept out for a long name.
#[tokio::test]
async fn a_profile_shows_what_is_not_too_long() {
    let server = Server::start_with_parameter("ExposeEmail", "true").await;
    let mut witness = server.connect(1).await;
    witness.join(1).await;
    for (user, more, fits) in [(7, 0, true), (8, 1, false)] {
        let name = "光".repeat(PROFILE_TEXT_CHARS_MAX + more);
        let claims = json!({"userId": user, "rooms": "*", "username": name, "nickName": name, "email": name,
            "headPic": url_of(URL_CHARS_MAX + more)});
        let mut client = Client::shake(offering(&server, &server.token(claims))).await.expect("connected");
        client.join(1).await;
        let shown = witness.expect(json!({"type": "joinRoom", "userId": user})).await["user"].clone();
        let expected = if fits { json!(name) } else { json!(user.to_string()) };
        assert_eq!((&shown["username"], &shown["nickName"]), (&expected, &expected));
        assert_eq!(shown["headPic"].is_string(), fits, "{shown}");
        assert_eq!(shown["email"].is_string(), fits, "{shown}");
    }
    server.stop().await;
}

/// Runs the authorizer with a token in the query string. Returns whether it allows the request.
async fn is_let_in(server: &Server, token: String) -> bool {
    let mut vars = server.vars();
    vars.insert("TOKEN_SECRET", server.secret().into());
    let mut event = sample("authorize-query");
    event["queryStringParameters"]["token"] = json!(token);
    let answer = invoke("authorize", &Vars::from_iter(vars), event).await;
    answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
}

#[tokio::test]
async fn a_token_is_not_even_looked_at_if_it_is_too_long() {
    let server = Server::start().await;
    let token = |padding: usize| server.token(json!({"sub": "7", "rooms": "*", "padding": "x".repeat(padding)}));
    // Three bytes of claims take four characters in a token.
    let longest = (0..TOKEN_BYTES_MAX).rev().map(token).find(|token| token.len() <= TOKEN_BYTES_MAX).expect("one fits");
    assert!(longest.len() > TOKEN_BYTES_MAX - 4);
    assert!(is_let_in(&server, longest).await);
    assert!(!is_let_in(&server, token(TOKEN_BYTES_MAX)).await);
    server.stop().await;
}

/// API Gateway would report such a context as our failure. So the token is refused.
#[tokio::test]
async fn a_token_that_grants_more_than_can_be_handed_on_is_refused() {
    let server = Server::start().await;
    let room = |number: usize| format!("r{number}");
    let token = |rooms: usize| server.token(json!({"sub": "7", "rooms": (0..rooms).map(room).collect::<Vec<_>>()}));
    let (mut fits, mut too_many) = (1, CONTEXT_BYTES_MAX);
    while too_many - fits > 1 {
        let rooms = fits.midpoint(too_many);
        if is_let_in(&server, token(rooms)).await { fits = rooms } else { too_many = rooms }
    }
    assert!(token(too_many).len() < TOKEN_BYTES_MAX, "it is not the token's own length");
    // The list is a string in the context's JSON, so every quote in it takes two bytes.
    let list = json!((0..fits).map(room).collect::<Vec<_>>()).to_string();
    let bytes = json!(list).to_string().len();
    assert!((CONTEXT_BYTES_MAX - 300..=CONTEXT_BYTES_MAX).contains(&bytes), "{fits} rooms in {bytes} bytes");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_in_so_many_rooms_and_in_no_more() {
    let server = Server::start().await;
    let (mut client, mut other) = (server.connect(7).await, server.connect(8).await);
    let beyond = ROOMS_PER_CONNECTION_MAX + 1;
    for room in 1..beyond {
        client.join(room).await;
    }
    other.join(beyond).await;
    client.pushed().await;
    let join = |room: usize| json!({"action": "joinRoom", "chatroomId": room});
    let refused = client.ask(join(beyond)).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("tooManyRooms")));
    other.say(beyond, "who is here?").await;
    assert_eq!(client.pushed().await, Vec::<Value>::new(), "who was refused hears nothing");
    assert!(other.pushed().await.iter().all(|frame| frame["userId"] == 8), "and nobody heard of it");

    // A room that it is in can be joined again, and leaving one makes place for another. The user's other connections
    // have rooms of their own.
    client.join(1).await;
    server.connect(7).await.join(beyond).await;
    assert_eq!(client.ask(json!({"action": "leaveRoom", "chatroomId": 2})).await["type"], "ack");
    client.join(beyond).await;
    assert_eq!(client.ask(join(2)).await["code"], "tooManyRooms");

    client.close().await;
    other.close().await;
    server.forgets_connections().await;
    server.stop().await;
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_the_oldest_makes_place() {
    let server = Server::start_with_parameter("ConnectionsPerUser", "3").await;
    let mut other = server.connect(8).await;
    other.join(1).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect(7).await;
        client.join(1).await;
        clients.push(client);
    }
    for client in &mut clients {
        assert!(client.pushed().await.iter().all(|frame| frame["type"] != "error"), "three may be");
    }
    let mut newest = server.connect(7).await;
    let mut oldest = clients.remove(0);
    let told = oldest.next().await;
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("tooManyConnections")));
    assert_eq!(told["retryAfterMs"], DISPLACED_RETRY_MS);
    assert_eq!(told["message"], "ended for a newer connection: a user has 3 at most");
    oldest.closed().await;
    // The remaining connections receive and send, and so does the other user, who has connections of their own.
    newest.join(1).await;
    other.say(1, "still here?").await;
    for client in clients.iter_mut().chain([&mut newest]) {
        client.expect(json!({"type": "sendMessage"})).await;
    }
    assert_eq!(server.devices("7").await.len(), 3);
    for client in clients.into_iter().chain([newest, other]) {
        client.close().await;
    }
    server.forgets_connections().await;
    assert_eq!((server.devices("7").await, server.devices("8").await), (vec![], vec![]));
    server.stop().await;
}

/// A connection whose `$disconnect` never came, and one that is older than any connection can be.
#[tokio::test]
async fn connections_that_ended_unnoticed_keep_nobody_out() {
    let server = Server::start_with_parameter("ConnectionsPerUser", "2").await;
    let app = server.app();
    let mut living = server.connect(7).await;
    let expired = Device { connection: ConnectionId::new("b2xkAAAAAAAAAAA="), connected_at: Timestamp::from_millis(1) };
    for device in [expired, lost_device()] {
        remember(&app, "7", device).await;
    }
    assert_eq!(server.devices("7").await.len(), 3);
    let newest = server.connect(7).await;
    assert_eq!(living.pushed().await, Vec::<Value>::new(), "it was not the oldest");
    assert_eq!(server.devices("7").await.len(), 2);
    for client in [living, newest] {
        client.close().await;
    }
    // The row that says that the lost connection is closed expires.
    let left = [format!("CONN#{} CONN", lost_device().connection)];
    until("the rows of the others go away", async || server.keys("ConnectionsTable").await == left).await;
    server.stop().await;
}

#[tokio::test]
async fn who_comes_is_let_in_though_the_oldest_cannot_be_ended() {
    let server = Server::start().await;
    let nobody = ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:9".into());
    let vars: Vars = server.vars().into_iter().chain([("CONNECTIONS_PER_USER", "1".into()), nobody]).collect();
    lose(&server.app(), "7").await;
    let accepted = invoke("connect", &vars, websocket_event(&json!({}))).await;
    assert_eq!(accepted["statusCode"], 200);
    assert_eq!(server.devices("7").await.len(), 2, "it is tried again with the next connection");
    server.stop().await;
}

/// A connection that is displaced before it is open does not open.
#[tokio::test]
async fn a_connection_that_is_displaced_on_its_way_in_is_refused() {
    let server = Server::start_with(Arc::new(HeldHandshakes::default()), Limits::default()).await;
    lose(&server.app(), "7").await;
    let url = held(&server.socket_url(&server.token_of(7)), Held::Displacing);
    let (status, mut second) = tokio::join!(Client::refused(&url), async {
        until("both devices are known", async || server.devices("7").await.len() == 2).await;
        server.connect(7).await
    });
    assert_eq!(status, 429);
    second.join(1).await;
    assert_eq!(server.devices("7").await.len(), 2, "the second, and the lost one, which the first did not get to end");
    second.close().await;
    server.stop().await;
}

/// Until API Gateway knows a connection, it can neither be told nor ended. It is closed when it comes in: its first
/// frame that does something ends it, and a message of that frame is stored and not acknowledged.
#[tokio::test]
async fn a_connection_that_is_displaced_before_it_is_in_does_nothing_more_than_once() {
    for (frame, stored) in [(json!({"action": "joinRoom", "chatroomId": 1}), 0), (text_message(1, "me too"), 1)] {
        let handshakes = Arc::new(HeldHandshakes::default());
        let server = Server::start_with(handshakes.clone(), Limits::default()).await;
        let url = held(&server.socket_url(&server.token_of(7)), Held::Answered);
        let (mut first, mut second) = tokio::join!(Client::connect(&url), async {
            until("the first is open", async || !server.keys("ConnectionsTable").await.is_empty()).await;
            let second = server.connect(7).await;
            handshakes.release();
            second
        });
        second.join(1).await;
        assert_eq!(server.devices("7").await.len(), 1, "it is not counted any more");
        let mut frame = frame;
        frame["requestId"] = json!("mine");
        first.send(frame.clone()).await;
        let (told, closed) = first.rest().await;
        let gone = json!({"type": "error", "action": frame["action"], "requestId": "mine", "code": "gone",
            "message": "the connection is gone"});
        assert_eq!((told, closed), (vec![gone], Closed(Some(1000))));
        assert_eq!(server.history("chatroomId=1").await.ids().len(), stored);
        assert_eq!(second.pushed().await.len(), stored, "and nobody joined");
        second.close().await;
        server.forgets_connections().await;
        server.stop().await;
    }
}

/// However many handshakes come at once, no more connections than the limit can do something, and the next one is let
/// in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_handshakes_at_once_leave_as_many_connections_as_there_may_be() {
    const MOST: usize = CONNECTIONS_PER_USER;
    const AT_ONCE: usize = 60;
    // On Lambda each handshake has its own CPU.
    let server = Server::start_with_template(&[("    Timeout: 10\n", "    Timeout: 29\n")]).await;
    let url = server.socket_url(&server.token_of(7));
    let shaken = join_all((0..AT_ONCE).map(|_| Client::try_connect(&url))).await;
    let clients: Vec<_> = shaken.into_iter().flatten().collect();
    // A displaced connection is told, or learns it by its first frame.
    let tried = join_all(clients.into_iter().map(|mut client| async move {
        client.send_into_the_void(Message::text(text_message(1, "hi").to_string())).await;
        let answer = client.first_of(&["ack", "error"]).await;
        (answer.is_some_and(|frame| frame["type"] == "ack"), client)
    }));
    let (able, unable): (Vec<_>, Vec<_>) = tried.await.into_iter().partition(|(able, _)| *able);
    assert!((1..=MOST).contains(&able.len()), "{} of {MOST} can do something", able.len());
    for (_, mut client) in unable {
        client.closed().await;
    }
    // Ended connections do not count against the limit for ever.
    let mut next = Vec::new();
    for _ in 0..MOST {
        next.push(server.connect(7).await);
    }
    for client in &mut next {
        client.join(1).await;
    }
    assert_eq!(server.devices("7").await.len(), MOST);
    server.stop().await;
}
