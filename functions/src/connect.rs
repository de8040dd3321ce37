//! `$connect`: the authorizer let a client in. Keep its connection, and how its user is shown.

use chat_aws::entry::{self, Accepted, ConnectEvent, Function};
use chat_aws::{Aws, Failure, Fault, Sessions, Vars};

/// The protocol we speak. A client that offers `bearer.<token>` offers this one beside it, for us to choose.
const SUBPROTOCOL: &str = "chat";

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::connect(Aws::new(vars)?.sessions()?, handle))
}

/// Accepts the handshake once profile and connection are stored. Until then nothing can be pushed to it.
pub async fn handle(sessions: Sessions, event: ConnectEvent) -> Result<Accepted, Failure> {
    let connection = &event.connection;
    sessions.open(&connection.device(), &connection.caller).await?;
    let offered = event.subprotocols.iter().any(|offer| offer == SUBPROTOCOL);
    Ok(Accepted { subprotocol: offered.then_some(SUBPROTOCOL) })
}
