//! `sendMessage`: count, store, push, acknowledge. In a room in rounds the room's courier pushes.

use chat::rounds::{Head, InRounds};
use chat::{Message, MessageId, Push, Reply, SendMessage};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{
    Aws, Counted, Delivery, Failure, Fault, Files, Messages, Pace, Rounds, SEALED_ATTEMPTS, Stored, Vars, now,
};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::action("sendMessage", aws.pusher()?, aws.users()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    messages: Messages,
    files: Files,
    delivery: Delivery,
    rounds: Rounds,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        let (pace, messages, files) = (aws.pace()?, aws.messages()?, aws.files()?);
        Ok(Self { pace, messages, files, delivery: aws.delivery()?, rounds: aws.rounds()? })
    }
}

/// Counts first: that write decides who pushes the message, in one order with all that changes it.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let Parts { pace, messages, rounds, .. } = &parts;
    let said = SendMessage::read(&event.request, &event.caller)?;
    pace.admit(event.caller.user(), &said.room)?;

    for _ in 0..SEALED_ATTEMPTS {
        match messages.count(&said.room, now()).await? {
            Counted::Direct(head) => return push(&parts, &event, &said, head).await,
            Counted::InRounds(id, in_rounds) => {
                if let Some(reply) = leave_to_courier(&parts, &event, &said, id, &in_rounds).await? {
                    return Ok(reply);
                }
            }
            Counted::Full(in_rounds) => {
                rounds.wake(&said.room, &in_rounds).await?;
                return Err(rounds.full(&in_rounds).into());
            }
        }
    }
    Err(Fault::because("failed to store a message", "its id was sealed each time").into())
}

/// Stores before it pushes, so that nothing is seen or acknowledged that is not kept. Reads the members only after
/// the id is taken, so that a member that is missing among them learns of the message by the `lastId` of its join.
async fn push(parts: &Parts, event: &ActionEvent, said: &SendMessage, head: Head) -> Result<Reply, Failure> {
    let Parts { messages, files, delivery, rounds, .. } = parts;
    let message = message(said, event, head.last_id);
    let (stored, members) = tokio::join!(messages.store(message), delivery.members(&said.room));
    let (Stored { message, unused }, members) = (stored?, members?);

    let message = files.located(message)?;
    let crowd = rounds.begin_in_crowd(&said.room, &head, members.first_page());
    let push = Push::sent(&message, &event.caller.profile, unused);
    let (delivered, ()) = tokio::join!(delivery.deliver_from(event.sender.as_ref(), &said.room, members, &push), crowd);
    delivered?;
    Ok(Reply::sent(&message, unused))
}

/// Stores, and sees to it that somebody delivers the room, before it acknowledges. Nothing if the courier did not wait
/// for the message: its id is used up.
async fn leave_to_courier(
    parts: &Parts,
    event: &ActionEvent,
    said: &SendMessage,
    id: MessageId,
    in_rounds: &InRounds,
) -> Result<Option<Reply>, Failure> {
    let Parts { messages, delivery, rounds, .. } = parts;
    let message = message(said, event, id);
    let (stored, woken, admitted) = tokio::join!(
        messages.store_in_rounds(message),
        rounds.wake(&said.room, in_rounds),
        delivery.admit_sender(event.sender.as_ref())
    );
    woken?;
    admitted?;
    let Some(Stored { message, unused }) = stored? else { return Ok(None) };
    if let Some(unused) = unused {
        messages.seal(&said.room, unused).await?;
    }
    Ok(Some(Reply::sent_in_rounds(&message, unused, rounds.round(in_rounds))))
}

fn message(said: &SendMessage, event: &ActionEvent, id: MessageId) -> Message {
    let SendMessage { room, content, client_message_id } = said.clone();
    let (sender, changed, reactions) = (event.caller.user().clone(), None, chat::Reactions::default());
    Message { id, room, sender, content, create_time: now(), client_message_id, changed, reactions }
}
