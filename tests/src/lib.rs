//! What the tests stand on: a deployment as its users have it, a local run with its inside, and clients that speak to
//! either over sockets.

mod cargo_lambda;
mod client;
mod deployment;
mod function;
mod ids;
mod lambda;
mod recorder;
mod server;

pub use cargo_lambda::CargoLambda;
pub use client::{Client, Closed, text_message};
pub use deployment::{Deployment, Page};
pub use function::{REQUEST_ID, frame, invoke, sample, websocket_event};
pub use ids::{fresh, ghost, room, user};
pub use lambda::Lambda;
pub use recorder::{Call, Recorder};
pub use server::Server;

use std::time::Duration;

/// How long a test waits for what must come. Nothing passes by waiting this long.
pub const PATIENCE: Duration = Duration::from_secs(20);
