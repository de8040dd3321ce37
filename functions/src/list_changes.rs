//! `GET /chat-history/changes`: what changed in a room since a reader's position, a message once, in its latest state.

use chat::ListChanges;
use chat_aws::entry::{HttpAnswer, HttpEvent};
use chat_aws::{Changes, Failure, Rights, Users};
use std::collections::BTreeSet;

#[derive(Clone)]
pub struct Parts {
    pub rights: Rights,
    pub changes: Changes,
    pub users: Users,
}

/// One query for the places, and one batch read for their messages; beside them the reader's row, which says whether the
/// reader was shut out. Senders are not read: who asks has the messages.
pub async fn handle(Parts { rights, changes, users }: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let asked = ListChanges::read(&event.query, &event.caller)?;

    let (page, reader, admitted) = tokio::join!(
        changes.page(&asked),
        users.profiles_in(&asked.room, BTreeSet::new(), &event.caller),
        rights.admit_now(&event.caller, &asked.room)
    );
    reader?;
    admitted?;
    let page = page?;
    let links = page.links(&asked);
    Ok(HttpAnswer::ok(&page.into_items())?.with_link(links))
}
