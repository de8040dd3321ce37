//! From what is counted and measured to what it costs: how long a function takes with so much memory, and what AWS asks.

use crate::prices;
use chat_aws::posts_in_flight;
use chat_tests::Usage;
use std::time::Duration;

/// Memory with which a function has a vCPU to itself, in MB.
pub const VCPU: u64 = 1_769;

/// What DynamoDB takes for an answer inside a Region, about.
pub const DYNAMODB_LATENCY: Duration = Duration::from_millis(4);

/// What a post takes inside a Region, about.
pub const POST_LATENCY: Duration = Duration::from_millis(15);

/// API Gateway meters a WebSocket message by so many bytes.
const METERED_BYTES: usize = 32 * 1_024;

/// Share of invocations of which X-Ray records a trace, by Lambda's rule; the first of each second comes on top.
const TRACED: f64 = 0.05;

/// A line of API Gateway's access log, as the template formats it, in bytes, about.
const ACCESS_LOG_BYTES: f64 = 450.0;

/// What an invocation does, besides using CPU.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Requests to DynamoDB that wait for each other; those side by side are one.
    pub steps: u32,
    pub posts: usize,
}

/// How long an invocation takes with so much memory, in MB: what it waits for, or what its share of a vCPU takes for it,
/// whichever is longer while it posts, and one after the other otherwise.
pub fn duration(memory: u64, cpu: Duration, post_cpu: Duration, waits: Waits) -> Duration {
    let share = memory.min(VCPU) as f64 / VCPU as f64;
    let rounds = waits.posts.div_ceil(posts_in_flight(memory));
    let posting = (POST_LATENCY * u32::try_from(rounds).unwrap_or(u32::MAX))
        .max((post_cpu * u32::try_from(waits.posts).unwrap_or(u32::MAX)).div_f64(share));
    DYNAMODB_LATENCY * waits.steps + cpu.div_f64(share) + posting
}

/// Dollars for a million invocations of one function.
pub fn lambda(memory: u64, duration: Duration) -> f64 {
    // Billed by the millisecond, rounded up.
    let seconds = (duration.as_secs_f64() * 1e3).ceil() / 1e3;
    prices::INVOCATIONS + seconds * memory as f64 / 1_024.0 * prices::GB_SECOND * 1e6
}

/// Dollars for a million times the same action of a room, by who asks for them.
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

/// A frame that comes in, what it makes a function do, its reply, and what is pushed for it.
pub fn frame(usage: &Usage, memory: u64, cpu: Duration, post_cpu: Duration) -> Dollars {
    let size = usage.posted_bytes.checked_div(usage.posts).unwrap_or_default();
    let metered = size.div_ceil(METERED_BYTES).max(1) * usage.posts;
    let waits = Waits { steps: 2, posts: usage.posts };
    Dollars {
        // In, and the reply.
        api_gateway: (metered + 2) as f64 * prices::WEBSOCKET_MESSAGES,
        lambda: lambda(memory, duration(memory, cpu, post_cpu, waits)),
        dynamodb: usage.read_units * prices::READ_UNITS + usage.write_units * prices::WRITE_UNITS,
        traffic: usage.posted_bytes as f64 * 1e6 / 1e9 * prices::GB_OUT,
        telemetry: TRACED * prices::TRACES + ACCESS_LOG_BYTES * 1e6 / 1e9 * prices::LOG_GB,
    }
}
