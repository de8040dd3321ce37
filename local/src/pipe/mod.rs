//! The template's pipe, from the embedded DynamoDB's stream to a file: each event as a rule's target gets it, a line each.
//!
//! The records are the engine's own, so they are what was really written, in that order. What is weaker than on AWS
//! stands in `docs/local.md`.

mod input_template;
mod pattern;

pub use input_template::InputTemplate;
pub use pattern::Pattern;

use crate::dynamodb::request;
use crate::template::{ACCOUNT, PipeSpec, REGION};
use anyhow::{Context, Result};
use chat_aws::now;
use chrono::{DateTime, SecondsFormat};
use dynoxide::Database;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often the stream is looked at. A pipe looks four times a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// A pipe that runs.
pub struct Pipe {
    task: JoinHandle<Result<()>>,
    stop: CancellationToken,
}

/// A place in the stream, and the file.
struct Reader {
    database: Database,
    spec: PipeSpec,
    iterator: String,
    file: File,
}

impl Pipe {
    /// Begins with what is written from now on.
    #[allow(clippy::disallowed_methods, reason = "it lasts as long as the run")]
    pub fn start(database: Database, spec: PipeSpec, path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("failed to write events to {}", path.display()))?;
        let iterator =
            latest(&database, &spec.table).with_context(|| format!("failed to read {}'s stream", spec.table))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(Reader { database, spec, iterator, file }, stop.clone()));
        Ok(Self { task, stop })
    }

    /// Writes what is left in the stream, and ends.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await.context("the pipe ended")?
    }
}

async fn run(mut reader: Reader, stop: CancellationToken) -> Result<()> {
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        let last = stop.run_until_cancelled(interval.tick()).await.is_none();
        let read = tokio::task::spawn_blocking(move || {
            let read = reader.read_all();
            (reader, read)
        });
        let read = read.await.context("the pipe ended")?;
        reader = read.0;
        read.1.inspect_err(|error| tracing::error!(error = format!("{error:#}"), "failed to write events"))?;
        if last {
            return Ok(());
        }
    }
}

/// The end of a table's stream.
fn latest(database: &Database, table: &str) -> Result<String> {
    let described = serde_json::to_value(database.describe_table(request(json!({"TableName": table}))?)?)?;
    let stream = described["Table"]["LatestStreamArn"].as_str().context("it has none")?;
    let described = serde_json::to_value(database.describe_stream(request(json!({"StreamArn": stream}))?)?)?;
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let place = json!({"StreamArn": stream, "ShardId": shard, "ShardIteratorType": "LATEST"});
    database.get_shard_iterator(request(place)?)?.shard_iterator.context("it has no end")
}

impl Reader {
    fn read_all(&mut self) -> Result<()> {
        loop {
            let page = self.database.get_records(request(json!({"ShardIterator": self.iterator}))?)?;
            let read = page.records.len();
            for record in &page.records {
                let record = serde_json::to_value(record)?;
                if let Some(event) = self.spec.event(&record)? {
                    // At once, so that no reader sees half a line.
                    self.file.write_all(format!("{event}\n").as_bytes()).context("failed to write an event")?;
                }
            }
            self.iterator = page.next_shard_iterator.context("the stream ended")?;
            if read == 0 {
                return Ok(());
            }
        }
    }
}

impl PipeSpec {
    /// What becomes of a record of the stream: the event as a rule's target gets it, if a filter lets it through.
    fn event(&self, record: &Value) -> Result<Option<Value>> {
        // DynamoDB writes no record where nothing changed.
        let changes = record["dynamodb"]["OldImage"] != record["dynamodb"]["NewImage"];
        if !changes || !self.filters.iter().any(|filter| filter.matches(record)) {
            return Ok(None);
        }
        let time = DateTime::from_timestamp_millis(now().millis()).unwrap_or_default();
        Ok(Some(json!({
            "version": "0",
            "id": event_id(rand::random()),
            "detail-type": self.detail_type,
            "source": self.source,
            "account": ACCOUNT,
            "time": time.to_rfc3339_opts(SecondsFormat::Secs, true),
            "region": REGION,
            "resources": [],
            "detail": self.input.apply(record)?,
        })))
    }
}

/// As EventBridge's look: a UUID.
fn event_id(drawn: u128) -> String {
    let digits = format!("{drawn:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
