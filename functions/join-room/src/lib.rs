//! `joinRoom`: enter a room, tell its members, and say how far its history reaches.

use chat::{Member, Push, Reply, RoomRequest};
use chat_aws::apigw::MessageEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::message(App::new(vars)?, handle))
}

/// Becomes a member first and reads the newest id after it. A sender counts first and reads the members after it; so
/// every message that was not pushed to this member has an id of at most `lastId`, and is found in the history.
pub async fn handle(app: App, event: MessageEvent) -> Result<Reply, Failure> {
    let connection = event.connection;
    let caller = &connection.caller;
    let RoomRequest { room, claimed } = RoomRequest::parse(&event.request)?;
    caller.must_be(&claimed)?;
    caller.may_enter(&room)?;
    app.pace.admit(caller.user(), &room)?;

    let me = Member { connection: connection.id, user: caller.user().clone(), joined_at: now() };
    app.connections.enter(&me, &room, caller.good_until).await?;
    let (noted, last_id, members) = tokio::join!(
        app.connections.note(&me.connection, &room),
        app.messages.last_id(&room),
        app.connections.members(&room),
    );
    if let Err(refused) = noted? {
        app.undo_join(&me, &room, &caller.profile).await?;
        return Err(refused.into());
    }
    let (last_id, members) = (last_id?, members?.all().await?);
    if me.arrives(&members) {
        app.deliver(&room, members.into(), &Push::joined(&room, &caller.profile)).await?;
    }
    Ok(Reply::joined(room, last_id))
}
