//! `$disconnect`: the connection is no more; take it out of its rooms and tell them.

use chat_aws::apigw::DisconnectEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, ROOMS_IN_FLIGHT, Vars};
use futures_util::{StreamExt, stream};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::disconnect(App::new(vars)?, handle))
}

/// Closes the connection first, so that a join still under way finds it closed, then leaves each of its rooms.
pub async fn handle(app: App, event: DisconnectEvent) -> Result<(), Failure> {
    let connection = &event.connection;
    let user = connection.caller.user();
    let rooms = app.connections.close(&connection.id, user).await?;
    let leaves: Vec<_> = rooms.iter().map(|room| app.leave(&connection.id, user, room)).collect();
    // Every room is left, even if another one fails.
    let left: Vec<_> = stream::iter(leaves).buffer_unordered(ROOMS_IN_FLIGHT).collect().await;
    left.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}
