//! How AWS does it: events from API Gateway, rows in DynamoDB, pushes through the management API.
//!
//! SDK types stay inside this crate. Functions see the types of `chat`, the events and answers of [`entry`], and the
//! parts that [`Aws`] builds.

mod aws;
mod clients;
mod clock;
mod delivery;
pub mod entry;
mod fault;
mod files;
mod greeting;
mod inbox;
mod keep_alive;
mod lately;
mod limits;
mod membership;
mod pace;
mod personal;
mod pusher;
mod random;
mod review;
mod rights;
mod rounds;
mod sessions;
mod signals;
#[cfg(feature = "simulation")]
pub mod simulation;
mod store;
pub mod telemetry;
mod vars;

pub use aws::Aws;
pub use clients::{DocumentUrl, Invoker};
pub use clock::now;
pub use delivery::Delivery;
pub use fault::{Failure, Fault};
pub use files::Files;
pub use inbox::Inbox;
pub use keep_alive::KeepAlive;
pub use limits::{
    CONNECTION_LIFETIME, DOCUMENT_BYTES_MAX, DOCUMENT_TIMEOUT, KEYS_ASKED_AGAIN, KEYS_KEPT, NO_KEYS_ASKED_AGAIN,
    ROOMS_IN_FLIGHT, SEALED_ATTEMPTS, SEND_TIMEOUT_SECONDS, posts_in_flight,
};
pub use membership::{Arrived, Membership};
pub use pace::Pace;
pub use personal::Personal;
pub use pusher::Pusher;
pub use random::random_bytes;
pub use review::Reviewer;
pub use rights::Rights;
pub use rounds::{Couriers, Rounds, Turn};
pub use sessions::{Ended, Sessions};
pub use signals::Signals;
pub use store::{
    Arrival, Changes, Closed, Committed, Connections, Counted, Found, JoinNumber, Kept, KeptRooms, Listed, Members,
    Messages, Reacted, Reactions, Removal, Reports, RoomBars, Shut, Stored, Tables, Users, Written,
};
pub use store::{Erasure, Position, Size, Step, Where};
pub use vars::Vars;
