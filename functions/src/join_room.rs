//! `joinRoom`: enter a room, tell its members, and say how far its history reaches.

use chat::{JoinRoom, Member, Presence, Push, Reply};
use chat_aws::entry::{self, Function, MessageEvent};
use chat_aws::{Arrived, Aws, Delivery, Failure, Fault, Membership, Pace, Rights, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::message(aws.pusher()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    membership: Membership,
    delivery: Delivery,
    signals_up_to: usize,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        let (membership, delivery, signals_up_to) = (aws.membership()?, aws.delivery()?, aws.signals_up_to()?);
        Ok(Self { pace: aws.pace()?, rights: aws.rights()?, membership, delivery, signals_up_to })
    }
}

/// Enters the room before it tells anybody. A right is looked for before, so that nobody else is pushed anything, and again
/// after. A device of a user who is there already is no news to the others.
pub async fn handle(parts: Parts, event: MessageEvent) -> Result<Reply, Failure> {
    let Parts { pace, rights, membership, delivery, signals_up_to } = parts;
    let (connection, asked_at) = (event.connection, now());
    let caller = &connection.caller;
    let JoinRoom { room, batches, rounds, changes, online } = JoinRoom::read(&event.request, caller)?;
    pace.admit(caller.user(), &room)?;
    rights.admit_now(caller, &room).await?;

    let (user, encoding) = (caller.user().clone(), connection.encoding);
    let me = Member { connection: connection.id, user, joined_at: asked_at, batches, rounds, encoding };
    let Arrived { newest, standing, found } = membership.arrive(&me, &room, caller, changes).await?;
    let presence = online.then(|| Presence::of(&found.members, found.all, &me.user, signals_up_to));
    let quiet = !found.all;
    if let Some(members) = found.whole().filter(|members| me.arrives(members)) {
        delivery.deliver(&room, members.into(), &Push::joined(&room, &caller.profile)).await?;
    }
    Ok(Reply::joined(room, newest, quiet, presence).standing(standing, now()))
}
