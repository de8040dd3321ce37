//! Rooms that are kept here: groups and pairs, whose people are in them whether they are connected or not.

use crate::limits::{KEPT_ROOM_MEMBERS_MAX, KEPT_ROOM_NAME_CHARS_MAX};
use crate::visible;
use crate::wire::Invalid;
use crate::{ClientMessageId, Rejection, RoomId, Timestamp, UserId};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The bytes of an id that nobody can guess.
pub const GROUP_ID_BYTES: usize = 16;

/// How long an id is behind its first two letters: 16 bytes as base64url.
const ID_CHARS: usize = 22;

/// What kind of room it is. Its id says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeptKind {
    /// It has an owner and a name, and takes people in.
    Group,
    /// Two people, for good.
    Pair,
}

impl KeptKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Group => "g-",
            Self::Pair => "p-",
        }
    }
}

impl RoomId {
    /// Which kind of kept room it is; none of a room that lives in tokens alone.
    pub fn kept(&self) -> Option<KeptKind> {
        let text = self.to_string();
        let is = |kind: &KeptKind| {
            let rest = text.strip_prefix(kind.prefix());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            rest.is_some_and(|rest| rest.len() == ID_CHARS && rest.bytes().all(plain))
        };
        [KeptKind::Group, KeptKind::Pair].into_iter().find(is)
    }

    pub fn is_kept(&self) -> bool {
        self.kept().is_some()
    }

    /// The room of two people: the same whoever asks for it, and however often, without a search.
    pub fn of_pair(one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one.to_string() <= other.to_string() { (one, other) } else { (other, one) };
        Self::of_digest(KeptKind::Pair, [&first.to_string(), &second.to_string()])
    }

    /// The group that its owner calls so: a request that is repeated makes one group.
    pub fn of_named_group(owner: &UserId, name: &ClientMessageId) -> Self {
        Self::of_digest(KeptKind::Group, [&owner.to_string(), &name.to_string()])
    }

    /// A group that nobody named, of random bytes.
    pub fn of_group(random: [u8; GROUP_ID_BYTES]) -> Self {
        Self::of_bytes(KeptKind::Group, &random)
    }

    /// With their lengths, so that no two texts run into each other.
    fn of_digest(kind: KeptKind, texts: [&str; 2]) -> Self {
        let mut digest = Sha256::new();
        digest.update(kind.prefix());
        for text in texts {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        Self::of_bytes(kind, &digest.finalize()[..GROUP_ID_BYTES])
    }

    fn of_bytes(kind: KeptKind, bytes: &[u8]) -> Self {
        Self::text(format!("{}{}", kind.prefix(), BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }
}

/// A kept room, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRoom {
    pub id: RoomId,
    pub kind: KeptKind,
    /// Empty of a pair, which each of the two calls after the other.
    pub name: String,
    /// Who made it, if that one is still in it.
    pub owner: Option<UserId>,
    pub create_time: Timestamp,
    pub members: BTreeSet<UserId>,
}

impl KeptRoom {
    pub fn group(id: RoomId, name: String, owner: &UserId, create_time: Timestamp) -> Self {
        let (owner, members) = (Some(owner.clone()), [owner.clone()].into());
        Self { id, kind: KeptKind::Group, name, owner, create_time, members }
    }

    pub fn pair(one: &UserId, other: &UserId, create_time: Timestamp) -> Self {
        let (id, members) = (RoomId::of_pair(one, other), [one.clone(), other.clone()].into());
        Self { id, kind: KeptKind::Pair, name: String::new(), owner: None, create_time, members }
    }

    /// Who else is in a pair.
    pub fn other(&self, me: &UserId) -> Option<&UserId> {
        self.members.iter().find(|member| *member != me).filter(|_| self.kind == KeptKind::Pair)
    }

    /// Why somebody may not take a user in, if the room as it is forbids it. The write has the same conditions.
    pub fn refuses_to_add(&self, by: &UserId, user: &UserId) -> Option<Rejection> {
        if !self.members.contains(by) {
            return Some(Rejection::RoomNotGranted);
        }
        if self.kind == KeptKind::Pair {
            return Some(Rejection::PairIsClosed);
        }
        let has_place = self.members.len() < KEPT_ROOM_MEMBERS_MAX || self.members.contains(user);
        (!has_place).then_some(Rejection::RoomFull { limit: KEPT_ROOM_MEMBERS_MAX })
    }

    /// Why somebody may not take another out, if the room as it is forbids it.
    pub fn refuses_to_remove(&self, by: &UserId) -> Option<Rejection> {
        if !self.members.contains(by) {
            return Some(Rejection::RoomNotGranted);
        }
        (self.owner.as_ref() != Some(by)).then_some(Rejection::NotOwner)
    }
}

/// A group's name as people see it.
pub(crate) fn group_name(text: &str) -> Result<String, Invalid> {
    let name = visible::name(text).filter(|name| name.chars().count() <= KEPT_ROOM_NAME_CHARS_MAX);
    name.ok_or_else(|| Invalid::expected(format!("1 to {KEPT_ROOM_NAME_CHARS_MAX} characters that can be seen")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("an id")
    }

    #[test]
    fn an_id_says_what_kind_of_room_it_is() {
        let name: ClientMessageId = serde_json::from_str("\"a\"").expect("an id");
        let group = RoomId::of_named_group(&user("1"), &name);
        assert_eq!(group.kept(), Some(KeptKind::Group));
        assert_eq!(RoomId::of_group([0; GROUP_ID_BYTES]).to_string(), "g-AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(RoomId::of_pair(&user("1"), &user("2")).kept(), Some(KeptKind::Pair));
        // Ids are in links and rows: they stay what they were.
        assert_eq!(RoomId::of_pair(&user("2"), &user("1")).to_string(), "p-I-SF0pxTFK91c-VIZAyDww");
        for text in
            ["1", "g-", "g-lobby", "p-AAAAAAAAAAAAAAAAAAAAA", "g-AAAAAAAAAAAAAAAAAAAAAAA", "g-AAAAAAAAAAAAAAAAAAAA/A"]
        {
            assert_eq!(RoomId::parse(text).expect("an id").kept(), None, "{text}");
        }
    }

    #[test]
    fn members_take_in_and_owners_take_out() {
        let (guang, dong, eve) = (user("1"), user("2"), user("3"));
        let time = Timestamp::from_millis(0);
        let mut group = KeptRoom::group(RoomId::of_group([1; GROUP_ID_BYTES]), "Team".into(), &guang, time);
        group.members.insert(dong.clone());
        assert_eq!(group.refuses_to_add(&dong, &eve), None);
        assert_eq!(group.refuses_to_add(&eve, &eve), Some(Rejection::RoomNotGranted));
        assert_eq!(group.refuses_to_remove(&guang), None);
        assert_eq!(group.refuses_to_remove(&dong), Some(Rejection::NotOwner));
        assert_eq!(group.refuses_to_remove(&eve), Some(Rejection::RoomNotGranted));

        group.members.extend((0..KEPT_ROOM_MEMBERS_MAX).map(|number| user(&format!("u{number}"))));
        let full = Some(Rejection::RoomFull { limit: KEPT_ROOM_MEMBERS_MAX });
        assert_eq!((group.refuses_to_add(&guang, &eve), group.refuses_to_add(&guang, &dong)), (full, None));

        let pair = KeptRoom::pair(&guang, &dong, time);
        assert_eq!(pair.refuses_to_add(&guang, &eve), Some(Rejection::PairIsClosed));
        assert_eq!((pair.other(&guang), group.other(&guang)), (Some(&dong), None));
    }

    proptest! {
        #[test]
        fn a_pairs_id_is_its_own(a in "[a#]{1,4}", b in "[a#]{1,4}", c in "[a#]{1,4}", d in "[a#]{1,4}") {
            let same = BTreeSet::from([&a, &b]) == BTreeSet::from([&c, &d]);
            let pair = |one: &str, other: &str| RoomId::of_pair(&user(one), &user(other));
            prop_assert_eq!(pair(&a, &b) == pair(&c, &d), same);
            prop_assert_eq!(pair(&a, &b), pair(&b, &a));
        }
    }
}
