//! Random faults, for as long as it takes.

use anyhow::{Context, Result, bail};
use chat_tests::Workload;
use clap::Args;
use std::collections::BTreeMap;
use std::time::Instant;

/// Messages in one round. Each round is a new system with its users, and its seed alone runs it again.
const ROUND: usize = 5_000;

#[derive(Args)]
pub struct Soak {
    /// Messages to be acknowledged
    #[arg(long, default_value_t = 100_000)]
    messages: usize,
    /// The first round's seed; each round adds one
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Soak {
    pub async fn run(self) -> Result<()> {
        let started = Instant::now();
        let (mut acked, mut connects) = (0, 0);
        let mut invocations: BTreeMap<String, usize> = BTreeMap::new();
        let mut faults: BTreeMap<String, usize> = BTreeMap::new();
        for seed in self.seed.. {
            let messages = ROUND.min(self.messages - acked);
            let workload = Workload { seed, rooms: 4, users: 12, devices: 2, newcomers: 4, messages, hostile: true };
            let outcome = workload.run().await;
            if !outcome.violations.is_empty() {
                let file = std::env::temp_dir().join(format!("chat-soak-{seed}.txt"));
                std::fs::write(&file, outcome.report(&workload)).context("failed to write the history")?;
                let first: Vec<_> = outcome.violations.iter().take(5).map(ToString::to_string).collect();
                bail!(
                    "seed {seed} violates what is promised:\n{}\nthe whole history is in {}; run it again with\n  \
                     cargo run --release -p chat-bench -- soak --messages {messages} --seed {seed}",
                    first.join("\n"),
                    file.display()
                );
            }
            // A repeated send has several acks.
            let sends: std::collections::BTreeSet<_> =
                outcome.history.acks.iter().map(|ack| (ack.room, ack.user, ack.key.as_str())).collect();
            acked += sends.len();
            connects += outcome.connects;
            add(&mut invocations, outcome.invocations);
            add(&mut faults, outcome.faults);
            println!(
                "seed {seed}: {acked} messages acknowledged, {:.0} s, no violation",
                started.elapsed().as_secs_f64()
            );
            if acked >= self.messages {
                break;
            }
        }
        println!(
            "\n{acked} messages acknowledged in {:.0} s, {connects} connections made",
            started.elapsed().as_secs_f64()
        );
        println!("none lost, none doubled, one order\n\ninvocations");
        print(&invocations);
        println!("\nfaults that they met");
        print(&faults);
        Ok(())
    }
}

fn add(sums: &mut BTreeMap<String, usize>, counts: BTreeMap<String, usize>) {
    counts.into_iter().for_each(|(name, count)| *sums.entry(name).or_default() += count);
}

fn print(counts: &BTreeMap<String, usize>) {
    counts.iter().for_each(|(name, count)| println!("{count:>9}  {name}"));
}
