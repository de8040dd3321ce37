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
        let asked = request(&json!({"action": "leaveRoom", "chatroomId": 2}));
        assert!(caller().may_enter(&RoomId::parse("2").expect("an id")).is_err());
        let left = LeaveRoom::read(&asked, &caller()).expect("it may");
        let reply = text(Reply::left(left.room).answering(Some(&asked)));
        assert_eq!(reply, r#"{"type":"ack","action":"leaveRoom","chatroomId":2}"#);
    }

    #[test]
    fn one_frame_tells_of_one_or_of_many() {
        let room = RoomId::parse("lobby").expect("an id");
        let users = ["7", "guang"].map(|id| UserId::parse(id).expect("an id"));
        let left = r#"{"type":"leaveRoom","chatroomId":"lobby","userId":7}"#;
        assert_eq!(text(Push::left(&room, &users[0])), left);
        assert_eq!(text(Push::left_together(&room, &users[..1])), left, "one frame for all clients");
        let together = r#"{"type":"leaveRoom","chatroomId":"lobby","userId":7,"userIds":[7,"guang"]}"#;
        assert_eq!(text(Push::left_together(&room, &users)), together);
        assert!(Push::left_together(&room, &[]).is_none());
    }
}
