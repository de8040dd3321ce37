//! `$disconnect`: the connection is over. Take it out of its rooms, and tell them.

use chat_aws::entry::{self, DisconnectEvent, Function};
use chat_aws::{Aws, Closed, Connections, Failure, Fault, Membership, ROOMS_IN_FLIGHT, Users, Vars};
use futures_util::{StreamExt, future, stream};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let parts = Parts { connections: aws.connections()?, users: aws.users()?, membership: aws.membership()? };
    Ok(entry::disconnect(parts, handle))
}

#[derive(Clone)]
pub struct Parts {
    connections: Connections,
    users: Users,
    membership: Membership,
}

/// Closes the connection first, so that a join still under way finds it closed, then leaves each of its rooms. Its row
/// goes last: if the function dies before that, the next event begins again.
pub async fn handle(Parts { connections, users, membership }: Parts, event: DisconnectEvent) -> Result<(), Failure> {
    let guest = event.guest;
    let device = [guest.device()];
    let closing = connections.close(&guest.id);
    let (closed, forgotten) = match &guest.opening.caller {
        Ok(caller) => future::join(closing, users.forget(caller.user(), &device)).await,
        // Somebody who came in later stands in the row alone.
        Err(_) => match closing.await? {
            Closed { user: None, .. } => return Ok(()),
            Closed { user: Some(user), rooms } => {
                let forgotten = users.forget(&user, &device).await;
                (Ok(Closed { user: Some(user), rooms }), forgotten)
            }
        },
    };
    let Closed { user, rooms } = closed?;
    let mut leaves = Vec::new();
    if let Some(user) = &user {
        leaves.extend(rooms.iter().map(|room| membership.depart(&guest.id, user, room)));
    }
    // Every room is left, even if another one fails.
    let left: Vec<_> = stream::iter(leaves).buffer_unordered(ROOMS_IN_FLIGHT).collect().await;
    left.into_iter().chain([forgotten]).collect::<Result<(), _>>()?;
    connections.forget(&guest.id).await?;
    Ok(())
}
