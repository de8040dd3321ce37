//! The clients by which functions talk to AWS and to identity providers.

mod document;
mod lambda;
mod s3;
mod sdk;
mod signed;
mod sockets;

pub use document::DocumentUrl;
pub use lambda::Invoker;
pub(crate) use s3::{Bucket, Upload};
pub(crate) use sdk::{Clients, TOO_MANY_REQUESTS};
#[cfg(feature = "simulation")]
pub(crate) use sockets::Patience;
