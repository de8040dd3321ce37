//! `editMessage`: commit, push, acknowledge.

use super::Parts;
use chat::{EditMessage, Push, Reply};
use chat_aws::entry::ActionEvent;
use chat_aws::{Committed, Failure};

/// Commits before it reads the members: who joins later reads how far the changes reach after it has entered, and finds
/// this one. An edit that is repeated is pushed again; its first attempt may have died before it pushed.
pub async fn handle(Parts { pace, changes, delivery, .. }: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let EditMessage { room, id, change } = EditMessage::read(&event.request, caller)?;
    pace.admit(caller.user(), &room)?;

    let Committed { message, duplicate } = changes.change(&room, id, &change, caller).await?;
    let members = delivery.members(&room).await?;
    delivery.deliver_from(event.sender.as_ref(), &room, members, &Push::edited(&message, caller.user())).await?;
    Ok(Reply::edited(&message, duplicate))
}
