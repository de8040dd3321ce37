//! Somebody's rooms, with what is new in them.

use crate::limits::ROOMS_IN_FLIGHT;
use crate::store::{KeptRooms, Listed, Reader, Users};
use crate::{Failure, Fault};
use chat::{Caller, ListedRoom, UserId};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;

/// The list of a user's kept rooms. It is read, and never written: nobody writes to every member for a message.
#[derive(Clone)]
pub struct Inbox {
    kept: KeptRooms,
    users: Users,
}

impl Inbox {
    pub(crate) fn new(kept: KeptRooms, users: Users) -> Self {
        Self { kept, users }
    }

    /// Three requests for up to fifty rooms: the rights; the rooms and their counters; the last messages, the other one of
    /// each pair, and the reader, who is refused if the token was revoked. One more for each room whose last id is
    /// nobody's message any more.
    pub async fn of(&self, caller: &Caller) -> Result<Vec<ListedRoom>, Failure> {
        let listed = self.kept.list(caller.user()).await?;
        let others: BTreeSet<UserId> =
            listed.iter().filter_map(|listed| listed.room.other(caller.user()).cloned()).collect();
        let spoken = listed.iter().filter(|listed| listed.last_id.get() > 0);
        let found = self.users.beside(others, caller, spoken.map(KeptRooms::last_message).collect()).await?;
        let Reader { profiles, mut messages } = found;
        let rooms = listed.into_iter().map(|listed| {
            let last = messages.remove(&(listed.room.id.clone(), listed.last_id));
            let profiles = &profiles;
            async move {
                let last = match last {
                    None if listed.last_id.get() > 0 => self.kept.last_before(&listed).await?,
                    last => last,
                };
                let Listed { room, mark, last_id } = listed;
                let other = room.other(caller.user()).and_then(|other| profiles.get(other)).cloned();
                Ok::<_, Fault>(ListedRoom::new(room, mark, last_id, last.as_ref(), other.as_ref()))
            }
        });
        Ok(stream::iter(rooms).buffered(ROOMS_IN_FLIGHT).try_collect().await?)
    }
}
