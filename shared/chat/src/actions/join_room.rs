//! `joinRoom`: enter a room.

use crate::{Caller, MessageId, Presence, Profile, Push, Rejection, Reply, Request, RoomId, UserId};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRoom {
    pub room: RoomId,
    /// Whether the client reads frames that name several people who left.
    pub batches: bool,
    /// Whether the client wants to know who is there.
    pub online: bool,
}

impl JoinRoom {
    /// Reads the request of a caller, who needs a grant for the room.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let (batches, online) = (fields.flag("batches")?, fields.flag("online")?);
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, batches, online })
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
    #[serde(flatten)]
    presence: Option<Presence>,
}

impl Reply {
    /// The caller is in the room, whose newest message is `last_id`. A `quiet` room is so large that its members are
    /// not told of joins and leaves. `presence` is for a client that asked who is there.
    pub fn joined(room: RoomId, last_id: MessageId, quiet: bool, presence: Option<Presence>) -> Self {
        Self::JoinRoom(JoinRoomReply { chatroom_id: room, last_id, quiet: quiet.then_some(true), presence })
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
        assert_eq!(JoinRoom::read(&asked, &caller()), Ok(JoinRoom { room, batches: false, online: false }));
        refuses(
            JoinRoom::read,
            &[
                (json!({"chatroomId": 2}), "notAllowed: the token does not grant the room in chatroomId"),
                (json!({"chatroomId": 1, "batches": 1}), "badRequest: batches must be a boolean"),
                (json!({"chatroomId": 1, "online": "yes"}), "badRequest: online must be a boolean"),
                (json!({"chatroomId": "lobby", "batches": true, "online": true}), ""),
            ],
        );
    }
}
