//! API Gateway's quotas for WebSocket APIs
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>),
//! those of an account (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>), and our own.

use crate::template::Throttle;
use std::time::Duration;

/// Longest URL of a handshake, in characters, from `wss:` to the end of its query string. A `?token=` is in it.
pub const URL_CHARS_MAX: usize = 4_096;

/// Length of a deployed API's host, in characters. Ours is shorter, and a token that fits only here would be found out too late.
pub const HOST_CHARS: usize = "0123456789.execute-api.ap-southeast-1.amazonaws.com".len();

/// Largest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 32 * 1024;

/// Largest message, in bytes, whether it comes in or is posted.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// Largest authorizer context, in bytes.
pub const CONTEXT_BYTES_MAX: usize = 8 * 1024;

/// Longest that an integration may take.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// Frames that wait for a slow client; a post to a full buffer is a 429, as AWS documents it. The number is ours.
pub const OUTBOX_FRAMES_MAX: usize = 1_024;

/// Bytes of these frames: eight of the largest, thousands of the usual. Ours.
pub const OUTBOX_BYTES_MAX: usize = 8 * MESSAGE_BYTES_MAX;

/// Bytes that are on their way into a client's socket: a message, and pongs beside it. Who pings and does not read gets no more
/// pongs than that. Ours.
pub const WRITE_BUFFER_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// Frames of one connection that are with the functions, or whose replies wait for a place. Nothing more is read of it
/// meanwhile, so that the client feels it. Ours: many times what a person's client has under way.
pub const FRAMES_IN_FLIGHT_MAX: usize = 64;

/// How long a closed socket may take to say goodbye, and to be read empty, before it is dropped. Ours.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// The same when the gateway stops, where somebody waits for it. Ours.
pub const STOP_CLOSE_GRACE: Duration = Duration::from_millis(100);

/// How long all connections together may take when the gateway stops. Ours.
pub const STOP_GRACE: Duration = Duration::from_secs(15);

/// When a connection ends by itself, and what an account may ask for. Tests set them lower.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub idle: Duration,
    pub lifetime: Duration,
    /// How long the head of an HTTP request may take, the wait for it on a socket that is kept included; and then its body.
    /// Ours: longer than [`chat_aws`] keeps an idle socket.
    pub request: Duration,
    /// All APIs of an account in a Region together, posts to connections included. In some Regions it is a quarter of it.
    pub account: Throttle,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(2 * 3_600),
            request: Duration::from_secs(60),
            account: Throttle { per_second: 10_000.0, burst: 5_000.0 },
        }
    }
}
