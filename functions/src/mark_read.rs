//! `markRead`: keep how far somebody has read, and tell the room if that is asked for.

use chat::limits::MARKS_PER_SECOND;
use chat::{MarkRead, Push, Reply};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Failure, Fault, KeptRooms, Pace, Signals, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::action("markRead", aws.pusher()?, aws.users()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    kept: KeptRooms,
    signals: Signals,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self { pace: aws.pace_of(MARKS_PER_SECOND), kept: aws.kept_rooms()?, signals: aws.signals()? })
    }
}

/// The write looks for the right by itself, where one is needed. A room that is too large is not told.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    event.must_not_be_banned()?;
    let ActionEvent { caller, sender, request, .. } = event;
    let MarkRead { room, id, tell } = MarkRead::read(&request, &caller)?;
    parts.pace.admit(caller.user(), &room)?;

    let id = parts.kept.mark(caller.user(), &room, id, caller.needs_right(&room)).await?;
    if tell {
        let push = Push::marked(&room, caller.user(), id);
        parts.signals.tell_others(sender.as_ref(), caller.user(), &room, &push).await?;
    }
    Ok(Reply::marked(room, id))
}
