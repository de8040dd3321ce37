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

    /// Lets nothing of a user through in a room for so long.
    pub fn hold(&self, user: &UserId, room: &RoomId, slow: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hold(user, room, slow, monotonic());
    }

    /// The same of what a user does in no room.
    pub fn admit_anywhere(&self, user: &UserId) -> Result<(), Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit_anywhere(user, monotonic())
    }
}
