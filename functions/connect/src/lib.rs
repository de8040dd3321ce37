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

/// Accepts the handshake once profile and connection are stored; until then nothing can be pushed to it. The connection goes
/// last: whoever finds it at its user meanwhile closes it, and then it does not open. Where the user has too many, the oldest make
/// place.
pub async fn handle(app: App, event: ConnectEvent) -> Result<Accepted, Failure> {
    let caller = &event.connection.caller;
    let device = event.connection.device();
    let Some(devices) = app.users.remember(&caller.profile, caller.issued_at, &device).await? else {
        return Err(Rejection::TokenRevoked.into());
    };
    app.displace(caller.user(), devices, &device).await?;
    if !app.connections.open(&device, caller.user()).await? {
        app.users.forget(caller.user(), &[device]).await?;
        return Err(app.too_many_connections().into());
    }
    let offered = event.subprotocols.iter().any(|offer| offer == SUBPROTOCOL);
    Ok(Accepted { subprotocol: offered.then_some(SUBPROTOCOL) })
}
