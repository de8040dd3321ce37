//! `joinRoom`: enter a room.

use crate::{Caller, ChangeNumber, MessageId, Presence, Profile, Push, Rejection, Reply, Request, RoomId, UserId};
use crate::{Standing, Timestamp};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRoom {
    pub room: RoomId,
    /// Whether the client reads frames that name several people who left.
    pub batches: bool,
    /// Whether the client reads frames of many messages.
    pub rounds: bool,
    /// Whether the client wants to know how far the room's changes reach.
    pub changes: bool,
    /// Whether the client wants to know who is there.
    pub online: bool,
}

impl JoinRoom {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let (batches, rounds) = (fields.flag("batches")?, fields.flag("rounds")?);
        let (changes, online) = (fields.flag("changes")?, fields.flag("online")?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, batches, rounds, changes, online })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoomReply {
    chatroom_id: RoomId,
    last_id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_change: Option<ChangeNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_change: Option<ChangeNumber>,
    #[serde(flatten)]
    presence: Option<Presence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_for_ms: Option<u64>,
}

/// How far a room reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// The newest message; 0 before the first.
    pub id: MessageId,
    /// For a client that asked for it.
    pub change: Option<LastChange>,
}

/// How far the changes of a room reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastChange {
    /// The number of the latest; 0 before the first.
    pub number: ChangeNumber,
    /// If that is so young that its message may still be read as it was before: up to where all messages are read as
    /// they are.
    pub settled: Option<ChangeNumber>,
}

impl Reply {
    /// The caller is in the room, whose newest message is `last_id`. A `quiet` room is so large that its members are
    /// not told of joins and leaves. `presence` is for a client that asked who is there.
    pub fn joined(room: RoomId, newest: Newest, quiet: bool, presence: Option<Presence>) -> Self {
        Self::JoinRoom(JoinRoomReply {
            chatroom_id: room,
            last_id: newest.id,
            quiet: quiet.then_some(true),
            last_change: newest.change.map(|change| change.number),
            settled_change: newest.change.and_then(|change| change.settled),
            presence,
            slow_seconds: None,
            muted_for_ms: None,
        })
    }

    /// The same with how the caller stands there: what is not so is not said.
    #[must_use]
    pub fn standing(self, standing: Standing, now: Timestamp) -> Self {
        let left = |until: Timestamp| u64::try_from(until.millis() - now.millis()).unwrap_or_default();
        match self {
            Self::JoinRoom(reply) => Self::JoinRoom(JoinRoomReply {
                slow_seconds: standing.slow.map(|slow| slow.as_secs()),
                // It may have ended since it was found.
                muted_for_ms: standing.muted.map(left).filter(|left| *left > 0),
                ..reply
            }),
            other => other,
        }
    }
}

/// What the room's other members are pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinRoomPush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    user: &'a Profile,
}

impl<'a> Push<'a> {
    pub fn joined(room: &'a RoomId, user: &'a Profile) -> Self {
        Self::JoinRoom(JoinRoomPush { chatroom_id: room, user_id: &user.id, user })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, refuses, request};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_granted_room_is_entered() {
        // As the course's frontend says it.
        let asked = request(&json!({"action": "joinRoom", "chatroomId": 1, "userId": 1}));
        let room = RoomId::parse("1").expect("an id");
        assert_eq!(
            JoinRoom::read(&asked, &caller()),
            Ok(JoinRoom { room, batches: false, rounds: false, changes: false, online: false })
        );
        refuses(
            JoinRoom::read,
            &[
                (json!({"chatroomId": 2}), "notAllowed: the token does not grant the room in chatroomId"),
                (json!({"chatroomId": 1, "batches": 1}), "badRequest: batches must be a boolean"),
                (json!({"chatroomId": 1, "rounds": 1}), "badRequest: rounds must be a boolean"),
                (json!({"chatroomId": 1, "changes": "yes"}), "badRequest: changes must be a boolean"),
                (json!({"chatroomId": 1, "online": "yes"}), "badRequest: online must be a boolean"),
                (json!({"chatroomId": "lobby", "batches": true, "online": true}), ""),
            ],
        );
    }
}
