//! `listMembers`: who is in a room, by name.

use crate::limits::MEMBERS_BYTES_MAX;
use crate::{Caller, Profile, Rejection, Reply, Request, RoomId};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMembers {
    pub room: RoomId,
}

impl ListMembers {
    /// Reads the request of a caller, who needs a grant for the room, and need not be in it.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        Ok(Self { room: request.fields()?.room_for(caller)? })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMembersReply {
    chatroom_id: RoomId,
    members: Vec<Profile>,
    online_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    online_more: Option<bool>,
}

impl Reply {
    /// These are in the room, the longest here first, of so many; `more` if not all members were read. As many of them
    /// are named as fit.
    pub fn members(room: RoomId, members: impl IntoIterator<Item = Profile>, count: usize, more: bool) -> Self {
        let mut bytes = 0;
        let fits = |profile: &Profile| {
            bytes += serde_json::to_string(profile).map_or(0, |json| json.len() + 1);
            bytes <= MEMBERS_BYTES_MAX
        };
        // As a push shows them.
        let shown = members.into_iter().map(|profile| Profile { create_time: None, ..profile });
        let members = shown.take_while(fits).collect();
        let online_more = more.then_some(true);
        Self::ListMembers(ListMembersReply { chatroom_id: room, members, online_count: count, online_more })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{refuses, text};
    use super::*;
    use crate::UserId;
    use crate::limits::{ID_BYTES_MAX, PRESENT_MAX, PROFILE_TEXT_CHARS_MAX, URL_CHARS_MAX};
    use serde_json::json;

    #[test]
    fn whoever_is_granted_the_room_may_ask() {
        refuses(
            ListMembers::read,
            &[
                (json!({"chatroomId": "lobby"}), ""),
                (json!({"chatroomId": 2}), "notAllowed: the token does not grant the room in chatroomId"),
            ],
        );
    }

    /// API Gateway carries 128 KB in one message.
    #[test]
    fn the_longest_profiles_fit_a_message() {
        let id = UserId::parse(&"\\".repeat(ID_BYTES_MAX)).expect("an id");
        let name = "光".repeat(PROFILE_TEXT_CHARS_MAX);
        let endless = Profile {
            username: name.clone(),
            nick_name: name,
            head_pic: Some("x".repeat(URL_CHARS_MAX)),
            ..Profile::unknown(id)
        };
        let room = || RoomId::parse("1").expect("an id");
        let all = text(Reply::members(room(), vec![endless; PRESENT_MAX], PRESENT_MAX, false).answering(None));
        assert!((100_000..128 * 1_024).contains(&all.len()), "{} bytes", all.len());
        let usual = Profile::unknown(UserId::parse("7").expect("an id"));
        let all = text(Reply::members(room(), vec![usual; PRESENT_MAX], PRESENT_MAX, false).answering(None));
        assert_eq!(all.matches("nickName").count(), PRESENT_MAX);
    }
}
