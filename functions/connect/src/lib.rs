//! `$connect`: the authorizer let a client in; note its connection and how its user is shown.

use chat::Rejection;
use chat_aws::apigw::{Accepted, ConnectEvent};
use chat_aws::serve::{self, Function};
use chat_aws::{App, Failure, Fault, Vars};

/// The protocol we speak. A client that offers `bearer.<token>` offers this one beside it, for us to choose.
const SUBPROTOCOL: &str = "chat";

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::connect(App::new(vars)?, handle))
}

/// Accepts the handshake once connection and profile are stored; until then nothing can be pushed to it.
pub async fn handle(app: App, event: ConnectEvent) -> Result<Accepted, Failure> {
    let connection = &event.connection;
    let caller = &connection.caller;
    let (opened, remembered) = tokio::join!(
        app.connections.open(&connection.id, caller.user(), connection.connected_at),
        app.users.remember(&caller.profile, caller.issued_at),
    );
    opened?;
    if !remembered? {
        app.connections.forget(&connection.id, caller.user()).await?;
        return Err(Rejection::TokenRevoked.into());
    }
    let offered = event.subprotocols.iter().any(|offer| offer == SUBPROTOCOL);
    Ok(Accepted { subprotocol: offered.then_some(SUBPROTOCOL) })
}
