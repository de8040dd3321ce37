//! `join/:id` and `quit/:id`: somebody is taken into a group, or leaves it.

use super::Parts;
use chat::{ChangeMembers, Push};
use chat_aws::Failure;
use chat_aws::entry::{HttpAnswer, HttpEvent};

/// A member takes somebody in. Whoever was in already is told again: the first attempt may have died before that.
pub async fn join(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let me = event.caller.user();
    let ChangeMembers { room, user } = ChangeMembers::read_join(&event.params()?, &event.caller)?;
    parts.admit_in(&event.caller, &room).await?;

    parts.kept.add(&room, me, &user).await?;
    parts.personal.tell([&user], &Push::room_added(&room, me)).await;
    Ok(HttpAnswer::ok(&room)?)
}

/// Takes the right away before it looks for the connections: one that joins meanwhile finds no right.
pub async fn quit(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let me = event.caller.user();
    let ChangeMembers { room, user } = ChangeMembers::read_quit(&event.params()?, &event.caller)?;
    parts.admit(&event.caller).await?;

    parts.kept.remove(&room, me, &user, event.caller.moderates(&room)).await?;
    if parts.membership.expel(&user, &room, parts.kept.is_in(&user, &room)).await?.is_some() {
        parts.personal.tell([&user], &Push::removed(&room)).await;
    }
    Ok(HttpAnswer::ok(&room)?)
}
