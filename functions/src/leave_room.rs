//! `leaveRoom`: leave a room, and tell those who stay.

use chat::{LeaveRoom, Reply};
use chat_aws::entry::{self, Function, MessageEvent};
use chat_aws::{Aws, Failure, Fault, Membership, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::message(aws.pusher()?, aws.membership()?, handle))
}

/// Changes nothing for a connection that is not in the room.
pub async fn handle(membership: Membership, event: MessageEvent) -> Result<Reply, Failure> {
    let (caller, asked_at) = (&event.connection.caller, now());
    let LeaveRoom { room } = LeaveRoom::read(&event.request, caller)?;
    membership.leave(&event.connection.id, caller.user(), &room, asked_at).await?;
    Ok(Reply::left(room))
}
