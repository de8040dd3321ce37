//! What messages and pages cost in dollars, by what each takes, counted through the gateway and the functions.

use crate::memory;
use crate::model::{self, Dollars};
use crate::prices;
use crate::report::{Report, short};
use anyhow::{Context, Result};
use chat_tests::{Meter, Usage, room, talk};
use clap::Args;
use std::time::Duration;

/// Rooms and pages that are counted.
const ROOMS: [usize; 4] = [1, 10, 100, 1_000];
const PAGES: [usize; 3] = [1, 50, 100];

/// Connections of a deployment that scans all of them for each message. The second is compared with our rooms.
const CONNECTIONS: [usize; 3] = [1_000, 10_000, 100_000];

/// Half a unit reads this many bytes, if the read is eventually consistent.
const HALF_UNIT_BYTES: usize = 4_096;

/// The size of a row of the Connections table, as DynamoDB counts it.
const ROW_BYTES: usize = 77;

/// CPU of a send and of each post, on a whole vCPU.
#[derive(Debug, Clone, Copy)]
pub struct SendCpu {
    pub send: Duration,
    pub post: Duration,
}

impl Default for SendCpu {
    /// Figures measured once, for a run of `costs` that measures nothing itself.
    fn default() -> Self {
        Self { send: Duration::from_micros(900), post: Duration::from_micros(120) }
    }
}

#[derive(Args, Clone, Copy)]
pub struct Costs {}

impl Costs {
    pub async fn run(self, report: &mut Report, cpu: SendCpu) -> Result<()> {
        let meter = Meter::start().await;
        let mut counted = Vec::new();
        for members in ROOMS {
            eprintln!("counting what a room of {members} takes");
            counted.push((members, meter.room_of(members).await));
        }
        let history = room("7");
        talk(&meter.server, &history, 250).await;
        let mut pages = Vec::new();
        for limit in PAGES {
            pages.push((limit, meter.page(&history, &format!("limit={limit}")).await));
        }
        meter.stop().await;
        tell_dollars(report, &counted, cpu)?;
        tell_pages(report, &pages);
        Ok(())
    }
}

type Counted = [(usize, Vec<(String, Usage)>)];

fn tell_dollars(report: &mut Report, counted: &Counted, cpu: SendCpu) -> Result<()> {
    let memory = memory::chosen()?["send-message"];
    report.heading("What a million messages cost");
    report.paragraph(format!(
        "In dollars, at AWS's prices of {}, on demand, without the free tier: a million `sendMessage` with a `clientMessageId`, each of 100 \
         characters, in a room of so many. *API Gateway* counts the frame in, the ack, and a push for each member; *Lambda* is `send-message` with \
         {memory} MB on arm64, for as long as the CPU measured here and a wait of {} ms for DynamoDB and {} ms for a post make it; *telemetry* is the access log, the function's line and one \
         trace in twenty. Above the first billion messages of a month API Gateway asks less.",
        prices::AS_OF,
        model::DYNAMODB_LATENCY.as_millis(),
        model::POST_LATENCY.as_millis(),
    ));
    let mut rows = Vec::new();
    for (members, actions) in counted {
        let (_, usage) = actions.iter().find(|(action, _)| *action == "sendMessage, with an id").context("a send")?;
        let dollars = model::frame(usage, memory, cpu.send, cpu.post);
        // The scan takes the place of the one query for the members; all other costs stay.
        let scanned = dollars.sum() + (scan_units(CONNECTIONS[1]) - usage.read_units) * prices::READ_UNITS;
        rows.push(row(*members, &dollars, scanned));
    }
    report.table(
        [
            "members",
            "API Gateway",
            "Lambda",
            "DynamoDB",
            "traffic",
            "telemetry",
            "together",
            "a million deliveries",
            "together, if members were found by a scan",
        ],
        rows,
    );
    report.paragraph(format!(
        "The last column is the same message in a design that finds its recipients by a scan of all connections, as the best-known sample does, in a \
         deployment of {} connections. What such a scan costs grows with the deployment, not with the room: for a million messages",
        short(CONNECTIONS[1] as f64)
    ));
    let (_, ours) = counted[1].1.iter().find(|(action, _)| *action == "sendMessage").context("a send")?;
    let scans = CONNECTIONS.map(|connections| {
        let units = scan_units(connections);
        [
            short(connections as f64),
            (connections * ROW_BYTES).div_ceil(1 << 20).to_string(),
            short(units),
            short(units * prices::READ_UNITS),
            short(ours.read_units * prices::READ_UNITS),
        ]
    });
    report.table(["connections", "requests", "read units", "the scans, $", "our queries, room of 10, $"], scans);
    report.paragraph(format!(
        "A thousand connections that stay for an hour are ${}. A `sendMessage` without an id saves the transaction, three write units: ${} a million.",
        60_000.0 * prices::CONNECTION_MINUTES / 1e6,
        short(3.0 * prices::WRITE_UNITS),
    ));
    Ok(())
}

fn tell_pages(report: &mut Report, pages: &[(usize, Usage)]) {
    report
        .paragraph("A million pages of history, in dollars, before traffic; Lambda's time is in the table of memory:");
    let rows = pages.iter().map(|(limit, usage)| {
        let invocations = usage.invocations.values().sum::<usize>() as f64 * prices::INVOCATIONS;
        let units = usage.read_units * prices::READ_UNITS;
        let sum = prices::HTTP_REQUESTS + invocations + units;
        [format!("a page of {limit}"), short(prices::HTTP_REQUESTS), short(invocations), short(units), short(sum)]
    });
    report.table(["", "API Gateway", "Lambda's requests", "DynamoDB", "together"], rows);
}

/// The read units of a scan of all connections, eventually consistent.
fn scan_units(connections: usize) -> f64 {
    (connections * ROW_BYTES).div_ceil(HALF_UNIT_BYTES) as f64 / 2.0
}

fn row(members: usize, dollars: &Dollars, scanned: f64) -> [String; 9] {
    [
        short(members as f64),
        short(dollars.api_gateway),
        short(dollars.lambda),
        short(dollars.dynamodb),
        short(dollars.traffic),
        short(dollars.telemetry),
        short(dollars.sum()),
        short(dollars.sum() / members as f64),
        short(scanned),
    ]
}
