//! What clients of Socket.IO use. The posts go nowhere here, so a client does not wait for its greeting.

use super::{Meter, TYPICAL_TEXT, Usage, fill};
use crate::packets::{Way, event};
use crate::{Client, room, text_message};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

/// Members of the room in which they are counted, this one included.
const MEMBERS: usize = 10;

/// What the table calls it.
fn name(way: Way) -> &'static str {
    match way {
        Way::Eio4 => "Engine.IO 4",
        Way::Eio4ByAuth => "Engine.IO 4, token in `auth`",
        Way::Eio3 => "Engine.IO 3",
    }
}

impl Meter {
    /// Every action of a client of Socket.IO in a room, with what it used.
    pub async fn packets(&self, way: Way) -> Vec<(String, Usage)> {
        let room = room(&format!("{}", 200_000 + way as usize));
        fill(&self.server, &room, MEMBERS - 1).await;
        let token = self.server.token(json!({"userId": 1001, "username": "guang", "nickName": "光",
            "headPic": "https://example.com/guang.png", "rooms": "*"}));
        let mut client = Client::begin(&self.server.socket_io_url_of(way, &token)).await;
        let mut taken = Vec::new();
        let named = |action: &str| format!("{action}, {}", name(way));
        taken.push((named("connect"), self.take("connect").await));
        if let Some(connect) = way.connect(&token) {
            ask(&mut client, &connect, "40{").await;
            taken.push((named("CONNECT"), self.take("socket-io").await));
        }
        let frames = [
            json!({"action": "joinRoom", "chatroomId": room}),
            text_message(room.to_string(), TYPICAL_TEXT),
            json!({"action": "leaveRoom", "chatroomId": room}),
        ];
        for frame in &frames {
            ask(&mut client, &event(1, frame), r#"431[{"type":"ack""#).await;
            taken.push((named(frame["action"].as_str().expect("an action")), self.take("socket-io").await));
        }
        ask(&mut client, &event(1, &frames[0]), r#"431[{"type":"ack""#).await;
        self.take("socket-io").await;
        client.close().await;
        taken.push((named("disconnect, in the room"), self.take("disconnect").await));
        taken
    }

    /// One that brings a bad token: its handshake, its CONNECT and its end.
    pub async fn refused_packets(&self) -> Usage {
        let mut client = Client::begin(&self.server.socket_io_url(4)).await;
        client.send_raw(Message::text(r#"40{"token":"no.token"}"#)).await;
        let mut usage = self.take("socket-io").await;
        client.close().await;
        let end = self.take("disconnect").await;
        usage.invocations.extend(end.invocations);
        usage.requests.extend(end.requests);
        usage.write_units += end.write_units;
        usage
    }

    /// A run of the schedule with so many connections.
    pub async fn kept_alive(&self, connections: usize) -> Usage {
        let token = self.server.token_of(1002);
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(Client::begin(&format!("{}&token={token}", self.server.socket_io_url(4))).await);
        }
        self.take("connect").await;
        self.server.call("keep-alive", &json!({})).await.expect("it runs");
        let usage = self.take("keep-alive").await;
        for client in clients {
            client.close().await;
        }
        self.take("disconnect").await;
        usage
    }
}

async fn ask(client: &mut Client, text: &str, answer: &str) {
    client.send_raw(Message::text(text)).await;
    let said = client.text().await.expect("an answer");
    assert!(said.starts_with(answer), "{text}: {said}");
}
