//! The packets of Socket.IO: what a client's text says, and the texts for a client.
//!
//! A text is one packet of Engine.IO
//! (<https://socket.io/docs/v4/engine-io-protocol/>): a digit, then data. The digit 4 stands for a message, whose data
//! is one packet of Socket.IO (<https://socket.io/docs/v4/socket-io-protocol/>): a digit, then the number of binary
//! attachments and `-`, then a namespace and `,`, then the number of the ack that is asked for, then JSON; each of them
//! only where there is one.

use super::Encoding;
use crate::limits::{
    EIO3_PING_INTERVAL_MS, EIO3_PING_TIMEOUT_MS, EIO4_PING_INTERVAL_MS, EIO4_PING_TIMEOUT_MS, FRAME_BYTES_MAX,
};
use crate::{ConnectionId, Opening, Rejection};
use serde_json::{Map, Value, json};

/// Nothing: Engine.IO's `noop`. All clients pass over it.
pub const NOOP: &str = "6";

/// The end of the namespace. A client that reads it does not come back by itself.
pub const DISCONNECT: &str = "41";

/// The one namespace that is served.
const MAIN: &str = "/";

/// What a client sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet<'a> {
    /// Engine.IO 3 pings from the client's side; the answer says the same data.
    Ping(&'a str),
    /// It asks to be let in, and may bring `auth`.
    Connect(Map<String, Value>),
    /// It asks to be let into a namespace that is not served.
    ConnectElsewhere(&'a str),
    /// An event: its name, its first argument, and the number of the ack that is asked for.
    Event { name: String, argument: Value, ack: Option<u64> },
    /// An event that cannot be read.
    Refused { why: Rejection, ack: Option<u64> },
    /// Nothing has to be done: a goodbye, a pong, an ack of an event that asked for none, or another namespace's.
    Nothing,
}

impl<'a> Packet<'a> {
    /// Reads a text, or answers none where it is no packet that a client sends.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (kind, data) = split_digit(text)?;
        match kind {
            '2' => Some(Self::Ping(data)),
            '4' => Self::parse_message(data),
            '1' | '3' | '5' | '6' => Some(Self::Nothing),
            _ => None,
        }
    }

    fn parse_message(message: &'a str) -> Option<Self> {
        let (kind, rest) = split_digit(message)?;
        let rest = match kind {
            '0'..='4' => rest,
            // How many attachments there are does not matter: none is carried.
            '5' | '6' => rest.trim_start_matches(|char: char| char.is_ascii_digit()).strip_prefix('-')?,
            _ => return None,
        };
        let (namespace, rest) =
            if rest.starts_with('/') { rest.split_once(',').unwrap_or((rest, "")) } else { (MAIN, rest) };
        if namespace != MAIN {
            // Version 2 may add a query.
            let named = namespace.split('?').next().unwrap_or_default();
            return Some(if kind == '0' { Self::ConnectElsewhere(named) } else { Self::Nothing });
        }
        match kind {
            '0' => Some(Self::Connect(auth(rest)?)),
            '2' => {
                let (ack, json) = split_number(rest)?;
                Some(Self::event(json, ack))
            }
            '5' => Some(Self::Refused { why: Rejection::Binary, ack: split_number(rest)?.0 }),
            _ => Some(Self::Nothing),
        }
    }

    /// Arguments after the first are passed over.
    fn event(json: &str, ack: Option<u64>) -> Self {
        let arguments: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
        let mut arguments = arguments.into_iter();
        match arguments.next() {
            Some(Value::String(name)) => Self::Event { name, argument: arguments.next().unwrap_or_default(), ack },
            _ => Self::Refused { why: Rejection::NotAnEvent, ack },
        }
    }
}

/// What CONNECT brings: an object, or nothing.
fn auth(json: &str) -> Option<Map<String, Value>> {
    if json.is_empty() { Some(Map::new()) } else { serde_json::from_str(json).ok() }
}

fn split_digit(text: &str) -> Option<(char, &str)> {
    let digit = text.chars().next().filter(char::is_ascii_digit)?;
    Some((digit, &text[1..]))
}

/// The number that a text begins with, if it begins with one.
fn split_number(text: &str) -> Option<(Option<u64>, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let number = if number.is_empty() { None } else { Some(number.parse().ok()?) };
    Some((number, rest))
}

/// The first frame of a connection. Until a client has it, it says nothing.
pub fn open(connection: &ConnectionId, encoding: Encoding) -> String {
    let (ping_interval, ping_timeout) = match encoding {
        Encoding::Eio3 => (EIO3_PING_INTERVAL_MS, EIO3_PING_TIMEOUT_MS),
        Encoding::Json | Encoding::Eio4 => (EIO4_PING_INTERVAL_MS, EIO4_PING_TIMEOUT_MS),
    };
    let handshake = json!({
        "sid": connection.as_str(),
        "upgrades": [],
        "pingInterval": ping_interval,
        "pingTimeout": ping_timeout,
        "maxPayload": FRAME_BYTES_MAX,
    });
    format!("0{handshake}")
}

/// What a connection is told before its client says anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub frames: Vec<String>,
    /// Whether that was all.
    pub ends: bool,
}

/// The first frames for a client of Socket.IO. One of Engine.IO 4 asks to be let in when it has the first; one of
/// Engine.IO 3 does not ask.
pub fn greeting(connection: &ConnectionId, opening: &Opening) -> Option<Greeting> {
    let encoding = opening.encoding;
    let open = || open(connection, encoding);
    match (encoding, &opening.caller) {
        (Encoding::Json, _) => None,
        (Encoding::Eio4, _) => Some(Greeting { frames: vec![open()], ends: false }),
        (Encoding::Eio3, Ok(_)) => {
            Some(Greeting { frames: vec![open(), connected(connection, encoding)], ends: false })
        }
        (Encoding::Eio3, Err(why)) => {
            Some(Greeting { frames: vec![open(), refused(why, encoding), DISCONNECT.to_owned()], ends: true })
        }
    }
}

/// The answer to a ping.
pub fn pong(data: &str) -> String {
    format!("3{data}")
}

/// The client is in. Version 2 has no id of its own.
pub fn connected(connection: &ConnectionId, encoding: Encoding) -> String {
    match encoding {
        Encoding::Eio3 => "40".to_owned(),
        Encoding::Json | Encoding::Eio4 => format!("40{}", json!({"sid": connection.as_str()})),
    }
}

/// The client is not let in, and is told why. Version 2 knows a text alone.
pub fn refused(why: &Rejection, encoding: Encoding) -> String {
    let message = why.to_string();
    match encoding {
        Encoding::Eio3 => format!("44{}", json!(message)),
        Encoding::Json | Encoding::Eio4 => format!("44{}", json!({"message": message, "data": {"code": why.code()}})),
    }
}

/// There is no such namespace, in the words of Socket.IO's own server.
pub fn no_namespace(namespace: &str, encoding: Encoding) -> String {
    let message = "Invalid namespace";
    match encoding {
        Encoding::Eio3 => format!("44{namespace},{}", json!(message)),
        Encoding::Json | Encoding::Eio4 => format!("44{namespace},{}", json!({"message": message})),
    }
}

/// An event with one argument, which is JSON already.
pub fn event(name: &str, argument: &str) -> String {
    format!("42[{},{argument}]", json!(name))
}

/// The ack of an event, with one argument, which is JSON already.
pub fn ack(number: u64, argument: &str) -> String {
    format!("43{number}[{argument}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Packet<'_> {
        Packet::parse(text).unwrap_or_else(|| panic!("{text} is a packet"))
    }

    fn event_of(name: &str, argument: Value, ack: Option<u64>) -> Packet<'static> {
        Packet::Event { name: name.into(), argument, ack }
    }

    #[test]
    fn what_clients_send_is_read() {
        for (text, packet) in [
            ("2", Packet::Ping("")),
            ("2probe", Packet::Ping("probe")),
            ("40", Packet::Connect(Map::new())),
            ("40{}", Packet::Connect(Map::new())),
            ("40/,{}", Packet::Connect(Map::new())),
            (r#"40{"token":"t"}"#, Packet::Connect(Map::from_iter([("token".into(), json!("t"))]))),
            ("40/admin,", Packet::ConnectElsewhere("/admin")),
            ("40/admin", Packet::ConnectElsewhere("/admin")),
            (r#"40/admin?a=b,{"token":"t"}"#, Packet::ConnectElsewhere("/admin")),
            (r#"42["joinRoom",{"chatroomId":1}]"#, event_of("joinRoom", json!({"chatroomId": 1}), None)),
            (r#"420["joinRoom",{}]"#, event_of("joinRoom", json!({}), Some(0))),
            (r#"42/,17["ping"]"#, event_of("ping", Value::Null, Some(17))),
            (r#"42["a",{"b":1},"c",[2]]"#, event_of("a", json!({"b": 1}), None)),
            (r#"421-["a"]"#, Packet::Refused { why: Rejection::NotAnEvent, ack: Some(1) }),
            ("42", Packet::Refused { why: Rejection::NotAnEvent, ack: None }),
            ("42{}", Packet::Refused { why: Rejection::NotAnEvent, ack: None }),
            ("425[]", Packet::Refused { why: Rejection::NotAnEvent, ack: Some(5) }),
            ("42[1]", Packet::Refused { why: Rejection::NotAnEvent, ack: None }),
            (r#"42["a","\ud800"]"#, Packet::Refused { why: Rejection::NotAnEvent, ack: None }),
            (r#"451-3["a",{"_placeholder":true,"num":0}]"#, Packet::Refused { why: Rejection::Binary, ack: Some(3) }),
            (r#"452-["a",1]"#, Packet::Refused { why: Rejection::Binary, ack: None }),
        ] {
            assert_eq!(read(text), packet, "{text}");
        }
        for text in ["1", "3", "3probe", "5", "6", "41", "41/admin,", "430[]", "44", "42/admin,1[\"a\"]", "461-0[]"] {
            assert_eq!(read(text), Packet::Nothing, "{text}");
        }
    }

    #[test]
    fn what_is_no_packet_is_none() {
        let huge = format!("42{}[\"a\"]", u128::MAX);
        for text in ["", "x", "{}", "0{}", "4", "4x", "47", "40[]", "40null", "40{", "45[]", "451[]", "7", "８", &huge]
        {
            assert_eq!(Packet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn texts_are_those_that_clients_read() {
        let connection = ConnectionId::new("L0SM9cOFvHcCIhw=");
        assert_eq!(
            open(&connection, Encoding::Eio4),
            r#"0{"maxPayload":32768,"pingInterval":7200000,"pingTimeout":600000,"sid":"L0SM9cOFvHcCIhw=","upgrades":[]}"#
        );
        assert!(open(&connection, Encoding::Eio3).contains(r#""pingInterval":240000,"pingTimeout":60000"#));
        assert_eq!(connected(&connection, Encoding::Eio4), r#"40{"sid":"L0SM9cOFvHcCIhw="}"#);
        assert_eq!(connected(&connection, Encoding::Eio3), "40");
        let why = Rejection::TokenRefused;
        assert_eq!(
            refused(&why, Encoding::Eio4),
            r#"44{"data":{"code":"notAllowed"},"message":"the token was refused"}"#
        );
        assert_eq!(refused(&why, Encoding::Eio3), r#"44"the token was refused""#);
        assert_eq!(no_namespace("/admin", Encoding::Eio4), r#"44/admin,{"message":"Invalid namespace"}"#);
        assert_eq!(no_namespace("/admin", Encoding::Eio3), r#"44/admin,"Invalid namespace""#);
        assert_eq!(event("message", r#"{"type":"joinRoom"}"#), r#"42["message",{"type":"joinRoom"}]"#);
        assert_eq!(ack(3, r#"{"type":"ack"}"#), r#"433[{"type":"ack"}]"#);
        assert_eq!(pong("probe"), "3probe");
    }

    #[test]
    fn who_is_not_let_in_is_told_so_when_it_can_hear_it() {
        let connection = ConnectionId::new("L0S=");
        let greet = |encoding| greeting(&connection, &Opening { encoding, caller: Err(Rejection::TokenMissing) });
        assert_eq!(greet(Encoding::Json), None);
        let asks = greet(Encoding::Eio4).expect("a greeting");
        assert_eq!((asks.frames, asks.ends), (vec![open(&connection, Encoding::Eio4)], false), "it asks first");
        let told = greet(Encoding::Eio3).expect("a greeting");
        assert_eq!((&told.frames[1..], told.ends), (&[r#"44"a token is missing""#.to_owned(), "41".into()][..], true));
    }

    /// A browser's timer holds 31 bits of milliseconds, and a longer one is over at once.
    #[test]
    fn a_client_can_wait_as_long_as_it_is_told() {
        for (interval, timeout) in
            [(EIO3_PING_INTERVAL_MS, EIO3_PING_TIMEOUT_MS), (EIO4_PING_INTERVAL_MS, EIO4_PING_TIMEOUT_MS)]
        {
            assert!(interval + timeout < 1 << 31, "{interval} + {timeout}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[0-6]{0,3}[0-9-]{0,3}(/[a-z?,]{0,4})?,?[0-9]{0,22}[\\[{\"a,}\\]]{0,8}") {
            let _ = Packet::parse(&text);
        }

        /// As `socket.io-parser` writes it.
        #[test]
        fn what_a_client_encodes_is_read_back(
            name in "\\PC{0,12}", text in "\\PC{0,12}", number in any::<u32>(), ack in proptest::option::of(any::<u32>()),
        ) {
            let argument = json!({"text": text, "number": number});
            let number = ack.map(|ack| ack.to_string()).unwrap_or_default();
            let encoded = format!("42{number}{}", json!([name, argument]));
            let expected = Packet::Event { name, argument, ack: ack.map(u64::from) };
            prop_assert_eq!(Packet::parse(&encoded), Some(expected));
        }
    }
}
