//! What the tests stand on: a whole system of their own on free ports, and clients that speak to it over sockets.

mod client;
mod function;
mod ids;
mod lambda;
mod recorder;
mod server;

pub use client::{Client, Closed, text_message};
pub use function::{REQUEST_ID, frame, invoke, sample, websocket_event};
pub use ids::{ghost, room, user};
pub use lambda::Lambda;
pub use recorder::{Call, Recorder};
pub use server::{Page, Server};

use std::time::Duration;

/// How long a test waits for what must come. Nothing passes by waiting this long.
pub const PATIENCE: Duration = Duration::from_secs(20);
