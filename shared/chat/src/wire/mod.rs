//! The envelope that every action shares: how a frame names its action, how a reply names its request, how errors look,
//! and how all of it is written for each kind of client.

mod encoding;
mod fields;
mod frames;
mod http;
mod invalid;
mod params;
mod reply;
mod request;
pub mod socketio;

pub use encoding::Encoding;
pub(crate) use fields::Fields;
pub use frames::{Form, Frames};
pub use http::{http_internal, http_refusal};
pub(crate) use invalid::Invalid;
pub use params::Params;
pub use reply::{ErrorReply, ReplyFrame};
pub use request::{Claimed, Request};
