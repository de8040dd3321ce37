//! What is allowed in a chat room: ids, frames, content, callers and paging.
//!
//! Pure by construction: no AWS, no clock, no environment. What a function is given goes in as arguments, what it
//! answers comes out as values, so every rule here can be tested without a network.

mod actions;
mod attachment;
mod bars;
mod caller;
mod change;
mod claims;
mod device;
#[cfg(test)]
mod document;
mod extras;
mod ids;
mod kept;
pub mod limits;
mod member;
mod message;
mod opening;
mod pace;
mod reactions;
mod rejection;
mod review;
pub mod rounds;
mod timestamp;
mod visible;
mod wire;

pub use actions::*;
pub use attachment::{Attachment, FILES_PREFIX, MediaType};
pub use bars::{Bar, BarChange, Barred, Bars, Standing};
pub use caller::{Access, Caller, Grant, InvalidContext, Profile};
pub use change::{Change, Changed, Verdict, Window, Windows};
pub use claims::InvalidClaims;
pub use device::{Device, surplus};
pub use extras::{EVERYBODY, Extras, Metadata};
pub use ids::{ChangeNumber, ClientMessageId, ConnectionId, MessageId, RoomId, UserId};
pub use kept::{GROUP_ID_BYTES, KeptKind, KeptRoom};
pub use member::{Member, Presence, departs, users};
pub use message::{Content, Message, MessageKind};
pub use opening::Opening;
pub use pace::Pace;
pub use reactions::{Emoji, Reactions};
pub use rejection::Rejection;
pub use review::{ReviewRequest, Reviewed};
pub use timestamp::Timestamp;
pub use wire::{
    Claimed, Encoding, ErrorReply, Form, Frames, Params, ReplyFrame, Request, http_internal, http_refusal, socketio,
};
