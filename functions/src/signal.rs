//! `signal`: push what nobody keeps. The function has the route `listMembers` as well.

use crate::list_members;
use chat::limits::SIGNALS_PER_SECOND;
use chat::{Push, Reply, Signal};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Failure, Fault, Pace, Rights, Signals, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let signal = entry::unanswered_action("signal", aws.pusher()?, aws.users()?, Parts::new(&aws)?, handle);
    let list_members = entry::message(aws.pusher()?, list_members::Parts::new(&aws)?, list_members::handle);
    Ok(Function::of_routes([("signal", signal), ("listMembers", list_members)]))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    signals: Signals,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self { pace: aws.pace_of(SIGNALS_PER_SECOND), rights: aws.rights()?, signals: aws.signals()? })
    }
}

/// Stores nothing. In a room that is too large it reads as many members as it takes to know that, and pushes nothing.
pub async fn handle(Parts { pace, rights, signals }: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    event.must_not_be_banned()?;
    let ActionEvent { caller, sender, request, .. } = event;
    let signal = Signal::read(&request, &caller)?;
    pace.admit(caller.user(), &signal.room)?;
    rights.admit(&caller, &signal.room).await?;

    let push = Push::signal(&signal, caller.user());
    let pushed = signals.push(sender.as_ref(), caller.user(), &signal.room, &push).await?;
    Ok(Reply::signalled(signal.room, pushed))
}
