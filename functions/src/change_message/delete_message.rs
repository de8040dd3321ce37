//! `deleteMessage`: recall what was said. Nothing of it is kept but its place.

use super::Parts;
use chat::{DeleteMessage, Push, Reply};
use chat_aws::Failure;
use chat_aws::entry::ActionEvent;

/// As an edit. Nothing follows a recall, so every repeat finds the same state, whoever recalled it. A file goes before
/// anybody is told; if that fails the members are told all the same, and a repeat deletes it.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let DeleteMessage { room, id, change } = DeleteMessage::read(&event.request, caller)?;
    parts.pace.admit(caller.user(), &room)?;
    parts.rights.admit(caller, &room).await?;

    let committed = parts.changes.change(&room, id, &change, caller).await?;
    let message = &committed.message;
    let deleted = parts.files.delete(message).await;
    let by = message.deleted_by().unwrap_or(caller.user());
    let round = parts.tell(&event, &committed, &Push::deleted(message, by)).await?;
    deleted?;
    Ok(Reply::deleted(message, committed.duplicate, round))
}
