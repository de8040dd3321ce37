use serde::{Deserialize, Serialize};

/// How frames are written to a connection and read from it. It is decided at the handshake, and stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// A frame is a JSON object.
    #[default]
    Json,
    /// Socket.IO over Engine.IO 3, which clients of version 2 speak.
    Eio3,
    /// Socket.IO over Engine.IO 4, which clients of versions 3 and 4 speak.
    Eio4,
}

impl Encoding {
    /// By what a client of Socket.IO writes into the address of its handshake. Whoever writes anything else speaks
    /// JSON.
    pub fn of_handshake(eio: Option<&str>, transport: Option<&str>) -> Self {
        match (eio, transport) {
            (Some("3"), Some("websocket")) => Self::Eio3,
            (Some("4"), Some("websocket")) => Self::Eio4,
            _ => Self::Json,
        }
    }

    /// Its name in rows and in the authorizer's context.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Eio3 => "eio3",
            Self::Eio4 => "eio4",
        }
    }

    /// Reads a name. Whoever is not named speaks JSON, as everybody did before there were names.
    pub fn named(name: &str) -> Self {
        [Self::Eio3, Self::Eio4].into_iter().find(|encoding| encoding.name() == name).unwrap_or_default()
    }

    pub fn is_socket_io(self) -> bool {
        self != Self::Json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_tells_the_encoding() {
        for (eio, transport, encoding) in [
            (None, None, Encoding::Json),
            (Some("4"), Some("websocket"), Encoding::Eio4),
            (Some("3"), Some("websocket"), Encoding::Eio3),
            (Some("4"), None, Encoding::Json),
            (Some("4"), Some("polling"), Encoding::Json),
            (Some("5"), Some("websocket"), Encoding::Json),
            (None, Some("websocket"), Encoding::Json),
        ] {
            assert_eq!(Encoding::of_handshake(eio, transport), encoding, "{eio:?} {transport:?}");
        }
    }

    #[test]
    fn a_name_is_read_back() {
        for encoding in [Encoding::Json, Encoding::Eio3, Encoding::Eio4] {
            assert_eq!(Encoding::named(encoding.name()), encoding);
        }
        assert_eq!(Encoding::named("eio5"), Encoding::Json);
    }
}
