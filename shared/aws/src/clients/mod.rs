//! The clients by which functions talk to AWS and to identity providers.

mod document;
mod sdk;
mod sockets;

pub use document::DocumentUrl;
pub(crate) use sdk::{Clients, TOO_MANY_REQUESTS};
