//! `sendMessage`: count, store, push, acknowledge.

use chat::{Message, Push, Reactions, Reply, SendMessage};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{Aws, Delivery, Failure, Fault, Messages, Pace, Stored, Vars, now};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::action("sendMessage", aws.pusher()?, aws.users()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    messages: Messages,
    delivery: Delivery,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self { pace: aws.pace()?, messages: aws.messages()?, delivery: aws.delivery()? })
    }
}

/// Stores before it pushes, so that nothing is seen or acknowledged that is not kept. Reads the members only after
/// the id is taken, so that a member that is missing among them learns of the message by the `lastId` of its join.
pub async fn handle(Parts { pace, messages, delivery }: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let caller = &event.caller;
    let SendMessage { room, content, client_message_id } = SendMessage::read(&event.request, caller)?;
    pace.admit(caller.user(), &room)?;

    let id = messages.next_id(&room).await?;
    let sender = caller.user().clone();
    let message = Message {
        id,
        room: room.clone(),
        sender,
        content,
        create_time: now(),
        client_message_id,
        changed: None,
        reactions: Reactions::default(),
    };
    let (stored, members) = tokio::join!(messages.store(message), delivery.members(&room));
    let Stored { message, unused } = stored?;

    let push = Push::sent(&message, &caller.profile, unused);
    delivery.deliver_from(event.sender.as_ref(), &room, members?, &push).await?;
    Ok(Reply::sent(&message, unused))
}
