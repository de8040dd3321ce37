//! `create-one-to-one`: the room of two people.

use super::Parts;
use chat::{CreatePair, KeptRoom, Push};
use chat_aws::entry::{HttpAnswer, HttpEvent};
use chat_aws::{Failure, now};

/// A pair has one room, however often it is asked for, and by whichever of the two.
pub async fn handle(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let me = event.caller.user();
    let CreatePair { friend } = CreatePair::read(&event.params()?, &event.caller)?;
    parts.admit(&event.caller).await?;

    let pair = KeptRoom::pair(me, &friend, now());
    let is_there = parts.kept.is_in(me, &pair.id).await?;
    if !is_there && parts.kept.create(&pair).await? {
        parts.personal.tell([&friend, me], &Push::room_added(&pair.id, me)).await;
    }
    Ok(HttpAnswer::ok(&pair.id)?)
}
