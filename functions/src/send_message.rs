//! `sendMessage`: count, store, push, acknowledge. In a room in rounds the room's courier pushes.

use chat::rounds::{Head, InRounds};
use chat::{Message, MessageId, Push, Rejection, Reply, SendMessage};
use chat_aws::entry::{self, ActionEvent, Function};
use chat_aws::{
    Aws, Counted, Delivery, Failure, Fault, Files, Messages, Pace, Reviewer, Rights, RoomBars, Rounds, SEALED_ATTEMPTS,
    Stored, Vars, now,
};
use std::time::Duration;

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    Ok(entry::action("sendMessage", aws.pusher()?, aws.users()?, Parts::new(&aws)?, handle))
}

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    bars: RoomBars,
    reviewer: Reviewer,
    messages: Messages,
    files: Files,
    delivery: Delivery,
    rounds: Rounds,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace()?,
            rights: aws.rights()?,
            bars: aws.bars()?,
            reviewer: aws.reviewer()?,
            messages: aws.messages()?,
            files: aws.files()?,
            delivery: aws.delivery()?,
            rounds: aws.rounds()?,
        })
    }
}

/// What is stored already is not refused when it is said again: its first answer may have been lost.
pub async fn handle(parts: Parts, event: ActionEvent) -> Result<Reply, Failure> {
    let said = SendMessage::read(&event.request, &event.caller)?;
    parts.pace.admit(event.caller.user(), &said.room)?;
    parts.rights.admit(&event.caller, &said.room).await?;

    let refusal = match wait_for_turn(&parts, &event, &said).await {
        Err(Failure::Rejected(too_early)) => too_early,
        Err(fault) => return Err(fault),
        Ok(()) => match say(&parts, &event, &said).await {
            Err(Failure::Rejected(refusal @ (Rejection::Barred { .. } | Rejection::Reviewed { .. }))) => refusal,
            answered => return answered,
        },
    };
    let earlier = parts.messages.sent_before(&said, event.caller.user()).await?;
    earlier.map(|message| Reply::sent(&message, None)).ok_or(refusal.into())
}

/// In a room that is slow whoever spoke a moment ago waits, and moderators do not. Only then it is asked how slow the room
/// is by now.
async fn wait_for_turn(
    Parts { pace, bars, .. }: &Parts,
    event: &ActionEvent,
    said: &SendMessage,
) -> Result<(), Failure> {
    let (user, room) = (event.caller.user(), &said.room);
    if event.caller.moderates(room) || !pace.may_have_to_wait(user, room) {
        return Ok(());
    }
    let slow = bars.head(room).await?.map_or(0, |head| head.slow);
    Ok(pace.admit_after(user, room, Duration::from_secs(slow))?)
}

/// Has it reviewed, and counts: that write decides whether it may be said, and who pushes it, in one order with all that
/// changes this.
async fn say(parts: &Parts, event: &ActionEvent, said: &SendMessage) -> Result<Reply, Failure> {
    let Parts { reviewer, messages, rounds, .. } = parts;
    let (room, id) = (&said.room, said.client_message_id.as_ref());
    let content = reviewer.admit(event, room, id, said.content.clone()).await?;
    let said = &SendMessage { content, ..said.clone() };

    for _ in 0..SEALED_ATTEMPTS {
        match messages.count(room, event.caller.user(), now()).await? {
            Counted::Direct(head) => return push(parts, event, said, head).await,
            Counted::InRounds(head, in_rounds) => {
                if let Some(reply) = leave_to_courier(parts, event, said, &head, &in_rounds).await? {
                    return Ok(reply);
                }
            }
            Counted::Full(in_rounds) => {
                rounds.wake(room, &in_rounds).await?;
                return Err(rounds.full(&in_rounds).into());
            }
            Counted::Barred(barred) => return Err(barred.refusal(now()).into()),
        }
    }
    Err(Fault::because("failed to store a message", "its id was sealed each time").into())
}

/// Notes who speaks in a room that is slow, as soon as that is known: the next frame may come before this is stored.
fn note_turn(parts: &Parts, event: &ActionEvent, said: &SendMessage, head: &Head) {
    if head.slow > 0 {
        parts.pace.speaks(event.caller.user(), &said.room, Duration::from_secs(head.slow));
    }
}

/// Stores before it pushes, so that nothing is seen or acknowledged that is not kept. Reads the members only after
/// the id is taken, so that a member that is missing among them learns of the message by the `lastId` of its join.
async fn push(parts: &Parts, event: &ActionEvent, said: &SendMessage, head: Head) -> Result<Reply, Failure> {
    let Parts { rights, messages, files, delivery, rounds, .. } = parts;
    let message = message(said, event, head.last_id);
    note_turn(parts, event, said, &head);
    let (stored, members) = tokio::join!(messages.store(message), delivery.members(&said.room));
    let (Stored { message, unused }, members) = (stored?, members?.but(head.bars.banned(now())));

    let message = files.located(message)?;
    let crowd = rounds.begin_in_crowd(&said.room, &head, members.first_page());
    let push = Push::sent(&message, &event.caller.profile, unused);
    let delivered = delivery.deliver_from(event.sender.as_ref(), &said.room, members, &push);
    let (delivered, (), ()) = tokio::join!(delivered, crowd, rights.mention(&message));
    delivered?;
    Ok(Reply::sent(&message, unused))
}

/// Stores, and sees to it that somebody delivers the room, before it acknowledges. Nothing if the courier did not wait
/// for the message: its id is used up.
async fn leave_to_courier(
    parts: &Parts,
    event: &ActionEvent,
    said: &SendMessage,
    head: &Head,
    in_rounds: &InRounds,
) -> Result<Option<Reply>, Failure> {
    let Parts { rights, messages, delivery, rounds, .. } = parts;
    let message = message(said, event, head.last_id);
    note_turn(parts, event, said, head);
    let (stored, woken, admitted) = tokio::join!(
        messages.store_in_rounds(message),
        rounds.wake(&said.room, in_rounds),
        delivery.admit_sender(event.sender.as_ref())
    );
    woken?;
    admitted?;
    let Some(Stored { message, unused }) = stored? else { return Ok(None) };
    rights.mention(&message).await;
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
