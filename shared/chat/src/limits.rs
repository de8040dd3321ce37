//! Every number of the protocol, each with its reason.

/// The largest integer that a JavaScript number holds exactly, 2^53 - 1: ids above it would change on the way.
pub const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Longest text id, in bytes of UTF-8: the longest `sub` that OpenID Connect allows (Core 1.0, section 2), and any two
/// ids fit one DynamoDB sort key of 1,024 bytes.
pub const ID_BYTES_MAX: usize = 255;

/// Longest text message, in characters. At six bytes of escaped JSON each it stays inside one 32 KB metering unit.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// Longest image or file address, in characters: what browsers and CDNs agree to carry.
pub const URL_CHARS_MAX: usize = 2_048;

/// Longest `clientMessageId`, in characters: a UUID is 36.
pub const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 64;

/// Longest `requestId` that is echoed, in characters.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// How much of an unknown action is repeated in the error, in characters.
pub const ECHO_CHARS_MAX: usize = 64;

/// Longest name or e-mail address of a profile, in characters (RFC 5321 gives an address 254).
pub const PROFILE_TEXT_CHARS_MAX: usize = 254;

/// Messages in a history page when the request does not say.
pub const PAGE_DEFAULT: usize = 50;

/// Most messages in a history page: their senders fit one DynamoDB batch read, which takes 100 keys.
pub const PAGE_MAX: usize = 100;

/// Largest authorizer context, in bytes. API Gateway refuses an authorizer result over 8 KB; the rest is the policy.
pub const CONTEXT_BYTES_MAX: usize = 7_000;
