//! `joinRoom`: enter a room, tell its members, and say how far its history reaches.

use chat::{JoinRoom, Member, Push, Rejection, Reply};
use chat_aws::apigw::MessageEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Arrival, Failure, Fault, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::message(App::new(vars)?, handle))
}

/// Notes the room at the connection, enters it, and only then reads what may forbid that, and the room's newest id. So whoever closes
/// the connection or leaves the room meanwhile is seen here, or sees the note. And a sender counts first and reads the members after
/// it; so every message that was not pushed to this member has an id of at most `lastId`, and is found in the history.
pub async fn handle(app: App, event: MessageEvent) -> Result<Reply, Failure> {
    let (connection, asked_at) = (event.connection, now());
    let caller = &connection.caller;
    let JoinRoom { room, claimed, batches } = JoinRoom::parse(&event.request)?;
    caller.must_be(&claimed)?;
    caller.may_enter(&room)?;
    app.pace.admit(caller.user(), &room)?;

    let me = Member { connection: connection.id, user: caller.user().clone(), joined_at: asked_at, batches };
    let join = app.connections.note(&me.connection, &room).await??;
    let entered = app.connections.enter(&me, join, &room, caller.good_until).await?;
    let (arrival, audience) = tokio::join!(app.arrivals.verify(&me.connection, &room, join), app.audience(&room));
    let last_id = match arrival? {
        Arrival::In(last_id) if entered => last_id,
        found => {
            app.undo_join(&me, join, &room, found, &caller.profile).await?;
            return Err(if found == Arrival::Closed { Rejection::ConnectionGone } else { Rejection::Overtaken }.into());
        }
    };
    let members = audience?;
    let quiet = members.is_none();
    if let Some(members) = members.filter(|members| me.arrives(members)) {
        app.deliver(&room, members.into(), &Push::joined(&room, &caller.profile)).await?;
    }
    Ok(Reply::joined(room, last_id, quiet))
}
