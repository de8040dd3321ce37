//! `change-message`: what was said is edited, recalled, or reacted to. A file for each route.

pub mod delete_message;
pub mod edit_message;
pub mod react_message;

use chat::limits::{CHANGES_PER_SECOND, REACTIONS_PER_SECOND};
use chat::{Message, Push};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Changes, Delivery, Failure, Fault, Files, Pace, Reactions, Rounds, Vars};

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
    changes: Changes,
    files: Files,
    reaction_pace: Pace,
    reactions: Reactions,
    delivery: Delivery,
    rounds: Rounds,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(CHANGES_PER_SECOND),
            changes: aws.changes()?,
            files: aws.files()?,
            reaction_pace: aws.pace_of(REACTIONS_PER_SECOND),
            reactions: aws.reactions()?,
            delivery: aws.delivery()?,
            rounds: aws.rounds()?,
        })
    }
}

impl Parts {
    /// Tells the members of a change that is stored: by itself, or through the courier of a room in rounds. The members are
    /// read after the change: who joins later reads how far the changes reach after it has entered, and finds this one.
    async fn tell(&self, event: &ActionEvent, changed: &Message, push: &Push<'_>) -> Result<(), Failure> {
        let (sender, room) = (event.sender.as_ref(), &changed.room);
        let members = self.delivery.members(room).await?;
        if self.rounds.take_change(room, changed.version(), &members).await? {
            return self.delivery.admit_sender(sender).await;
        }
        self.delivery.deliver_from(sender, room, members, push).await
    }
}
