//! `check`: what is well is said to be well, and each thing that is not is found, with what to do.

use crate::account::{Account, SESSION};
use crate::{Said, Typed, local, ops};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use chat_aws::now;
use chat_local::Limits;
use chat_tests::{Chaos, Direction, Fault, Recorder, Refusal, Server, Tls, proxy};
use futures_util::future::select;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{accept_async, accept_hdr_async, connect_async};

/// `check` of the stack that this account has.
fn typed(server: &Server, account: &Account) -> Typed {
    let typed = ops(&["--stack", "chat", "check"]).to(server);
    // Its own names for what the stack's outputs say are another deployment's.
    let typed = typed.with("CHAT_TABLE", "elsewhere").with("CONNECTIONS_TABLE", "elsewhere");
    let typed = typed.with("AWS_ENDPOINT_URL", account.url()).with("AWS_SESSION_TOKEN", SESSION);
    typed.with("TOKEN_SECRET", server.secret())
}

/// The lines as `state what`.
fn states(said: &Said) -> Vec<String> {
    let words = |line: &str| format!("{} {}", line[..8].trim(), line[9..20].trim());
    said.out.lines().map(words).collect()
}

const ALL: [&str; 9] = ["stack", "http", "websocket", "clock", "token", "message", "alarms", "alarm mail", "quotas"];

/// That one line is so, and says this, and all others are ok.
fn only(said: &Said, what: &str, state: &str, words: &str) {
    let expected: Vec<_> =
        ALL.iter().map(|line| format!("{} {line}", if *line == what { state } else { "ok" })).collect();
    assert_eq!(states(said), expected, "{}", said.out);
    let line = said.out.lines().find(|line| line[9..].starts_with(what)).expect("its line");
    assert!(line.contains(words), "{line}");
    assert_eq!(said.code, if state == "unknown" { 3 } else { 1 });
}

#[tokio::test]
async fn a_deployment_that_is_well_is_ok() {
    let server = Server::start().await;
    let account = Account::of(&server).await;
    let said = typed(&server, &account).run().await;
    assert_eq!((said.code, states(&said)), (0, ALL.map(|line| format!("ok {line}")).to_vec()), "{said:?}");
    for part in [
        "chat is UPDATE_COMPLETE",
        "refuses a stranger (401)",
        "message 1 of room ops-check went round",
        "2 alarms are there, and none rings",
        "alarms are sent to 1, confirmed",
        "900 functions may run at once",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let asked = account.take();
    let expected = [
        "DescribeStacks",
        "ListStackResources",
        "ListStackResources-2",
        "DescribeAlarms",
        "ListSubscriptionsByTopic",
        "GetAccountSettings",
    ];
    assert_eq!(asked, expected);
    // Nothing that is secret, or somebody's, is said.
    for secret in [server.secret(), "local-secret-key", SESSION, "marked@example.com", "eyJ"] {
        assert!(!said.out.contains(secret) && !said.err.contains(secret), "{secret}: {said:?}");
    }
    // The message stays, in a room of its own, and the user who said it left.
    let page = server.history("chatroomId=ops-check").await;
    assert_eq!((page.ids(), &page.body[0]["senderId"]), (vec![1], &json!("ops-check")));
    server.forgets_connections().await;
    assert_eq!(server.devices("ops-check").await, Vec::<String>::new());
    let said = typed(&server, &account).run().await;
    assert!(said.code == 0 && said.out.contains("message 2 of room ops-check"), "it can be repeated: {said:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_the_account_says_is_wrong_is_not_ok() {
    let server = Server::start().await;
    for (action, from, to, what, words) in [
        ("DescribeStacks", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_FAILED", "stack", "look at the stack's events"),
        (
            "DescribeAlarms",
            "<StateValue>OK<",
            "<StateValue>ALARM<",
            "alarms",
            "ringing: FaultsAlarm, CostAlarm; look at",
        ),
        (
            "DescribeAlarms",
            "<AlarmName>chat-CostAlarm-2DEF<",
            "<AlarmName>x<",
            "alarms",
            "gone: CostAlarm; deploy again",
        ),
        (
            "DescribeAlarms",
            "<ActionsEnabled>true<",
            "<ActionsEnabled>false<",
            "alarms",
            "switched off: FaultsAlarm, CostAlarm; enable",
        ),
        (
            "DescribeAlarms",
            "<member>arn:aws:sns:us-east-1:123456789012:chat-AlarmTopic-3GHI</member>",
            "",
            "alarms",
            "sent to nobody: FaultsAlarm, CostAlarm; deploy with AlarmEmail",
        ),
        (
            "ListSubscriptionsByTopic",
            "arn:aws:sns:us-east-1:123456789012:chat-AlarmTopic-3GHI:80289ba6-0fd4-4079-afb4-ce8c8260f0ca",
            "PendingConfirmation",
            "alarm mail",
            "nobody confirmed the alarms: open the link in AWS's mail",
        ),
        ("ListStackResources-2", "AWS::SNS::Topic", "AWS::SNS::Other", "alarm mail", "deploy with AlarmEmail"),
        (
            "GetAccountSettings",
            ": 900",
            ": 10",
            "quotas",
            "10 functions may run at once, in the whole account: ask AWS",
        ),
    ] {
        let account = Account::of(&server).await;
        account.change(action, from, to);
        only(&typed(&server, &account).run().await, what, "not ok", words);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_may_not_be_looked_at_is_unknown() {
    let server = Server::start().await;
    for (action, what, words) in [
        ("DescribeAlarms", "alarms", "AccessDenied: User: arn:aws:iam::123456789012:user/operator is not authorized"),
        ("ListSubscriptionsByTopic", "alarm mail", "may you sns:ListSubscriptionsByTopic?"),
        ("GetAccountSettings", "quotas", "may you lambda:GetAccountSettings?"),
    ] {
        let account = Account::of(&server).await;
        account.refuse(action);
        only(&typed(&server, &account).run().await, what, "unknown", words);
    }
    // Without the stack nearly nothing is known, but what can be named is looked at.
    let account = Account::of(&server).await;
    account.refuse("DescribeStacks");
    let said = typed(&server, &account).run().await;
    let expected =
        ["unknown stack", "unknown http", "unknown websocket", "unknown clock", "ok token", "unknown message"];
    assert_eq!((said.code, &states(&said)[..6]), (3, &expected.map(String::from)[..]), "{}", said.out);
    let (websocket, http) = (server.websocket_url().to_owned(), server.url(""));
    let arguments = ["check", "--websocket-url", &websocket, "--http-url", &http];
    let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
    assert!(said.code == 3 && states(&said)[..5].iter().all(|state| state.starts_with("ok")), "{}", said.out);
    // Nor without a token, or with credentials that sign for nobody.
    let account = Account::of(&server).await;
    let said = typed(&server, &account).with("TOKEN_SECRET", "").run().await;
    assert!(said.code == 3 && said.out.contains("unknown  message     set TOKEN_SECRET"), "{}", said.out);
    let said = typed(&server, &account).with("AWS_SECRET_ACCESS_KEY", "another").run().await;
    assert!(said.code == 3 && said.out.contains("SignatureDoesNotMatch: another signature"), "{}", said.out);
    server.stop().await;
}

/// A deployment that does not take the token, or whose clocks disagree.
#[tokio::test]
async fn a_token_that_is_not_taken_is_not_ok() {
    let server = Server::start().await;
    let account = Account::of(&server).await;
    let said = typed(&server, &account).with("TOKEN_SECRET", "another secret of 32 bytes, or more").run().await;
    only(&said, "message", "not ok", "is it signed with this deployment's secret");
    let said = typed(&server, &account).with("TOKEN_SECRET", "short").run().await;
    assert!(said.code == 3 && said.out.contains("TOKEN_SECRET is shorter than 32 bytes"), "{}", said.out);

    let brought = |claims| typed(&server, &account).with("TOKEN", &server.token(claims)).run();
    let said = brought(json!({"userId": 5, "rooms": [1]})).await;
    only(&said, "message", "not ok", "joinRoom is refused: notAllowed: the token does not grant the room");
    let now = now().seconds();
    let said = brought(json!({"userId": 5, "rooms": "*", "iat": now - 7, "exp": now + 600})).await;
    assert!(said.code == 0 && said.out.contains("good for "), "{}", said.out);
    // The message says so as well: nobody connects with it.
    let said = brought(json!({"userId": 5, "rooms": "*", "iat": now + 300})).await;
    assert!(said.out.contains("not ok   token       TOKEN was issued"), "{}", said.out);
    let said = brought(json!({"userId": 5, "rooms": "*", "iat": now - 900, "exp": now - 300})).await;
    assert!(said.out.contains("not ok   token       TOKEN expired 3"), "{}", said.out);

    for (ahead, words) in [(-45, "ahead of DynamoDB: set it by NTP"), (45, "behind DynamoDB: set it by NTP")] {
        let dynamodb = Recorder::with_clock(server.dynamodb_url(), ahead).await;
        let said = typed(&server, &account).with("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url()).run().await;
        only(&said, "clock", "not ok", words);
    }
    server.stop().await;
}

/// Whom the system does not trust is not spoken to, and a token does not travel in the clear.
#[tokio::test]
async fn endpoints_are_spoken_to_over_tls() {
    let (server, tls) = (Server::start().await, Tls::new());
    let account = Account::of(&server).await;
    let http = tls.before(&server.url("")).await;
    let websocket = format!("{}/dev", http.replace("https", "wss"));
    account.change("DescribeStacks", &format!(">{}<", server.websocket_url()), &format!(">{websocket}<"));
    account.change("DescribeStacks", &format!(">{}<", server.url("")), &format!(">{http}<"));
    let said = typed(&server, &account).run().await;
    let not_ok = ["not ok http", "not ok websocket", "not ok message"];
    assert!(said.code == 1 && not_ok.iter().all(|line| states(&said).contains(&line.to_string())), "{}", said.out);
    assert!(said.out.to_lowercase().contains("certificate"), "{}", said.out);
    let roots = tls.roots();
    let said = typed(&server, &account).with("SSL_CERT_FILE", roots.to_str().expect("a name")).run().await;
    assert!(said.code == 0 && said.out.matches("answers over TLS").count() == 2, "{}", said.out);
    server.stop().await;
}

/// A run that is up on this machine gives out tokens, and has no account.
#[tokio::test]
async fn the_run_that_is_up_is_looked_at() {
    let server = Server::start().await;
    let local = local(&server);
    let arguments: Vec<_> = local.iter().map(String::as_str).chain(["check"]).collect();
    let said = ops(&arguments).run().await;
    let expected = ["ok http", "ok websocket", "ok clock", "ok token", "ok message"];
    assert_eq!((said.code, states(&said)), (0, expected.map(String::from).to_vec()), "{}", said.out);
    // What is set for another deployment is nothing to it.
    let elsewhere = "another secret of 32 bytes, or more";
    let said = ops(&arguments).with("TOKEN_SECRET", elsewhere).with("TOKEN", "another token").run().await;
    assert!(said.code == 0 && said.out.contains("message 2 of room ops-check"), "{said:?}");
    server.stop().await;
    let said = ops(&arguments).run().await;
    assert!(said.code == 1 && said.out.contains("not ok   http"), "{}", said.out);
}

/// A room's id may have a comma, and a star is no room but all of them.
#[tokio::test]
async fn the_token_is_for_that_one_room() {
    let server = Server::start().await;
    let account = Account::of(&server).await;
    for room in ["a, b", "*"] {
        let said = typed(&server, &account).argument("--room").argument(room).run().await;
        assert!(said.code == 0 && said.out.contains(&format!("message 1 of room {room} went round")), "{said:?}");
    }
    let said = typed(&server, &account).argument("--room").argument("").run().await;
    assert!(said.code == 1 && said.err.contains("is no room's id") && said.out.is_empty(), "{said:?}");
    server.stop().await;
}

/// Whoever listens on the way would have a token of the deployment.
#[tokio::test]
async fn a_token_does_not_travel_in_the_clear() {
    let server = Server::start().await;
    let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
    let kept = Arc::clone(&seen);
    let answer = async move |headers: HeaderMap| {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
        StatusCode::UNAUTHORIZED
    };
    // This machine, by an address that is not a loopback one.
    let clear = proxy::serve(Router::new().fallback(answer)).await.replace("127.0.0.1", "0.0.0.0");
    let (here, websocket) = (server.url(""), clear.replace("http", "ws"));
    for (websocket, http) in [(websocket.as_str(), here.as_str()), (server.websocket_url(), &clear)] {
        let arguments = ["check", "--websocket-url", websocket, "--http-url", http];
        let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
        let line = "unknown  message     the token is not sent, since the address is not encrypted";
        assert!(said.code == 1 && said.out.contains(line), "{said:?}");
        assert!(said.out.contains("is not encrypted: tokens travel in the clear"), "{said:?}");
    }
    server.stop().await;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!seen.is_empty() && !format!("{seen:?}").to_lowercase().contains("bearer"), "{seen:?}");
}

/// A room in which others speak, and this command is not answered: each frame comes in time, and there is no end.
#[tokio::test]
async fn a_message_that_does_not_come_round_is_given_up() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let websocket = format!("ws://{}", listener.local_addr().expect("an address"));
    #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(socket).await else { return };
                let _ = socket.send(Message::text(r#"{"type":"ack","requestId":"join"}"#)).await;
                while socket.send(Message::text(r#"{"type":"sendMessage"}"#)).await.is_ok() {
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
    });
    let http = server.url("");
    let arguments = ["check", "--websocket-url", &websocket, "--http-url", &http];
    let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
    assert!(said.out.contains("not ok   message     the message did not go round in 30 s"), "{said:?}");
    server.stop().await;
}

/// What clients of Socket.IO need of API Gateway is tried where they are let in, and nowhere else.
#[tokio::test]
async fn what_clients_of_socket_io_need_is_tried_where_they_are_let_in() {
    let limits = Limits::default().with_idle(Duration::from_secs(3));
    let server = Server::start_with_parameter_and("SocketIo", "on", limits).await;
    let account = Account::of(&server).await;
    let said = typed(&server, &account).run().await;
    assert!(said.code == 0 && !said.out.contains("greeting"), "the stack does not say that it is on: {}", said.out);
    let url = format!(">{}<", server.websocket_url());
    let output = |name: &str| format!("<member><OutputKey>{name}</OutputKey><OutputValue{url}/OutputValue></member>");
    account.change("DescribeStacks", "</Outputs>", &format!("{}</Outputs>", output("SocketIoUrl")));
    let said = typed(&server, &account).run().await;
    let tried = ["ok greeting", "ok bare number", "ok slash", "ok last word"].map(String::from);
    assert_eq!((said.code, &states(&said)[6..10]), (0, &tried[..]), "{}", said.out);
    // A local run does not say it, and is asked.
    let local = local(&server);
    let arguments: Vec<_> = local.iter().map(String::as_str).chain(["check", "--silence", "5"]).collect();
    let said = ops(&arguments).run().await;
    assert_eq!((said.code, &states(&said)[5..9]), (0, &tried[..]), "{}", said.out);
    assert!(said.out.contains("ok       silence     a silent client is there after 5 s"), "{}", said.out);
    server.stop().await;
}

/// Where API Gateway is another than we believe, the check of that finds it, and no other does.
#[tokio::test]
async fn what_api_gateway_does_otherwise_is_found() {
    let director = |function: &str, event: &Value, _: u64| {
        let throttled = || Direction { fault: Some((0, Fault::Refused(Refusal::Throttled))), ..Direction::default() };
        let of = event["requestContext"]["authorizer"]["userId"].as_str();
        match (function, event["body"].as_str(), of) {
            // It does not take a bare number for a frame.
            ("socket-io", Some("40"), _) => Direction { lost: true, ..Direction::default() },
            // Nor what asks for nothing: its function fails.
            ("socket-io", Some("6"), _) => Direction { lost: true, ..Direction::default() },
            // A last word does not come before the end.
            ("socket-io", Some("40{}"), None) => throttled(),
            // Posts do not count, as where there are none.
            ("keep-alive", ..) => Direction { lost: true, ..Direction::default() },
            _ => Direction::default(),
        }
    };
    let chaos = Chaos::start(Box::new(director)).await;
    let limits = Limits::default().with_idle(Duration::from_secs(3));
    let server = Server::start_in_chaos(&chaos, limits, &[("SocketIo", "on")]).await;
    // Nor does it know the stage with a slash.
    let (websocket, http) = (without_a_slash(server.websocket_url()).await, server.url(""));
    let arguments = ["check", "--websocket-url", &websocket, "--http-url", &http, "--silence", "20", "--throttle"];
    let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
    for line in [
        "ok       greeting    connected in ",
        "not ok   bare number 40 is answered {",
        "not ok   slash       some clients always write the slash: give them a domain of your own, whose path is /: ",
        "not ok   last word   a stranger is cut, and does not hear why",
        "not ok   silence     a silent client is cut after ",
        " s, and 0 posts",
        "unknown  throttle    after 0 frames a function fails, before one is turned away: deploy with a lower",
    ] {
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    assert!(said.code == 1 && said.out.contains("have clients set auth: {}"), "{said:?}");
    server.stop().await;
}

/// What API Gateway says to a frame that it turns away is heard, and what else it may do then is found.
#[tokio::test]
async fn a_frame_that_is_turned_away_is_heard() {
    let chaos = Chaos::start(Box::new(|_: &str, _: &Value, _: u64| Direction::default())).await;
    let parameters = [("SocketIo", "on"), ("RequestsPerSecond", "30")];
    let server = Server::start_in_chaos(&chaos, Limits::default(), &parameters).await;
    let (here, http) = (server.websocket_url(), server.url(""));
    let is_cut = otherwise(here, None).await;
    let hears_nothing = otherwise(here, Some(Message::Pong("".into()))).await;
    let hears_a_packet = otherwise(here, Some(Message::text(r#"42["exception",{}]"#))).await;
    for (websocket, frames, line) in [
        (here, "5", "unknown  throttle    none of 5 frames is turned away: deploy with a lower RequestsPerSecond"),
        (here, "900", r#"one is answered "Too Many Requests", which is no packet: the client comes back"#),
        (&is_cut, "300", "not ok   throttle    a client is cut after "),
        (&hears_nothing, "300", " of 300 frames are not answered: have clients set ackTimeout and retries"),
        (&hears_a_packet, "300", r#"one is answered 42["exception",{}], which is a packet"#),
    ] {
        let arguments = ["check", "--websocket-url", websocket, "--http-url", &http, "--throttle", frames];
        let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
        assert!(said.out.contains(line), "{line}: {}", said.out);
    }
    let said = ops(&["check", "--throttle", "10001"]).run().await;
    assert!(said.code == 2 && said.err.contains("10001 is not in 1..=10000"), "a flood has a bound: {said:?}");
    server.stop().await;
}

/// An answer that is not handed on before the function is done: its posts find nobody, and the client hears nothing.
#[tokio::test]
async fn a_client_that_is_not_greeted_is_found() {
    let director = |function: &str, _: &Value, _: u64| Direction {
        fault: (function == "connect").then_some((0, Fault::KilledBefore)),
        ..Direction::default()
    };
    // A stranger's handshake calls nobody but to greet.
    let chaos = Chaos::start(Box::new(director)).await;
    let server = Server::start_in_chaos(&chaos, Limits::default(), &[("SocketIo", "on")]).await;
    let (websocket, http) = (server.websocket_url(), server.url(""));
    let arguments = ["check", "--websocket-url", websocket, "--http-url", &http];
    let said = ops(&arguments).to(&server).with("TOKEN_SECRET", server.secret()).run().await;
    assert!(
        said.out.contains("not ok   greeting    a client is let in, and not greeted: nothing came in 15 s"),
        "{said:?}"
    );
    server.stop().await;
}

/// The same WebSocket API, but for what a client hears when a frame is turned away. Nothing ends its connection.
async fn otherwise(url: &str, says: Option<Message>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, url) = (format!("ws://{}/dev", listener.local_addr().expect("an address")), url.to_owned());
    #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (url, says) = (url.clone(), says.clone());
            tokio::spawn(async move {
                let mut query = String::new();
                #[allow(clippy::result_large_err, reason = "it is the library's")]
                let read = |request: &Request, response: Response| {
                    query = request.uri().query().unwrap_or_default().to_owned();
                    Ok(response)
                };
                let Ok(client) = accept_hdr_async(socket, read).await else { return };
                let Ok((server, _)) = connect_async(format!("{url}?{query}")).await else { return };
                let ((mut to_client, from_client), (to_server, mut from_server)) = (client.split(), server.split());
                let down = async {
                    while let Some(Ok(message)) = from_server.next().await {
                        let is_turned_away = message.to_text().is_ok_and(|text| text.contains("Too Many Requests"));
                        let Some(said) = (if is_turned_away { says.clone() } else { Some(message) }) else { break };
                        if to_client.send(said).await.is_err() {
                            break;
                        }
                    }
                };
                // However one side ends the connection, nothing is to be done.
                select(pin!(from_client.forward(to_server)), pin!(down)).await;
            });
        }
    });
    address
}

/// The same WebSocket API, but for its address with a slash.
async fn without_a_slash(url: &str) -> String {
    let (host, path) = url.trim_start_matches("ws://").split_once('/').expect("a path");
    let (host, slash) = (host.to_owned(), format!("GET /{path}/"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("ws://{}/{path}", listener.local_addr().expect("an address"));
    #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let (host, slash) = (host.clone(), slash.clone());
            tokio::spawn(async move {
                let mut head = vec![0; slash.len()];
                let Ok(mut there) = TcpStream::connect(host).await else { return };
                if here.peek(&mut head).await.is_ok_and(|_| head != slash.as_bytes()) {
                    // However one side ends the connection, nothing is to be done.
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                }
            });
        }
    });
    address
}
