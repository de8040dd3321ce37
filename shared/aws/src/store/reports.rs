use super::messages::is_void;
use super::query::{Range, Rows};
use super::{answer, key, keys, read, row};
use crate::limits::REPORTS_KEPT;
use crate::{Failure, Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use chat::limits::REPORTS_LISTED_MAX;
use chat::{MessageId, Rejection, Report, ReportKey, ReportMessage, RoomId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

const REPORTING: &str = "failed to keep a report";

/// What was reported in rooms: `ROOM#<roomId>` / `REPORT#<id>#<userId>` in the Chat table, a row for each who reported a
/// message.
#[derive(Clone)]
pub struct Reports {
    client: Client,
    table: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportRow {
    id: MessageId,
    reporter_id: UserId,
    reason: String,
    create_time: i64,
    expires_at: i64,
}

impl Reports {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Keeps that somebody reported a message, which has to be there. One person's second report of it takes the place of
    /// the first.
    pub async fn keep(&self, report: &ReportMessage, reporter: &UserId) -> Result<(), Failure> {
        telemetry::room(&report.room);
        let room = keys::room(&report.room);
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&room, &keys::message(report.id))));
        let found = answer(request.send()).await.map_err(Fault::doing(REPORTING))?;
        let now = now();
        let expires_at = |item: &super::Item| item.get("expiresAt").and_then(|at| at.as_n().ok()?.parse::<i64>().ok());
        let says = |item: &super::Item| {
            !is_void(Some(item)) && !item.contains_key("deletedAt") && !item.contains_key("eraseTime")
        };
        let message = found.item.filter(|item| says(item) && expires_at(item).is_none_or(|at| at > now.seconds()));
        let message = message.ok_or(Rejection::NotFound)?;
        let kept_until = now.after(REPORTS_KEPT).seconds();
        let row = row(
            &room,
            &keys::report(report.id, reporter),
            ReportRow {
                id: report.id,
                reporter_id: reporter.clone(),
                reason: report.reason.clone(),
                create_time: now.millis(),
                // With its message, if that goes first.
                expires_at: expires_at(&message).map_or(kept_until, |at| at.min(kept_until)),
            },
        )?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(row));
        answer(request.send()).await.map_err(Fault::doing(REPORTING))?;
        Ok(())
    }

    /// The reports of a room's newest messages, or those behind one of them, and whether there are more.
    pub async fn list(&self, room: &RoomId, before: Option<&ReportKey>) -> Result<(Vec<Report>, bool), Fault> {
        telemetry::room(room);
        let (partition, (first, end)) = (keys::room(room), keys::reports());
        let before = before.map(|ReportKey { id, reporter }| keys::report(*id, reporter));
        // A range includes its end.
        let (last, beyond) = before.as_ref().map_or((&end, 0), |before| (before, 1));
        let range = Range {
            table: &self.table,
            partition: &partition,
            first: &first,
            last,
            forward: false,
            wanted: REPORTS_LISTED_MAX + 1 + beyond,
            rows: Rows::Good,
        };
        let mut rows = range.read(&self.client, "failed to list reports").await?;
        rows.retain(|row| row.get("SK").and_then(|sort| sort.as_s().ok()) != before.as_ref());
        let more = rows.len() > REPORTS_LISTED_MAX;
        rows.truncate(REPORTS_LISTED_MAX);
        let report = |row: ReportRow| Report {
            id: row.id,
            reporter: row.reporter_id,
            reason: row.reason,
            create_time: Timestamp::from_millis(row.create_time),
        };
        Ok((rows.into_iter().map(|row| read(row).map(report)).collect::<Result<_, _>>()?, more))
    }
}
