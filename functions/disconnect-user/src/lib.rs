//! `disconnect-user`: shut somebody out. No route leads here; an application's backend invokes it with its own rights.

use chat::{DisconnectUser, Disconnected};
use chat_aws::apigw::CallEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::call(App::new(vars)?, handle))
}

/// Revokes first, so that nobody comes in whom it does not end. A user who was never seen is kept out all the same, and the answer
/// says so: it may be an id that was mistyped.
pub async fn handle(app: App, event: CallEvent) -> Result<Disconnected, Failure> {
    let DisconnectUser { user } = DisconnectUser::parse(&event.payload)?;
    let ended = app.disconnect(&user).await?;
    Ok(Disconnected {
        user_id: user,
        seen: ended.seen,
        connections_ended: ended.connections,
        connections_missing: ended.missing,
    })
}
