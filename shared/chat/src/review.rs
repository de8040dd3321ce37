//! Review: somebody else's word on what is to be said, before it is stored.
//!
//! The contract is that of Amazon IVS Chat's message review handlers
//! (<https://docs.aws.amazon.com/ivs/latest/ChatUserGuide/chat-message-review-handler.html>), so that whoever has one brings
//! it along.

use crate::limits::REVIEW_REASON_CHARS_MAX;
use crate::{Content, MessageKind, Profile, RoomId};
use serde::Serialize;
use serde_json::Value;

/// What a reviewer is asked.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReviewRequest<'a> {
    content: &'a str,
    message_id: String,
    /// Rooms here have no ARN: the room's id.
    room_arn: String,
    attributes: Attributes<'a>,
    sender: Sender<'a>,
}

#[derive(Debug, Serialize)]
struct Attributes<'a> {
    action: &'a str,
    #[serde(rename = "type")]
    kind: MessageKind,
    /// The key of the file in the bucket, where there is one; the content is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<&'a str>,
    /// An application's own JSON, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sender<'a> {
    user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    attributes: SenderAttributes<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SenderAttributes<'a> {
    username: &'a str,
    nick_name: &'a str,
}

impl<'a> ReviewRequest<'a> {
    /// Whether this may be said by an action in a room. `id` tells the reviewer one message from another.
    pub fn of(
        action: &'a str,
        room: &RoomId,
        id: String,
        content: &'a Content,
        sender: &'a Profile,
        ip: Option<&'a str>,
    ) -> Self {
        let attachment = content.file().map(crate::Attachment::key);
        let metadata = content.extras().metadata.as_ref().map(crate::Metadata::text);
        Self {
            content: if attachment.is_some() { "" } else { content.text() },
            message_id: id,
            room_arn: room.to_string(),
            attributes: Attributes { action, kind: content.kind(), attachment, metadata },
            sender: Sender {
                user_id: sender.id.to_string(),
                ip,
                attributes: SenderAttributes { username: &sender.username, nick_name: &sender.nick_name },
            },
        }
    }
}

/// What a sender is told where the reviewer gives no reason.
const REFUSED: &str = "a review refused this message";

/// What a reviewer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reviewed {
    /// This is to be said: as it was, or as the reviewer changed it.
    Allowed(Content),
    Denied {
        reason: String,
    },
}

impl Reviewed {
    /// Reads an answer about some content; none if it is no answer. What the reviewer made of a text must keep the rules of
    /// texts; if it does not, the message is refused.
    pub fn read(answer: &Value, content: Content) -> Option<Self> {
        let changed = match answer.get("Content") {
            None | Some(Value::Null) => None,
            Some(text) => Some(text.as_str()?),
        };
        match answer.get("ReviewResult")?.as_str()? {
            "ALLOW" => Some(Self::Allowed(match changed {
                Some(text) if content.file().is_none() && text != content.text() => {
                    match Content::parse(content.kind(), text) {
                        Ok(changed) => changed.with(content.extras().clone()),
                        // What is left may not be said, and what there was is not to be.
                        Err(_) => return Some(Self::Denied { reason: REFUSED.into() }),
                    }
                }
                _ => content,
            })),
            "DENY" => {
                let reason = answer["Attributes"]["Reason"].as_str().filter(|reason| !reason.trim().is_empty());
                let reason = reason.unwrap_or(REFUSED);
                Some(Self::Denied { reason: reason.chars().take(REVIEW_REASON_CHARS_MAX).collect() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attachment, UserId};
    use serde_json::json;

    fn text(text: &str) -> Content {
        let extras = serde_json::from_value(json!({"replyTo": 41, "metadata": {"mood": "happy"}})).expect("extras");
        Content::parse(MessageKind::Text, text).expect("content").with(extras)
    }

    #[test]
    fn a_reviewer_is_asked_as_ivs_asks() {
        let (room, content) = (RoomId::parse("1").expect("an id"), text("hi"));
        let dong = Profile {
            username: "dong".into(),
            nick_name: "东".into(),
            email: Some("dong@example.com".into()),
            ..Profile::unknown(UserId::parse("7").expect("an id"))
        };
        let asked = ReviewRequest::of("sendMessage", &room, "7f3a".into(), &content, &dong, Some("203.0.113.9"));
        let expected = json!({
            "Content": "hi", "MessageId": "7f3a", "RoomArn": "1",
            "Attributes": {"action": "sendMessage", "type": "text", "metadata": r#"{"mood":"happy"}"#},
            "Sender": {"UserId": "7", "Ip": "203.0.113.9", "Attributes": {"username": "dong", "nickName": "东"}},
        });
        assert_eq!(json!(asked), expected);
        let file = Content::attached(MessageKind::Image, Attachment::stored("rooms/MQ/Nw/7f3a/cat.png".into()));
        let asked = json!(ReviewRequest::of("sendMessage", &room, "7f3a".into(), &file, &dong, None));
        let attributes = json!({"action": "sendMessage", "type": "image", "attachment": "rooms/MQ/Nw/7f3a/cat.png"});
        assert_eq!((&asked["Content"], &asked["Attributes"]), (&json!(""), &attributes));
        assert_eq!(asked["Sender"].get("Ip"), None);
    }

    #[test]
    fn an_answer_allows_changes_or_denies_and_anything_else_is_none() {
        let read = |answer: Value| Reviewed::read(&answer, text("damn"));
        let allow = |content: Value| read(json!({"ReviewResult": "ALLOW", "Content": content, "Attributes": {}}));
        assert_eq!(allow(json!("damn")), Some(Reviewed::Allowed(text("damn"))));
        assert_eq!(allow(json!("****")), Some(Reviewed::Allowed(text("****"))), "and it still answers 41");
        assert_eq!(allow(Value::Null), Some(Reviewed::Allowed(text("damn"))));
        let deny = |attributes: Value| read(json!({"ReviewResult": "DENY", "Content": "", "Attributes": attributes}));
        let denied = |reason: &str| Some(Reviewed::Denied { reason: reason.into() });
        assert_eq!(deny(json!({"Reason": "rude"})), denied("rude"));
        assert_eq!(deny(json!({"Reason": "光".repeat(300)})), denied(&"光".repeat(REVIEW_REASON_CHARS_MAX)));
        for none in [json!({}), json!({"Reason": " "}), json!({"Reason": 1}), Value::Null] {
            assert_eq!(deny(none), denied(REFUSED));
        }
        for nothing_left in [" ".to_owned(), "x".repeat(crate::limits::TEXT_CHARS_MAX + 1)] {
            assert_eq!(allow(json!(nothing_left)), denied(REFUSED), "and not what there was");
        }
        for nonsense in [
            json!({"ReviewResult": "MAYBE", "Content": "x"}),
            json!({"ReviewResult": 1}),
            json!({"Content": "x"}),
            json!({"ReviewResult": "ALLOW", "Content": 7}),
            json!("ALLOW"),
            Value::Null,
        ] {
            assert_eq!(read(nonsense.clone()), None, "{nonsense}");
        }
        let file = Content::attached(MessageKind::Image, Attachment::stored("rooms/MQ/Nw/7f3a/cat.png".into()));
        let kept = Reviewed::read(&json!({"ReviewResult": "ALLOW", "Content": "x"}), file.clone());
        assert_eq!(kept, Some(Reviewed::Allowed(file)), "a file has no text to change");
    }
}
