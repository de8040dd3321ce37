//! Who may enter rooms that are kept.

use crate::lately::Lately;
use crate::limits::{RIGHTS_KEPT, RIGHTS_REMEMBERED};
use crate::store::KeptRooms;
use crate::{Failure, Fault};
use chat::{Caller, Rejection, RoomId, UserId};

/// The rights to kept rooms. Who enters by the token alone is asked for nothing.
#[derive(Clone)]
pub struct Rights {
    kept: KeptRooms,
    seen: Lately<(UserId, RoomId)>,
}

impl Rights {
    pub(crate) fn new(kept: KeptRooms) -> Self {
        Self { kept, seen: Lately::new(RIGHTS_KEPT, RIGHTS_REMEMBERED) }
    }

    /// Refuses a caller who needs a right to a room and has none. A yes is believed for a while, a no never.
    pub async fn admit(&self, caller: &Caller, room: &RoomId) -> Result<(), Failure> {
        if !caller.needs_right(room) {
            return Ok(());
        }
        let right = (caller.user().clone(), room.clone());
        if self.seen.has(&right) {
            return Ok(());
        }
        self.admit_now(caller, room).await?;
        self.seen.note(&right);
        Ok(())
    }

    /// The same by what the rows say now: whoever reads is shown what was said since.
    pub async fn admit_now(&self, caller: &Caller, room: &RoomId) -> Result<(), Failure> {
        if caller.needs_right(room) && !self.kept.is_in(caller.user(), room).await? {
            return Err(Rejection::RoomNotGranted.into());
        }
        Ok(())
    }

    /// Keeps in the lists of those whom a message means that it does, in rooms that are kept. Who says it is not told:
    /// what fails here is logged, and the message is there.
    pub async fn mention(&self, message: &chat::Message) {
        if !message.room.is_kept() {
            return;
        }
        let users = message.content.extras().mentions.iter().filter(|user| user.to_string() != chat::EVERYBODY);
        let users: std::collections::BTreeSet<_> = users.collect();
        let mentions = users.into_iter().map(|user| self.kept.mention(user, &message.room, message.id));
        for mentioned in futures_util::future::join_all(mentions).await {
            mentioned.unwrap_or_else(|fault: Fault| crate::telemetry::survived(&fault));
        }
    }
}
