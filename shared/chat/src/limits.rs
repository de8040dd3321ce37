//! Every number of the protocol, each with its reason.

use crate::Window;
use std::time::Duration;

/// The largest integer that a JavaScript number holds exactly, 2^53 - 1: ids above it would change on the way.
pub const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Longest text id, in bytes of UTF-8: the longest `sub` that OpenID Connect allows (Core 1.0, section 2), and any two
/// ids fit one DynamoDB sort key of 1,024 bytes.
pub const ID_BYTES_MAX: usize = 255;

/// Longest text message, in characters. At six bytes of escaped JSON each it stays inside one 32 KB metering unit.
pub const TEXT_CHARS_MAX: usize = 4_000;

/// Longest image or file address, in characters: what browsers and CDNs agree to carry.
pub const URL_CHARS_MAX: usize = 2_048;

/// Largest file that a message may carry, in MB, unless the deployment says otherwise: a picture of any phone, and a
/// letter with some.
pub const ATTACHMENT_MEGABYTES: u64 = 10;

/// Longest name of a file that is uploaded, in bytes: what file systems take.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// How much of it stands in the file's key, in characters: enough to tell files apart, and with the longest ids the key
/// stays below S3's 1,024 bytes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
pub const FILE_NAME_CHARS_MAX: usize = 100;

/// Longest media type, in characters: that of a spreadsheet of Office is 65.
pub const MEDIA_TYPE_CHARS_MAX: usize = 127;

/// Uploads that a user may ask for in a room per second: a handful of pictures at once, and no flood of files that no
/// message carries.
pub const UPLOADS_PER_SECOND: u32 = 1;

/// Largest JSON of an application's own, a message's `metadata` or a signal's `data`, in bytes once it is written: a
/// short message with it stays near the kilobyte that one write unit takes.
pub const JSON_BYTES_MAX: usize = 1_024;

/// Most ids in a message's `mentions`: more people than anybody means by name; for the others there is `all`. As UUIDs
/// they take 800 bytes.
pub const MENTIONS_MAX: usize = 20;

/// Longest `clientMessageId`, in characters: a UUID is 36.
pub const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 64;

/// Longest `requestId` that is echoed, in characters.
pub const REQUEST_ID_CHARS_MAX: usize = 128;

/// How much of an unknown action is repeated in the error, in characters.
pub const ECHO_CHARS_MAX: usize = 64;

/// Longest name or e-mail address of a profile, in characters (RFC 5321 gives an address 254).
pub const PROFILE_TEXT_CHARS_MAX: usize = 254;

/// Longest query string, in bytes: five times what says all that can be said, each byte of the longest id escaped.
pub const QUERY_BYTES_MAX: usize = 4 * 1_024;

/// Messages in a history page when the request does not say.
pub const PAGE_DEFAULT: usize = 50;

/// Most messages in a history page: their senders fit one DynamoDB batch read, which takes 100 keys.
pub const PAGE_MAX: usize = 100;

/// Sends of a user into a room per second, unless the deployment says otherwise: faster than anybody types, slower than
/// a program that floods.
pub const SENDS_PER_SECOND: u32 = 5;

/// Sends that a user may make at once into a room, as seconds' worth of the deployment's rate: a client that was away
/// sends what has gathered.
pub const SENDS_BURST_SECONDS: u64 = 4;

/// Changes of a user in a room per second, edits and recalls together: people correct themselves, programs flood. Each
/// takes a transaction, and all changes of a room go through one row.
pub const CHANGES_PER_SECOND: u32 = 1;

/// Edits of one message at most. Each is remembered in the message's row, so that a late repeat cannot bring its text
/// back: with the longest ids 1.3 KB.
pub const EDITS_PER_MESSAGE_MAX: usize = 20;

/// For how long an author may edit a message, unless the deployment says otherwise: long enough for a mistake,
/// too short to make somebody's answer look foolish.
pub const EDIT_WINDOW: Window = Window::Minutes(15);

/// For how long an author may recall a message, unless the deployment says otherwise.
pub const RECALL_WINDOW: Window = Window::Always;

/// Changes in a page of the feed at most, and when the request does not say: their messages fit one DynamoDB batch
/// read, which takes 100 keys.
pub const CHANGES_PAGE_MAX: usize = 100;

/// Reactions of a user in a room per second: a finger that goes over a row of emoji.
pub const REACTIONS_PER_SECOND: u32 = 2;

/// Reactions to one message at most. They stand in its row, which is read with every page: with UUIDs 3.6 KB.
pub const REACTIONS_PER_MESSAGE_MAX: usize = 100;

/// Longest emoji, in bytes of UTF-8: a family of four is 25, and some applications have names instead.
pub const EMOJI_BYTES_MAX: usize = 64;

/// Senders whose pace an instance of `send-message` remembers before it forgets those that were quiet, some 200 bytes
/// each.
pub const SENDERS_KEPT: usize = 10_000;

/// Rooms that a connection is in at most. They stand in one row: with the longest ids it takes 26 KB of the 400 that
/// DynamoDB allows, with numbers 1 KB.
pub const ROOMS_PER_CONNECTION_MAX: usize = 100;

/// Connections of a user at once, unless the deployment says otherwise: the tabs and devices of one person, and those
/// of a phone whose network comes and goes until API Gateway misses them, 10 minutes later. Each takes a push of every
/// message.
pub const CONNECTIONS_PER_USER: usize = 20;

/// How long a displaced connection must wait before it reconnects, in ms. It limits a user with too many tabs to one
/// reconnect a minute.
pub const DISPLACED_RETRY_MS: u64 = 60_000;

/// After how long a join may be repeated that a leave, or another join, of the same connection overtook, in ms: both
/// are done by then, as a rule.
pub const OVERTAKEN_RETRY_MS: u64 = 100;

/// Connections in a room up to which its members are told who comes and who goes, unless the deployment says otherwise:
/// a larger room scrolls by faster than anybody reads names, and a join of each of n members would be n² pushes.
pub const NOTICES_UP_TO: usize = 100;

/// Connections in a room up to which signals are pushed to its members, unless the deployment says otherwise: one or two
/// signals go with each message, and a room of strangers does not look who is typing.
pub const SIGNALS_UP_TO: usize = 20;

/// Signals of a user into a room per second: a cursor moves more often, and is smoothed by whoever shows it.
pub const SIGNALS_PER_SECOND: u32 = 2;

/// Longest kind of a signal, in characters: a word or two.
pub const SIGNAL_KIND_CHARS_MAX: usize = 32;

/// How often a user may ask per second who is in a room: nobody reads the list faster, and pushes keep it right.
pub const LISTS_PER_SECOND: u32 = 1;

/// People who are named as being in a room at most: their profiles fit one DynamoDB batch read, which takes 100 keys.
pub const PRESENT_MAX: usize = 100;

/// Largest list of profiles in one reply, in bytes: with its envelope it stays inside the 128 KB of a message
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const MEMBERS_BYTES_MAX: usize = 120 * 1_024;

/// People that one `leaveRoom` frame names at most: with the longest ids it stays inside one frame of 32 KB.
pub const LEAVERS_PER_FRAME: usize = 50;

/// People in a kept room at most: their ids stand in its row, and what each has read is one read of 200 rows.
pub const KEPT_ROOM_MEMBERS_MAX: usize = 200;

/// Kept rooms of a user at most: the list of them is read whole, two rows and a message of each.
pub const KEPT_ROOMS_PER_USER_MAX: usize = 200;

/// Longest name of a group, in characters: a line in a list.
pub const KEPT_ROOM_NAME_CHARS_MAX: usize = 64;

/// How much of a room's last message the list of rooms shows, in characters: what fits a line or two. So the list of 200
/// rooms stays far below the 6 MB that Lambda answers.
pub const PREVIEW_CHARS_MAX: usize = 200;

/// How many of a room's people the list of rooms names. All of them are asked for room by room.
pub const LISTED_MEMBERS_MAX: usize = 50;

/// How often a user may make or change kept rooms per second, in all rooms together: each is a transaction.
pub const ROOM_CHANGES_PER_SECOND: u32 = 1;

/// Read marks of a user in a room per second: a client marks at most every three seconds, and several devices read.
pub const MARKS_PER_SECOND: u32 = 1;

/// Bars in a room at most: they stand in the row that each message writes, which stays near the kilobyte that one write unit
/// takes; with UUIDs for ids so many take 2.3 KB.
pub const BARS_MAX: usize = 50;

/// Longest bar, in seconds: a year. What is to hold for ever is the application's, which gives out the tokens.
pub const BAR_SECONDS_MAX: u64 = 365 * 24 * 3_600;

/// Slowest pace of a slow room, in seconds between two messages of a user.
pub const SLOW_SECONDS_MAX: u64 = 3_600;

/// What a moderator may do per second, and what anybody may report: with four at once, as fast as a hand goes over a list.
pub const BARS_PER_SECOND: u32 = 2;

/// Reports of a user in a room per second.
pub const REPORTS_PER_SECOND: u32 = 1;

/// Longest reason of a report, in characters: some sentences.
pub const REPORT_CHARS_MAX: usize = 500;

/// Reports in one answer at most: their reporters fit one DynamoDB batch read.
pub const REPORTS_LISTED_MAX: usize = 50;

/// How much of a reviewer's reason the sender is told, in characters: a sentence.
pub const REVIEW_REASON_CHARS_MAX: usize = 256;

/// Longest token, in bytes: API Gateway takes 10 KB of headers in all
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>), and a provider's tokens are 1 to 3 KB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1_024;

/// How far the token issuer's clock may be from ours, in seconds: a token is good for a minute longer than it says, and
/// a minute earlier.
pub const CLOCK_SKEW_SECONDS: u64 = 60;

/// Largest authorizer context, in bytes. API Gateway refuses an authorizer result over 8 KB; the rest is the policy.
pub const CONTEXT_BYTES_MAX: usize = 7_000;

/// Largest frame of a client, in bytes, which Socket.IO's clients are told: API Gateway's own limit
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
pub const FRAME_BYTES_MAX: usize = 32 * 1_024;

/// How long a client of Engine.IO 4 waits for a ping, in ms, before it counts [`EIO4_PING_TIMEOUT_MS`]: API Gateway
/// cuts it after two hours, so nobody has to ping it. Both together must fit the 31 bits of a browser's timer.
pub const EIO4_PING_INTERVAL_MS: u64 = 2 * 3_600_000;

/// The time after that in which it gives up, in ms. Whoever is cut notices by the cut.
pub const EIO4_PING_TIMEOUT_MS: u64 = 600_000;

/// How often a client of Engine.IO 3 pings, in ms: often enough that one lost ping does not make it idle for 10
/// minutes.
pub const EIO3_PING_INTERVAL_MS: u64 = 240_000;

/// How long it waits for the answer, in ms.
pub const EIO3_PING_TIMEOUT_MS: u64 = 60_000;

/// How many counts a room remembers the times of: enough to tell a busy minute from two people who answer at once, and
/// the room's row stays within one write unit.
pub const COUNTS_KEPT: usize = 8;

/// Connections above which a room goes over into rounds, unless the deployment says otherwise: as many as one answer of
/// DynamoDB holds. A sender that posts to more takes longer than it may.
pub const LARGE_ROOM: usize = 1_100;

/// Posts a second that a room's messages would make, at which it goes over into rounds, unless the deployment says
/// otherwise: a tenth of what API Gateway grants an account.
pub const HOT_ROOM: f64 = 1_000.0;

/// Posts a second of all rooms in rounds together, unless the deployment says otherwise: half of what API Gateway grants
/// an account (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>).
pub const POSTS_PER_SECOND: f64 = 5_000.0;

/// Shortest time from the beginning of a round to that of the next: messages of a busy room come together in it, and
/// nobody reads faster.
pub const ROUND_MIN: Duration = Duration::from_millis(250);

/// Largest frame of a round, in bytes: API Gateway meters each 32 KB of a post as one.
pub const ROUND_FRAME_BYTES: usize = 32_000;

/// Messages of one round at most: their senders fit one DynamoDB batch read, which takes 100 keys, and so many of 100
/// characters fill a frame.
pub const ROUND_MESSAGES_MAX: usize = 100;

/// Messages that a round is taken to carry at least, however long the last ones were: a burst of people who answer at
/// once is not refused, and a frame holds seven of the longest texts.
pub const ROUND_MESSAGES_MIN: usize = 8;
