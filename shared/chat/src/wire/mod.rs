//! The envelope that every action shares: how a frame names its action, how a reply names its request, and how errors
//! look.

mod fields;
mod http;
mod invalid;
mod reply;
mod request;

pub(crate) use fields::Fields;
pub use http::{http_internal, http_refusal};
pub(crate) use invalid::Invalid;
pub use reply::{ErrorReply, ReplyFrame};
pub use request::{Claimed, Request};
