//! A send to a room of ten through the local gateway, in a warm system that runs in its own process.

use crate::load::Served;
use crate::process::cpu;
use crate::report::{Report, median, milliseconds, quantile, short};
use anyhow::{Context, Result, anyhow, ensure};
use chat::{Content, Message, MessageKind, Profile, Push};
use chat_aws::{Fault, Vars, now};
use chat_tests::{Client, PATIENCE, Server, TYPICAL_TEXT, room, text_message, user, websocket_event};
use clap::Args;
use functions::FUNCTIONS;
use futures_util::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time::timeout;

const MEMBERS: usize = 10;

/// Sends whose parts are timed.
const PARTS: usize = 500;

#[derive(Args, Clone, Copy)]
pub struct Warm {
    /// Messages that one member sends, each when the one before is acknowledged
    #[arg(long, default_value_t = 2_000)]
    sends: usize,
}

impl Warm {
    pub async fn run(self, report: &mut Report) -> Result<()> {
        let served = Served::start().await?;
        let mut members = join_all((0..MEMBERS).map(|number| served.deployment.connect(1_001 + number as u64))).await;
        for member in &mut members {
            member.join(1).await;
        }
        for member in &mut members {
            member.pushed().await;
        }
        eprintln!("one member sends {} messages", self.sends);
        let before = cpu(served.id()?)?;
        let began = Instant::now();
        let mut times = self.one_sends(&mut members).await?;
        let alone = began.elapsed();
        let alone_cpu = cpu(served.id()?)? - before;

        eprintln!("all members send {} messages", self.sends);
        let each = self.sends / MEMBERS;
        let before = cpu(served.id()?)?;
        let began = Instant::now();
        join_all(members.iter_mut().map(|member| send_and_hear(member, each)))
            .await
            .into_iter()
            .collect::<Result<()>>()?;
        let together = began.elapsed();
        let together_cpu = cpu(served.id()?)? - before;
        drop(members);

        let rate = |time: Duration| short(self.sends as f64 / time.as_secs_f64());
        let delivery = |cpu: Duration| short(milliseconds(cpu) * 1e3 / (self.sends * MEMBERS) as f64);
        let ms = |time| short(milliseconds(time));
        report.heading("A warm send");
        report.paragraph(format!(
            "{} messages to a room of {MEMBERS}, over sockets, through the whole local run in a process of its own (gateway, functions, \
             DynamoDB on disk), each from its send to its ack, after all pushes. On AWS the network between those comes on top.",
            short(self.sends as f64)
        ));
        report.table(
            ["", "p50, ms", "p99, ms", "messages a second", "CPU per delivered message, µs"],
            [
                [
                    "one sends",
                    &ms(median(&mut times)),
                    &ms(quantile(&mut times, 0.99)),
                    &rate(alone),
                    &delivery(alone_cpu),
                ],
                ["all send at once", "", "", &rate(together), &delivery(together_cpu)],
            ]
            .map(|row| row.map(str::to_owned)),
        );
        parts(report).await
    }

    async fn one_sends(&self, members: &mut [Client]) -> Result<Vec<Duration>> {
        let (sender, others) = members.split_first_mut().context("a sender")?;
        let sends = async {
            let mut times = Vec::new();
            for _ in 0..self.sends {
                let sent = Instant::now();
                let ack = sender.ask(text_message(1, TYPICAL_TEXT)).await;
                times.push(sent.elapsed());
                ensure!(ack["type"] == "ack", "{ack}");
            }
            Ok(times)
        };
        let hear = join_all(others.iter_mut().map(|other| hear(other, self.sends)));
        let (times, _) = timeout(PATIENCE * 10, futures_util::future::join(sends, hear)).await?;
        for _ in 0..self.sends {
            sender.expect(serde_json::json!({"type": "sendMessage"})).await;
        }
        times
    }
}

async fn hear(member: &mut Client, messages: usize) {
    for _ in 0..messages {
        member.expect(serde_json::json!({"type": "sendMessage"})).await;
    }
}

async fn send_and_hear(member: &mut Client, messages: usize) -> Result<()> {
    for _ in 0..messages {
        let ack: Value = member.ask(text_message(1, TYPICAL_TEXT)).await;
        ensure!(ack["type"] == "ack", "{ack}");
    }
    hear(member, messages * MEMBERS).await;
    Ok(())
}

/// Times the parts of a send: the handler's steps, one by one.
async fn parts(report: &mut Report) -> Result<()> {
    let server = Server::start().await;
    let mut members = join_all((0..MEMBERS).map(|number| server.connect(1_001 + number as u64))).await;
    for member in &mut members {
        member.join(1).await;
    }
    let (_, build) = FUNCTIONS.iter().find(|(name, _)| *name == "send-message").context("the function")?;
    let function = build(&Vars::from_iter(server.vars())).map_err(failed)?;
    let (app, room, sender) = (server.app(), room("1"), user("1001"));
    let profile = Profile::unknown(sender.clone());
    let (mut whole, mut store, mut push) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PARTS {
        let event = websocket_event(&text_message(1, TYPICAL_TEXT));
        let began = Instant::now();
        function.invoke_as("bench", event).await.map_err(|error| anyhow!(error))?;
        whole.push(began.elapsed());

        let began = Instant::now();
        let id = chat_tests::next_id(&app.messages, &room).await.map_err(failed)?;
        let content = Content::parse(MessageKind::Text, TYPICAL_TEXT)?;
        let (room_of, sender) = (room.clone(), sender.clone());
        let message = Message {
            id,
            room: room_of,
            sender,
            content,
            create_time: now(),
            client_message_id: None,
            changed: None,
            reactions: chat::Reactions::default(),
        };
        let (stored, here) = tokio::join!(app.messages.store(message), app.connections.members(&room));
        let (stored, here) = (stored.map_err(failed)?, here.map_err(failed)?);
        store.push(began.elapsed());

        let began = Instant::now();
        app.delivery.deliver(&room, here, &Push::sent(&stored.message, &profile, None)).await.map_err(failed)?;
        push.push(began.elapsed());
        for member in &mut members {
            member.pushed().await;
        }
    }
    server.stop().await;
    let (whole, store, push) = (median(&mut whole), median(&mut store), median(&mut push));
    let handler = whole.saturating_sub(store + push);
    let row = |name: &str, time: Duration| {
        [
            name.to_owned(),
            short(milliseconds(time)),
            format!("{:.0} %", time.as_secs_f64() / whole.as_secs_f64() * 100.0),
        ]
    };
    report.paragraph(format!("Where the time of such a send goes within the function, medians of {PARTS}:"));
    report.table(
        ["", "ms", "share"],
        [
            row("store: count, put, read the members", store),
            row("push: sign and post to ten, in parallel", push),
            row("handler: read the event, check, encode", handler),
            row("whole", whole),
        ],
    );
    Ok(())
}

fn failed(fault: Fault) -> anyhow::Error {
    anyhow!(fault.chain().to_string())
}
