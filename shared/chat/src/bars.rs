//! Who may not speak in a room, or be in it, and until when.

use crate::limits::BARS_MAX;
use crate::{Rejection, Timestamp, UserId};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is taken from somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Bar {
    /// To say anything, and to edit what was said.
    Mute,
    /// To be in the room, and to read it.
    Ban,
}

/// A bar that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Barred {
    pub bar: Bar,
    pub until: Timestamp,
}

impl Barred {
    /// What somebody is told who is kept out by it.
    pub fn refusal(self, now: Timestamp) -> Rejection {
        Rejection::Barred { bar: self.bar, retry_after_ms: self.left(now) }
    }

    /// For how long it still holds, in ms. At least 1: it held when it was found, and may have ended since.
    pub fn left(self, now: Timestamp) -> u64 {
        u64::try_from(self.until.millis().saturating_sub(now.millis())).unwrap_or_default().max(1)
    }
}

/// What a moderator does about somebody's bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarChange {
    Set(Barred),
    /// Both of them.
    Lift,
}

/// The bars of a room, as its row has them. Times are whole seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bars {
    pub muted: BTreeMap<UserId, i64>,
    pub banned: BTreeMap<UserId, i64>,
    /// How often they were changed. "As they were read" is no condition for a change, since they may come to be so again.
    pub number: u64,
}

impl Bars {
    /// What is taken from somebody now; a ban goes before a mute.
    pub fn of(&self, user: &UserId, now: Timestamp) -> Option<Barred> {
        let found = |bars: &BTreeMap<UserId, i64>, bar| {
            let until = Timestamp::from_millis(bars.get(user)?.saturating_mul(1_000));
            (until > now).then_some(Barred { bar, until })
        };
        found(&self.banned, Bar::Ban).or_else(|| found(&self.muted, Bar::Mute))
    }

    /// Who is banned now.
    pub fn banned(&self, now: Timestamp) -> BTreeSet<UserId> {
        self.banned.iter().filter(|(_, until)| **until > now.seconds()).map(|(user, _)| user.clone()).collect()
    }

    /// All that hold now, those of one user together.
    pub fn all(&self, now: Timestamp) -> Vec<(&UserId, Barred)> {
        let users: BTreeSet<_> = self.banned.keys().chain(self.muted.keys()).collect();
        users.into_iter().filter_map(|user| Some((user, self.of(user, now)?))).collect()
    }

    /// Whether a change would change nothing: it is there already.
    pub fn has(&self, user: &UserId, change: BarChange) -> bool {
        match change {
            BarChange::Set(Barred { bar: Bar::Mute, until }) => self.muted.get(user) == Some(&until.seconds()),
            BarChange::Set(Barred { bar: Bar::Ban, until }) => self.banned.get(user) == Some(&until.seconds()),
            BarChange::Lift => !self.muted.contains_key(user) && !self.banned.contains_key(user),
        }
    }

    /// The next bars. What is over is dropped on the way. Refused if there are too many: they stand in a row that each
    /// message writes.
    pub fn with(mut self, user: &UserId, change: BarChange, now: Timestamp) -> Result<Self, Rejection> {
        for bars in [&mut self.muted, &mut self.banned] {
            bars.retain(|_, until| *until > now.seconds());
        }
        match change {
            BarChange::Set(Barred { bar: Bar::Mute, until }) => self.muted.insert(user.clone(), until.seconds()),
            BarChange::Set(Barred { bar: Bar::Ban, until }) => self.banned.insert(user.clone(), until.seconds()),
            BarChange::Lift => self.muted.remove(user).and(self.banned.remove(user)),
        };
        if change != BarChange::Lift && self.muted.len() + self.banned.len() > BARS_MAX {
            return Err(Rejection::TooManyBars { limit: BARS_MAX });
        }
        self.number += 1;
        Ok(self)
    }
}

/// How a user stands in a room: what its join is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Until when the user is muted.
    pub muted: Option<Timestamp>,
    /// The seconds between two of a user's messages, where the room is slow.
    pub slow: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: usize) -> UserId {
        UserId::parse(&id.to_string()).expect("an id")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn set(bar: Bar, until: i64) -> BarChange {
        BarChange::Set(Barred { bar, until: at(until) })
    }

    #[test]
    fn a_bar_holds_until_its_second_and_a_ban_goes_before_a_mute() {
        let bars = Bars::default().with(&user(7), set(Bar::Mute, 20), at(0)).expect("a bar");
        let bars = bars.with(&user(7), set(Bar::Ban, 10), at(0)).expect("a bar");
        let ban = Barred { bar: Bar::Ban, until: at(10) };
        assert_eq!((bars.of(&user(7), at(9)), bars.banned(at(9))), (Some(ban), [user(7)].into()));
        assert_eq!(
            ban.refusal(Timestamp::from_millis(9_500)),
            Rejection::Barred { bar: Bar::Ban, retry_after_ms: 500 }
        );
        let mute = Barred { bar: Bar::Mute, until: at(20) };
        assert_eq!((bars.of(&user(7), at(10)), bars.banned(at(10))), (Some(mute), BTreeSet::new()));
        assert_eq!((bars.of(&user(7), at(20)), bars.of(&user(8), at(0))), (None, None));
        // It was found, and ended before whom it keeps out was told.
        assert_eq!((mute.left(at(20)), mute.left(at(21))), (1, 1));
        assert_eq!(bars.all(at(5)), [(&user(7), ban)]);
    }

    #[test]
    fn what_is_over_is_dropped_by_the_next_change_and_both_are_lifted() {
        let bars = Bars::default().with(&user(1), set(Bar::Mute, 5), at(0)).expect("a bar");
        let bars = bars.with(&user(2), set(Bar::Ban, 9), at(5)).expect("a bar");
        assert_eq!((bars.muted.len(), bars.banned.len(), bars.number), (0, 1, 2));
        assert!(bars.has(&user(2), set(Bar::Ban, 9)) && !bars.has(&user(2), set(Bar::Mute, 9)));
        let bars = bars.with(&user(2), set(Bar::Mute, 9), at(5)).expect("a bar");
        assert!(!bars.has(&user(2), BarChange::Lift));
        let bars = bars.with(&user(2), BarChange::Lift, at(5)).expect("lifted");
        assert!(bars.has(&user(2), BarChange::Lift));
        assert_eq!((bars.of(&user(2), at(6)), bars.number), (None, 4));
    }

    #[test]
    fn a_room_has_no_more_bars_than_its_row_takes() {
        let all = (0..BARS_MAX).try_fold(Bars::default(), |bars, id| bars.with(&user(id), set(Bar::Ban, 9), at(0)));
        let all = all.expect("as many as there may be");
        let refused = all.clone().with(&user(BARS_MAX), set(Bar::Mute, 9), at(0));
        assert_eq!(refused, Err(Rejection::TooManyBars { limit: BARS_MAX }));
        all.clone().with(&user(0), set(Bar::Ban, 10), at(0)).expect("one that is there");
        all.clone().with(&user(0), BarChange::Lift, at(0)).expect("one less");
        all.with(&user(BARS_MAX), set(Bar::Mute, 20), at(9)).expect("the others are over");
    }
}
