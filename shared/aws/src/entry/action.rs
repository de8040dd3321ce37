//! An action of either API: a frame, or the body of a `POST` whose path is the action's name. So bots, backends and
//! `curl` need no connection for what needs none.

use super::http::posted;
use super::websocket::{MessageEvent, message, unanswered};
use super::{Function, is_http};
use crate::{Failure, Pusher, Users, now};
use chat::{Barred, Caller, ConnectionId, Reply, Request};

/// A request, whichever way it came.
#[derive(Debug)]
pub struct ActionEvent {
    pub caller: Caller,
    /// The connection that it came on; none over HTTP.
    pub sender: Option<ConnectionId>,
    /// The address that it came from, as API Gateway saw it.
    pub ip: Option<String>,
    pub request: Request,
    /// Over HTTP, whether the caller is banned from the room. Of a connection it says nothing: whoever looks for a
    /// member finds none, and the rest asks the room's row.
    pub banned: Option<Barred>,
}

impl ActionEvent {
    /// Over HTTP, refuses whoever is banned, where nothing that is read or written later does.
    pub fn must_not_be_banned(&self) -> Result<(), Failure> {
        self.banned.map_or(Ok(()), |banned| Err(banned.refusal(now()).into()))
    }
}

impl From<MessageEvent> for ActionEvent {
    fn from(MessageEvent { connection, request }: MessageEvent) -> Self {
        Self { caller: connection.caller, sender: Some(connection.id), ip: connection.ip, request, banned: None }
    }
}

/// The route `name` of the WebSocket API, which replies, and `POST /name` of the HTTP API.
pub fn action<S, F>(
    name: &'static str,
    pusher: Pusher,
    users: Users,
    state: S,
    handle: impl Fn(S, ActionEvent) -> F + Copy + Send + Sync + 'static,
) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    let frames = message(pusher, state.clone(), move |state, event: MessageEvent| handle(state, event.into()));
    either(frames, posted(name, users, state, handle))
}

/// The same of a route that has no route response. Only who gave a `requestId` is told what became of a frame.
pub fn unanswered_action<S, F>(
    name: &'static str,
    pusher: Pusher,
    users: Users,
    state: S,
    handle: impl Fn(S, ActionEvent) -> F + Copy + Send + Sync + 'static,
) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<Reply, Failure>> + Send,
{
    let frames = unanswered(pusher, state.clone(), move |state, event: MessageEvent| handle(state, event.into()));
    either(frames, posted(name, users, state, handle))
}

fn either(frames: Function, posts: Function) -> Function {
    Function(Box::new(move |payload, context| match is_http(&payload) {
        true => posts.invoke(payload, context),
        false => frames.invoke(payload, context),
    }))
}
