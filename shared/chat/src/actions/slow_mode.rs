//! `slowMode`: let everybody say something only so often.

use super::bar_user::seconds;
use crate::limits::SLOW_SECONDS_MAX;
use crate::{Caller, Rejection, Reply, Request, RoomId};
use serde::Serialize;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowMode {
    pub room: RoomId,
    /// Between two messages of a user; 0 ends it.
    pub seconds: u64,
}

impl SlowMode {
    /// Reads the request of a caller, who needs a grant for the room. Whether the caller is in charge of it is asked after
    /// that.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let (room, claimed) = (fields.room()?, fields.claimed()?);
        let seconds = seconds(fields, 0, SLOW_SECONDS_MAX)?;
        caller.must_be(&claimed)?;
        caller.may_enter(&room)?;
        Ok(Self { room, seconds })
    }
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlowModeReply {
    chatroom_id: RoomId,
    seconds: u64,
}

impl Reply {
    pub fn slowed(asked: SlowMode) -> Self {
        Self::SlowMode(SlowModeReply { chatroom_id: asked.room, seconds: asked.seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pace_is_between_none_and_an_hour() {
        let seconds = "badRequest: seconds must be a whole number from 0 to 3600";
        refuses(
            SlowMode::read,
            &[
                (json!({"chatroomId": 1, "seconds": 0}), ""),
                (json!({"chatroomId": 1, "seconds": 3_600}), ""),
                (json!({"chatroomId": 1}), "badRequest: seconds is missing"),
                (json!({"chatroomId": 1, "seconds": -1}), seconds),
                (json!({"chatroomId": 1, "seconds": 3_601}), seconds),
                (json!({"chatroomId": 2, "seconds": 1}), "notAllowed"),
            ],
        );
    }
}
