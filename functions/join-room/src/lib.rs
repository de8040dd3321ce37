//! `joinRoom`: enter a room, tell its members, and say how far its history reaches.

use chat::{Member, MessageId, Push, Rejection, Reply, RoomId, RoomRequest};
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
    let (arrival, members) = tokio::join!(arrive(&app, &me, &room), app.connections.members(&room));
    let last_id = match arrival? {
        Ok(last_id) => last_id,
        Err(refused) => {
            app.undo_join(&me, &room, &caller.profile).await?;
            return Err(refused.into());
        }
    };
    let members = members?.all().await?;
    if me.arrives(&members) {
        app.deliver(&room, members.into(), &Push::joined(&room, &caller.profile)).await?;
    }
    Ok(Reply::joined(room, last_id))
}

/// Notes the room at the connection, unless that is closed or in too many, and answers the room's newest id. One after the
/// other: a third request at once would take a third socket, whose handshake is a tenth of a cold start.
async fn arrive(app: &App, me: &Member, room: &RoomId) -> Result<Result<MessageId, Rejection>, Fault> {
    match app.connections.note(&me.connection, room).await? {
        Ok(()) => app.messages.last_id(room).await.map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}
