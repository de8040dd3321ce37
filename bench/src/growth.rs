//! A page of history does not become slower or dearer as the history grows.

use crate::report::{Report, median, milliseconds, short};
use anyhow::{Context, Result, anyhow, ensure};
use chat::{Cursor, ListHistory, MessageId, RoomId};
use chat_tests::{Recorder, Server, room, talk};
use clap::Args;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Messages in the short history, and on a page.
const FEW: usize = 100;
const PAGE: usize = 50;

/// Reads of one page; its time is their median.
const READS: usize = 200;

/// Rows of one `BatchWriteItem` (DynamoDB's limit), and batches written at the same time.
const BATCH: usize = 25;
const BATCHES_AT_ONCE: usize = 4;

/// Goal: how much longer a page of the long history may take.
const LONGER_MAX: f64 = 1.5;

#[derive(Args, Clone, Copy)]
pub struct Growth {
    /// Messages of the long history
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
}

/// A page, timed and counted.
struct Read {
    messages: usize,
    place: &'static str,
    time: Duration,
    requests: usize,
    units: f64,
}

impl Growth {
    pub async fn run(self, report: &mut Report) -> Result<()> {
        let reads = self.reads().await?;
        report.heading("Growth");
        report.paragraph(format!(
            "A page of {PAGE} messages, from rooms that hold few and many: the newest page, and one from the middle. Medians of {READS} \
             reads of the store by the product's own code, with DynamoDB's embedded stand-in in memory; counts are exact."
        ));
        report.table(
            ["history", "page", "ms", "requests", "read units"],
            reads.iter().map(|read| {
                let messages = format!("{} messages", short(read.messages as f64));
                let time = short(milliseconds(read.time));
                [messages, read.place.to_owned(), time, read.requests.to_string(), read.units.to_string()]
            }),
        );
        let (least, most) = (reads.iter().map(|read| read.time).min(), reads.iter().map(|read| read.time).max());
        let (least, most) = (least.context("reads")?, most.context("reads")?);
        let longer = most.as_secs_f64() / least.as_secs_f64();
        report.at_most("A page of a long history, in time, to one of a short", longer, LONGER_MAX, "×");
        let same = reads.iter().all(|read| (read.requests, read.units) == (reads[0].requests, reads[0].units));
        report.goal(
            "A page of a long history, in requests and units",
            if same { "the same" } else { "more" },
            "the same",
            same,
        );
        Ok(())
    }

    async fn reads(self) -> Result<Vec<Read>> {
        let server = Server::start().await;
        let (short, long) = (room("100"), room("1000"));
        talk(&server, &short, FEW).await;
        eprintln!("writing {} messages", self.messages);
        write(&server, &long, self.messages).await?;
        let recorder = Recorder::before(server.dynamodb_url()).await;
        let (app, counted) = (server.app(), server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", recorder.url())]));
        let mut reads = Vec::new();
        for (room, messages) in [(&short, FEW), (&long, self.messages)] {
            let middle = Cursor::Before(MessageId::new((messages / 2 + PAGE / 2) as u64));
            for (place, cursor) in [("newest", Cursor::Newest), ("middle", middle)] {
                let request = ListHistory { room: room.clone(), cursor, limit: PAGE };
                let mut times = Vec::new();
                for _ in 0..READS {
                    let began = Instant::now();
                    let page = app.messages.page(&request).await.map_err(|fault| anyhow!(fault.chain().to_string()))?;
                    times.push(began.elapsed());
                    ensure!(page.messages.len() == PAGE, "a page of {}", page.messages.len());
                }
                counted.messages.page(&request).await.map_err(|fault| anyhow!(fault.chain().to_string()))?;
                let calls = recorder.take();
                let units = calls.iter().map(|call| call.read_units).sum();
                reads.push(Read { messages, place, time: median(&mut times), requests: calls.len(), units });
            }
        }
        server.stop().await;
        Ok(reads)
    }
}

/// Writes many messages. Each is a copy, with its own id, of one message that the product wrote.
async fn write(server: &Server, room: &RoomId, messages: usize) -> Result<()> {
    talk(server, room, 1).await;
    let partition = format!("ROOM#{room}");
    let query = json!({"TableName": "ChatTable", "KeyConditionExpression": "PK = :pk AND begins_with(SK, :sk)",
        "ExpressionAttributeValues": {":pk": {"S": partition}, ":sk": {"S": "MSG#"}}});
    let first = server.dynamodb("Query", query).await["Items"][0].take();
    let copy = |id: usize| {
        let mut row = first.clone();
        row["SK"] = json!({"S": format!("MSG#{id:016}")});
        row["id"] = json!({"N": id.to_string()});
        json!({"PutRequest": {"Item": row}})
    };
    let batches = (2..=messages).step_by(BATCH).map(|from| {
        let rows: Vec<Value> = (from..=messages.min(from + BATCH - 1)).map(copy).collect();
        server.dynamodb("BatchWriteItem", json!({"RequestItems": {"ChatTable": rows}}))
    });
    stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).map(drop).collect::<()>().await;
    Ok(())
}
