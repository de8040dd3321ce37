//! `info/:id`, `members` and `findChatroom`: a room as one of its members sees it.

use super::Parts;
use chat::{FindPair, RoomInfo, ShowRoom};
use chat_aws::Failure;
use chat_aws::entry::{HttpAnswer, HttpEvent};

pub async fn info(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let (caller, ShowRoom { room }) = (&event.caller, ShowRoom::read(&event.params()?, &event.caller)?);

    let room = parts.kept.room(&room, caller.user()).await?;
    let users = parts.profiles_in(&room.id, room.members.clone(), caller).await?;
    Ok(HttpAnswer::ok(&RoomInfo::new(room, caller.user(), users))?)
}

/// An id that no kept room can have has nobody in it.
pub async fn members(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let caller = &event.caller;
    let Some(ShowRoom { room }) = ShowRoom::read_members(&event.params()?, caller)? else {
        return Ok(HttpAnswer::ok(&[(); 0])?);
    };
    let members = parts.kept.room(&room, caller.user()).await?.members;
    Ok(HttpAnswer::ok(&parts.profiles_in(&room, members, caller).await?)?)
}

/// The id of a pair's room, if there is one.
pub async fn find(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let (caller, FindPair { room }) = (&event.caller, FindPair::read(&event.params()?, &event.caller)?);

    let (may_act, is_in) = tokio::join!(parts.users.may_act(caller, None), parts.kept.is_in(caller.user(), &room));
    may_act?;
    Ok(HttpAnswer::ok(&is_in?.then_some(room))?)
}
