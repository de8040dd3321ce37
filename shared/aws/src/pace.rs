use crate::clock::monotonic;
use chat::{Rejection, RoomId, UserId};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often each user may do in each room what all its members are told of, through this instance of the function:
/// counted in its memory it costs no request. A user who keeps several instances busy at once may do as much through
/// each. The stage's throttle limits all users together.
#[derive(Clone)]
pub struct Pace(Arc<Mutex<chat::Pace>>);

impl Pace {
    /// So many a second.
    pub(crate) fn of(per_second: u32) -> Self {
        Self(Arc::new(Mutex::new(chat::Pace::new(per_second))))
    }

    /// Lets it through, or says when to try again.
    pub fn admit(&self, user: &UserId, room: &RoomId) -> Result<(), Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(user, room, monotonic())
    }

    /// Notes that a user speaks in a room that is slow: so long between two messages.
    pub fn speaks(&self, user: &UserId, room: &RoomId, slow: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).speaks(user, room, slow, monotonic());
    }

    /// Whether it is worth asking how slow the room is by now.
    pub fn may_have_to_wait(&self, user: &UserId, room: &RoomId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).may_have_to_wait(user, room, monotonic())
    }

    /// Lets somebody speak in a room that is so slow by now, or says when to try again.
    pub fn admit_after(&self, user: &UserId, room: &RoomId, slow: Duration) -> Result<(), Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit_after(user, room, slow, monotonic())
    }

    /// The same of what a user does in no room.
    pub fn admit_anywhere(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit_anywhere(user, monotonic())
    }
}
