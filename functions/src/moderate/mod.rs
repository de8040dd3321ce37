//! `moderate`: rooms are kept in order. A file for each route.

pub mod bar_user;
pub mod list_bars;
pub mod list_reports;
pub mod report_message;
pub mod slow_mode;

use chat::limits::{BARS_PER_SECOND, REPORTS_PER_SECOND};
use chat::{Caller, KeptRoom, Rejection, RoomId};
use chat_aws::entry::{self, Function};
use chat_aws::{Aws, Failure, Fault, KeptRooms, Membership, Pace, Reports, Rights, RoomBars, Users, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let parts = Parts::new(&aws)?;
    macro_rules! action {
        ($name:literal, $handle:path) => {
            ($name, entry::action($name, aws.pusher()?, aws.users()?, parts.clone(), $handle))
        };
    }
    Ok(Function::of_routes([
        action!("barUser", bar_user::handle),
        action!("slowMode", slow_mode::handle),
        action!("listBars", list_bars::handle),
        action!("reportMessage", report_message::handle),
        action!("listReports", list_reports::handle),
    ]))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    report_pace: Pace,
    rights: Rights,
    kept: KeptRooms,
    bars: RoomBars,
    reports: Reports,
    membership: Membership,
    users: Users,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(BARS_PER_SECOND),
            report_pace: aws.pace_of(REPORTS_PER_SECOND),
            rights: aws.rights()?,
            kept: aws.kept_rooms()?,
            bars: aws.bars()?,
            reports: aws.reports()?,
            membership: aws.membership()?,
            users: aws.users()?,
        })
    }

    /// Refuses whoever is not in charge of a room: the token says who moderates it, or its row who made the group. Answers
    /// that row, of a kept room.
    async fn admit(&self, caller: &Caller, room: &RoomId) -> Result<Option<KeptRoom>, Failure> {
        self.pace.admit(caller.user(), room)?;
        self.rights.admit_now(caller, room).await?;
        let kept = if room.is_kept() { self.kept.find(room).await? } else { None };
        let owner = kept.as_ref().and_then(|kept| kept.owner.as_ref());
        if caller.moderates(room) || owner == Some(caller.user()) {
            return Ok(kept);
        }
        Err(Rejection::NotInCharge.into())
    }
}
