//! `slowMode`: let everybody say something only so often.

use super::Parts;
use chat::{Reply, SlowMode};
use chat_aws::Failure;
use chat_aws::entry::ActionEvent;

/// Nobody is told: a join is, and so is whoever comes too soon.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let asked = SlowMode::read(&event.request, &event.caller)?;
    parts.admit(&event.caller, &asked.room).await?;

    parts.bars.slow(&asked.room, asked.seconds).await?;
    Ok(Reply::slowed(asked))
}
