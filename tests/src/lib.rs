//! The tests' harness: a deployment as its users see it, a local run with access to its inside, and clients that speak
//! to either over sockets.

mod app;
mod cargo_lambda;
mod chaos;
pub mod checker;
mod client;
mod deployment;
mod device;
mod documents;
mod function;
mod held;
mod ids;
mod interleaving;
mod knowledge;
mod lambda;
mod log;
mod management;
mod meter;
pub mod packets;
mod posts;
pub mod proxy;
mod reach;
mod recorder;
mod s3;
mod samples;
pub mod schema;
mod server;
pub mod simulation;
mod tls;
mod trial;
mod workload;

pub use app::App;
pub use cargo_lambda::CargoLambda;
pub use chaos::{Chaos, Direction, Director, Fault, Refusal, Weather};
pub use client::{Client, Closed, text_message};
pub use deployment::{Deployment, Page};
pub use device::{Device, Record};
pub use documents::Documents;
pub use function::{
    REQUEST_ID, frame, function_of, guest_event, invoke, packet_event, page, page_of, post_by_moderator, room_event,
    websocket_event, with_kept_rooms,
};
pub use held::{Held, HeldHandshakes, HeldRows, enter, enter_until, held, lose, lost_device, open, remember};
pub use ids::{caller, device_of, fresh, ghost, next_id, room, user};
pub use interleaving::{Interleaved, Interleaving, Orders};
pub use lambda::{INVOCATION_LINE_BYTES, Lambda};
pub use log::{logged, logged_of};
pub use management::Management;
pub use meter::{Meter, TYPICAL_TEXT, Usage, edit_all, fill, talk};
pub use packets::Way;
pub use posts::{Judge, Posted, Posts};
pub use recorder::{Call, Recorder, steps};
pub use s3::signed_for_s3;
pub use samples::{Sample, conversation, plain_frame, sample, sample_names};
pub use server::Server;
pub use tls::Tls;
pub use trial::Trial;
pub use workload::{Outcome, Workload};

use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long a test waits for what must come. No test passes by waiting this long, and a machine may be ten times busier
/// than usual.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// How often a condition is checked that nothing reports.
const POLL: Duration = Duration::from_millis(20);

/// Waits for what must come. After [`PATIENCE`] it panics and says what did not come.
pub fn in_time<T>(what: impl std::fmt::Display, wait: impl Future<Output = T>) -> impl Future<Output = T> {
    // Boxed, so that the waiting future does not grow by this one.
    let wait = Box::pin(wait);
    async move {
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited {} s in vain: {what}", PATIENCE.as_secs()))
    }
}

/// Waits until a condition holds that can only be checked again and again, such as one of a table.
pub async fn until(what: impl std::fmt::Display, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(POLL).await;
        }
    };
    in_time(what, wait).await;
}

/// An HTTP client that gives up when [`PATIENCE`] is over.
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).build().expect("an HTTP client")
}
