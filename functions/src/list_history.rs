//! `GET /chat-history/list`: a page of a room's history, each message with its sender.

use crate::list_changes;
use chat::{HistoryItem, ListHistory, Message, Profile};
use chat_aws::entry::{self, Function, HttpAnswer, HttpEvent};
use chat_aws::{Aws, Failure, Fault, Files, Messages, Rights, Users, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let (rights, users) = (aws.rights()?, aws.users()?);
    let (messages, files) = (aws.messages()?, aws.files()?);
    let history = Parts { rights: rights.clone(), messages, users: users.clone(), files };
    let changes = list_changes::Parts { rights, changes: aws.changes()?, users };
    Ok(Function::of_routes([
        ("GET /chat-history/list", entry::http(history, handle)),
        ("GET /chat-history/changes", entry::http(changes, list_changes::handle)),
    ]))
}

#[derive(Clone)]
pub struct Parts {
    rights: Rights,
    messages: Messages,
    users: Users,
    files: Files,
}

/// One query for the messages, and one batch read for their senders and for whether the reader was shut out, however
/// long the page is. The body is the course's plain array; the `Link` header leads to older and newer pages.
pub async fn handle(Parts { rights, messages, users, files }: Parts, event: HttpEvent) -> Result<HttpAnswer, Failure> {
    let asked = ListHistory::read(&event.query, &event.caller)?;

    let (admitted, page) = tokio::join!(rights.admit_now(&event.caller, &asked.room), messages.page(&asked));
    admitted?;
    let page = page?;
    let links = page.links(&asked);
    let senders = page.messages.iter().map(|message| message.sender.clone()).collect();
    let senders = users.profiles_in(&asked.room, senders, &event.caller).await?;
    let with_sender = |message: Message| {
        let sender = senders.get(&message.sender).cloned();
        let sender = sender.unwrap_or_else(|| Profile::unknown(message.sender.clone()));
        Ok(HistoryItem::new(files.located(message)?, sender))
    };
    let items: Vec<_> = page.messages.into_iter().map(with_sender).collect::<Result<_, Fault>>()?;
    Ok(HttpAnswer::ok(&items)?.with_link(links))
}
