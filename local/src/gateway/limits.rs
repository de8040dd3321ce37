//! API Gateway's quotas for WebSocket APIs
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>),
//! those of an account (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>), and our own.

use crate::template::Throttle;
use std::time::Duration;

/// Longest URL of a handshake, in characters, from `wss:` to the end of its query string. A `?token=` is in it.
pub const URL_CHARS_MAX: usize = 4_096;

/// Length of a deployed API's host, in characters. The local host is shorter, so a token could fit here and not on AWS.
pub const HOST_CHARS: usize = "0123456789.execute-api.ap-southeast-1.amazonaws.com".len();

/// Largest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 32 * 1024;

/// Largest message in either direction, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// Largest authorizer context, in bytes.
pub const CONTEXT_BYTES_MAX: usize = 8 * 1024;

/// Largest body of a request to the HTTP API, in bytes.
pub const HTTP_BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Largest payload of a function that is waited for, in bytes, and of one that Lambda keeps an event for
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Longest that an integration may take.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(29);

/// Frames that are buffered for a slow client. A post to a full buffer gets 429, as AWS documents; the number is ours.
pub const OUTBOX_FRAMES_MAX: usize = 1_024;

/// Bytes of these frames: room for eight of the largest or thousands of usual ones. The number is ours.
pub const OUTBOX_BYTES_MAX: usize = 8 * MESSAGE_BYTES_MAX;

/// Bytes waiting in a client's socket: a message, and pongs. A client that pings and does not read gets no more pongs
/// than this. The number is ours.
pub const WRITE_BUFFER_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;

/// Frames of one connection that are being handled or whose replies wait for room. At this number nothing more is read,
/// which slows the client down. The number is ours, many times what one user's client has under way.
pub const FRAMES_IN_FLIGHT_MAX: usize = 64;

/// How long closing a socket may take, with reading it empty, before it is dropped. The number is ours.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// The same when the gateway stops, because somebody waits for it. The number is ours.
pub const STOP_CLOSE_GRACE: Duration = Duration::from_millis(100);

/// How long closing all connections may take when the gateway stops. The number is ours.
pub const STOP_GRACE: Duration = Duration::from_secs(15);

/// Limits that tests lower: when a connection ends by itself, and an account's request rate.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub idle: Duration,
    pub lifetime: Duration,
    /// What schedules take for a minute, and what runs a function again for an event. Whoever lowers the idle time-out lowers this as well, since what keeps
    /// connections alive runs by a schedule.
    pub minute: Duration,
    /// How long the head of an HTTP request may take, including the wait on an idle socket, and then how long its body
    /// may take. The number is ours: longer than [`chat_aws`] keeps an idle socket.
    pub request: Duration,
    /// Of all the account's APIs in a Region, including posts to connections. Some Regions allow only a quarter of
    /// this.
    pub account: Throttle,
}

impl Limits {
    /// Cuts a connection after so long a silence, and has schedules run as much faster as that is shorter than usual.
    #[must_use]
    pub fn with_idle(self, idle: Duration) -> Self {
        let usual = Self::default();
        let minute = usual.minute.mul_f64(idle.as_secs_f64() / usual.idle.as_secs_f64());
        Self { idle, minute: minute.clamp(Duration::from_millis(1), usual.minute), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(2 * 3_600),
            minute: Duration::from_secs(60),
            request: Duration::from_secs(60),
            account: Throttle { per_second: 10_000.0, burst: 5_000.0 },
        }
    }
}
