//! `editMessage`: commit, push, acknowledge.

use super::Parts;
use chat::{Change, EditMessage, Push, Reply, RoomId};
use chat_aws::Failure;
use chat_aws::entry::ActionEvent;

/// Commits before it tells anybody. An edit that is repeated is told again; its first attempt may have died before that.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let EditMessage { room, id, change } = EditMessage::read(&event.request, caller)?;
    parts.pace.admit(caller.user(), &room)?;
    parts.rights.admit(caller, &room).await?;

    let change = match review(&parts, &event, &room, change.clone()).await {
        Ok(reviewed) => reviewed,
        // What is stored already is not refused when it is said again.
        Err(refused) if !parts.changes.is_done(&room, id, &change, caller).await? => return Err(refused),
        Err(_) => change,
    };
    let committed = parts.changes.change(&room, id, &change, caller).await?;
    let round = parts.tell(&event, &committed, &Push::edited(&committed.message, caller.user())).await?;
    Ok(Reply::edited(&committed.message, committed.duplicate, round))
}

/// Has the deployment's reviewer say whether the new text may be, and how.
async fn review(parts: &Parts, event: &ActionEvent, room: &RoomId, change: Change) -> Result<Change, Failure> {
    let Change::Edit { content, client_message_id } = change else { return Ok(change) };
    let content = parts.reviewer.admit(event, room, Some(&client_message_id), content).await?;
    Ok(Change::Edit { content, client_message_id })
}
