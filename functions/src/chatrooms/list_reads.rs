//! `reads`: how far each member of a room has read.

use super::Parts;
use chat::ShowRoom;
use chat_aws::Failure;
use chat_aws::entry::{HttpAnswer, HttpEvent};

/// It is asked for, and not pushed: in a room of ten, marks that are told to all cost six times what they confirm.
pub async fn handle(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let (caller, ShowRoom { room }) = (&event.caller, ShowRoom::read(&event.params()?, &event.caller)?);

    let may_act = parts.users.may_act_in(caller, &room);
    let (may_act, room) = tokio::join!(may_act, parts.kept.room(&room, caller.user()));
    may_act?;
    Ok(HttpAnswer::ok(&parts.kept.reads(&room?).await?)?)
}
