//! AWS's prices in dollars, on demand and without the free tier.

/// When and where the prices were looked up.
pub const AS_OF: &str = "us-east-1, November 2026";

/// A million messages of a WebSocket API, in or out, of 32 KB each; the first billion of a month
/// (<https://aws.amazon.com/api-gateway/pricing/>).
pub const WEBSOCKET_MESSAGES: f64 = 1.00;

/// A million minutes of connections.
pub const CONNECTION_MINUTES: f64 = 0.25;

/// A million requests of an HTTP API, of 512 KB each; the first 300 million of a month.
pub const HTTP_REQUESTS: f64 = 1.00;

/// What others ask for a million deliveries of a message, and how many bytes count as one: API Gateway's own price is above.
/// A million operations of an AppSync Event API (<https://aws.amazon.com/appsync/pricing/>).
pub const APPSYNC_OPERATIONS: f64 = 1.00;

/// A million messages of AWS IoT Core: the first billion of a month, the next four, and those above
/// (<https://aws.amazon.com/iot-core/pricing/>).
pub const IOT_MESSAGES: [(f64, f64); 3] = [(1e9, 1.00), (4e9, 0.80), (f64::INFINITY, 0.70)];

/// A million messages of Ably, before its discount for volume (<https://ably.com/pricing>).
pub const ABLY_MESSAGES: f64 = 2.50;

/// A million invocations of Lambda (<https://aws.amazon.com/lambda/pricing/>).
pub const INVOCATIONS: f64 = 0.20;

/// A GB second of Lambda on arm64.
pub const GB_SECOND: f64 = 0.000_013_333_4;

/// A million units of DynamoDB, on demand (<https://aws.amazon.com/dynamodb/pricing/on-demand/>).
pub const READ_UNITS: f64 = 0.125;
pub const WRITE_UNITS: f64 = 0.625;

/// A million events that a pipe's filters let through, that are put onto a bus, and that go to an API destination, of 64 KB
/// each (<https://aws.amazon.com/eventbridge/pricing/>).
pub const PIPE_EVENTS: f64 = 0.40;
pub const BUS_EVENTS: f64 = 1.00;
pub const API_DESTINATIONS: f64 = 0.20;

/// A million reads of a stream of DynamoDB, after so many in a month.
pub const STREAM_READS: f64 = 0.20;
pub const STREAM_READS_FREE: f64 = 2.5e6;

/// A GB that leaves for the internet, up to the first 10 TB of a month
/// (<https://aws.amazon.com/ec2/pricing/on-demand/>).
pub const GB_OUT: f64 = 0.09;

/// A million traces that X-Ray records, and a GB of logs (<https://aws.amazon.com/cloudwatch/pricing/>).
pub const TRACES: f64 = 5.00;
pub const LOG_GB: f64 = 0.50;
