//! The local gateway keeps to AWS's rules, tried where only a local run can be made to break them.

use chat_local::{Interference, Limits, Plan};
use chat_tests::{Client, Closed, Server, in_time, text_message, until};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The id of the only connection there is.
pub(super) async fn only_connection(server: &Server) -> String {
    let keys = server.keys("ConnectionsTable").await;
    let key = keys.iter().find(|key| key.ends_with(" CONN")).expect("a connection");
    key.strip_prefix("CONN#").and_then(|key| key.strip_suffix(" CONN")).expect("its id").to_owned()
}

/// A post's status and kind of error.
pub(super) async fn post(server: &Server, id: String, body: String) -> (u16, Option<String>) {
    let answer = server.management(Method::POST, &id, body).await;
    let kind = answer.headers().get("x-amzn-errortype").map(|kind| kind.to_str().expect("ASCII").to_owned());
    (answer.status().as_u16(), kind)
}

#[tokio::test]
async fn a_frame_far_over_32_kb_is_answered_before_the_socket_is_reset() {
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    client.send_into_the_void(Message::text("x".repeat(1024 * 1024))).await;
    assert_eq!(client.closed().await, Closed(Some(1009)));
    server.stop().await;
}

#[tokio::test]
async fn nothing_is_left_of_connections_that_broke_the_rules() {
    let server = Server::start().await;
    let no_utf8 = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    for broken in [Message::binary(vec![1, 2, 3]), Message::Frame(no_utf8)] {
        let mut client = server.connect(1).await;
        client.send_raw(broken).await;
        client.closed().await;
    }
    server.forgets_connections().await;
    server.stop().await;
}

/// Sends to a socket that nobody reads from until the gateway says that its buffer is full.
#[tokio::test]
async fn a_client_that_never_reads_is_a_429_and_can_still_be_ended() {
    let server = Server::start().await;
    let client = server.connect(1).await;
    let id = only_connection(&server).await;
    let mut posted = 0;
    let full = loop {
        let answer = post(&server, id.clone(), "x".repeat(100_000)).await;
        if answer.0 != 200 {
            break answer;
        }
        posted += 1;
    };
    assert_eq!(full, (429, Some("LimitExceededException".into())));
    assert!(posted < 400, "{posted} frames of 100 KB wait, most of them in the sockets");
    assert_eq!(server.connect(2).await.pushed().await, Vec::<Value>::new(), "nobody else waits");
    assert_eq!(server.management(Method::DELETE, &id, String::new()).await.status().as_u16(), 204);
    server.forgets_connections().await;
    drop(client);
    server.stop().await;
}

/// A client's frame, with a mask of zeros.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short frame");
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// The gateway does not keep pongs for a client that does not read them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_pings_and_never_reads_gets_so_many_pongs_and_no_more() {
    const PINGS: usize = 200_000;
    let server = Server::start().await;
    let address = server.url("").strip_prefix("http://").expect("an address").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let socket = socket.connect(address).await.expect("connected");
    let (client, _) = client_async(server.socket_url(&server.token_of(1)), socket).await.expect("a handshake");
    let mut socket = client.into_inner();
    let pings = masked(9, &[b'x'; 125]).repeat(100);
    for _ in 0..PINGS / 100 {
        socket.write_all(&pings).await.expect("written");
    }
    let last = masked(1, br#"{"action":"ping","requestId":"last"}"#);
    socket.write_all(&last).await.expect("written");
    let (mut came, mut tail, mut some) = (0, Vec::new(), vec![0; 64 * 1024]);
    let answered = async {
        while !String::from_utf8_lossy(&tail).contains(r#""requestId":"last""#) {
            let read = socket.read(&mut some).await.expect("it is not cut");
            assert_ne!(read, 0, "it is not closed");
            came += read;
            tail.drain(..tail.len().saturating_sub(200));
            tail.extend_from_slice(&some[..read]);
        }
    };
    in_time("what it asked is answered", answered).await;
    assert!(came < PINGS * 127 / 2, "{came} bytes of pongs waited");
    server.stop().await;
}

/// Holds every ping, and counts them.
#[derive(Debug)]
struct HeldPings {
    begun: AtomicUsize,
    go: watch::Sender<bool>,
}

impl Interference for HeldPings {
    fn plan(&self, function: &str, _: &Value) -> Plan {
        if function != "default" {
            return Plan::default();
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut go = self.go.subscribe();
        let start = async move { drop(go.wait_for(|go| *go).await) };
        Plan { start: Box::pin(start), ..Plan::default() }
    }
}

#[tokio::test]
async fn a_client_has_so_many_frames_with_the_functions_and_the_rest_waits_in_its_socket() {
    const IN_FLIGHT: usize = 64;
    const ASKED: usize = 500;
    let held = Arc::new(HeldPings { begun: AtomicUsize::new(0), go: watch::Sender::new(false) });
    let server = Server::start_with(Arc::clone(&held) as Arc<dyn Interference>, Limits::default()).await;
    let (mut client, mut other) = (server.connect(1).await, server.connect(2).await);
    for n in 0..ASKED {
        client.send(json!({"action": "ping", "requestId": n})).await;
    }
    until("the first are under way", async || held.begun.load(Ordering::SeqCst) >= IN_FLIGHT).await;
    for _ in 0..20 {
        other.join(1).await;
    }
    assert_eq!(held.begun.load(Ordering::SeqCst), IN_FLIGHT, "and nobody else waits");
    held.go.send_replace(true);
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < ASKED {
        answered.insert(client.next().await["requestId"].as_u64().expect("a request's id"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_is_half_sent_is_given_up() {
    let limits = Limits { request: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start_with_limits(limits).await;
    let client = server.connect(1).await;
    let address = server.url("").strip_prefix("http://").expect("an address").to_owned();
    let signed = "Authorization: AWS4-HMAC-SHA256 x\r\nX-Amz-Date: x\r\n";
    let post = format!("POST /dev/@connections/{} HTTP/1.1\r\n", only_connection(&server).await);
    let halves = [
        String::new(),
        "GET / HTTP/1.1\r\nHost: x\r\n".into(),
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /again HTTP/1.1\r\n".into(),
        "POST /local/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{".into(),
        format!("{post}Host: localhost\r\n{signed}Content-Length: 100\r\n\r\n{{"),
    ];
    let given_up = halves.iter().map(async |half| {
        let mut socket = tokio::net::TcpStream::connect(&address).await.expect("connected");
        socket.write_all(half.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        in_time(format!("the end of {half:?}"), socket.read_to_end(&mut answer)).await.expect("it is closed");
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.starts_with("HTTP/1.1 408 "), half.starts_with("POST"), "{half:?}: {answer}");
    });
    join_all(given_up).await;
    client.close().await;
    server.stop().await;
}

/// For a path without a route, a page of an allowed origin can read the 404, as with a deployment.
#[tokio::test]
async fn a_preflight_is_answered_whatever_its_path() {
    let server = Server::start_with_parameter("AllowedOrigins", "https://chat.example.com").await;
    let ask = |method: Method, path: &str, origin: &'static str, preflight: bool| {
        let request = server.http().request(method, server.url(path)).header("origin", origin);
        let request = if preflight { request.header("access-control-request-method", "GET") } else { request };
        async move { request.send().await.expect("an answer") }
    };
    for (method, path, origin, preflight, status, readable) in [
        (Method::OPTIONS, "/chat-history/lists", "https://chat.example.com", true, 204, true),
        (Method::OPTIONS, "/", "https://chat.example.com", true, 204, true),
        (Method::OPTIONS, "/chat-history/lists", "https://evil.example", true, 204, false),
        (Method::OPTIONS, "/chat-history/lists", "https://chat.example.com", false, 404, true),
        (Method::GET, "/chat-history/lists", "https://chat.example.com", false, 404, true),
        (Method::GET, "/chat-history/lists", "https://evil.example", false, 404, false),
        (Method::GET, "/", "https://chat.example.com", false, 200, false),
    ] {
        let answer = ask(method.clone(), path, origin, preflight).await;
        let allows = answer.headers().get("access-control-allow-origin").is_some_and(|allowed| allowed == origin);
        assert_eq!((answer.status().as_u16(), allows), (status, readable), "{method} {path} of {origin}");
        let says = answer.headers().contains_key("access-control-allow-headers");
        assert_eq!(says, preflight, "{method} {path} of {origin}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_post_reaches_who_is_connected_and_nobody_else() {
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    let id = only_connection(&server).await;
    assert!(id.ends_with('='), "an id that needs percent-encoding: {id}");
    let frame = json!({"type": "leaveRoom", "chatroomId": 1, "userId": 7});
    assert_eq!(post(&server, id.clone(), frame.to_string()).await, (200, None));
    assert_eq!(client.next().await, frame);
    assert_eq!(
        post(&server, id.clone(), "x".repeat(128 * 1024 + 1)).await,
        (413, Some("PayloadTooLargeException".into()))
    );
    assert_eq!(post(&server, "bm9ib2R5AAAAAAA=".into(), "{}".into()).await, (410, Some("GoneException".into())));

    let about = server.management(Method::GET, &id, String::new()).await;
    let about: Value = about.json().await.expect("JSON");
    assert_eq!(about["identity"]["sourceIp"], "127.0.0.1");
    assert!(about["connectedAt"].is_string() && about["lastActiveAt"].is_string());

    let unsigned = server.http().post(server.url(&format!("/dev/@connections/{id}"))).send().await.expect("an answer");
    assert_eq!(unsigned.status().as_u16(), 403);

    assert_eq!(server.management(Method::DELETE, &id, String::new()).await.status().as_u16(), 204);
    assert_eq!(client.closed().await, Closed(Some(1000)));
    server.forgets_connections().await;
    assert_eq!(post(&server, id, "{}".into()).await, (410, Some("GoneException".into())));
    server.stop().await;
}

#[tokio::test]
async fn a_silent_connection_is_cut_and_a_spoken_to_one_is_not() {
    let limits = Limits { idle: Duration::from_secs(4), ..Limits::default() };
    let server = Server::start_with_limits(limits).await;
    let (mut listens, mut speaks, mut silent) =
        (server.connect(1).await, server.connect(2).await, server.connect(3).await);
    listens.join(1).await;
    // Pushes keep the connection of the listener open, though it sends nothing.
    let talk = async {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            speaks.say(1, "still there?").await;
        }
    };
    tokio::select! {
        () = talk => unreachable!(),
        closed = silent.closed() => assert_eq!(closed, Closed(Some(1001))),
    }
    assert_eq!(listens.expect(json!({"type": "sendMessage"})).await["message"]["id"], 1);
    assert_eq!(listens.closed().await, Closed(Some(1001)), "in the end nobody spoke");
    server.stop().await;
}

#[tokio::test]
async fn no_connection_lives_for_ever_however_much_is_said() {
    let limits = Limits { lifetime: Duration::from_secs(6), ..Limits::default() };
    let server = Server::start_with_limits(limits).await;
    let (mut speaks, mut listens) = (server.connect(1).await, server.connect(2).await);
    speaks.join(1).await;
    listens.join(1).await;
    let talk = async {
        loop {
            speaks.send_into_the_void(Message::text(text_message(1, "on and on").to_string())).await;
            tokio::task::yield_now().await;
        }
    };
    let (heard, closed) = tokio::select! {
        () = talk => unreachable!(),
        rest = listens.rest() => rest,
    };
    assert_eq!(closed, Closed(Some(1001)));
    assert!(heard.len() > 1, "it was spoken to until the end");
    server.stop().await;
}

#[tokio::test]
async fn a_route_without_a_route_response_does_not_reply() {
    let mute = [("RouteId: !Ref ChatApiSendmessageRoute", "RouteId: !Ref ChatApiJoinroomRoute")];
    let server = Server::start_with_template(&mute).await;
    let mut client = server.connect(1).await;
    client.join(1).await;
    client.send(text_message(1, "hi")).await;
    client.expect(json!({"type": "sendMessage"})).await;
    // Stopping waits for the function, so a reply would have come by then.
    let ((), (frames, _)) = tokio::join!(server.stop(), client.rest());
    assert_eq!(frames, Vec::<Value>::new());
}

/// There are more replies than the gateway keeps for a slow reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_is_lost_however_late_it_is_read() {
    const ASKED: usize = 3_000;
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    for n in 0..ASKED {
        client.send(json!({"action": "ping", "requestId": n})).await;
    }
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < ASKED {
        answered.insert(client.next().await["requestId"].as_u64().expect("a request's id"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_gateway_from_ending() {
    let server = Server::start().await;
    let address = server.url("").strip_prefix("http://").expect("an address").to_owned();
    let mut half = tokio::net::TcpStream::connect(&address).await.expect("connected");
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.expect("written");
    server.stop().await;
}

#[tokio::test]
async fn a_failing_function_is_answered_in_api_gateways_words() {
    // The authorizer cannot read a message event, so Lambda sees its invocation fail.
    let wrong = [(
        "joinRoom:\n          FunctionArn: !GetAtt JoinRoomFunction.Arn",
        "joinRoom:\n          FunctionArn: !GetAtt AuthorizeFunction.Arn",
    )];
    let server = Server::start_with_template(&wrong).await;
    let mut client = server.connect(1).await;
    client.send(json!({"action": "joinRoom", "chatroomId": 1})).await;
    let answer = client.next().await;
    assert_eq!(answer["message"], "Internal server error");
    assert!(answer["connectionId"].is_string() && answer["requestId"].is_string(), "{answer}");
    assert!(client.pushed().await.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn a_template_without_a_default_route_forbids_the_rest() {
    let wrong = [(
        "        $default:\n          FunctionArn: !If [HasSocketIo, !GetAtt SocketIoFunction.Arn, !GetAtt DefaultFunction.Arn]\n          \
         RouteResponseSelectionExpression: $default\n",
        "",
    )];
    let server = Server::start_with_template(&wrong).await;
    let mut client = server.connect(1).await;
    client.send(json!({"action": "dance"})).await;
    assert_eq!(client.next().await["message"], "Forbidden");
    server.stop().await;
}

#[tokio::test]
async fn a_function_that_does_not_answer_in_time_is_ended() {
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let vars = move || vec![("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), url.clone())];
    let held = OfConnect(Box::new(move || Plan { vars: vars(), ..Plan::default() }));
    let server = Server::start_with_template_and(&[("Timeout: 10", "Timeout: 1")], Arc::new(held)).await;
    assert_eq!(Client::refused(&server.socket_url(&server.token_of(1))).await, 502);
    server.stop().await;
}

/// Something happens to handshakes.
struct OfConnect(Box<dyn Fn() -> Plan + Send + Sync>);

impl fmt::Debug for OfConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfConnect")
    }
}

impl Interference for OfConnect {
    fn plan(&self, function: &str, _: &Value) -> Plan {
        if function == "connect" { (self.0)() } else { Plan::default() }
    }
}
