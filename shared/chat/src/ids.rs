use crate::limits::{CLIENT_MESSAGE_ID_CHARS_MAX, ID_BYTES_MAX, SAFE_INTEGER_MAX};
use crate::wire::Invalid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// The id of a room or a user: a whole number up to 2^53 - 1, or a text.
///
/// One rule makes numbers and strings one space: a string of digits that such a number can hold, without leading
/// zeros, *is* that number. So `1` and `"1"` are the same id and leave as `1`, while `"01"` is a text of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    fn parse(text: &str) -> Result<Self, Invalid> {
        if let Some(number) = canonical_number(text) {
            return Ok(Self::Number(number));
        }
        let printable = !text.chars().any(char::is_control) && !text.trim().is_empty();
        if printable && text.len() <= ID_BYTES_MAX { Ok(Self::Text(text.into())) } else { Err(expected_id()) }
    }

    fn from_json(value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => {
                number.as_u64().filter(|n| *n <= SAFE_INTEGER_MAX).map(Self::Number).ok_or_else(expected_id)
            }
            _ => Err(expected_id()),
        }
    }
}

fn expected_id() -> Invalid {
    Invalid::expected(format!(
        "a whole number from 0 to {SAFE_INTEGER_MAX}, or a string of 1 to {ID_BYTES_MAX} printable bytes"
    ))
}

fn canonical_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten().filter(|number| *number <= SAFE_INTEGER_MAX)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Id);

        impl $name {
            /// Reads the id from text, as keys, claims and query strings carry it.
            pub fn parse(text: &str) -> Option<Self> {
                Id::parse(text).ok().map(Self)
            }

            pub(crate) fn from_json(value: &Value) -> Result<Self, Invalid> {
                Id::from_json(value).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Value::deserialize(deserializer)?;
                Self::from_json(&value).map_err(|invalid| serde::de::Error::custom(invalid.0))
            }
        }
    };
}

id! {
    /// A room.
    RoomId
}
id! {
    /// A user, as the identity provider names it.
    UserId
}

impl RoomId {
    /// An id of our own making.
    pub(crate) fn text(text: String) -> Self {
        Self(Id::Text(text))
    }
}

/// A WebSocket connection, as API Gateway names it (`L0SM9cOFvHcCIhw=`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(String);

impl ConnectionId {
    /// Takes the id that API Gateway put into an event or that we stored; it is opaque and never a client's input.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place of a message in its room: 1, 2, 3, … in the order that all members agree on. 0 stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(u64);

impl MessageId {
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one before; that of 0 is 0.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The one that comes so many later.
    pub const fn plus(self, ids: u64) -> Self {
        Self(self.0.saturating_add(ids))
    }

    /// Reads a cursor from a query string: digits, at most 2^53 - 1.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let expected = || Invalid::expected(format!("a message id: a whole number from 0 to {SAFE_INTEGER_MAX}"));
        canonical_number(text).map(Self).ok_or_else(expected)
    }

    /// Reads the id of a message that is meant: a whole number from 1.
    pub(crate) fn from_json(value: &Value) -> Result<Self, Invalid> {
        // JSON's 42.0 is the number 42.
        let whole =
            || value.as_f64().filter(|number| number.fract() == 0.0 && *number > 0.0).map(|number| number as u64);
        let id = value.as_u64().or_else(whole).filter(|id| (1..=SAFE_INTEGER_MAX).contains(id)).map(Self);
        id.ok_or_else(|| Invalid::expected(format!("a message id: a whole number from 1 to {SAFE_INTEGER_MAX}")))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of a change among those of its room: 1, 2, 3, … without a hole. 0 stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeNumber(u64);

impl ChangeNumber {
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one before; that of 0 is 0.
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Reads a position from a query string: digits, at most 2^53 - 1.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let expected =
            || Invalid::expected(format!("the number of a change: a whole number from 0 to {SAFE_INTEGER_MAX}"));
        canonical_number(text).map(Self).ok_or_else(expected)
    }
}

impl fmt::Display for ChangeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The sender's own name for a send, the same on every retry: what makes a retry safe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientMessageId(String);

impl ClientMessageId {
    pub(crate) fn from_json(value: &Value) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match value.as_str() {
            Some(text) if (1..=CLIENT_MESSAGE_ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) => {
                Ok(Self(text.into()))
            }
            _ => Err(Invalid::expected(format!("1 to {CLIENT_MESSAGE_ID_CHARS_MAX} characters of A-Z a-z 0-9 _ -"))),
        }
    }
}

impl ClientMessageId {
    /// Takes an id that was checked when it was stored.
    pub fn stored(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ClientMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn room(value: Value) -> Option<Value> {
        RoomId::from_json(&value).ok().map(|id| json!(id))
    }

    #[test]
    fn a_number_and_its_digits_are_one_id() {
        assert_eq!(room(json!(1)), Some(json!(1)));
        assert_eq!(room(json!("1")), Some(json!(1)));
        assert_eq!(room(json!(0)), Some(json!(0)));
        assert_eq!(room(json!("9007199254740991")), Some(json!(9_007_199_254_740_991_u64)));
    }

    #[test]
    fn digits_that_are_no_safe_number_stay_text() {
        for text in ["01", "00", "9007199254740992", "18446744073709551616", "+1", "1.0", "-1", " 1", "１"] {
            assert_eq!(room(json!(text)), Some(json!(text)), "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        for value in [
            json!(-1),
            json!(1.5),
            json!(1.0),
            json!(9_007_199_254_740_992_u64),
            json!(1e300),
            json!(""),
            json!("  "),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!(long),
            json!(null),
            json!(true),
            json!([1]),
            json!({"id": 1}),
        ] {
            assert_eq!(room(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn text_ids_count_bytes_as_the_keys_do() {
        let id = "光".repeat(ID_BYTES_MAX / 3);
        assert_eq!(room(json!(id)), Some(json!(id)));
        assert_eq!(room(json!(id + "x")), None);
    }

    #[test]
    fn client_message_ids_keep_to_their_alphabet() {
        let taken = |text: &str| ClientMessageId::from_json(&json!(text)).is_ok();
        assert!(taken("a") && taken("0f8fad5b-d9cb_469f") && taken(&"x".repeat(64)));
        assert!(!taken("") && !taken("a b") && !taken("a#b") && !taken("ä") && !taken(&"x".repeat(65)));
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_id(text in "\\PC{1,40}") {
            if let Some(id) = RoomId::parse(&text) {
                prop_assert_eq!(RoomId::parse(&id.to_string()), Some(id));
            }
        }

        #[test]
        fn what_is_serialized_deserializes_to_the_same_id(text in "[0-9a-z]{1,20}") {
            let id = UserId::parse(&text).expect("alphanumeric");
            let wire = serde_json::to_string(&id).expect("serializes");
            prop_assert_eq!(serde_json::from_str::<UserId>(&wire).expect("deserializes"), id);
        }

        #[test]
        fn every_safe_number_equals_its_digits(number in 0..=SAFE_INTEGER_MAX) {
            prop_assert_eq!(RoomId::from_json(&json!(number)), RoomId::from_json(&json!(number.to_string())));
        }

        #[test]
        fn different_ids_print_differently(a in "\\PC{1,8}", b in "\\PC{1,8}") {
            if let (Some(x), Some(y)) = (RoomId::parse(&a), RoomId::parse(&b)) {
                prop_assert_eq!(x == y, x.to_string() == y.to_string());
            }
        }
    }
}
