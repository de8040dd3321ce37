//! `listReports`: which messages of a room were reported, by whom, and why.

use crate::{Caller, MessageId, Profile, Rejection, Reply, Request, RoomId, Timestamp, UserId};
use serde::Serialize;
use std::collections::HashMap;

/// What the client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListReports {
    pub room: RoomId,
}

impl ListReports {
    /// Reads the request of a caller, who needs a grant for the room. Whether the caller is in charge of it is asked after
    /// that.
    pub fn read(request: &Request, caller: &Caller) -> Result<Self, Rejection> {
        Ok(Self { room: request.fields()?.room_for(caller)? })
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
