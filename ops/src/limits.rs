//! Every number of the commands, each with its reason.

use std::time::Duration;

/// How long a call of AWS, or of a deployment's endpoint, may take: API Gateway waits 29 s for a function, and a cold
/// start is over in one.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for a frame that must come: `send-message` has 10 s.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest that `check` gives a message to go round, from the handshake to the history: it takes a second, five where all
/// functions start cold, and API Gateway has answered a handshake within 29 s, or never will. In a room where others
/// speak, frames alone would have no end.
pub const ROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for a socket to say goodbye.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// After the end of a user's connections a frame may still be on its way to its function, in addition to the function's
/// own time.
pub const ON_THE_WAY: Duration = Duration::from_secs(1);

/// How long a token is good for unless the caller says otherwise: an hour is enough to try something, and little if it
/// gets out.
pub const TOKEN_MINUTES: u32 = 60;

/// How long the token is good for that `check` makes for itself: it is used at once.
pub const CHECK_TOKEN: Duration = Duration::from_secs(5 * 60);

/// Frames that `check` sends at once, at most, to be turned away. Each that passes is a message to API Gateway, another as
/// its answer, and an invocation of some milliseconds: ten thousand come to three cents.
pub const FLOOD_MAX: i64 = 10_000;

/// Messages of one step of an export: a page of the history.
pub const PAGE: usize = chat::limits::PAGE_MAX;

/// Rows that one step of an erasure reads: some 60 units with messages of 250 bytes, and never more than the 256 of 1
/// MB, where DynamoDB ends an answer.
pub const ROWS_PER_STEP: i32 = 1_000;

/// Messages that an erasure empties at once.
pub const WRITES_IN_FLIGHT: usize = 8;

/// How often an erasure says how far it is.
pub const PROGRESS: Duration = Duration::from_secs(10);

/// Units a second unless the operator says otherwise: a tenth of what one partition gives to reads
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>), so that chats go
/// on beside it.
pub const UNITS_PER_SECOND: u32 = 300;

/// A strongly consistent read takes a unit for so many bytes.
pub const UNIT_BYTES: u64 = 4_096;

/// Messages of a typical size, 250 bytes, that such a unit reads.
pub const MESSAGES_PER_UNIT: u64 = 16;

/// A million units of DynamoDB on demand in us-east-1, November 2026, in dollars
/// (<https://aws.amazon.com/dynamodb/pricing/on-demand/>).
pub const READ_UNITS_PRICE: f64 = 0.125;
pub const WRITE_UNITS_PRICE: f64 = 0.625;

/// How far a clock may be off before it is not ok: half of what tokens are given.
pub const CLOCK_OFF_MAX: Duration = Duration::from_secs(chat::limits::CLOCK_SKEW_SECONDS / 2);

/// Functions that an account should be able to run at once: the default of 200 requests a second, of half a second each
/// while functions start.
pub const CONCURRENCY_MIN: u64 = 100;
