//! How AWS does it: events from API Gateway, rows in DynamoDB, pushes through the management API.
//!
//! SDK types stay inside this crate; functions see `chat`'s types, [`App`] and the events of [`apigw`].

pub mod apigw;
mod app;
mod clock;
mod document;
mod fault;
mod http;
mod limits;
mod pace;
mod push;
mod sdk;
pub mod serve;
mod store;
pub mod telemetry;
mod vars;

pub use app::{App, Ended};
pub use clock::now;
pub use document::DocumentUrl;
pub use fault::{Failure, Fault};
pub use limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_TIMEOUT, KEYS_ASKED_AGAIN, KEYS_KEPT, NO_KEYS_ASKED_AGAIN, ROOMS_IN_FLIGHT,
    SEND_TIMEOUT_SECONDS, posts_in_flight,
};
pub use pace::Pace;
pub use push::Pusher;
pub use store::{Arrival, Arrivals, Connections, JoinNumber, Left, Members, Messages, Stored, Tables, Users};
pub use vars::Vars;
