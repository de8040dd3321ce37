//! `leaveRoom`: leave a room.

use crate::{Caller, Push, Rejection, Reply, Request, RoomId, UserId};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveRoom {
    pub room: RoomId,
}

impl LeaveRoom {
    /// Reads the request of a caller, who needs no grant: everybody may leave.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        caller.must_be(&claimed)?;
        Ok(Self { room })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaveRoomReply {
    chatroom_id: RoomId,
}

impl Reply {
    pub fn left(room: RoomId) -> Self {
        Self::LeaveRoom(LeaveRoomReply { chatroom_id: room })
    }
}

/// What the room's remaining members are pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaveRoomPush<'a> {
    chatroom_id: &'a RoomId,
    user_id: &'a UserId,
    /// All who left, the first included; only in a frame for members that asked for
    /// [batches](crate::JoinRoom::batches).
    #[serde(skip_serializing_if = "Option::is_none")]
    user_ids: Option<&'a [UserId]>,
}

impl<'a> Push<'a> {
    pub fn left(room: &'a RoomId, user: &'a UserId) -> Self {
        Self::LeaveRoom(LeaveRoomPush { chatroom_id: room, user_id: user, user_ids: None })
    }

    /// Several people left. Nothing for nobody; a single one is told of as always.
    pub fn left_together(room: &'a RoomId, users: &'a [UserId]) -> Option<Self> {
        let user_ids = (users.len() > 1).then_some(users);
        Some(Self::LeaveRoom(LeaveRoomPush { chatroom_id: room, user_id: users.first()?, user_ids }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{caller, request, text};
    use super::*;
    use serde_json::json;

    #[test]
    fn everybody_may_leave() {
        let (asked, room) = (request(&json!({"chatroomId": 2})), RoomId::parse("2").expect("an id"));
        assert!(caller().may_enter(&room).is_err());
        assert_eq!(LeaveRoom::read(&asked, &caller()), Ok(LeaveRoom { room }));
    }

    #[test]
    fn a_single_one_is_told_of_as_always_and_nobody_not_at_all() {
        let (room, user) = (RoomId::parse("lobby").expect("an id"), UserId::parse("7").expect("an id"));
        let alone = std::slice::from_ref(&user);
        assert_eq!(text(Push::left_together(&room, alone)), text(Push::left(&room, &user)));
        assert!(Push::left_together(&room, &[]).is_none());
    }
}
