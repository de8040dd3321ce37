//! `$connect`: the authorizer let a client in. Keep its connection, and how its user is shown.

use chat::socketio;
use chat_aws::entry::{self, Accepted, ConnectEvent, Function};
use chat_aws::{Aws, Failure, Fault, Pusher, Sessions, Vars};

/// The protocol we speak. A client that offers `bearer.<token>` offers this one beside it, for us to choose.
const SUBPROTOCOL: &str = "chat";

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::connect(Parts { sessions: aws.sessions()?, pusher: aws.pusher()? }, handle))
}

#[derive(Clone)]
pub struct Parts {
    sessions: Sessions,
    pusher: Pusher,
}

/// Accepts the handshake once profile and connection are stored. Until then nothing can be pushed to it. Of a client of
/// Socket.IO that is nobody yet, nothing is stored; each is greeted when it is in.
pub async fn handle(Parts { sessions, pusher }: Parts, event: ConnectEvent) -> Result<Accepted, Failure> {
    let guest = event.guest;
    if let Ok(caller) = &guest.opening.caller {
        sessions.open(&guest.device(), caller, guest.opening.encoding).await?;
    }
    let offered = event.subprotocols.iter().any(|offer| offer == SUBPROTOCOL);
    let greeting = socketio::greeting(&guest.id, &guest.opening);
    let after = greeting.map(|greeting| pusher.greet(guest.id, greeting));
    Ok(Accepted { subprotocol: offered.then_some(SUBPROTOCOL), after })
}
