//! The clients by which functions talk to AWS and to identity providers.

mod document;
mod lambda;
mod sdk;
mod sockets;

pub use document::DocumentUrl;
pub use lambda::Invoker;
pub(crate) use sdk::{Clients, TOO_MANY_REQUESTS};
#[cfg(feature = "simulation")]
pub(crate) use sockets::Patience;
