//! `change-message`: what was said is edited, recalled, or reacted to. A file for each route.

pub mod delete_message;
pub mod edit_message;
pub mod react_message;

use chat::Push;
use chat::limits::{CHANGES_PER_SECOND, REACTIONS_PER_SECOND};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{
    Aws, Changes, Committed, Delivery, Failure, Fault, Files, Pace, Reactions, Reviewer, Rights, RoomBars, Rounds, Vars,
};
use std::time::Duration;

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let (edits, recalls, reactions) = ("editMessage", "deleteMessage", "reactMessage");
    let parts = Parts::new(&aws)?;
    Ok(Function::of_routes([
        (edits, entry::action(edits, aws.pusher()?, aws.users()?, parts.clone(), edit_message::handle)),
        (recalls, entry::action(recalls, aws.pusher()?, aws.users()?, parts.clone(), delete_message::handle)),
        (reactions, entry::action(reactions, aws.pusher()?, aws.users()?, parts, react_message::handle)),
    ]))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    changes: Changes,
    files: Files,
    reaction_pace: Pace,
    reactions: Reactions,
    bars: RoomBars,
    reviewer: Reviewer,
    delivery: Delivery,
    rounds: Rounds,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(CHANGES_PER_SECOND),
            rights: aws.rights()?,
            changes: aws.changes()?,
            files: aws.files()?,
            reaction_pace: aws.pace_of(REACTIONS_PER_SECOND),
            reactions: aws.reactions()?,
            bars: aws.bars()?,
            reviewer: aws.reviewer()?,
            delivery: aws.delivery()?,
            rounds: aws.rounds()?,
        })
    }
}

impl Parts {
    /// Tells the members of a change that is stored: by itself, or through the courier of a room in rounds, and then it
    /// answers how long a round takes. The members are read after the change: who joins later reads how far the changes
    /// reach after it has entered, and finds this one.
    async fn tell(
        &self,
        event: &ActionEvent,
        Committed { message: changed, banned, silent, .. }: &Committed,
        push: &Push<'_>,
    ) -> Result<Option<Duration>, Failure> {
        let (sender, room) = (event.sender.as_ref(), &changed.room);
        if *silent {
            return Ok(None);
        }
        let members = self.delivery.members(room).await?.but(banned.clone());
        let round = self.rounds.take_change(room, changed.version(), &members).await?;
        match round {
            Some(_) => self.delivery.admit_sender(sender).await?,
            None => self.delivery.deliver_from(sender, room, members, push).await?,
        }
        Ok(round)
    }
}
