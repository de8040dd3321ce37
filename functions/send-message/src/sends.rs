use chat::{Rejection, RoomId, UserId};
use chat_aws::{App, Fault, Pusher, Vars, now};
use std::sync::{Arc, Mutex, PoisonError};

/// Sends a second of one user into one room, unless the deployment says otherwise.
const SENDS_PER_SECOND: u32 = 5;

/// What sends are made with.
#[derive(Clone)]
pub struct Sends {
    pub app: App,
    pub pace: Pace,
}

/// How fast each user may send to each room through this instance of the function: counted in its memory it costs no request.
/// Whoever keeps several instances busy at once may send as much through each; what all of them may do together is
/// the stage's throttle.
#[derive(Clone)]
pub struct Pace(Arc<Mutex<chat::Pace>>);

impl Sends {
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let pace = chat::Pace::new(vars.parsed("SENDS_PER_SECOND", SENDS_PER_SECOND)?);
        Ok(Self { app: App::new(vars)?, pace: Pace(Arc::new(Mutex::new(pace))) })
    }
}

impl Pace {
    pub fn send(&self, user: &UserId, room: &RoomId) -> Result<(), Rejection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).send(user, room, now())
    }
}

impl AsRef<Pusher> for Sends {
    fn as_ref(&self) -> &Pusher {
        self.app.as_ref()
    }
}
