//! What an invocation did, in one line: for the person who looks it up, and for CloudWatch, which makes metrics of it.
//!
//! The line is in CloudWatch's embedded metric format
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! so a metric takes no request. It never holds content, a token or an address.

use super::timestamp;
use crate::Vars;
use crate::clock::monotonic;
use chat::{ConnectionId, RoomId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::task_local;

task_local! {
    static RECORD: RefCell<Record>;
}

/// Writes a line for every invocation that ends, unless the deployment wants none. One that Lambda kills has Lambda's
/// own line alone.
pub(crate) struct Records {
    function: String,
    /// Where CloudWatch puts the metrics; none leaves them out of the line.
    namespace: Option<String>,
}

/// What is noted while an invocation runs. Whatever is zero or was never said stays out of the line.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    /// Why the client was refused; or `internal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(flatten)]
    counts: Counts,
}

/// The metrics, by the names that CloudWatch gives them.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    /// Messages that were stored.
    #[serde(skip_serializing_if = "is_zero")]
    messages: usize,
    /// Frames that were posted to members.
    #[serde(skip_serializing_if = "is_zero")]
    posts: usize,
    /// Members whose connection was gone.
    #[serde(skip_serializing_if = "is_zero")]
    gone: usize,
    #[serde(skip_serializing_if = "is_zero")]
    refused: usize,
    #[serde(skip_serializing_if = "is_zero")]
    cold_starts: usize,
    /// What storing a message took.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_ms: Option<f64>,
    /// The deliveries, each from its first post to its last, added up. Those side by side count each; notices of
    /// members that were gone do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    push_ms: Option<f64>,
    /// How long a reviewer was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    review_ms: Option<f64>,
    /// Reviewers that gave no answer, or none in time.
    #[serde(skip_serializing_if = "is_zero")]
    reviews_missed: usize,
}

/// CloudWatch's unit of each metric.
const UNITS: [(&str, &str); 9] = [
    ("messages", "Count"),
    ("posts", "Count"),
    ("gone", "Count"),
    ("refused", "Count"),
    ("coldStarts", "Count"),
    ("storeMs", "Milliseconds"),
    ("pushMs", "Milliseconds"),
    ("reviewMs", "Milliseconds"),
    ("reviewsMissed", "Count"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    function: &'a str,
    request_id: &'a str,
    ms: f64,
    #[serde(flatten)]
    record: Record,
    #[serde(flatten)]
    metrics: Option<Metrics>,
}

#[derive(Serialize)]
struct Metrics {
    /// The one dimension of most metrics, always the same: each further value would be another metric to pay for.
    service: &'static str,
    #[serde(rename = "_aws")]
    aws: Value,
}

impl Records {
    /// Reads what the deployment wants: `INVOCATION_LOG` is `metrics`, `lines` or `none`.
    pub fn new(vars: &Vars) -> Option<Self> {
        let function = vars.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default().to_owned();
        match vars.optional("INVOCATION_LOG") {
            Some("metrics") => {
                let namespace = vars.optional("METRICS_NAMESPACE").map(String::from);
                Some(Self { function, namespace })
            }
            Some("lines") => Some(Self { function, namespace: None }),
            _ => None,
        }
    }

    /// Runs an invocation and writes its line. `is_first` is true for the one that a cold start was for.
    pub async fn of<T>(&self, request_id: &str, is_first: bool, invocation: impl Future<Output = T>) -> T {
        let started = monotonic();
        let record =
            Record { counts: Counts { cold_starts: usize::from(is_first), ..Counts::default() }, ..Record::default() };
        let (answer, record) = RECORD
            .scope(RefCell::new(record), async {
                let answer = invocation.await;
                (answer, RECORD.with(RefCell::take))
            })
            .await;
        let line = self.line(request_id, record, started.elapsed(), crate::now());
        // What cannot be logged must not fail what was done.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
        answer
    }

    fn line(&self, request_id: &str, record: Record, took: Duration, now: Timestamp) -> String {
        let metrics = self.namespace.as_deref().and_then(|namespace| metrics(namespace, &record, now));
        let line = Line {
            timestamp: timestamp(now),
            level: "INFO",
            message: "invocation",
            function: &self.function,
            request_id,
            ms: milliseconds(took),
            record,
            metrics,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// What CloudWatch is to make metrics of, if there is anything. Refusals are told apart by their code.
fn metrics(namespace: &str, record: &Record, now: Timestamp) -> Option<Metrics> {
    let counted = serde_json::to_value(&record.counts).ok()?;
    let directive = |dimension: &str, names: &mut dyn Iterator<Item = &(&str, &str)>| {
        let metrics: Vec<_> = names.map(|(name, unit)| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": namespace, "Dimensions": [[dimension]], "Metrics": metrics});
        (!metrics.is_empty()).then_some(directive)
    };
    let there = |name: &str| counted.get(name).is_some();
    let plain = directive("service", &mut UNITS.iter().filter(|(name, _)| *name != "refused" && there(name)));
    let refused = directive("code", &mut UNITS.iter().filter(|(name, _)| *name == "refused" && there(name)));
    let directives: Vec<_> = plain.into_iter().chain(refused).collect();
    let aws = json!({"Timestamp": now.millis(), "CloudWatchMetrics": directives});
    (!directives.is_empty()).then_some(Metrics { service: "chat", aws })
}

/// Notes the connection that an invocation is for.
pub(crate) fn connection(id: &ConnectionId) {
    note(|record| record.connection = Some(id.as_str().to_owned()));
}

/// Notes the room that an invocation is about.
pub(crate) fn room(room: &RoomId) {
    note(|record| record.room = Some(room.to_string()));
}

/// Notes the code that a client was refused with.
pub(crate) fn refused(code: &'static str) {
    note(|record| {
        record.code = Some(code);
        record.counts.refused = 1;
    });
}

/// Notes frames that were posted, and how many members were gone.
pub(crate) fn posted(frames: usize, gone: usize) {
    count(|counts| {
        counts.posts += frames;
        counts.gone += gone;
    });
}

fn count(add: impl FnOnce(&mut Counts)) {
    note(|record| add(&mut record.counts));
}

/// Notes how long it took to store a message that began to be stored at a certain moment.
pub(crate) fn stored_since(began: Instant) {
    count(|counts| {
        counts.messages += 1;
        counts.store_ms = Some(milliseconds(began.elapsed()));
    });
}

/// Notes how long the posts took that began at a certain moment.
pub(crate) fn pushed_since(began: Instant) {
    let took = milliseconds(began.elapsed());
    count(|counts| counts.push_ms = Some(counts.push_ms.unwrap_or_default() + took));
}

/// Notes how long a review took that began at a certain moment, and whether it gave no answer.
pub(crate) fn reviewed_since(began: Instant, missed: bool) {
    count(|counts| {
        counts.review_ms = Some(milliseconds(began.elapsed()));
        counts.reviews_missed += usize::from(missed);
    });
}

/// Outside of an invocation that is recorded, nothing is noted.
fn note(write: impl FnOnce(&mut Record)) {
    let _ = RECORD.try_with(|record| write(&mut record.borrow_mut()));
}

/// With three digits behind the point: microseconds.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
