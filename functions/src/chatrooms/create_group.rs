//! `create-group`: a group of the caller's, who is alone in it at first.

use super::Parts;
use chat::{CreateGroup, KeptRoom, Push, RoomId};
use chat_aws::entry::{HttpAnswer, HttpEvent};
use chat_aws::{Failure, now, random_bytes};

/// With a `clientRoomId` it may be repeated, and makes one group.
pub async fn handle(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let me = event.caller.user();
    let CreateGroup { name, client_room_id } = CreateGroup::read(&event.params()?, &event.caller)?;
    parts.admit(&event.caller).await?;

    let (id, is_there) = match &client_room_id {
        Some(named) => {
            let id = RoomId::of_named_group(me, named);
            let is_there = parts.kept.is_in(me, &id).await?;
            (id, is_there)
        }
        None => (RoomId::of_group(random_bytes()?), false),
    };
    let group = KeptRoom::group(id, name, me, now());
    if !is_there && parts.kept.create(&group).await? {
        parts.personal.tell([me], &Push::room_added(&group.id, me)).await;
    }
    Ok(HttpAnswer::ok(&group.id)?)
}
