//! Reactions to a message: who put which emoji to it.

use crate::limits::EMOJI_BYTES_MAX;
use crate::wire::Invalid;
use crate::{ChangeNumber, UserId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An emoji, or a short name that an application shows as one. It is shown as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Emoji(String);

impl Emoji {
    /// Reads 1 to 64 bytes without blanks and control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=EMOJI_BYTES_MAX).contains(&text.len());
        let plain = !text.chars().any(|char| char.is_whitespace() || char.is_control());
        (fits && plain).then(|| Self(text.into()))
    }

    pub(crate) fn from_json(value: &serde_json::Value) -> Result<Self, Invalid> {
        let expected = || Invalid::expected(format!("1 to {EMOJI_BYTES_MAX} bytes without blanks"));
        value.as_str().and_then(Self::parse).ok_or_else(expected)
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All reactions to a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reactions {
    /// Rises with each of them. They are not counted with the room's changes: a room that reacts as one would wait for
    /// one row.
    pub version: ChangeNumber,
    pub by_emoji: BTreeMap<Emoji, BTreeSet<UserId>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_short_and_visible() {
        for emoji in ["👍", "👩‍👩‍👧‍👦", ":+1:", &"x".repeat(EMOJI_BYTES_MAX)] {
            assert!(Emoji::parse(emoji).is_some(), "{emoji}");
        }
        for emoji in ["", " ", "a b", "a\n", "\u{0}", &"x".repeat(EMOJI_BYTES_MAX + 1)] {
            assert_eq!(Emoji::parse(emoji), None, "{emoji:?}");
        }
    }
}
