//! Changes of a message that is stored: it is edited by its author, or recalled.

use crate::limits::EDITS_PER_MESSAGE_MAX;
use crate::{
    Caller, ChangeNumber, ClientMessageId, Content, Message, MessageKind, Reactions, Rejection, Timestamp, UserId,
};
use std::collections::BTreeSet;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::Duration;

/// What became of a message since it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The number of the latest change. Of two states of a message, the one with the higher version is the later.
    pub version: ChangeNumber,
    /// When that was.
    pub time: Timestamp,
    /// Who recalled it, if somebody did. Nothing follows a recall.
    pub deleted_by: Option<UserId>,
    /// The `clientMessageId` of each edit, so that a late repeat of an earlier one cannot bring its text back.
    pub edits: BTreeSet<ClientMessageId>,
}

/// For how long after its sending a message may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Never,
    Minutes(u64),
    Always,
}

impl FromStr for Window {
    type Err = ParseIntError;

    /// Reads a deployment's setting: `off`, or minutes, where 0 is no limit.
    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        match text.trim() {
            "off" => Ok(Self::Never),
            "0" => Ok(Self::Always),
            minutes => minutes.parse().map(Self::Minutes),
        }
    }
}

impl Window {
    fn is_open(self, sent: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Minutes(minutes) => now <= sent.after(Duration::from_secs(minutes.saturating_mul(60))),
            Self::Always => true,
        }
    }

    fn admit(self, what: &'static str, sent: Timestamp, now: Timestamp) -> Result<(), Rejection> {
        if self.is_open(sent, now) { Ok(()) } else { Err(Rejection::TooLate { what, window: self }) }
    }
}

/// What the deployment allows its users.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    /// For the author to edit.
    pub edit: Window,
    /// For the author to recall. A moderator may at any time.
    pub recall: Window,
}

/// What somebody wants to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Edit { content: Content, client_message_id: ClientMessageId },
    Recall,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Apply,
    /// It is done already, by an earlier attempt.
    Done,
}

impl Change {
    /// Whether a caller may change this message now.
    ///
    /// What is done already is acknowledged however late it is asked for again: the first answer may have been lost.
    pub fn of(
        &self,
        message: &Message,
        caller: &Caller,
        windows: Windows,
        now: Timestamp,
    ) -> Result<Verdict, Rejection> {
        let changed = message.changed.as_ref();
        let is_author = message.sender == *caller.user();
        let is_recalled = changed.is_some_and(|changed| changed.deleted_by.is_some());
        if message.content.erased_at().is_some() {
            return Err(Rejection::NotFound);
        }
        match self {
            Self::Edit { client_message_id, .. } => {
                let edits = changed.map_or(0, |changed| changed.edits.len());
                if is_recalled {
                    return Err(Rejection::NotFound);
                }
                if !is_author {
                    return Err(Rejection::NotAuthor);
                }
                if changed.is_some_and(|changed| changed.edits.contains(client_message_id)) {
                    return Ok(Verdict::Done);
                }
                if message.content.kind() != MessageKind::Text {
                    return Err(Rejection::NotText);
                }
                windows.edit.admit("edited", message.create_time, now)?;
                if edits >= EDITS_PER_MESSAGE_MAX { Err(Rejection::TooManyEdits) } else { Ok(Verdict::Apply) }
            }
            Self::Recall => {
                let moderates = caller.moderates(&message.room);
                if !is_author && !moderates {
                    return Err(Rejection::NotModerator);
                }
                if is_recalled {
                    return Ok(Verdict::Done);
                }
                if !moderates {
                    windows.recall.admit("recalled", message.create_time, now)?;
                }
                Ok(Verdict::Apply)
            }
        }
    }

    /// Whether it says something, which whoever is muted may not do. To take back what one said is nobody's to forbid.
    pub fn speaks(&self) -> bool {
        matches!(self, Self::Edit { .. })
    }

    /// The message as it is once this is its latest change.
    pub fn apply(&self, message: Message, by: &UserId, version: ChangeNumber, time: Timestamp) -> Message {
        let edits = message.changed.as_ref().map(|changed| changed.edits.clone()).unwrap_or_default();
        let (content, changed) = match self {
            Self::Edit { content, client_message_id } => {
                let edits = edits.into_iter().chain([client_message_id.clone()]).collect();
                // What the message answers, and whom it means, stays.
                let content = content.clone().with(message.content.extras().clone());
                (content, Changed { version, time, deleted_by: None, edits })
            }
            Self::Recall => {
                let changed = Changed { version, time, deleted_by: Some(by.clone()), edits: BTreeSet::new() };
                (message.content.clone().recalled(), changed)
            }
        };
        let reactions = if changed.deleted_by.is_some() { Reactions::default() } else { message.reactions };
        Message { content, changed: Some(changed), reactions, ..message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Grant, MessageId, Profile, RoomId};
    use serde_json::json;

    const MINUTE: i64 = 60_000;

    fn caller(user: &str, moderates: &str) -> Caller {
        Caller {
            profile: Profile::unknown(UserId::parse(user).expect("an id")),
            rooms: Grant::All.into(),
            moderates: Access::parse_default(moderates).expect("a list").rooms,
            issued_at: 0,
            good_until: Timestamp::MAX,
        }
    }

    fn message() -> Message {
        Message {
            id: MessageId::new(1),
            room: RoomId::parse("1").expect("an id"),
            sender: UserId::parse("7").expect("an id"),
            content: Content::stored(MessageKind::Text, "hi".into()),
            create_time: Timestamp::from_millis(0),
            client_message_id: None,
            changed: None,
            reactions: Reactions::default(),
        }
    }

    fn edit(id: &str) -> Change {
        let content = Content::stored(MessageKind::Text, format!("edit {id}"));
        Change::Edit { content, client_message_id: ClientMessageId::from_json(&json!(id)).expect("an id") }
    }

    fn said(change: &Change, message: &Message, caller: &Caller, minutes: i64) -> Result<Verdict, &'static str> {
        let windows = Windows { edit: Window::Minutes(15), recall: Window::Minutes(2) };
        let said = change.of(message, caller, windows, Timestamp::from_millis(minutes * MINUTE));
        said.map_err(|rejection| rejection.code())
    }

    fn changed(change: &Change, message: Message, version: u64) -> Message {
        let by = UserId::parse("7").expect("an id");
        change.apply(message, &by, ChangeNumber::new(version), Timestamp::from_millis(1))
    }

    #[test]
    fn an_author_may_for_a_while_and_others_may_not() {
        let (author, other, moderator) = (caller("7", ""), caller("8", "2"), caller("9", "1"));
        for (change, who, minutes, verdict) in [
            (edit("a"), &author, 15, Ok(Verdict::Apply)),
            (edit("a"), &author, 16, Err("tooLate")),
            (edit("a"), &other, 0, Err("notAllowed")),
            (edit("a"), &moderator, 0, Err("notAllowed")),
            (Change::Recall, &author, 2, Ok(Verdict::Apply)),
            (Change::Recall, &author, 3, Err("tooLate")),
            (Change::Recall, &other, 0, Err("notAllowed")),
            (Change::Recall, &moderator, 1_000, Ok(Verdict::Apply)),
        ] {
            assert_eq!(said(&change, &message(), who, minutes), verdict, "{change:?} after {minutes} minutes");
        }
    }

    #[test]
    fn what_is_done_is_acknowledged_however_late_and_an_older_edit_never_comes_back() {
        let author = caller("7", "");
        let edited = changed(&edit("b"), changed(&edit("a"), message(), 1), 2);
        assert_eq!(edited.content.text(), "edit b");
        for id in ["a", "b"] {
            assert_eq!(said(&edit(id), &edited, &author, 1_000), Ok(Verdict::Done), "{id}");
        }
        let recalled = changed(&Change::Recall, edited, 3);
        assert_eq!(recalled.content.text(), "");
        assert_eq!(said(&Change::Recall, &recalled, &author, 1_000), Ok(Verdict::Done));
        assert_eq!(said(&Change::Recall, &recalled, &caller("8", ""), 0), Err("notAllowed"));
    }

    #[test]
    fn nothing_follows_a_recall_and_what_an_operator_erased_stays_empty() {
        let author = caller("7", "");
        let recalled = changed(&Change::Recall, message(), 1);
        assert_eq!(said(&edit("a"), &recalled, &author, 0), Err("notFound"));
        let erased = Message { content: Content::erased(Timestamp::from_millis(0)), ..message() };
        assert_eq!(said(&edit("a"), &erased, &author, 0), Err("notFound"));
        assert_eq!(said(&Change::Recall, &erased, &author, 0), Err("notFound"));
    }

    #[test]
    fn texts_alone_are_edited_and_not_for_ever() {
        let author = caller("7", "");
        let picture = Message { content: Content::stored(MessageKind::Image, "https://a".into()), ..message() };
        assert_eq!(said(&edit("a"), &picture, &author, 0), Err("badRequest"));
        assert_eq!(said(&Change::Recall, &picture, &author, 0), Ok(Verdict::Apply));
        let often = (0..EDITS_PER_MESSAGE_MAX).fold(message(), |message, number| {
            let change = edit(&number.to_string());
            assert_eq!(said(&change, &message, &author, 0), Ok(Verdict::Apply), "edit {number}");
            changed(&change, message, number as u64 + 1)
        });
        assert_eq!(said(&edit("x"), &often, &author, 0), Err("badRequest"));
    }

    #[test]
    fn a_setting_is_off_or_minutes() {
        let open = |window: Window, minutes| {
            window.is_open(Timestamp::from_millis(0), Timestamp::from_millis(minutes * MINUTE))
        };
        for (text, window) in [("off", Window::Never), ("0", Window::Always), ("15", Window::Minutes(15))] {
            assert_eq!(text.parse(), Ok(window));
        }
        let wrong = ["-1", "1.5", "", "never"].map(|text| text.parse::<Window>().is_err());
        assert_eq!(wrong, [true; 4]);
        assert!(!open(Window::Never, 0) && open(Window::Always, i64::from(i32::MAX)));
        assert!(open(Window::Minutes(u64::MAX), 1), "it does not overflow");
    }
}
