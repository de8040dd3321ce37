//! `sendMessage`: count, store, push, acknowledge.

use chat::{Message, Push, Reply, SendMessage};
use chat_aws::apigw::MessageEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, Stored, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::message(App::new(vars)?, handle))
}

/// Stores before it pushes, so that nothing is seen or acknowledged that is not kept. Reads the members only after
/// the id is taken, so that whoever is not among them learns of it by the `lastId` of the join.
pub async fn handle(app: App, event: MessageEvent) -> Result<Reply, Failure> {
    let caller = &event.connection.caller;
    let SendMessage { room, claimed, content, client_message_id } = SendMessage::parse(&event.request)?;
    caller.must_be(&claimed)?;
    caller.may_enter(&room)?;
    app.pace.admit(caller.user(), &room)?;

    let id = app.messages.next_id(&room).await?;
    let sender = caller.user().clone();
    let message = Message { id, room: room.clone(), sender, content, create_time: now(), client_message_id };
    let (stored, members) = tokio::join!(app.messages.store(message), app.connections.members(&room));
    let Stored { message, unused } = stored?;

    let push = Push::sent(&message, &caller.profile, unused);
    app.deliver_from(&event.connection.id, &room, members?, &push).await?;
    Ok(Reply::sent(&message, unused))
}
