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

/// How long a row stands under an id that nobody used: no sender is under way for so long, and every member has passed it.
pub const VOID_KEPT: Duration = Duration::from_secs(3_600);

/// Longest wait for a TCP and TLS handshake inside a Region: a hundred times the usual.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for the whole answer of one attempt.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the address of a file is good for, from the beginning of the [hour](ADDRESS_STEP) in which it was made on: so for
/// an hour at least. On Lambda it ends with the function's credentials, if they end sooner.
pub const ADDRESS_GOOD_FOR: Duration = Duration::from_secs(2 * 3_600);

/// For how long a file has one and the same address, so that a browser that was told it again need not ask for it again.
pub const ADDRESS_STEP: Duration = Duration::from_secs(3_600);

/// What browsers are told of a file: that it is one person's, and stays as it is for as long as an address is good.
pub const SHOWN_FROM_CACHE: &str = "private, max-age=7200";

/// How long a form for an upload is good for. It bounds when an upload begins, not how long it takes.
pub const FORM_GOOD_FOR: Duration = Duration::from_secs(10 * 60);

/// Longest wait for the end of a connection that makes place for a newer one, whose handshake waits meanwhile.
pub const DISPLACE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a closed connection is left to the handshake that closed it: `connect`'s time-out in the template. So many
/// handshakes of one user at once end each connection once. It stays counted until it is ended, so if that function
/// died, a later handshake ends it.
pub const ENDED_BY_ANOTHER: Duration = Duration::from_secs(10);

/// How long a handshake takes at most: API Gateway waits 10 s for an authorizer and 29 s for `$connect`
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>). A connection that is not there yet
/// answers 410, as one that is gone does.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(40);

/// How long a connection is waited for whose handshake was just answered, before its first frame is given up: API
/// Gateway answers 410 until it has handed the answer on.
pub const GREETING_MAX: Duration = Duration::from_millis(1_500);

/// First wait of these; it doubles each time. As a rule one or two will do.
pub const GREETING_BACKOFF: Duration = Duration::from_millis(5);

/// How often it is tried again to end a connection whose handshake is under way.
pub const HANDSHAKE_POLL: Duration = Duration::from_millis(500);

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

/// Members of a room that one answer of DynamoDB holds: 1,000 with a few to spare, so that nearly every room takes one
/// request, and some 2 MB while they are read.
pub const MEMBERS_PER_PAGE: i32 = 1_100;

/// Sockets to one host, and so the most posts in flight. Each begins with a TLS handshake, half a millisecond of CPU;
/// with a whole vCPU 64 of them take about as long as one post.
pub const SOCKETS_PER_HOST: usize = 64;

/// How long a socket may be idle before it is not used again: a little less than the minute after which load balancers
/// close it.
pub const SOCKET_IDLE_MAX: Duration = Duration::from_secs(50);

/// How long the addresses of a host are good for: as long as DynamoDB's name servers say.
pub const ADDRESSES_KEPT: Duration = Duration::from_secs(5);

/// At least this many, even with little CPU: if posts are slower than usual, waiting in parallel still helps.
const POSTS_IN_FLIGHT_MIN: usize = 8;

/// Memory with which a function has one vCPU to itself, in MB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>). One thread uses no more.
const VCPU_MEMORY: u64 = 1_769;

/// Memory that a function is taken to have which is told of none, as outside Lambda, in MB.
pub const DEFAULT_MEMORY: u64 = VCPU_MEMORY;

/// How long a post waits for its answer, in µs: some 15 ms inside a Region.
const POST_WAIT_MICROS: u64 = 15_000;

/// CPU that a post takes on a whole vCPU, in µs, as `chat-bench fan-out` measures it.
const POST_CPU_MICROS: u64 = 120;

/// Posts in flight at once, by the function's memory in MB.
///
/// While one post waits, the CPU can make `wait / (CPU of a post / share of a vCPU)` others. More in flight would wait
/// for the CPU instead of the network, each with a socket and a TLS handshake of its own.
pub fn posts_in_flight(memory: u64) -> usize {
    let share_of_wait = POST_WAIT_MICROS * memory.min(VCPU_MEMORY) / VCPU_MEMORY;
    let fed = usize::try_from(share_of_wait / POST_CPU_MICROS).unwrap_or(SOCKETS_PER_HOST);
    fed.clamp(POSTS_IN_FLIGHT_MIN, SOCKETS_PER_HOST)
}

/// Rooms that one `$disconnect` leaves at once, members that one delivery takes out at once, and connections of a user
/// that are ended at once.
pub const ROOMS_IN_FLIGHT: usize = 8;

/// How long a push may spend on members whose connection is gone. Its sender waits for that. The next push finds those
/// that are left over.
pub const HOUSEKEEPING_MAX: Duration = Duration::from_secs(1);

/// How long one step of it may take, where AWS is slow: it is given up then.
pub const HOUSEKEEPING_STEP_MAX: Duration = Duration::from_secs(2);

/// How many posts can be made meanwhile, half of the time being for the rest.
pub fn housekeeping_posts(in_flight: usize) -> usize {
    let rounds = HOUSEKEEPING_MAX.as_micros() / 2 / u128::from(POST_WAIT_MICROS);
    in_flight * usize::try_from(rounds).unwrap_or(1)
}

/// For how long after a change the rows that it wrote may still be read as they were before. DynamoDB's transactions are
/// no snapshot for who reads several rows: they become visible one after the other, as a rule within milliseconds.
pub const CHANGE_SETTLES: Duration = Duration::from_secs(10);

/// Keys of one `BatchGetItem`, DynamoDB's limit.
pub const BATCH_GET_MAX: usize = 100;

/// Longest wait for a document of another host, connecting included: of the 10 s that API Gateway waits for an
/// authorizer (<https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>), most are left.
pub const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// Largest such document, in bytes. Key sets of the large providers are 1 to 20 KB.
pub const DOCUMENT_BYTES_MAX: usize = 128 * 1_024;

/// How long fetched keys are used. A key that the provider revokes is accepted for at most this long while the provider
/// can be reached. Providers recommend five minutes to a day.
pub const KEYS_KEPT: Duration = Duration::from_secs(3_600);

/// The shortest time between two fetches while there are keys. A token may name any key it likes, and must not make us
/// ask for each.
pub const KEYS_ASKED_AGAIN: Duration = Duration::from_secs(60);

/// The same while there are no keys. Nobody can connect then, but a provider that is down must not be flooded.
pub const NO_KEYS_ASKED_AGAIN: Duration = Duration::from_secs(5);

/// Longest id of a connection, in bytes. API Gateway's have 16; with one without end the SDK cannot make an address,
/// and panics.
pub const CONNECTION_ID_BYTES_MAX: usize = 128;

/// For how long a courier has a room before it must say so again: longer than a request takes with all its repeats, and
/// short enough for a room whose courier died.
pub const LEASE: Duration = Duration::from_secs(10);

/// How often it says so during a round: two of three may be lost.
pub const LEASE_RENEWED: Duration = Duration::from_secs(3);

/// How long a courier waits for a message whose id was counted, before it seals the id: a sender takes milliseconds from
/// one to the other, and all that was said since waits with it.
pub const HOLE_PATIENCE: Duration = Duration::from_secs(1);

/// How often it looks again meanwhile.
pub const HOLE_POLL: Duration = Duration::from_millis(100);

/// How long one run of `deliver` has a room before the next takes it: a minute less than its time-out in the template,
/// for its last round.
pub const COURIER_TURN: Duration = Duration::from_secs(840);

/// How long a courier remembers how a sender is shown.
pub const PROFILES_KEPT: Duration = Duration::from_secs(60);

/// For how long a sender's connection that was seen open is not looked at again, where nobody reads the members of a room
/// for its messages.
pub const OPEN_KEPT: Duration = Duration::from_secs(60);

/// Posts that are planned by one request: a tenth of a second at the usual rate, so that two rooms alternate quickly.
pub const SLICE_POSTS: usize = 500;

/// How far ahead posts are planned at most. What is further is a clock's fault.
pub const BUDGET_AHEAD_MAX: Duration = Duration::from_secs(60);

/// How late a post may be for the next ones to follow faster than the pace: timers are late by a few milliseconds.
pub const PACE_JITTER: Duration = Duration::from_millis(10);

/// Which part of a slice may be turned away before all couriers pause: single clients that do not read are turned away as
/// well, and nobody waits for them.
pub const THROTTLED_PART: usize = 10;

/// How long they pause then: API Gateway's bucket fills by a second's rate in it.
pub const THROTTLED_PAUSE: Duration = Duration::from_secs(1);

/// First wait before a post that was turned away is made again; it doubles each time.
pub const THROTTLED_BACKOFF: Duration = Duration::from_millis(100);

/// Members above which a round is shared among several runs of the function, unless the run says otherwise.
pub const HAND_MEMBERS: usize = 2_500;

/// Posts a second that one run makes, with a whole vCPU.
pub const HAND_POSTS_PER_SECOND: f64 = 4_000.0;

/// Runs that share a round at most: what Lambda starts at once in a new account is 10.
pub const HANDS_MAX: usize = 16;

/// How long a courier waits for one of them: as long as the slowest round of its part takes.
pub const HAND_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a mark is kept in a room that a token grants: whoever was away for half a year begins anew.
pub const MARKS_KEPT: Duration = Duration::from_secs(180 * 24 * 3_600);

/// For how long an instance of a function believes that somebody has a right to a kept room. So long may who was taken out
/// still send; what is heard ends at once.
pub const RIGHTS_KEPT: Duration = Duration::from_secs(30);

/// Rights that an instance remembers, some 300 bytes each.
pub const RIGHTS_REMEMBERED: usize = 10_000;

/// For how long an instance of a function believes that somebody is free in a room, where no row that is written says so:
/// for reactions, reports, and marks and lists of members of whoever is not there. So long may who was barred still do it.
pub const BARS_BELIEVED: Duration = Duration::from_secs(10);

/// How many of them an instance remembers, some 300 bytes each.
pub const BARS_REMEMBERED: usize = 10_000;

/// How long a reviewer is waited for, unless the deployment says otherwise: a warm function answers in 10 to 30 ms, and a
/// cold one of a few lines in half a second.
pub const REVIEW_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a ban stands in its user's row once it is over: longer than an attempt of a request that was given up can come
/// late, and clocks differ.
pub const BANS_KEPT: Duration = Duration::from_secs(3_600);

/// How many of them one change of a ban removes at most: the names of the longest fit an expression.
pub const BANS_FORGOTTEN: usize = 10;

/// How long a report is kept: for moderators who look once a month, and once more.
pub const REPORTS_KEPT: Duration = Duration::from_secs(60 * 24 * 3_600);

/// How often a message is counted whose id was sealed each time before it was stored.
pub const SEALED_ATTEMPTS: usize = 3;
