//! `disconnect-user`: shut a user out. No route leads here; an application's backend invokes it with its own rights.

use chat::{DisconnectUser, DisconnectUserReply};
use chat_aws::entry::{self, CallEvent, Function};
use chat_aws::{Aws, Failure, Fault, Sessions, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::call(Aws::new(vars)?.sessions()?, handle))
}

/// Revokes first, so that nobody comes in whom it does not end. A user who was never seen is kept out all the same, and
/// the answer says so: it may be an id that was mistyped.
pub async fn handle(sessions: Sessions, event: CallEvent) -> Result<DisconnectUserReply, Failure> {
    let DisconnectUser { user } = DisconnectUser::read(&event.payload)?;
    let ended = sessions.end_all(&user).await?;
    Ok(DisconnectUserReply {
        user_id: user,
        seen: ended.seen,
        connections_ended: ended.connections,
        connections_missing: ended.missing,
    })
}
