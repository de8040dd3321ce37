//! `change-message`: what was said is edited, recalled, or reacted to. A file for each route.

pub mod delete_message;
pub mod edit_message;
pub mod react_message;

use chat::limits::{CHANGES_PER_SECOND, REACTIONS_PER_SECOND};
use chat_aws::entry::{self, Function};
use chat_aws::{Aws, Changes, Delivery, Fault, Pace, Reactions, Vars};

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
    reaction_pace: Pace,
    reactions: Reactions,
    delivery: Delivery,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(CHANGES_PER_SECOND),
            changes: aws.changes()?,
            reaction_pace: aws.pace_of(REACTIONS_PER_SECOND),
            reactions: aws.reactions()?,
            delivery: aws.delivery()?,
        })
    }
}
