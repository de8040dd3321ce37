//! `GET /chat-history/list`: a page of a room's history, each message with its sender.

use chat::{HistoryItem, HistoryRequest, Profile};
use chat_aws::apigw::HttpEvent;
use chat_aws::serve::{self, Function, json_response};
use chat_aws::{App, Failure, Fault, Vars};
use lambda_http::Response;
use lambda_http::http::{HeaderValue, header};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::http(App::new(vars)?, handle))
}

/// One query for the messages and one batch read for their senders and for whether the reader was shut out, however long the
/// page is. The body is the seed's plain array; where older and newer pages lie stands in the `Link` header.
pub async fn handle(app: App, event: HttpEvent) -> Result<Response<String>, Failure> {
    let request = HistoryRequest::parse(&event.query)?;
    event.caller.may_enter(&request.room)?;

    let page = app.messages.page(&request).await?;
    let links = page.links(&request);
    let senders = page.messages.iter().map(|message| message.sender.clone()).collect();
    let senders = app.users.profiles(senders, &event.caller).await?;
    let with_sender = |message: chat::Message| {
        let sender = senders.get(&message.sender).cloned();
        let sender = sender.unwrap_or_else(|| Profile::unknown(message.sender.clone()));
        HistoryItem::new(message, sender)
    };
    let items: Vec<_> = page.messages.into_iter().map(with_sender).collect();

    let mut response = json_response(200, &items)?;
    if let Some(links) = links.and_then(|links| HeaderValue::try_from(links).ok()) {
        response.headers_mut().insert(header::LINK, links);
    }
    Ok(response)
}
