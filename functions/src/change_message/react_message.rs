//! `reactMessage`: store, tell the room, acknowledge.

use super::Parts;
use chat::{Bar, Push, ReactMessage, Reply};
use chat_aws::entry::ActionEvent;
use chat_aws::{Failure, Reacted};

/// Reactions are no part of the feed: a room that reacts as one would wait for one row. So a push that is lost is made
/// good by the next one, or by the history; and a room that is too large is not told. Nothing that it writes says who is
/// barred, so that is looked up, and believed for a while.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let ReactMessage { room, id, reaction } = ReactMessage::read(&event.request, caller)?;
    parts.reaction_pace.admit(caller.user(), &room)?;
    parts.rights.admit(caller, &room).await?;
    if reaction.on {
        parts.bars.admit(caller.user(), &room, Bar::Mute).await?;
    }

    let Reacted { reactions, duplicate } = parts.reactions.react(&room, id, caller.user(), &reaction).await?;
    // Who takes back what nobody ever put there has nothing to tell.
    if let Some(push) = Push::reacted(&room, caller.user(), id, &reaction, &reactions) {
        parts.delivery.deliver_notice_from(event.sender.as_ref(), &room, &push).await?;
    }
    Ok(Reply::reacted(room, id, duplicate))
}
