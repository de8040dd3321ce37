use crate::limits::ROOMS_IN_FLIGHT;
use crate::push::Pusher;
use crate::sdk::Clients;
use crate::store::{Connections, Messages, Users};
use crate::{Fault, Vars, telemetry};
use chat::{ConnectionId, Member, Profile, Push, RoomId, UserId, departs};
use futures_util::{StreamExt, future, stream};
use std::collections::{BTreeSet, HashSet};

/// What a function works with; built once at cold start, cheap to clone.
#[derive(Clone)]
pub struct App {
    pub connections: Connections,
    pub messages: Messages,
    pub users: Users,
    pusher: Pusher,
}

impl App {
    /// Builds the clients and stores from the function's variables.
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let clients = Clients::new(vars)?;
        let chat_table = vars.required("CHAT_TABLE")?;
        let retention_days = vars.parsed("MESSAGE_RETENTION_DAYS", 0)?;
        Ok(Self {
            connections: Connections::new(clients.dynamodb.clone(), vars.required("CONNECTIONS_TABLE")?),
            messages: Messages::new(clients.dynamodb.clone(), chat_table, retention_days),
            users: Users::new(clients.dynamodb, chat_table, vars.flag("EXPOSE_EMAIL")?),
            pusher: Pusher::new(clients.management),
        })
    }

    /// Pushes a frame to the members of a room, takes out those whose connection is gone, and tells the others who
    /// left with them.
    ///
    /// A push may be lost, since the room's history has the message; so a member that cannot be reached is logged and
    /// left to its catch-up. Only when nobody at all could be reached does the whole delivery fail.
    pub async fn deliver(&self, room: &RoomId, mut members: Vec<Member>, push: &Push<'_>) -> Result<(), Fault> {
        let mut frames = vec![encode(push)?];
        let mut delivered = 0;
        while let Some(frame) = frames.pop() {
            let mut posted = self.pusher.post(&members, &frame).await;
            delivered += posted.delivered;
            let failed = posted.failed.len();
            if let Some(fault) = posted.failed.pop() {
                telemetry::pushes_failed(failed, members.len());
                if delivered == 0 && posted.gone.is_empty() {
                    return Err(fault);
                }
                telemetry::survived(&fault);
            }
            let gone: HashSet<_> = posted.gone.into_iter().collect();
            let (lost, kept) = members.into_iter().partition(|member| gone.contains(&member.connection));
            members = kept;
            let users = self.remove(room, lost).await;
            if users.is_empty() {
                continue;
            }
            // Read again: whoever lost a connection may have come back on another one since.
            members = match self.connections.members(room).await {
                Ok(members) => members,
                Err(fault) => {
                    telemetry::survived(&fault);
                    return Ok(());
                }
            };
            for user in users.iter().filter(|user| departs(user, &members)) {
                frames.push(encode(&Push::left(room, user))?);
            }
        }
        Ok(())
    }

    /// Takes a connection out of a room, and tells the others if its user left with it.
    pub async fn leave(&self, connection: &ConnectionId, user: &UserId, room: &RoomId) -> Result<(), Fault> {
        if !self.connections.leave(connection, room).await? {
            return Ok(());
        }
        let remaining = self.connections.members(room).await?;
        if departs(user, &remaining) {
            self.deliver(room, remaining, &Push::left(room, user)).await?;
        }
        Ok(())
    }

    /// Takes a member out whose connection ended while it joined. Another device of the user may have kept silent because
    /// it saw this one before itself; then this one announces them both.
    pub async fn undo_join(&self, member: &Member, room: &RoomId, user: &Profile) -> Result<(), Fault> {
        self.connections.leave(&member.connection, room).await?;
        let members = self.connections.members(room).await?;
        if !departs(&member.user, &members) {
            self.deliver(room, members, &Push::joined(room, user)).await?;
        }
        Ok(())
    }

    /// Takes members out of a room for good, and answers the users of those that nobody else took out meanwhile. It is
    /// housekeeping: what fails here is found again at the next push.
    async fn remove(&self, room: &RoomId, lost: Vec<Member>) -> BTreeSet<UserId> {
        let leaves = lost.into_iter().map(|member| async move {
            let left = self.connections.leave(&member.connection, room).await;
            left.inspect_err(telemetry::survived).unwrap_or(false).then_some(member.user)
        });
        stream::iter(leaves).buffer_unordered(ROOMS_IN_FLIGHT).filter_map(future::ready).collect().await
    }
}

fn encode(push: &Push<'_>) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(push).map_err(Fault::doing("failed to encode a push"))
}
