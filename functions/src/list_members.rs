//! `listMembers`: who is in a room, by name. A route of the function `signal`.

use chat::limits::{LISTS_PER_SECOND, PRESENT_MAX};
use chat::{Bar, ListMembers, Reply, users};
use chat_aws::entry::MessageEvent;
use chat_aws::{Aws, Connections, Failure, Fault, Pace, Rights, RoomBars, Users};

#[derive(Clone)]
pub struct Parts {
    pace: Pace,
    rights: Rights,
    bars: RoomBars,
    connections: Connections,
    users: Users,
}

impl Parts {
    pub(crate) fn new(aws: &Aws<'_>) -> Result<Self, Fault> {
        Ok(Self {
            pace: aws.pace_of(LISTS_PER_SECOND),
            rights: aws.rights()?,
            bars: aws.bars()?,
            connections: aws.connections()?,
            users: aws.users()?,
        })
    }
}

/// One query for the members, as many as one answer holds, and one batch read for the profiles of those who are named. Who
/// is in the room is not banned; of others the room's row is asked.
pub async fn handle(
    Parts { pace, rights, bars, connections, users: profiles }: Parts,
    event: MessageEvent,
) -> Result<Reply, Failure> {
    let caller = &event.connection.caller;
    let ListMembers { room } = ListMembers::read(&event.request, caller)?;
    pace.admit(caller.user(), &room)?;
    rights.admit_now(caller, &room).await?;

    let found = connections.some_members(&room).await?;
    let online = users(&found.members);
    if !online.contains(caller.user()) {
        bars.admit(caller.user(), &room, Bar::Ban).await?;
    }
    let named: Vec<_> = online.iter().take(PRESENT_MAX).cloned().collect();
    let mut profiles = profiles.profiles_of(named.iter().cloned().collect()).await?;
    let members = named.iter().filter_map(|user| profiles.remove(user));
    Ok(Reply::members(room, members, online.len(), !found.all))
}
