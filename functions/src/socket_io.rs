//! `$default` where clients of Socket.IO are let in: their packets, and every frame of other clients that no other
//! route takes.

use crate::authorize::{NoCaller, Tokens};
use crate::change_message::{delete_message, edit_message, react_message};
use crate::moderate::{bar_user, list_bars, list_reports, report_message, slow_mode};
use crate::{change_message, default, join_room, leave_room, list_members, mark_read, moderate, send_message, signal};
use chat::{Caller, Rejection, Reply};
use chat_aws::entry::{self, Function, Guest, MessageEvent, Packets};
use chat_aws::{Aws, Connections, Failure, Fault, Membership, Sessions, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let aws = Aws::new(vars)?;
    let parts = Parts {
        tokens: Tokens::new(vars)?,
        sessions: aws.sessions()?,
        connections: aws.connections()?,
        join_room: join_room::Parts::new(&aws)?,
        membership: aws.membership()?,
        send_message: send_message::Parts::new(&aws)?,
        change_message: change_message::Parts::new(&aws)?,
        signal: signal::Parts::new(&aws)?,
        list_members: list_members::Parts::new(&aws)?,
        mark_read: mark_read::Parts::new(&aws)?,
        moderate: moderate::Parts::new(&aws)?,
    };
    Ok(entry::packets(aws.pusher()?, parts))
}

#[derive(Clone)]
pub struct Parts {
    tokens: Tokens,
    sessions: Sessions,
    connections: Connections,
    join_room: join_room::Parts,
    membership: Membership,
    send_message: send_message::Parts,
    change_message: change_message::Parts,
    signal: signal::Parts,
    list_members: list_members::Parts,
    mark_read: mark_read::Parts,
    moderate: moderate::Parts,
}

impl Packets for Parts {
    /// The token may come after the handshake, in `auth`. It is checked as `authorize` checks one, and then let in as
    /// `connect` does it.
    async fn admit(&self, guest: &Guest, token: &str) -> Result<(), Failure> {
        let caller = match self.tokens.caller(token).await {
            Ok(caller) => caller,
            Err(NoCaller::Refused(reason)) => {
                tracing::info!(%reason, "refused");
                return Err(Rejection::TokenRefused.into());
            }
            Err(NoCaller::Fault(fault)) => return Err(fault.into()),
        };
        self.sessions.admit(&guest.device(), &caller, guest.opening.encoding).await
    }

    /// The context cannot say it: API Gateway keeps that of the handshake.
    async fn admitted(&self, guest: &Guest) -> Result<Caller, Failure> {
        self.connections.caller(&guest.id).await
    }

    /// The routes of the other functions, in this one: API Gateway sends every packet here, and calling those by Lambda
    /// would double each invocation.
    async fn act(&self, event: MessageEvent) -> Result<Reply, Failure> {
        match event.request.action() {
            Some("joinRoom") => join_room::handle(self.join_room.clone(), event).await,
            Some("leaveRoom") => leave_room::handle(self.membership.clone(), event).await,
            Some("sendMessage") => send_message::handle(self.send_message.clone(), event.into()).await,
            Some("editMessage") => edit_message::handle(self.change_message.clone(), event.into()).await,
            Some("deleteMessage") => delete_message::handle(self.change_message.clone(), event.into()).await,
            Some("reactMessage") => react_message::handle(self.change_message.clone(), event.into()).await,
            Some("signal") => signal::handle(self.signal.clone(), event.into()).await,
            Some("listMembers") => list_members::handle(self.list_members.clone(), event).await,
            Some("markRead") => mark_read::handle(self.mark_read.clone(), event.into()).await,
            Some("barUser") => bar_user::handle(self.moderate.clone(), event.into()).await,
            Some("slowMode") => slow_mode::handle(self.moderate.clone(), event.into()).await,
            Some("listBars") => list_bars::handle(self.moderate.clone(), event.into()).await,
            Some("reportMessage") => report_message::handle(self.moderate.clone(), event.into()).await,
            Some("listReports") => list_reports::handle(self.moderate.clone(), event.into()).await,
            _ => default::handle((), event).await,
        }
    }
}
