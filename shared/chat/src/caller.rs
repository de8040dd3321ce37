//! Who is calling, and what the token lets them enter.

use crate::limits::CONTEXT_BYTES_MAX;
use crate::{Claimed, Rejection, RoomId, Timestamp, UserId};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use thiserror::Error;

/// A set of rooms that a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    All,
    Rooms(BTreeSet<RoomId>),
}

impl Grant {
    /// Reads a token's claim: `"*"`, or a list of room ids.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if text == "*" => Some(Self::All),
            Value::Array(ids) => {
                ids.iter().map(|id| RoomId::from_json(id).ok()).collect::<Option<_>>().map(Self::Rooms)
            }
            _ => None,
        }
    }

    /// No room at all.
    pub const fn none() -> Self {
        Self::Rooms(BTreeSet::new())
    }

    fn is_none(&self) -> bool {
        *self == Self::none()
    }

    fn has(&self, room: &RoomId) -> bool {
        match self {
            Self::All => true,
            Self::Rooms(rooms) => rooms.contains(room),
        }
    }

    fn to_context(&self) -> String {
        match self {
            Self::All => "*".into(),
            Self::Rooms(rooms) => Value::from_iter(rooms.iter().map(|room| serde_json::json!(room))).to_string(),
        }
    }

    fn from_context(text: &str) -> Option<Self> {
        if text == "*" { Some(Self::All) } else { Self::from_json(&serde_json::from_str(text).ok()?) }
    }
}

/// The word for the rooms that are kept here and that the caller is in.
const MINE: &str = "@mine";

/// The rooms that a caller may enter and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Those that the token itself grants. All of them are all that are not kept here: a pair's id can be computed, and
    /// who is in a kept room is said by its rows.
    pub rooms: Grant,
    /// Whether the caller may also enter the kept rooms to which there is a right of the caller's.
    pub mine: bool,
}

impl Access {
    /// Reads a deployment's default: nothing for none, `*` for all, else room ids with commas between them. Among them
    /// `@mine` stands for the caller's kept rooms, and `*` beside it for all others.
    pub fn parse_default(text: &str) -> Option<Self> {
        match text.trim() {
            "" => Some(Self { rooms: Grant::none(), mine: false }),
            "*" => Some(Grant::All.into()),
            list => Self::of_words(list.split(',').map(|word| word.trim().into())),
        }
    }

    /// Reads a token's claim: `"*"`, `"@mine"`, or a list of room ids and these words.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) if text == MINE => Some(Self { rooms: Grant::none(), mine: true }),
            Value::Array(words) => Self::of_words(words.iter().cloned()),
            other => Grant::from_json(other).map(Self::from),
        }
    }

    /// `*` in a list is a word only beside `@mine`: alone it has always been the id of a room.
    fn of_words(words: impl Iterator<Item = Value>) -> Option<Self> {
        let (mine, others): (Vec<Value>, Vec<Value>) = words.partition(|word| word == MINE);
        let mine = !mine.is_empty();
        let rooms = if mine && others == ["*"] { Grant::All } else { Grant::from_json(&Value::Array(others))? };
        Some(Self { rooms, mine })
    }

    fn has(&self, room: &RoomId) -> bool {
        match &self.rooms {
            Grant::All => !room.is_kept(),
            rooms => rooms.has(room),
        }
    }
}

/// Without the kept rooms.
impl From<Grant> for Access {
    fn from(rooms: Grant) -> Self {
        Self { rooms, mine: false }
    }
}

/// How a user is shown to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub id: UserId,
    pub username: String,
    pub nick_name: String,
    /// Absent unless the deployment exposes addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub head_pic: Option<String>,
    /// When the user was first seen; the history knows it, a push does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<Timestamp>,
}

impl Profile {
    /// Shown for a user whose profile is not stored.
    pub fn unknown(id: UserId) -> Self {
        let name = id.to_string();
        Self { id, username: name.clone(), nick_name: name, email: None, head_pic: None, create_time: None }
    }
}

/// The one identity of a connection or an HTTP request: what the authorizer found in the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub profile: Profile,
    pub rooms: Access,
    /// The rooms in which the caller may recall what others said: none, as a rule.
    pub moderates: Grant,
    /// When the token was issued, in seconds since 1970; 0 if it does not say.
    pub issued_at: i64,
    /// Until when the token is good, and with it a connection, clocks that differ included.
    pub good_until: Timestamp,
}

/// The authorizer's context is not one that we wrote: the deployment is wrong, not the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidContext {
    #[error("the authorizer's context lacks {0}")]
    Lacks(&'static str),
    #[error("the authorizer's context would take {0} bytes, API Gateway carries 8 KB")]
    TooLarge(usize),
}

impl Caller {
    pub fn user(&self) -> &UserId {
        &self.profile.id
    }

    /// Refuses a user id in a body that is not the caller's own.
    pub fn must_be(&self, claimed: &Claimed) -> Result<(), Rejection> {
        match claimed.0.iter().find(|(_, user)| user != self.user()) {
            Some((field, _)) => Err(Rejection::NotCaller { field }),
            None => Ok(()),
        }
    }

    /// Refuses a room that the token does not grant. Of a kept room, whether the caller has a right to it is still to be
    /// looked up where [`Caller::needs_right`] says so.
    pub fn may_enter(&self, room: &RoomId) -> Result<(), Rejection> {
        if self.rooms.has(room) || self.needs_right(room) { Ok(()) } else { Err(Rejection::RoomNotGranted) }
    }

    /// Whether the caller enters a room by a right that its rows give, and not by the token alone.
    pub fn needs_right(&self, room: &RoomId) -> bool {
        self.rooms.mine && room.is_kept() && !self.rooms.has(room)
    }

    /// Refuses a caller whose token does not grant kept rooms.
    pub fn may_keep_rooms(&self) -> Result<(), Rejection> {
        if self.rooms.mine { Ok(()) } else { Err(Rejection::KeptRoomsNotGranted) }
    }

    /// Whether the caller may recall what others said in a room.
    pub fn moderates(&self, room: &RoomId) -> bool {
        self.moderates.has(room)
    }

    /// Whether the token has expired. A connection outlives the check of its token by up to two hours.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now > self.good_until
    }

    /// The flat strings that API Gateway hands to every later event of the connection.
    pub fn to_context(&self) -> Result<Vec<(&'static str, String)>, InvalidContext> {
        let profile = &self.profile;
        let mut context = vec![
            ("userId", profile.id.to_string()),
            ("username", profile.username.clone()),
            ("nickName", profile.nick_name.clone()),
            ("rooms", self.rooms.rooms.to_context()),
            ("issuedAt", self.issued_at.to_string()),
            ("goodUntil", self.good_until.millis().to_string()),
        ];
        context.extend(profile.email.clone().map(|email| ("email", email)));
        context.extend(profile.head_pic.clone().map(|url| ("headPic", url)));
        if self.rooms.mine {
            context.push(("mine", true.to_string()));
        }
        if !self.moderates.is_none() {
            context.push(("moderates", self.moderates.to_context()));
        }
        let bytes = serde_json::json!(context).to_string().len();
        if bytes > CONTEXT_BYTES_MAX { Err(InvalidContext::TooLarge(bytes)) } else { Ok(context) }
    }

    /// Reads back what [`Caller::to_context`] wrote.
    pub fn from_context(context: &HashMap<String, Value>) -> Result<Self, InvalidContext> {
        let text = |key: &'static str| context.get(key).and_then(Value::as_str).map(String::from);
        let required = |key: &'static str| text(key).ok_or(InvalidContext::Lacks(key));
        let id = UserId::parse(&required("userId")?).ok_or(InvalidContext::Lacks("userId"))?;
        let rooms = Grant::from_context(&required("rooms")?).ok_or(InvalidContext::Lacks("rooms"))?;
        let rooms = Access { rooms, mine: text("mine").is_some_and(|mine| mine == "true") };
        let moderates = match text("moderates") {
            None => Grant::none(),
            Some(moderates) => Grant::from_context(&moderates).ok_or(InvalidContext::Lacks("moderates"))?,
        };
        let number = |key| required(key)?.parse().map_err(|_| InvalidContext::Lacks(key));
        let profile = Profile {
            id,
            username: required("username")?,
            nick_name: required("nickName")?,
            email: text("email"),
            head_pic: text("headPic"),
            create_time: None,
        };
        let good_until = Timestamp::from_millis(number("goodUntil")?);
        Ok(Self { profile, rooms, moderates, issued_at: number("issuedAt")?, good_until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caller(rooms: impl Into<Access>) -> Caller {
        let id = UserId::parse("7").expect("an id");
        Caller {
            profile: Profile { head_pic: Some("https://example.com/7.png".into()), ..Profile::unknown(id) },
            rooms: rooms.into(),
            moderates: Grant::none(),
            issued_at: 1_741_746_165,
            good_until: Timestamp::from_millis(1_741_749_765_000),
        }
    }

    fn room(id: &str) -> RoomId {
        RoomId::parse(id).expect("an id")
    }

    #[test]
    fn only_granted_rooms_are_entered() {
        let some = caller(Access::parse_default("1, lobby").expect("a list"));
        assert!(some.may_enter(&room("1")).is_ok() && some.may_enter(&room("lobby")).is_ok());
        assert_eq!(some.may_enter(&room("2")), Err(Rejection::RoomNotGranted));
        assert!(caller(Grant::All).may_enter(&room("2")).is_ok());
        assert!(caller(Access::parse_default("").expect("none")).may_enter(&room("1")).is_err());
        assert_eq!(Access::parse_default("1,,2"), None);
    }

    #[test]
    fn kept_rooms_are_entered_by_a_right_and_never_by_a_star() {
        let kept = RoomId::of_pair(&UserId::parse("7").expect("an id"), &UserId::parse("8").expect("an id"));
        let read = |claim: Value| caller(Access::from_json(&claim).expect("a grant"));
        let (mine, both, listed) = ("@mine", serde_json::json!(["*", "@mine"]), serde_json::json!([kept, "@mine"]));
        assert_eq!(read("*".into()).may_enter(&kept), Err(Rejection::RoomNotGranted));
        assert_eq!(read("*".into()).may_keep_rooms(), Err(Rejection::KeptRoomsNotGranted));
        for (claim, others) in [(mine.into(), false), (both, true)] {
            let caller = read(claim);
            assert!(caller.may_enter(&kept).is_ok() && caller.needs_right(&kept) && caller.may_keep_rooms().is_ok());
            assert_eq!(caller.may_enter(&room("1")).is_ok(), others);
            assert!(!caller.needs_right(&room("1")));
        }
        // An application that lists a kept room has said it.
        assert!(read(listed.clone()).may_enter(&kept).is_ok() && !read(listed).needs_right(&kept));
        let default = |text: &str| Access::parse_default(text).expect("a default");
        assert_eq!(default("@mine"), Access { rooms: Grant::none(), mine: true });
        assert_eq!(default("*, @mine"), Access { rooms: Grant::All, mine: true });
        let star = Grant::Rooms([room("*")].into());
        assert_eq!(
            (default("*,1").rooms, read(serde_json::json!(["*"])).rooms.rooms),
            (Grant::Rooms([room("*"), room("1")].into()), star)
        );
    }

    #[test]
    fn nobody_speaks_for_someone_else() {
        let caller = caller(Grant::All);
        let claimed = |ids: &[(&'static str, &str)]| {
            Claimed(ids.iter().map(|(field, id)| (*field, UserId::parse(id).expect("an id"))).collect())
        };
        assert!(caller.must_be(&claimed(&[])).is_ok());
        assert!(caller.must_be(&claimed(&[("userId", "7"), ("sendUserId", "7")])).is_ok());
        let other = caller.must_be(&claimed(&[("userId", "7"), ("sendUserId", "8")]));
        assert_eq!(other, Err(Rejection::NotCaller { field: "sendUserId" }));
    }

    #[test]
    fn a_context_that_api_gateway_would_refuse_is_not_made() {
        let rooms = (0..2_000).map(|n| room(&n.to_string())).collect();
        assert!(matches!(caller(Grant::Rooms(rooms)).to_context(), Err(InvalidContext::TooLarge(_))));
    }

    #[test]
    fn a_context_of_someone_elses_making_is_no_caller() {
        assert_eq!(Caller::from_context(&HashMap::new()), Err(InvalidContext::Lacks("userId")));
    }

    proptest! {
        #[test]
        fn the_context_carries_the_caller_unchanged(
            user in "[a-z0-9]{1,12}", name in "\\PC{1,20}", email in proptest::option::of("\\PC{1,20}"),
            rooms in proptest::option::of(proptest::collection::btree_set("\\PC{1,12}", 0..8)),
            moderates in proptest::option::of(proptest::collection::btree_set("\\PC{1,12}", 0..8)), mine: bool,
        ) {
            let id = UserId::parse(&user).expect("alphanumeric");
            let profile = Profile { username: name.clone(), nick_name: name, email, ..Profile::unknown(id) };
            let grant = |rooms: Option<BTreeSet<String>>| match rooms {
                None => Grant::All,
                Some(ids) => Grant::Rooms(ids.iter().filter_map(|id| RoomId::parse(id)).collect()),
            };
            let rooms = Access { rooms: grant(rooms), mine };
            let caller = Caller { profile, moderates: grant(moderates), ..caller(rooms) };
            let context = caller.to_context().expect("small");
            let handed_on = context.into_iter().map(|(key, text)| (key.into(), Value::String(text))).collect();
            prop_assert_eq!(Caller::from_context(&handed_on).expect("ours"), caller);
        }
    }
}
