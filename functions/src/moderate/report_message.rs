//! `reportMessage`: tell the moderators of a message.

use super::Parts;
use chat::{Bar, Reply, ReportMessage};
use chat_aws::Failure;
use chat_aws::entry::ActionEvent;

/// Keeps it for whoever moderates the room. Nobody is pushed it: moderators look, or hear of it by an event.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let asked = ReportMessage::read(&event.request, &event.caller)?;
    parts.report_pace.admit(event.caller.user(), &asked.room)?;
    parts.rights.admit(&event.caller, &asked.room).await?;
    parts.bars.admit(event.caller.user(), &asked.room, Bar::Ban).await?;

    parts.reports.keep(&asked, event.caller.user()).await?;
    Ok(Reply::reported(asked))
}
