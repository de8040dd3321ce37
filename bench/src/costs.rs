//! What messages and pages cost in dollars, by what each takes, counted through the gateway and the functions.

use crate::memory;
use crate::model::{self, Crowd, Dollars, InRounds};
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
        tell_events(report);
        tell_rounds(report, cpu);
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

/// Rooms in rounds: members, messages a second, and the posts a second that they may make.
const CROWDS: [(usize, f64, f64); 8] = [
    (1_000, 50.0, 5_000.0),
    (10_000, 1.0, 5_000.0),
    (10_000, 10.0, 5_000.0),
    (10_000, 50.0, 5_000.0),
    (10_000, 50.0, 9_000.0),
    (10_000, 200.0, 50_000.0),
    (100_000, 10.0, 9_000.0),
    (100_000, 10.0, 50_000.0),
];

/// How often a pipe looks at each shard of a stream in a month.
const STREAM_READS: f64 = 4.0 * 86_400.0 * 30.0;

/// What a million events cost that go onto a bus, and those that go on to a webhook.
const EVENTS: f64 = prices::PIPE_EVENTS + prices::BUS_EVENTS;
const WEBHOOKS: f64 = EVENTS + prices::API_DESTINATIONS;

/// What a shard of the stream costs a month, if a pipe's reads are charged as others are.
fn stream() -> f64 {
    (STREAM_READS - prices::STREAM_READS_FREE) / 1e6 * prices::STREAM_READS
}

fn tell_events(report: &mut Report) {
    report.paragraph(format!(
        "A million events on a bus are ${}, and ${} where a webhook is told. A shard of the stream that they come from is ${} a \
         month, if a pipe's reads are charged as others are.",
        short(EVENTS),
        short(WEBHOOKS),
        short(stream()),
    ));
}

/// The room that is compared with what others ask: its members, and messages a second.
const COMPARED: (usize, f64) = (10_000, 10.0);

fn tell_rounds(report: &mut Report, cpu: SendCpu) {
    report.heading("A room in rounds");
    report.paragraph(
        "Dollars for a million messages, computed: messages of 100 characters with a `clientMessageId`, each of another sender; a post to every member for each round, a \
         courier for as long as rounds take, and its hands.",
    );
    let rows = CROWDS.map(|(members, messages_per_second, posts_per_second)| {
        let rounds = Crowd { members, messages_per_second, posts_per_second }.in_rounds(cpu.send);
        let room = format!("{} × {}", short(members as f64), short(messages_per_second));
        let figures = crowd_costs(&rounds);
        [room, short(posts_per_second)].into_iter().chain(figures).collect::<Vec<_>>()
    });
    report.table(
        [
            "a room, messages a second",
            "posts a second",
            "a round, s",
            "in a frame",
            "taken a second",
            "API Gateway",
            "DynamoDB",
            "Lambda, telemetry",
            "traffic",
            "together",
        ],
        rows.map(|row| <[String; 10]>::try_from(row).unwrap_or_default()),
    );
    let (members, messages_per_second) = COMPARED;
    report.paragraph(format!(
        "The same before traffic, in a room of {} with {} messages a second:",
        short(members as f64),
        short(messages_per_second)
    ));
    report.table(["", "$"], others(cpu).map(|(name, dollars)| [name.to_owned(), short(dollars)]));
}

/// How long a round takes, what it carries, what is taken a second, and what a million of it cost.
fn crowd_costs(rounds: &InRounds) -> [String; 8] {
    let Dollars { api_gateway, lambda, dynamodb, traffic, telemetry } = rounds.dollars;
    let figures = [api_gateway, dynamodb, lambda + telemetry, traffic, rounds.dollars.sum()];
    let rounds = [rounds.round.as_secs_f64(), rounds.per_round, rounds.taken];
    let texts: Vec<_> = rounds.into_iter().chain(figures).map(short).collect();
    texts.try_into().unwrap_or_default()
}

/// What a million messages cost in the room that is compared, before traffic.
fn others(cpu: SendCpu) -> [(&'static str, f64); 5] {
    let (members, messages_per_second) = COMPARED;
    let own = Crowd { members, messages_per_second, posts_per_second: chat::limits::POSTS_PER_SECOND };
    let own = own.in_rounds(cpu.send).dollars;
    let deliveries = members as f64;
    let mut left: f64 = (deliveries + 1.0) * 1e6;
    let iot = prices::IOT_MESSAGES.iter().map(|(most, price)| {
        let here = left.min(*most);
        left -= here;
        here / 1e6 * price
    });
    [
        ("this, in rounds", own.sum() - own.traffic),
        ("AppSync Events", (deliveries + 1.0) * prices::APPSYNC_OPERATIONS),
        ("IoT Core", iot.sum()),
        ("Ably", (deliveries + 1.0) * prices::ABLY_MESSAGES),
        ("Ably, batched for a second", (deliveries / messages_per_second + 1.0) * prices::ABLY_MESSAGES),
    ]
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

#[cfg(test)]
mod tests {
    use super::*;
    fn document(name: &str) -> String {
        let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a document")
    }

    /// The rows of the table under this head, each with its cells.
    fn rows(document: &str, head: &str) -> Vec<Vec<String>> {
        let lines = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
        let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        lines.take_while(|line| line.starts_with('|')).map(cells).collect()
    }

    fn number(cell: &str) -> f64 {
        let digits: String = cell.chars().filter(|char| char.is_ascii_digit() || *char == '.').collect();
        digits.parse().unwrap_or_else(|_| panic!("{cell} is no number"))
    }

    /// `10,000 × 50`, as a room of so many, to which so many messages a second are sent.
    fn crowd(cell: &str, posts_per_second: &str) -> Crowd {
        let (members, messages) = cell.split_once('×').expect("members × messages");
        let (members, messages_per_second) = (number(members) as usize, number(messages));
        Crowd { members, messages_per_second, posts_per_second: number(posts_per_second) }
    }

    #[test]
    fn a_room_in_rounds_costs_what_is_said() {
        let rows = rows(&document("costs.md"), "| a room, messages a second |");
        assert!(rows.len() > 4, "the table was found");
        let send = SendCpu::default().send;
        for row in rows {
            let rounds = crowd(&row[0], &row[1]).in_rounds(send);
            assert_eq!(row[2..], crowd_costs(&rounds), "{}", row.join(" | "));
        }
    }

    #[test]
    fn others_cost_what_is_said() {
        let costs = document("costs.md");
        let rows = rows(&costs, "| in a room of 10,000 |");
        for (name, dollars) in others(SendCpu::default()) {
            let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name} is not compared"));
            assert_eq!(row[1], format!("${}", short(dollars)), "{name}");
        }
    }

    #[test]
    fn events_cost_what_is_said() {
        let costs = document("costs.md").replace('\n', " ");
        let readme = document("../README.md");
        let message =
            rows(&readme, "| members in the room |").into_iter().find(|row| row[0] == "10").expect("a room of ten");
        let share = EVENTS / number(&message[4]) * 100.0;
        for said in [
            format!("onto the bus | ${EVENTS:.2} |"),
            format!("to a webhook | ${WEBHOOKS:.2} |"),
            format!("is {share:.0} % dearer"),
            format!("${:.2} for what its filters let through, and a bus ${}", prices::PIPE_EVENTS, prices::BUS_EVENTS),
            format!("{:.0} million a month for each shard of the stream, ${:.1}0 after", STREAM_READS / 1e6, stream()),
        ] {
            assert!(costs.contains(&said), "{said}");
        }
        let events = document("events.md").replace('\n', " ");
        assert!(
            events
                .contains(&format!("${EVENTS:.2} a million more, which is {share:.0} % of a message in a room of ten"))
        );
    }

    #[test]
    fn a_crowd_is_told_as_fast_as_is_said() {
        let rows = rows(&document("crowds.md"), "| a room, messages a second |");
        assert!(rows.len() > 6, "the table was found");
        for row in rows {
            let crowd = crowd(&row[0], &row[1]);
            let rounds = crowd.in_rounds(SendCpu::default().send);
            let round = rounds.round.as_secs_f64();
            let posts = crowd.members as f64 * rounds.taken / rounds.per_round;
            let figures = [round, posts, rounds.taken, round, 2.0 * round];
            assert_eq!(row[2..], figures.map(short), "{}", row.join(" | "));
        }
    }
}
