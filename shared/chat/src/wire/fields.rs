use super::Invalid;
use super::request::Claimed;
use crate::{Caller, MessageId, Rejection, RoomId, UserId};
use serde_json::{Map, Value};

/// The fields of an object that a client sent. Each reader names the field that it refuses.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A field's value. `null` counts as absent, as most clients mean it.
    pub fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// `field` is what a refusal calls it: `content` in `message` is `message.content`.
    pub fn required(self, key: &str, field: &'static str) -> Result<&'a Value, Rejection> {
        self.get(key).ok_or(Rejection::Missing { field })
    }

    pub fn string(self, key: &str, field: &'static str) -> Result<&'a str, Rejection> {
        self.required(key, field)?.as_str().ok_or_else(|| Invalid::expected("a string").in_field(field))
    }

    pub fn object(self, key: &str, field: &'static str, expected: &str) -> Result<Fields<'a>, Rejection> {
        let object = self.required(key, field)?.as_object();
        object.map(Fields).ok_or_else(|| Invalid::expected(expected).in_field(field))
    }

    pub fn optional<T>(
        self,
        field: &'static str,
        parse: impl Fn(&Value) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Rejection> {
        self.get(field).map(|value| parse(value).map_err(|invalid| invalid.in_field(field))).transpose()
    }

    /// False where the field is absent.
    pub fn flag(self, field: &'static str) -> Result<bool, Rejection> {
        let flag = self.optional(field, |value| value.as_bool().ok_or(Invalid::expected("a boolean")))?;
        Ok(flag.unwrap_or_default())
    }

    pub fn room(self) -> Result<RoomId, Rejection> {
        let value = self.required("chatroomId", "chatroomId")?;
        RoomId::from_json(value).map_err(|invalid| invalid.in_field("chatroomId"))
    }

    /// The room of a request that says nothing else. The caller needs a grant for it.
    pub fn room_for(self, caller: &Caller) -> Result<RoomId, Rejection> {
        let (room, claimed) = (self.room()?, self.claimed()?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(room)
    }

    /// Which message of the room is meant.
    pub fn message_id(self) -> Result<MessageId, Rejection> {
        MessageId::from_json(self.required("id", "id")?).map_err(|invalid| invalid.in_field("id"))
    }

    pub fn claimed(self) -> Result<Claimed, Rejection> {
        let mut claimed = Vec::new();
        for field in ["userId", "sendUserId"] {
            claimed.extend(self.optional(field, UserId::from_json)?.map(|user| (field, user)));
        }
        Ok(Claimed(claimed))
    }
}
