//! Clients of Socket.IO beside those of JSON, by hand: the very texts that go over the wire. Real client libraries are
//! tried in `web/tests`.

use chat_aws::now;
use chat_local::Limits;
use chat_tests::{Client, Closed, HeldRows, Server, in_time, text_message, until};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

async fn start() -> Server {
    Server::start_with_parameter("SocketIo", "on").await
}

/// A connection that brings no token with its handshake.
async fn guest(server: &Server) -> Client {
    Client::begin(&server.socket_io_url(4)).await
}

/// The texts that still come until the server ends the connection.
async fn rest(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(text) = client.text().await {
        texts.push(text);
    }
    texts
}

async fn say_raw(client: &mut Client, text: &str) {
    client.send_raw(Message::text(text)).await;
}

#[tokio::test]
async fn clients_of_every_encoding_talk_in_one_room() {
    let server = start().await;
    let mut plain = server.connect(1).await;
    let mut four = server.connect_socket_io(2).await;
    let mut three = Client::connect(&format!("{}&token={}", server.socket_io_url(3), server.token_of(3))).await;
    let mut late = guest(&server).await;
    assert!(late.enter(json!({"token": server.token_of(4)})).await.starts_with("40{\"sid\":"));
    let all = [(&mut plain, 1), (&mut four, 2), (&mut three, 3), (&mut late, 4)];
    for (client, user) in all {
        client.join(9).await;
        let ack = client.say(9, "hello").await;
        assert_eq!(ack["id"], user, "{ack}");
    }
    for (client, before) in [(&mut plain, 0), (&mut four, 1), (&mut three, 2), (&mut late, 3)] {
        for id in before + 1..=4 {
            let push = client.expect(json!({"type": "sendMessage"})).await;
            assert_eq!((&push["message"]["id"], &push["message"]["content"]), (&json!(id), &json!("hello")));
        }
    }
    late.ask(json!({"action": "leaveRoom", "chatroomId": 9})).await;
    for client in [&mut plain, &mut four, &mut three] {
        client.expect(json!({"type": "leaveRoom", "userId": 4})).await;
        assert_eq!(client.others(), Vec::<String>::new(), "each was told in its own encoding");
    }
    for client in [plain, four, three, late] {
        client.close().await;
    }
    server.forgets_connections().await;
    for user in ["1", "2", "3", "4"] {
        assert_eq!(server.devices(user).await, Vec::<String>::new());
    }
    server.stop().await;
}

/// What is pushed has its own name as an event, as every other push has.
#[tokio::test]
async fn clients_of_every_encoding_change_what_they_said_and_hear_of_it() {
    let server = start().await;
    let mut plain = server.connect(1).await;
    let mut four = server.connect_socket_io(2).await;
    let mut three = Client::connect(&format!("{}&token={}", server.socket_io_url(3), server.token_of(3))).await;
    for client in [&mut plain, &mut four, &mut three] {
        client.join(9).await;
    }
    for speaker in [&mut plain, &mut four, &mut three] {
        let id = speaker.say(9, "helo").await["id"].clone();
        let message = json!({"type": "text", "content": "hello"});
        let of_it = |action: &str| json!({"action": action, "chatroomId": 9, "id": id});
        let (mut edit, mut react, mut signal) = (of_it("editMessage"), of_it("reactMessage"), of_it("signal"));
        (edit["message"], edit["clientMessageId"]) = (message, json!("a"));
        (react["emoji"], react["on"]) = (json!("👍"), json!(true));
        signal["kind"] = json!("typing");
        for request in [edit, react, signal, of_it("deleteMessage"), of_it("listMembers")] {
            let reply = speaker.ask(request.clone()).await;
            assert_eq!((&reply["type"], &reply["action"]), (&json!("ack"), &request["action"]), "{request}: {reply}");
        }
    }
    for client in [&mut plain, &mut four, &mut three] {
        for kind in ["editMessage", "reactMessage", "deleteMessage"] {
            for id in 1..=3 {
                let push = client.expect(json!({"type": kind})).await;
                let of = if kind == "reactMessage" { &push["id"] } else { &push["message"]["id"] };
                assert_eq!(of, id, "{push}");
            }
        }
    }
    for client in [plain, four, three] {
        client.close().await;
    }
    server.stop().await;
}

/// What an unmodified client makes of an event without an ack, of its fields, and of a refusal.
#[tokio::test]
async fn an_event_without_an_ack_hears_of_a_refusal_alone() {
    let server = start().await;
    let mut client = server.connect_socket_io(7).await;
    say_raw(&mut client, r#"42["joinRoom",{"chatroomId":1,"userId":7}]"#).await;
    let (mut texts, mut said) = (Vec::new(), 0);
    // The push of its own join, and nothing, in whichever order.
    while texts.len() < 2 {
        texts.push(client.text().await.expect("a text"));
    }
    texts.sort();
    assert!(texts[0].starts_with(r#"42["message",{"type":"joinRoom","chatroomId":1,"userId":7,"#), "{texts:?}");
    assert_eq!(texts[1], "6");
    for (text, code, message) in [
        (r#"42["sendMessage",{"chatroomId":1}]"#, "badRequest", "message is missing"),
        (r#"42["sendMessage",[1]]"#, "badRequest", "the event's argument must be an object"),
        (
            r#"42["joinRoom",{"chatroomId":1,"userId":8}]"#,
            "notAllowed",
            "userId is not the user this token was issued to",
        ),
        (r#"42["dance"]"#, "unknownAction", "unknown action \"dance\""),
        ("42[", "badRequest", "the event must be a JSON array that begins with a name"),
        (r#"451-["sendMessage",{"_placeholder":true,"num":0}]"#, "badRequest", "binary is not carried"),
    ] {
        say_raw(&mut client, text).await;
        let refusal = client.next().await;
        let expected = (&json!("error"), &json!(code), &json!(message));
        assert_eq!((&refusal["type"], &refusal["code"], &refusal["message"]), expected, "{text}");
        said += 1;
    }
    assert_eq!(said, 6);
    say_raw(&mut client, r#"4217["dance",{"requestId":"r"}]"#).await;
    let text = client.text().await.expect("a text");
    assert!(
        text.starts_with(r#"4317[{"type":"error","action":"dance","requestId":"r","code":"unknownAction""#),
        "{text}"
    );
    client.close().await;
    server.stop().await;
}

#[tokio::test]
async fn who_is_not_let_in_is_told_why_and_does_not_come_back() {
    let server = start().await;
    let forged = "not.a.token";
    let missing = r#"44{"data":{"code":"notAllowed"},"message":"a token is missing"}"#;
    let refused = r#"44{"data":{"code":"notAllowed"},"message":"the token was refused"}"#;
    for (query, auth, answer) in [
        (String::new(), json!({}), missing),
        (String::new(), json!({"token": 5}), missing),
        (String::new(), json!({"token": forged}), refused),
        (format!("&token={forged}"), json!({}), refused),
        (format!("&token={forged}"), json!({"token": forged}), refused),
    ] {
        let mut client = Client::begin(&format!("{}{query}", server.socket_io_url(4))).await;
        assert_eq!(client.enter(auth.clone()).await, answer, "{query} {auth}");
        assert_eq!(rest(&mut client).await, ["41"]);
    }
    // A good one makes good for a bad one.
    let mut client = Client::begin(&format!("{}&token={forged}", server.socket_io_url(4))).await;
    assert!(client.enter(json!({"token": server.token_of(7)})).await.starts_with("40{"));
    client.close().await;
    // Version 2 does not ask.
    for (query, answer) in [("", "a token is missing"), ("&token=x", "the token was refused")] {
        let mut client = Client::begin(&format!("{}{query}", server.socket_io_url(3))).await;
        assert_eq!(client.enter(json!({})).await, format!("44\"{answer}\""));
        assert_eq!(rest(&mut client).await, ["41"]);
    }
    server.forgets_connections().await;
    server.stop().await;
}

/// Frames of every kind, before it was let in; and none of them is a fault of ours.
#[tokio::test]
async fn nobody_does_anything_before_it_is_let_in() {
    let server = start().await;
    let mut stranger = guest(&server).await;
    assert!(stranger.text().await.expect("a greeting").starts_with("0{"));
    for action in ["joinRoom", "leaveRoom", "sendMessage", "ping", "dance"] {
        let fields = json!({"chatroomId": 1, "message": {"type": "text", "content": "hi"}});
        say_raw(&mut stranger, &format!("421{}", json!([action, fields]))).await;
        let text = stranger.text().await.expect("an ack");
        assert!(text.contains(r#""code":"notAllowed""#) && text.contains("was not let in yet"), "{text}");
        // As a client of JSON would say it, on the routes of the other functions.
        if action != "dance" {
            let mut frame = fields;
            frame["action"] = json!(action);
            say_raw(&mut stranger, &frame.to_string()).await;
            let text = stranger.text().await.expect("an event");
            assert!(text.starts_with(r#"42["exception",{"type":"error""#) && text.contains("notAllowed"), "{text}");
        }
    }
    assert!(server.keys("ConnectionsTable").await.is_empty() && server.keys("ChatTable").await.is_empty());
    stranger.close().await;
    server.stop().await;
}

/// The same authorizer guards the history.
#[tokio::test]
async fn the_history_lets_nobody_in_as_nobody() {
    let server = start().await;
    let url = server.url("/chat-history/list?chatroomId=1&EIO=4&transport=websocket");
    assert_eq!(server.http().get(&url).send().await.expect("an answer").status(), 401);
    assert_eq!(server.http().get(&url).bearer_auth("not.a.token").send().await.expect("an answer").status(), 403);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_is_one_users_whatever_it_says_afterwards() {
    let server = start().await;
    let mut client = guest(&server).await;
    client.enter(json!({"token": server.token_of(7)})).await;
    say_raw(&mut client, &format!("40{}", json!({"token": server.token_of(7)}))).await;
    assert!(client.text().await.expect("an answer").starts_with("40{\"sid\""), "the same again changes nothing");
    client.join(1).await;
    say_raw(&mut client, &format!("40{}", json!({"token": server.token_of(8)}))).await;
    let refused = r#"44{"data":{"code":"notAllowed"},"message":"the connection is another user's"}"#;
    assert_eq!(rest(&mut client).await, [refused, "41"]);
    server.forgets_connections().await;
    assert_eq!((server.devices("7").await, server.devices("8").await), (vec![], vec![]));
    // Nor does one whose handshake said who it is.
    let mut client = server.connect_socket_io(7).await;
    say_raw(&mut client, &format!("40{}", json!({"token": server.token_of(8)}))).await;
    client.text().await;
    assert_eq!((server.devices("7").await.len(), server.devices("8").await.len()), (1, 0));
    client.close().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_packet_ends_its_own_connection_alone() {
    let server = start().await;
    let mut other = server.connect_socket_io(1).await;
    for garbage in ["hello", "", "47", "40[]", "{\"no\":\"action\"}"] {
        let mut client = server.connect_socket_io(7).await;
        client.send_raw(Message::text(garbage)).await;
        assert_eq!(rest(&mut client).await, Vec::<String>::new(), "{garbage}");
    }
    // What needs no answer gets nothing, in a frame.
    for (text, answer) in [
        ("2", "3"),
        ("2probe", "3probe"),
        ("3", "6"),
        ("6", "6"),
        ("430[]", "6"),
        ("41", "6"),
        ("40/admin,", r#"44/admin,{"message":"Invalid namespace"}"#),
        ("42/admin,[\"a\"]", "6"),
    ] {
        say_raw(&mut other, text).await;
        assert_eq!(other.text().await.as_deref(), Some(answer), "{text}");
    }
    // A client of JSON is answered in JSON, whatever its frames look like.
    let mut plain = server.connect(2).await;
    say_raw(&mut plain, r#"42["joinRoom",{"chatroomId":1}]"#).await;
    assert_eq!(plain.next().await["message"], "the frame must be a JSON object");
    server.stop().await;
}

#[tokio::test]
async fn the_oldest_connection_makes_place_whatever_it_speaks() {
    let server = Server::start_with_parameters(&[("SocketIo", "on"), ("ConnectionsPerUser", "1")], &[]).await;
    let mut first = server.connect_socket_io(7).await;
    let mut second = server.connect(7).await;
    let told = rest(&mut first).await;
    assert!(told[0].starts_with(r#"42["exception",{"type":"error","code":"tooManyConnections""#), "{told:?}");
    assert_eq!(told[1..], ["41"]);
    let mut third = guest(&server).await;
    third.enter(json!({"token": server.token_of(7)})).await;
    let (told, closed) = second.rest().await;
    assert_eq!((&told[0]["code"], closed), (&json!("tooManyConnections"), Closed(Some(1000))));
    third.join(1).await;
    let fourth = server.connect_socket_io(7).await;
    let told = rest(&mut third).await;
    assert!(
        told.iter().any(|text| text.contains("tooManyConnections")) && told.last().is_some_and(|text| text == "41")
    );
    fourth.close().await;
    server.forgets_connections().await;
    server.stop().await;
}

/// It would come back by itself if it were cut without a word, and then another one would have to make place.
#[tokio::test]
async fn who_makes_place_while_it_asks_to_be_let_in_is_told_so() {
    let (held, server) = HeldRows::start().await;
    let mut first = guest(&server).await;
    first.text().await.expect("a greeting");
    say_raw(&mut first, &format!("40{}", json!({"token": server.token_of(7)}))).await;
    until("it is on its way in", async || server.devices("7").await.len() == 1).await;
    let mut second = server.connect_socket_io(7).await;
    assert_eq!(server.devices("7").await.len(), 1, "the second alone");
    held.release();
    let refused = concat!(
        r#"44{"data":{"code":"tooManyConnections"},"#,
        r#""message":"ended for a newer connection: a user has 1 at most"}"#
    );
    assert_eq!(rest(&mut first).await, [refused, "41"]);
    second.join(1).await;
    second.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_token_does_not_come_in_by_whatever_way() {
    let server = start().await;
    let old = server.token(json!({"userId": 7, "rooms": "*", "iat": now().seconds() - 10}));
    let mut client = guest(&server).await;
    client.enter(json!({"token": old})).await;
    server.app().sessions.end_all(&chat_tests::user("7")).await.expect("done");
    assert_eq!(
        rest(&mut client).await,
        Vec::<String>::new(),
        "it is cut, and comes back with a new token, if it has one"
    );
    assert_eq!(Client::refused(&format!("{}&token={old}", server.socket_io_url(4))).await, 403);
    let mut client = guest(&server).await;
    let refused = r#"44{"data":{"code":"notAllowed"},"message":"the token was revoked"}"#;
    assert_eq!(client.enter(json!({"token": old})).await, refused);
    // It may try at once, without waiting for the answer.
    let mut client = guest(&server).await;
    say_raw(&mut client, &format!("40{}", json!({"token": old}))).await;
    client
        .send_into_the_void(Message::text(
            r#"42["sendMessage",{"chatroomId":1,"message":{"type":"text","content":"x"}}]"#,
        ))
        .await;
    rest(&mut client).await;
    assert_eq!(server.history("chatroomId=1").await.ids(), Vec::<u64>::new());
    server.stop().await;
}

/// The ack of the event that found it out says so, and the connection ends without a goodbye, so the client comes back.
#[tokio::test]
async fn a_connection_of_socket_io_ends_with_its_token() {
    let server = start().await;
    // Three seconds are left of the minute by which clocks may differ.
    let token = server.token(json!({"userId": 7, "rooms": "*", "exp": now().seconds() - 57}));
    let mut clients = vec![guest(&server).await];
    clients[0].enter(json!({"token": token})).await;
    clients.push(Client::connect(&format!("{}&token={token}", server.socket_io_url(4))).await);
    for client in &mut clients {
        let end = async {
            loop {
                client.send_into_the_void(Message::text(r#"421["leaveRoom",{"chatroomId":1}]"#)).await;
                match client.text().await {
                    Some(text) if text.contains(r#""type":"ack""#) => {}
                    last => return last,
                }
            }
        };
        let last = in_time("the connection ends", end).await.expect("a word");
        assert!(last.starts_with(r#"431[{"type":"error","action":"leaveRoom","code":"gone""#), "{last}");
        assert_eq!(rest(client).await, Vec::<String>::new());
    }
    server.stop().await;
}

#[tokio::test]
async fn who_says_nothing_is_kept_alive() {
    let limits = Limits::default().with_idle(Duration::from_secs(3));
    let server = Server::start_with_parameter_and("SocketIo", "on", limits).await;
    let mut silent = server.connect_socket_io(7).await;
    let mut plain = server.connect(8).await;
    // Three at least come before one of JSON would be cut twice.
    for _ in 0..6 {
        assert_eq!(silent.text().await.as_deref(), Some("6"));
    }
    assert_eq!(plain.closed().await, Closed(Some(1001)), "who speaks JSON pings by itself");
    silent.join(1).await;
    silent.close().await;
    server.stop().await;
}

/// Rows of clients of JSON are what they were, and their frames too.
#[tokio::test]
async fn a_client_of_json_notices_nothing() {
    let (off, on) = (Server::start().await, start().await);
    let mut seen = Vec::new();
    for server in [&off, &on] {
        let mut client = server.connect(7).await;
        let mut frames = vec![client.join(1).await, client.ask(json!({"action": "ping"})).await];
        frames.push(client.ask(json!({"action": "dance"})).await);
        frames.push(client.ask(text_message(1, " ")).await);
        say_raw(&mut client, "42[]").await;
        frames.push(client.next().await);
        let scan = json!({"TableName": "ConnectionsTable", "ConsistentRead": true});
        let rows = server.dynamodb("Scan", scan).await["Items"].take();
        let rows = rows
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row.as_object().expect("a row").keys().cloned().collect::<Vec<_>>());
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        seen.push((frames, rows));
        client.close().await;
    }
    assert_eq!(seen[0], seen[1]);
    let names = seen[0].1.concat();
    assert!(!names.iter().any(|name| ["encoding", "keptAlive", "caller"].contains(&name.as_str())), "{names:?}");
    off.stop().await;
    on.stop().await;
}

#[tokio::test]
async fn where_it_is_off_no_client_of_socket_io_comes_in() {
    let server = Server::start().await;
    let url = format!("{}&token={}", server.socket_io_url(4), server.token_of(7));
    assert_eq!(Client::refused(&url).await, 403);
    server.stop().await;
}

/// The transport that Socket.IO begins with needs a server that holds a request.
#[tokio::test]
async fn a_polling_handshake_is_told_what_to_set() {
    let server = start().await;
    let url = server.websocket_url().replace("ws://", "http://");
    for slash in ["", "/"] {
        let answer = server.http().get(format!("{url}{slash}?EIO=4&transport=polling&t=x")).send().await.expect("one");
        assert_eq!(answer.status(), 400);
        let said = answer.text().await.expect("a text");
        assert!(said.contains(r#"transports: ["websocket"]"#) && said.contains(r#"path: "/dev""#), "{said}");
    }
    let other = server.http().get(&url).send().await.expect("an answer");
    assert_eq!(
        (other.status().as_u16(), other.json::<Value>().await.expect("JSON")["message"].as_str().is_some()),
        (426, true)
    );
    server.stop().await;
}

/// A guest that hangs up is taken out of its rooms: its context does not say who it was.
#[tokio::test]
async fn a_guest_that_goes_leaves_its_rooms() {
    let server = start().await;
    let mut other = server.connect(1).await;
    other.join(1).await;
    let mut client = guest(&server).await;
    client.enter(json!({"token": server.token_of(7)})).await;
    client.join(1).await;
    client.vanish();
    other.expect(json!({"type": "leaveRoom", "userId": 7})).await;
    until("its device is forgotten", async || server.devices("7").await.is_empty()).await;
    other.close().await;
    server.forgets_connections().await;
    server.stop().await;
}
