//! The local gateway keeps to AWS's rules where only a local run can be made to break them.

use chat_local::Limits;
use chat_tests::{Client, Closed, Server, text_message};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// The id of the only connection there is.
async fn only_connection(server: &Server) -> String {
    let keys = server.keys("ConnectionsTable").await;
    let key = keys.iter().find(|key| key.ends_with(" CONN")).expect("a connection");
    key.strip_prefix("CONN#").and_then(|key| key.strip_suffix(" CONN")).expect("its id").to_owned()
}

/// A post's status and kind of error.
async fn post(server: &Server, id: String, body: String) -> (u16, Option<String>) {
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
    let full = loop {
        let answer = post(&server, id.clone(), "x".repeat(100_000)).await;
        if answer.0 != 200 {
            break answer;
        }
    };
    assert_eq!(full, (429, Some("LimitExceededException".into())));
    assert_eq!(server.management(Method::DELETE, &id, String::new()).await.status().as_u16(), 204);
    server.forgets_connections().await;
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_post_reaches_who_is_connected_and_nobody_else() {
    let server = Server::start().await;
    let mut client = server.connect(1).await;
    let id = only_connection(&server).await;
    assert!(id.ends_with('='), "an id that needs percent-encoding: {id}");
    assert_eq!(post(&server, id.clone(), json!({"n": 1}).to_string()).await, (200, None));
    assert_eq!(client.next().await, json!({"n": 1}));
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
    // Pushes keep the listener, which says nothing itself, until the silent one is cut.
    let talk = async {
        loop {
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
    // Stopping waits for the function, so a reply would be there by the end.
    let ((), (frames, _)) = tokio::join!(server.stop(), client.rest());
    assert_eq!(frames, Vec::<Value>::new());
}

/// More replies than the gateway keeps for a slow reader.
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
async fn two_runs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_in(folder.path()).await;
    let error = Server::try_start_in(folder.path()).await.expect_err("the folder is taken");
    assert!(error.contains("is in use by another run"), "{error}");
    server.stop().await;
    Server::start_in(folder.path()).await.stop().await;
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
        "        $default:\n          FunctionArn: !GetAtt DefaultFunction.Arn\n          RouteResponseSelectionExpression: $default\n",
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
    let server = Server::start_with_template(&[("Timeout: 10", "Timeout: 0")]).await;
    assert_eq!(Client::refused(&server.socket_url(&server.token_of(1))).await, 502);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_start_says_so_in_one_line() {
    let server = Server::start().await;
    let taken: u16 = server.url("").rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let template = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "Resources: [").expect("written");
    let options = |port, template| chat_local::Options {
        port,
        dynamodb_port: 0,
        data: None,
        template,
        parameters: Default::default(),
        limits: Limits::default(),
        interference: None,
    };
    for (options, said) in [
        (options(taken, template), format!("failed to listen on 127.0.0.1:{taken}; --port chooses another port")),
        (options(0, broken), "broken.yaml cannot be run".into()),
        (options(0, folder.path().join("none.yaml")), "none.yaml".into()),
    ] {
        let Err(error) = chat_local::Local::start(options).await else { panic!("it started") };
        let line = format!("{error:#}");
        assert!(line.contains(&said) && !line.contains('\n'), "{line}");
    }
    server.stop().await;
}
