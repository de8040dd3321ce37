//! Computes time and cost from counts and measurements: how long a function takes with some memory, and AWS's price.

use crate::prices;
use chat_aws::posts_in_flight;
use chat_tests::Usage;
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
