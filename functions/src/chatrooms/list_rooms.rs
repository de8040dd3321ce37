//! `list`: the caller's rooms, with what is new in them.

use super::Parts;
use chat::ListRooms;
use chat_aws::Failure;
use chat_aws::entry::{HttpAnswer, HttpEvent};

pub async fn handle(parts: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let asked = ListRooms::read(&event.params()?, &event.caller)?;

    let rooms = parts.inbox.of(&event.caller).await?;
    Ok(HttpAnswer::ok(&asked.list(rooms))?)
}
