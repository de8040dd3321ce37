//! `editMessage`: commit, push, acknowledge.

use super::Parts;
use chat::{EditMessage, Push, Reply};
use chat_aws::entry::ActionEvent;
use chat_aws::{Committed, Failure};

/// Commits before it tells anybody. An edit that is repeated is told again; its first attempt may have died before that.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let EditMessage { room, id, change } = EditMessage::read(&event.request, caller)?;
    parts.pace.admit(caller.user(), &room)?;
    parts.rights.admit(caller, &room).await?;

    let Committed { message, duplicate } = parts.changes.change(&room, id, &change, caller).await?;
    let round = parts.tell(&event, &message, &Push::edited(&message, caller.user())).await?;
    Ok(Reply::edited(&message, duplicate, round))
}
