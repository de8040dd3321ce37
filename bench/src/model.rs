//! Computes time and cost from counts and measurements: how long a function takes with some memory, and AWS's price.

use crate::prices;
use chat::limits::ROUND_MIN;
use chat::rounds::{Round, Slot};
use chat::{Content, Message, MessageId, MessageKind, Profile, Push, Reactions, RoomId, Timestamp, UserId};
use chat_aws::posts_in_flight;
use chat_tests::Usage;
use serde_json::json;
use std::time::Duration;

/// Memory with which a function has a vCPU to itself, in MB.
pub const VCPU: u64 = 1_769;

/// About how long DynamoDB takes to answer inside a Region.
pub const DYNAMODB_LATENCY: Duration = Duration::from_millis(4);

/// About how long a post takes inside a Region.
pub const POST_LATENCY: Duration = Duration::from_millis(15);

/// API Gateway meters a WebSocket message in units of this many bytes.
const METERED_BYTES: usize = 32 * 1_024;

/// The share of invocations that X-Ray traces by Lambda's rule. It also traces the first of each second.
const TRACED: f64 = 0.05;

/// About how many bytes a line of API Gateway's access log has, in the template's format.
const ACCESS_LOG_BYTES: f64 = 450.0;

/// About how many bytes the line of a send has in the functions' log. A test holds it against the real line.
const INVOCATION_LINE_BYTES: f64 = chat_tests::INVOCATION_LINE_BYTES as f64;

/// Memory of `send-message` in the template, in MB.
const SEND_MEMORY: u64 = 512;

/// Write units of a send with an id: one for the counter, four for the transaction of its two rows. A test counts them.
const SEND_WRITE_UNITS: f64 = 5.0;

/// About how many bytes the row of such a message has, and how many a read unit reads, strongly consistent.
const STORED_BYTES: f64 = 350.0;
const UNIT_BYTES: f64 = 4_096.0;

/// Read units of a member in a page of members. A test counts 21 for 1,000.
const MEMBER_READ_UNITS: f64 = 0.021;

/// Posts that a courier plans by one write.
const BUDGET_POSTS: f64 = 500.0;

/// Members of a part that a hand of the courier posts to, and about how many posts a second one can make.
const HAND_MEMBERS: usize = 2_500;
const HAND_POSTS_PER_SECOND: f64 = 4_000.0;

/// What an invocation does, besides using CPU.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// DynamoDB requests that wait for each other. Requests side by side count as one.
    pub steps: u32,
    pub posts: usize,
}

/// How long an invocation takes with this memory, in MB. While it posts, waiting and CPU overlap and the longer one
/// counts; otherwise they add up.
pub fn duration(memory: u64, cpu: Duration, post_cpu: Duration, waits: Waits) -> Duration {
    let share = memory.min(VCPU) as f64 / VCPU as f64;
    let rounds = waits.posts.div_ceil(posts_in_flight(memory));
    let posting = (POST_LATENCY * u32::try_from(rounds).unwrap_or(u32::MAX))
        .max((post_cpu * u32::try_from(waits.posts).unwrap_or(u32::MAX)).div_f64(share));
    DYNAMODB_LATENCY * waits.steps + cpu.div_f64(share) + posting
}

/// Dollars for a million invocations of one function.
pub fn lambda(memory: u64, duration: Duration) -> f64 {
    // Lambda bills whole milliseconds, rounded up.
    let seconds = (duration.as_secs_f64() * 1e3).ceil() / 1e3;
    prices::INVOCATIONS + seconds * memory as f64 / 1_024.0 * prices::GB_SECOND * 1e6
}

/// Dollars for a million times the same action in a room, by service.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dollars {
    pub api_gateway: f64,
    pub lambda: f64,
    pub dynamodb: f64,
    pub traffic: f64,
    pub telemetry: f64,
}

impl Dollars {
    pub fn sum(&self) -> f64 {
        self.api_gateway + self.lambda + self.dynamodb + self.traffic + self.telemetry
    }
}

/// The cost of a frame: the frame in, the function's work, the reply and the pushes.
pub fn frame(usage: &Usage, memory: u64, cpu: Duration, post_cpu: Duration) -> Dollars {
    let size = usage.posted_bytes.checked_div(usage.posts).unwrap_or_default();
    let metered = size.div_ceil(METERED_BYTES).max(1) * usage.posts;
    let waits = Waits { steps: 2, posts: usage.posts };
    Dollars {
        // Two more: the frame in, and the reply.
        api_gateway: (metered + 2) as f64 * prices::WEBSOCKET_MESSAGES,
        lambda: lambda(memory, duration(memory, cpu, post_cpu, waits)),
        dynamodb: usage.read_units * prices::READ_UNITS + usage.write_units * prices::WRITE_UNITS,
        traffic: usage.posted_bytes as f64 * 1e6 / 1e9 * prices::GB_OUT,
        telemetry: TRACED * prices::TRACES + (ACCESS_LOG_BYTES + INVOCATION_LINE_BYTES) * 1e6 / 1e9 * prices::LOG_GB,
    }
}

/// A room in rounds: how many are connected, how many messages they send, and how many posts a second it may make.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    pub members: usize,
    pub messages_per_second: f64,
    pub posts_per_second: f64,
}

/// What becomes of its messages.
#[derive(Debug, Clone, Copy)]
pub struct InRounds {
    /// From the beginning of a round to that of the next.
    pub round: Duration,
    /// Messages that a round carries.
    pub per_round: f64,
    /// Messages a second that are not refused.
    pub taken: f64,
    /// Dollars for a million of them.
    pub dollars: Dollars,
}

impl Crowd {
    /// By counts: a round is a frame to each member, and messages wait for the next one meanwhile.
    pub fn in_rounds(self, send: Duration) -> InRounds {
        let frame = Frame::full();
        let members = self.members as f64;
        let round = (members / self.posts_per_second).max(ROUND_MIN.as_secs_f64());
        // A round of its own for who is alone in it.
        let per_round = (self.messages_per_second * round).clamp(1.0, frame.messages);
        let posts = members / per_round;
        let hands =
            self.members.div_ceil(HAND_MEMBERS).min((self.posts_per_second / HAND_POSTS_PER_SECOND).ceil() as usize);
        let hands = if hands > 1 { hands } else { 0 };
        let gb_seconds = (1 + hands) as f64 * round * VCPU as f64 / 1_024.0;
        let waits = Waits { steps: 2, posts: 0 };
        let write_units = SEND_WRITE_UNITS + (1.0 + members / BUDGET_POSTS) / per_round;
        // The messages, who sent them, and the members.
        let read_units = (per_round * STORED_BYTES / UNIT_BYTES).ceil() + per_round / 2.0 + members * MEMBER_READ_UNITS;
        InRounds {
            round: Duration::from_secs_f64(round),
            per_round,
            taken: self.messages_per_second.min(frame.messages / round),
            dollars: Dollars {
                api_gateway: (posts + 2.0) * prices::WEBSOCKET_MESSAGES,
                lambda: lambda(SEND_MEMORY, duration(SEND_MEMORY, send, Duration::ZERO, waits))
                    + (gb_seconds * prices::GB_SECOND * 1e6 + hands as f64 * prices::INVOCATIONS) / per_round,
                dynamodb: write_units * prices::WRITE_UNITS + read_units / per_round * prices::READ_UNITS,
                traffic: members * (frame.envelope / per_round + frame.message) * 1e6 / 1e9 * prices::GB_OUT,
                telemetry: TRACED * prices::TRACES
                    + (ACCESS_LOG_BYTES + INVOCATION_LINE_BYTES) * 1e6 / 1e9 * prices::LOG_GB,
            },
        }
    }
}

/// The frame of a round, full of messages of 100 characters with a `clientMessageId`, each of another sender.
struct Frame {
    messages: f64,
    /// Bytes of a message, and of what the frame has besides.
    message: f64,
    envelope: f64,
}

impl Frame {
    fn full() -> Self {
        let room = RoomId::parse("1").expect("an id");
        let slot = |number: u64| {
            let sender = UserId::parse(&(1_000 + number).to_string()).expect("an id");
            let message = Message {
                id: MessageId::new(10_000 + number),
                room: room.clone(),
                sender,
                content: Content::parse(MessageKind::Text, &"x".repeat(100)).expect("content"),
                create_time: Timestamp::from_millis(1_741_746_165_123),
                client_message_id: serde_json::from_value(json!("0f8fad5b-d9cb-469f-a165-70867728950e")).ok(),
                changed: None,
                reactions: Reactions::default(),
            };
            (message.id, Some(message))
        };
        let frame = |slots: Vec<Slot>| {
            let senders = slots.iter().filter_map(|(_, message)| message.as_ref());
            let named = |id: &UserId| Profile { nick_name: "Guang".into(), ..Profile::unknown(id.clone()) };
            let senders = senders.map(|message| (message.sender.clone(), named(&message.sender))).collect();
            let round = Round::of(room.clone(), MessageId::new(9_999), slots, &senders, 10_000);
            let bytes = serde_json::to_vec(&Push::round(&round)).map_or(0, |json| json.len());
            (round.messages.len() as f64, bytes as f64)
        };
        let (messages, bytes) = frame((0..200).map(slot).collect());
        let (_, envelope) = frame(Vec::new());
        Self { messages, message: (bytes - envelope) / messages, envelope }
    }
}
