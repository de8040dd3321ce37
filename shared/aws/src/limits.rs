//! Every number of the AWS side, each with its reason.

use std::time::Duration;

/// `send-message`'s time-out in the template, in seconds. Nothing is stored under an id later than this after it was
/// counted, so a client takes a hole before a message older than this for final.
pub const SEND_TIMEOUT_SECONDS: u64 = 10;

/// How long a connection's rows are good for after they are written: API Gateway cuts a connection after 2 h, 10 min
/// cover late clocks.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(2 * 3_600 + 600);

/// How long a `clientMessageId` is remembered: longer than any client keeps retrying.
pub const RETRY_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// Longest wait for a TCP and TLS handshake inside a Region: a hundred times the usual.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for an answer of one attempt; the SDK itself would wait for ever.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for one operation with all its attempts: two of them fit `send-message`'s time-out.
pub const OPERATION_TIMEOUT: Duration = Duration::from_millis(4_500);

/// Attempts of one AWS call, the first included.
pub const ATTEMPTS: u32 = 3;

/// First wait before a repeated call, at most; it doubles each time. The SDK's own, a second, is a long silence in a
/// chat; DynamoDB's other SDKs wait 25 to 50 ms.
pub const RETRY_BACKOFF: Duration = Duration::from_millis(50);

/// Attempts of a transaction that met another one on the same rows, and of what a batch left over.
pub const CONFLICT_ATTEMPTS: u32 = 5;

/// First wait after such a conflict; it doubles each time.
pub const CONFLICT_BACKOFF: Duration = Duration::from_millis(20);

/// Posts in flight at once. With a cold pool of TLS connections hyper opens more sockets than this above 64.
pub const POSTS_IN_FLIGHT: usize = 64;

/// Rooms that one `$disconnect` leaves at once, and members that one delivery takes out at once.
pub const ROOMS_IN_FLIGHT: usize = 8;

/// Keys of one `BatchGetItem`, DynamoDB's limit.
pub const BATCH_GET_MAX: usize = 100;
