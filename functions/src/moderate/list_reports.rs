//! `listReports`: which messages of a room were reported, by whom, and why.

use super::Parts;
use chat::{ListReports, Reply};
use chat_aws::Failure;
use chat_aws::entry::ActionEvent;

/// One query, and one batch read for how the reporters are shown.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let ListReports { room, before } = ListReports::read(&event.request, &event.caller)?;
    parts.admit(&event.caller, &room).await?;

    let (reports, more) = parts.reports.list(&room, before.as_ref()).await?;
    let reporters = reports.iter().map(|report| report.reporter.clone());
    let profiles = parts.users.profiles_of(reporters.collect()).await?;
    Ok(Reply::reports(room, reports, more, &profiles))
}
