//! `listBars`: who is muted and who is banned in a room.

use crate::{Bar, Barred, Bars, Caller, Profile, Rejection, Reply, Request, RoomId, Timestamp, UserId};
use serde::Serialize;
use std::collections::HashMap;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListBars {
    pub room: RoomId,
}

impl ListBars {
    /// Reads the request of a caller, who needs a grant for the room. Whether the caller is in charge of it is asked after
    /// that.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        Ok(Self { room: request.fields()?.room_for(caller)? })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListBarsReply {
    chatroom_id: RoomId,
    bars: Vec<ListedBar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_seconds: Option<u64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct ListedBar {
    user: Profile,
    bar: Bar,
    until: Timestamp,
}

impl Reply {
    /// The bars of a room that hold now, each with how its user is shown, and whether the room is slow.
    pub fn bars(room: RoomId, bars: &Bars, slow: u64, mut profiles: HashMap<UserId, Profile>, now: Timestamp) -> Self {
        let listed = bars.all(now).into_iter().map(|(user, Barred { bar, until })| {
            let profile = profiles.remove(user).unwrap_or_else(|| Profile::unknown(user.clone()));
            // As a push shows it.
            ListedBar { user: Profile { create_time: None, ..profile }, bar, until }
        });
        let (bars, slow_seconds) = (listed.collect(), (slow > 0).then_some(slow));
        Self::ListBars(ListBarsReply { chatroom_id: room, bars, slow_seconds })
    }
}
