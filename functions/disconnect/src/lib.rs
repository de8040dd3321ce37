//! `$disconnect`: the connection is no more; take it out of its rooms and tell them.

use chat_aws::apigw::DisconnectEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, ROOMS_IN_FLIGHT, Vars};
use futures_util::{StreamExt, future, stream};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::disconnect(App::new(vars)?, handle))
}

/// Closes the connection first, so that a join still under way finds it closed, then leaves each of its rooms. It is forgotten
/// last: whoever stops before that can begin again.
pub async fn handle(app: App, event: DisconnectEvent) -> Result<(), Failure> {
    let connection = &event.connection;
    let user = connection.caller.user();
    let device = [connection.device()];
    let (rooms, forgotten) = future::join(app.connections.close(&connection.id), app.users.forget(user, &device)).await;
    let rooms = rooms?;
    let leaves: Vec<_> = rooms.iter().map(|room| app.depart(&connection.id, user, room)).collect();
    // Every room is left, even if another one fails.
    let left: Vec<_> = stream::iter(leaves).buffer_unordered(ROOMS_IN_FLIGHT).collect().await;
    left.into_iter().chain([forgotten]).collect::<Result<(), _>>()?;
    app.connections.forget(&connection.id).await?;
    Ok(())
}
