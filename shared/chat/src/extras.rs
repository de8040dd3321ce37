//! What a message carries beside its content: what it answers, whom it means, and what an application adds.

use crate::limits::{JSON_BYTES_MAX, MENTIONS_MAX, SAFE_INTEGER_MAX};
use crate::wire::{Fields, Invalid};
use crate::{MessageId, Rejection, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// An application's own JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(Map<String, Value>);

impl Metadata {
    fn from_json(value: &Value) -> Result<Self, Rejection> {
        const FIELD: &str = "message.metadata";
        let object = value.as_object().ok_or_else(|| Invalid::expected("an object").in_field(FIELD))?;
        must_be_small(value, FIELD)?;
        Ok(Self(object.clone()))
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
