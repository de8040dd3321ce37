//! `leaveRoom`: leave a room, and tell those who stay.

use chat::{Reply, RoomRequest};
use chat_aws::apigw::MessageEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::message(App::new(vars)?, handle))
}

/// Needs no grant: whoever is in a room may leave it, and whoever is not changes nothing.
pub async fn handle(app: App, event: MessageEvent) -> Result<Reply, Failure> {
    let (caller, asked_at) = (&event.connection.caller, now());
    let RoomRequest { room, claimed } = RoomRequest::parse(&event.request)?;
    caller.must_be(&claimed)?;
    app.leave(&event.connection.id, caller.user(), &room, asked_at).await?;
    Ok(Reply::left(room))
}
