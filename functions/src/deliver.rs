//! `deliver`: the courier of rooms in rounds. No route leads here; senders wake it, and it hands parts of a round to itself.

use chat::rounds::{Errand, Met, Wake};
use chat_aws::entry::{self, CallEvent, Function};
use chat_aws::{Aws, Couriers, Failure, Fault, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::call(Aws::new(vars)?.couriers()?, handle))
}

/// An event that is neither is dropped: Lambda would bring it again, and it would be no better.
pub async fn handle(couriers: Couriers, event: CallEvent) -> Result<Met, Failure> {
    match Errand::read(&event.payload) {
        Ok(Errand::Wake(wake)) => Ok(deliver(&couriers, wake).await.map(|()| Met::default())?),
        Ok(Errand::Hand(hand)) => Ok(couriers.lend_a_hand(&hand).await?),
        Err(rejection) => {
            tracing::error!(%rejection, "dropped");
            Ok(Met::default())
        }
    }
}

/// Has the room for as long as something comes, round after round. Whatever goes wrong ends the run: Lambda repeats it
/// when the lease is over, and a sender who comes before that wakes another.
async fn deliver(couriers: &Couriers, wake: Wake) -> Result<(), Fault> {
    let Some(mut turn) = couriers.take(wake).await? else { return Ok(()) };
    while !turn.is_over() {
        let goes_on = if turn.has_work() {
            let round = couriers.next(&mut turn).await?;
            couriers.push(&mut turn, &round).await?
        } else {
            couriers.rest(&mut turn).await?
        };
        if !goes_on {
            return turn.end();
        }
        couriers.breathe(&turn).await;
    }
    couriers.hand_on(&turn).await?;
    turn.end()
}
