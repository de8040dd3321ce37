//! `joinRoom`: enter a room, tell its members, and say how far its history reaches.

use chat::{JoinRoom, Member, Push, Reply};
use chat_aws::entry::{self, Function, MessageEvent};
use chat_aws::{Arrived, Aws, Delivery, Failure, Fault, Membership, Pace, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::message(aws.pusher()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    membership: Membership,
    delivery: Delivery,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self { pace: aws.pace()?, membership: aws.membership()?, delivery: aws.delivery()? })
    }
}

/// Enters the room before it tells anybody. A device of a user who is there already is no news to the others.
pub async fn handle(Parts { pace, membership, delivery }: Parts, event: MessageEvent) -> Result<Reply, Failure> {
    let (connection, asked_at) = (event.connection, now());
    let caller = &connection.caller;
    let JoinRoom { room, batches } = JoinRoom::read(&event.request, caller)?;
    pace.admit(caller.user(), &room)?;

    let (user, encoding) = (caller.user().clone(), connection.encoding);
    let me = Member { connection: connection.id, user, joined_at: asked_at, batches, encoding };
    let Arrived { last_id, audience } = membership.arrive(&me, &room, caller).await?;
    let quiet = audience.is_none();
    if let Some(members) = audience.filter(|members| me.arrives(members)) {
        delivery.deliver(&room, members.into(), &Push::joined(&room, &caller.profile)).await?;
    }
    Ok(Reply::joined(room, last_id, quiet))
}
