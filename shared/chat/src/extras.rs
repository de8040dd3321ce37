//! What a message carries beside its content: what it answers, whom it means, and what an application adds.

use crate::limits::{JSON_BYTES_MAX, MENTIONS_MAX, SAFE_INTEGER_MAX};
use crate::wire::{Fields, Invalid};
use crate::{MessageId, Rejection, UserId};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The word among mentions that means everybody, and is no user.
pub const EVERYBODY: &str = "all";

/// It goes on as it came. Whether what it names exists is not looked up: that would cost a read for each message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extras {
    /// The message of the same room that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// Whom it means. `all` is a word here, not a user: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// What the application says in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

impl Extras {
    /// Reads the fields of a message.
    pub(crate) fn read(message: Fields<'_>) -> Result<Self, Rejection> {
        let reply_to = message.get("replyTo").map(message_id).transpose();
        let mentions = message.get("mentions").map(mentions).transpose();
        Ok(Self {
            reply_to: reply_to.map_err(|invalid| invalid.in_field("message.replyTo"))?,
            mentions: mentions.map_err(|invalid| invalid.in_field("message.mentions"))?.unwrap_or_default(),
            metadata: message.get("metadata").map(Metadata::from_json).transpose()?,
        })
    }
}

fn message_id(value: &Value) -> Result<MessageId, Invalid> {
    let id = value.as_u64().filter(|id| (1..=SAFE_INTEGER_MAX).contains(id));
    let expected = || Invalid::expected(format!("a message id: a whole number from 1 to {SAFE_INTEGER_MAX}"));
    id.map(MessageId::new).ok_or_else(expected)
}

fn mentions(value: &Value) -> Result<Vec<UserId>, Invalid> {
    let expected = || Invalid::expected(format!("a list of at most {MENTIONS_MAX} user ids, or the word \"all\""));
    let ids = value.as_array().filter(|ids| ids.len() <= MENTIONS_MAX).ok_or_else(expected)?;
    ids.iter().map(|id| UserId::from_json(id).map_err(|_| expected())).collect()
}

/// An application's own JSON object. It is kept as text: numbers that are read and written again and again would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(String);

impl Metadata {
    fn from_json(value: &Value) -> Result<Self, Rejection> {
        const FIELD: &str = "message.metadata";
        if !value.is_object() {
            return Err(Invalid::expected("an object").in_field(FIELD));
        }
        must_be_small(value, FIELD)?;
        Ok(Self(value.to_string()))
    }

    /// Metadata that was checked when it was stored, by its [text](Self::text).
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// As the object that it is.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}

/// Refuses JSON that is too large once it is written.
pub(crate) fn must_be_small(value: &Value, field: &'static str) -> Result<(), Rejection> {
    if value.to_string().len() > JSON_BYTES_MAX {
        return Err(Rejection::TooManyBytes { field, limit: JSON_BYTES_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(message: &Value) -> Result<Extras, String> {
        let message = message.as_object().expect("an object");
        Extras::read(Fields(message)).map_err(|refused| format!("{}: {refused}", refused.code()))
    }

    #[test]
    fn they_are_shown_as_they_came() {
        let all = json!({"replyTo": 41, "mentions": [7, "guang", "all", 7], "metadata": {"n": 1.5, "a": [null, {}]}});
        let extras = read(&all).expect("they are good");
        assert_eq!(serde_json::to_value(&extras).expect("JSON"), all);
        // The largest id, 20 mentions, and a kilobyte to the byte.
        let text = "x".repeat(JSON_BYTES_MAX - r#"{"a":""}"#.len());
        let most =
            json!({"replyTo": SAFE_INTEGER_MAX, "mentions": vec![json!("7"); MENTIONS_MAX], "metadata": {"a": text}});
        assert_eq!(read(&most).expect("it fits").mentions.len(), MENTIONS_MAX);
    }

    /// However often it is written and read.
    #[test]
    fn numbers_stay_as_they_were_first_written() {
        for number in ["0.30000000000000004", "1.7976931348623157e308", "5e-324", "123456789.12345679", "1e23"] {
            let message: Value = serde_json::from_str(&format!(r#"{{"metadata":{{"n":{number}}}}}"#)).expect("JSON");
            let extras = read(&message).expect("they are good");
            let stored = Metadata::stored(extras.metadata.as_ref().expect("metadata").text().to_owned());
            let again = Extras { metadata: Some(stored), ..Extras::default() };
            assert_eq!(serde_json::to_string(&again).expect("JSON"), serde_json::to_string(&extras).expect("JSON"));
        }
    }

    #[test]
    fn nothing_is_nothing() {
        for none in [json!({}), json!({"replyTo": null, "mentions": null, "metadata": null}), json!({"mentions": []})] {
            let extras = read(&none).expect("it says nothing");
            assert_eq!(extras, Extras::default());
            assert_eq!(serde_json::to_string(&extras).expect("JSON"), "{}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let id = "badRequest: message.replyTo must be a message id";
        let list = "badRequest: message.mentions must be a list of at most 20 user ids";
        for (field, value, said) in [
            ("replyTo", json!(0), id),
            ("replyTo", json!("41"), id),
            ("replyTo", json!(1.0), id),
            ("replyTo", json!(-1), id),
            ("replyTo", json!(SAFE_INTEGER_MAX + 1), id),
            ("replyTo", json!(1e300), id),
            ("mentions", json!("all"), list),
            ("mentions", json!([[]]), list),
            ("mentions", json!([null]), list),
            ("mentions", json!([""]), list),
            ("mentions", json!([-1]), list),
            ("mentions", json!(vec![7; MENTIONS_MAX + 1]), list),
            ("metadata", json!([]), "badRequest: message.metadata must be an object"),
            ("metadata", json!("{}"), "badRequest: message.metadata must be an object"),
            ("metadata", json!({"a": "x".repeat(1_017)}), "tooLarge: message.metadata is longer than 1024 bytes"),
            ("metadata", json!({"a": "\u{1}".repeat(200)}), "tooLarge: message.metadata is longer than 1024 bytes"),
        ] {
            let refused = read(&json!({ field: value })).expect_err(field);
            assert!(refused.starts_with(said), "{field}: {refused}");
        }
    }
}
