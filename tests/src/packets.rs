//! What a client of Socket.IO says and hears, by hand: the codec of the product is what is tried by it.

use crate::schema;
use serde_json::{Value, json};

/// What a client of Socket.IO speaks, and where its token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Eio4,
    Eio4ByAuth,
    Eio3,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Eio4, Self::Eio4ByAuth, Self::Eio3];

    pub fn eio(self) -> u8 {
        if self == Self::Eio3 { 3 } else { 4 }
    }

    /// What the address of its handshake ends with.
    pub fn query(self, token: &str) -> String {
        let handshake = format!("EIO={}&transport=websocket", self.eio());
        if self == Self::Eio4ByAuth { handshake } else { format!("{handshake}&token={token}") }
    }

    /// What it says when it is greeted, to be let in. One of Engine.IO 3 does not ask.
    pub fn connect(self, token: &str) -> Option<String> {
        match self {
            Self::Eio4 => Some("40".into()),
            Self::Eio4ByAuth => Some(format!("40{}", json!({"token": token}))),
            Self::Eio3 => None,
        }
    }
}

/// A request as an event that asks for an ack.
pub fn event(ack: u64, request: &Value) -> String {
    let mut fields = request.clone();
    let name = fields.as_object_mut().and_then(|fields| fields.remove("action"));
    format!("42{ack}{}", json!([name, fields]))
}

/// The request in an event, as a client of JSON would have sent it.
pub(crate) fn asked(text: &str) -> Option<Value> {
    let json = text.strip_prefix("42")?.trim_start_matches(|char: char| char.is_ascii_digit());
    let [name, mut fields] = serde_json::from_str::<[Value; 2]>(json).ok()?;
    fields["action"] = name;
    Some(fields)
}

/// The frame in what a client hears: an event has it, or an ack. Panics where an event has another name than the
/// document says, and where the frame is none that `docs/asyncapi.yaml` describes.
pub(crate) fn heard(text: &str) -> Option<Value> {
    let (name, frame) = read(text)?;
    if let Some(name) = name {
        let named = match frame["type"].as_str() {
            Some("joinRoom" | "sendMessage") => "message",
            Some("error") => "exception",
            kind => kind.expect("a type"),
        };
        assert_eq!(name, named, "{text}");
    }
    Some(schema::received(&frame.to_string()))
}

/// The same, whatever it is.
pub(crate) fn held(text: &str) -> Option<Value> {
    read(text).map(|(_, frame)| frame)
}

/// An event's name and its one argument, or an ack's. Panics where there are more, or fewer.
fn read(text: &str) -> Option<(Option<Value>, Value)> {
    if let Some(event) = text.strip_prefix("42") {
        let [name, frame] = serde_json::from_str(event).unwrap_or_else(|_| panic!("no event with an argument: {text}"));
        return Some((Some(name), frame));
    }
    let ack = text.strip_prefix("43")?.trim_start_matches(|char: char| char.is_ascii_digit());
    let [frame] = serde_json::from_str::<[Value; 1]>(ack).unwrap_or_else(|_| panic!("no ack with an argument: {text}"));
    Some((None, frame))
}
