//! `barUser`: mute somebody in a room, ban them from it, take them out, or let them be.

use crate::limits::BAR_SECONDS_MAX;
use crate::wire::{Fields, Invalid};
use crate::{Bar, BarChange, Barred, Caller, KeptRoom, Push, Rejection, Reply, Request, RoomId, Timestamp, UserId};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarUser {
    pub room: RoomId,
    pub target: UserId,
    pub act: Act,
}

/// What is to be done to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Kept in the room's row.
    Bar(BarChange),
    /// Taken out now; who is may come back at once.
    Kick,
}

impl BarUser {
    /// Reads the request of a caller, who needs a grant for the room. Whether the caller is in charge of it is asked after
    /// that.
    pub fn read(request: &Request, caller: &Caller, now: Timestamp) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let target = UserId::from_json(fields.required("targetId", "targetId")?);
        let target = target.map_err(|invalid| invalid.in_field("targetId"))?;
        let seconds = fields.get("seconds").map(|_| seconds(fields, 1, BAR_SECONDS_MAX)).transpose()?;
        let until = || seconds.ok_or(Rejection::Missing { field: "seconds" }).map(|seconds| until(now, seconds));
        let act = match fields.string("bar", "bar")? {
            "mute" => Act::Bar(BarChange::Set(Barred { bar: Bar::Mute, until: until()? })),
            "ban" => Act::Bar(BarChange::Set(Barred { bar: Bar::Ban, until: until()? })),
            "kick" => Act::Kick,
            "none" => Act::Bar(BarChange::Lift),
            _ => return Err(Invalid::expected("\"mute\", \"ban\", \"kick\" or \"none\"").in_field("bar")),
        };
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        if target == *caller.user() {
            return Err(Invalid::expected("another user").in_field("targetId"));
        }
        Ok(Self { room, target, act })
    }

    /// Refuses what may not be done in a kept room: to its owner, and to whoever is not in it, but for what lets somebody be.
    pub fn suits(&self, kept: &KeptRoom) -> Result<(), Rejection> {
        if kept.owner.as_ref() == Some(&self.target) {
            return Err(Rejection::OwnerIsNotBarred);
        }
        if self.act != Act::Bar(BarChange::Lift) && !kept.members.contains(&self.target) {
            return Err(Invalid::expected("somebody who is in the room").in_field("targetId"));
        }
        Ok(())
    }
}

/// When a bar ends. A part of a second counts as a whole one: rows know seconds.
fn until(now: Timestamp, seconds: u64) -> Timestamp {
    let until = now.after(Duration::from_secs(seconds)).after(Duration::from_millis(999));
    Timestamp::from_millis(until.seconds() * 1_000)
}

/// A field `seconds` between these.
pub(super) fn seconds(fields: Fields<'_>, least: u64, most: u64) -> Result<u64, Rejection> {
    let given = fields.required("seconds", "seconds")?;
    let seconds = Value::as_u64(given).filter(|seconds| (least..=most).contains(seconds));
    seconds.ok_or_else(|| Invalid::expected(format!("a whole number from {least} to {most}")).in_field("seconds"))
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BarUserReply {
    chatroom_id: RoomId,
    target_id: UserId,
    bar: &'static str,
    /// Of what has an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Bar(BarChange::Set(Barred { bar: Bar::Mute, .. })) => "mute",
            Self::Bar(BarChange::Set(Barred { bar: Bar::Ban, .. })) => "ban",
            Self::Bar(BarChange::Lift) => "none",
            Self::Kick => "kick",
        }
    }
}

impl Reply {
    /// It is done: what the target was not to do is refused from now on.
    pub fn barred(asked: BarUser) -> Self {
        let BarUser { room, target, act } = asked;
        let until = match act {
            Act::Bar(BarChange::Set(barred)) => Some(barred.until),
            Act::Bar(BarChange::Lift) | Act::Kick => None,
        };
        Self::BarUser(BarUserReply { chatroom_id: room, target_id: target, bar: act.name(), until })
    }
}

/// What the connections of somebody are pushed who is in a room no more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedPush<'a> {
    chatroom_id: &'a RoomId,
    reason: &'static str,
    /// After how many ms the user may come back, where there is a ban.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'a> Push<'a> {
    /// The user quit a kept room, or was taken out of it for good.
    pub fn removed(room: &'a RoomId) -> Self {
        Self::Removed(RemovedPush { chatroom_id: room, reason: "quit", retry_after_ms: None })
    }

    /// The user was taken out by a moderator, and may come back at once.
    pub fn kicked(room: &'a RoomId) -> Self {
        Self::Removed(RemovedPush { chatroom_id: room, reason: "kick", retry_after_ms: None })
    }

    /// The user is banned from the room.
    pub fn banned(room: &'a RoomId, ban: Barred, now: Timestamp) -> Self {
        Self::Removed(RemovedPush { chatroom_id: room, reason: "ban", retry_after_ms: Some(ban.left(now)) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::json;

    fn read(request: &Request, caller: &Caller) -> Result<BarUser, Rejection> {
        BarUser::read(request, caller, Timestamp::from_millis(10_001))
    }

    #[test]
    fn in_a_kept_room_its_owner_is_not_barred_and_nobody_who_is_not_in_it() {
        let user = |id: &str| UserId::parse(id).expect("an id");
        let (room, at) = (RoomId::parse("1").expect("an id"), Timestamp::from_millis(0));
        let mut kept = KeptRoom::group(room.clone(), "Team".into(), &user("1"), at);
        kept.members.insert(user("7"));
        let asked = |target: &str, act| BarUser { room: room.clone(), target: user(target), act };
        assert_eq!(asked("7", Act::Kick).suits(&kept), Ok(()));
        assert_eq!(asked("1", Act::Kick).suits(&kept), Err(Rejection::OwnerIsNotBarred));
        assert!(matches!(asked("9", Act::Kick).suits(&kept), Err(Rejection::Invalid { field: "targetId", .. })));
        assert_eq!(asked("9", Act::Bar(BarChange::Lift)).suits(&kept), Ok(()), "who has left is let be");
    }

    #[test]
    fn a_bar_is_for_somebody_else_and_has_an_end() {
        let asked = |bar: &str| json!({"chatroomId": 1, "targetId": 7, "bar": bar, "seconds": 60});
        let mute = read(&request(&asked("mute")), &caller()).expect("a mute");
        let until = Timestamp::from_millis(71_000);
        assert_eq!(mute.act, Act::Bar(BarChange::Set(Barred { bar: Bar::Mute, until })), "no second is lost");
        let with = |field: &str, value: Value| {
            let mut body = asked("ban");
            body[field] = value;
            body
        };
        let seconds = "badRequest: seconds must be a whole number from 1 to 31536000";
        refuses(
            read,
            &[
                (asked("ban"), ""),
                (json!({"chatroomId": 1, "targetId": 7, "bar": "kick"}), ""),
                (json!({"chatroomId": 1, "targetId": "7", "bar": "none"}), ""),
                (asked("hang"), "badRequest: bar must be \"mute\", \"ban\", \"kick\" or \"none\""),
                (with("targetId", Value::Null), "badRequest: targetId is missing"),
                (with("targetId", json!({})), "badRequest: targetId must be"),
                (with("targetId", json!(1)), "badRequest: targetId must be another user"),
                (with("seconds", Value::Null), "badRequest: seconds is missing"),
                (with("seconds", json!(0)), seconds),
                (with("seconds", json!(1.5)), seconds),
                (with("seconds", json!(BAR_SECONDS_MAX + 1)), seconds),
                (with("chatroomId", json!(2)), "notAllowed: the token does not grant the room"),
            ],
        );
    }
}
