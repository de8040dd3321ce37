//! What is allowed in a chat room: ids, frames, content, callers and paging.
//!
//! Pure by construction: no AWS, no clock, no environment. What a function is given goes in as arguments, what it
//! answers comes out as values, so every rule here can be tested without a network.

mod caller;
mod claims;
mod device;
mod frames;
mod history;
mod ids;
mod invalid;
pub mod limits;
mod member;
mod message;
mod pace;
mod rejection;
mod request;
mod timestamp;
mod visible;

pub use caller::{Caller, Grant, InvalidContext, Profile};
pub use claims::InvalidClaims;
pub use device::{Device, surplus};
pub use frames::{Push, Reply};
pub use history::{Cursor, HistoryItem, HistoryPage, HistoryRequest, http_internal, http_refusal};
pub use ids::{ClientMessageId, ConnectionId, MessageId, RoomId, UserId};
pub use member::{Member, departs};
pub use message::{Content, Message, MessageKind};
pub use pace::Pace;
pub use rejection::Rejection;
pub use request::{Claimed, DisconnectUser, Disconnected, JoinRoom, Request, RoomRequest, SendMessage};
pub use timestamp::Timestamp;
