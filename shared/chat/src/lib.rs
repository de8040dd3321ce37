//! What is allowed in a chat room: ids, frames, content, callers and paging.
//!
//! Pure by construction: no AWS, no clock, no environment. What a function is given goes in as arguments, what it
//! answers comes out as values, so every rule here can be tested without a network.

mod actions;
mod attachment;
mod caller;
mod change;
mod claims;
mod device;
#[cfg(test)]
mod document;
mod extras;
mod ids;
pub mod limits;
mod member;
mod message;
mod opening;
mod pace;
mod reactions;
mod rejection;
pub mod rounds;
mod timestamp;
mod visible;
mod wire;

pub use actions::*;
pub use attachment::{Attachment, FILES_PREFIX, MediaType};
pub use caller::{Caller, Grant, InvalidContext, Profile};
pub use change::{Change, Changed, Verdict, Window, Windows};
pub use claims::InvalidClaims;
pub use device::{Device, surplus};
pub use extras::{Extras, Metadata};
pub use ids::{ChangeNumber, ClientMessageId, ConnectionId, MessageId, RoomId, UserId};
pub use member::{Member, Presence, departs, users};
pub use message::{Content, Message, MessageKind};
pub use opening::Opening;
pub use pace::Pace;
pub use reactions::{Emoji, Reactions};
pub use rejection::Rejection;
pub use timestamp::Timestamp;
pub use wire::{
    Claimed, Encoding, ErrorReply, Form, Frames, ReplyFrame, Request, http_internal, http_refusal, socketio,
};
