//! `listBars`: who is muted and who is banned in a room.

use super::Parts;
use chat::{ListBars, Reply};
use chat_aws::entry::ActionEvent;
use chat_aws::{Failure, now};

/// The room's row, and how those are shown who stand in it.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let ListBars { room } = ListBars::read(&event.request, &event.caller)?;
    parts.admit(&event.caller, &room).await?;

    let (head, now) = (parts.bars.head(&room).await?.unwrap_or_default(), now());
    let barred = head.bars.all(now).into_iter().map(|(user, _)| user.clone());
    let profiles = parts.users.profiles_of(barred.collect()).await?;
    Ok(Reply::bars(room, &head.bars, head.slow, profiles, now))
}
