//! `listReports`: which messages of a room were reported, by whom, and why.

use crate::wire::Fields;
use crate::{Caller, MessageId, Profile, Rejection, Reply, Request, RoomId, Timestamp, UserId};
use serde::Serialize;
use std::collections::HashMap;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListReports {
    pub room: RoomId,
    /// Only what stands behind this one in the list.
    pub before: Option<ReportKey>,
}

/// Which report: one of each user for each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportKey {
    pub id: MessageId,
    pub reporter: UserId,
}

impl ListReports {
    /// Reads the request of a caller, who needs a grant for the room. Whether the caller is in charge of it is asked after
    /// that.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        let fields = request.fields()?;
        let before = match fields.get("before") {
            None => None,
            Some(_) => Some(ReportKey::read(fields.object("before", "before", "an object")?)?),
        };
        Ok(Self { room: fields.room_for(caller)?, before })
    }
}

impl ReportKey {
    fn read(fields: Fields<'_>) -> Result<Self, Rejection> {
        let (id, user) = (fields.required("id", "before.id")?, fields.required("userId", "before.userId")?);
        Ok(Self {
            id: MessageId::from_json(id).map_err(|invalid| invalid.in_field("before.id"))?,
            reporter: UserId::from_json(user).map_err(|invalid| invalid.in_field("before.userId"))?,
        })
    }
}

/// A report, as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of this message.
    pub id: MessageId,
    pub reporter: UserId,
    pub reason: String,
    pub create_time: Timestamp,
}

/// What the client is answered.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListReportsReply {
    chatroom_id: RoomId,
    reports: Vec<ListedReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedReport {
    id: MessageId,
    /// Who reported it.
    user: Profile,
    reason: String,
    create_time: Timestamp,
}

impl Reply {
    /// The reports of the newest messages, and whether there are more.
    pub fn reports(room: RoomId, reports: Vec<Report>, more: bool, profiles: &HashMap<UserId, Profile>) -> Self {
        let reports = reports.into_iter().map(|Report { id, reporter, reason, create_time }| {
            let profile = profiles.get(&reporter).cloned().unwrap_or_else(|| Profile::unknown(reporter));
            // As a push shows it.
            ListedReport { id, user: Profile { create_time: None, ..profile }, reason, create_time }
        });
        let (reports, more) = (reports.collect(), more.then_some(true));
        Self::ListReports(ListReportsReply { chatroom_id: room, reports, more })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::refuses;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_list_goes_on_behind_a_report() {
        let behind = |before: serde_json::Value| json!({"chatroomId": 1, "before": before});
        refuses(
            ListReports::read,
            &[
                (json!({"chatroomId": 1}), ""),
                (behind(json!(null)), ""),
                (behind(json!({"id": 42, "userId": 7})), ""),
                (behind(json!(42)), "badRequest: before must be an object"),
                (behind(json!({"userId": 7})), "badRequest: before.id is missing"),
                (behind(json!({"id": 42})), "badRequest: before.userId is missing"),
                (behind(json!({"id": 0, "userId": 7})), "badRequest: before.id must be a message id"),
                (behind(json!({"id": 42, "userId": [7]})), "badRequest: before.userId must be"),
                (json!({}), "badRequest: chatroomId is missing"),
            ],
        );
    }
}
