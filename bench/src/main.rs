//! Measures the promises about speed and cost, and has the runs that are too long for a test.
//!
//! `cargo run --release -p chat-bench -- all > docs/benchmarks.md`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the figures are what it is run for")]

mod aws;
mod bare_client;
mod cold_start;
mod costs;
mod fan_out;
mod functions;
mod growth;
mod load;
mod memory;
mod model;
mod prices;
mod process;
mod report;
mod rounds;
mod simulate;
mod soak;
mod warm;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand};
use costs::SendCpu;
use report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Measures the binaries in a folder, instead of building them
    #[arg(long, global = true)]
    binaries: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that is promised about speed and cost, as a document
    All(All),
    /// What a million messages cost, and a million pages
    Costs(costs::Costs),
    /// How long each function takes from nothing to its first answer, beside one that does nothing
    ColdStart(cold_start::ColdStart),
    /// One message to up to 10,000 members
    FanOut(fan_out::FanOut),
    /// A crowd in rounds, beside the way of small rooms
    Rounds(rounds::Rounds),
    /// A send to a room of ten, through the local gateway
    Warm(warm::Warm),
    /// A page of a history of a million messages
    Growth(growth::Growth),
    /// Random faults under load, until so many messages are acknowledged; fails if one is lost, doubled or out of order
    Soak(soak::Soak),
    /// The whole system in simulated time, seed after seed; fails if one finds something
    Simulate(simulate::Simulate),
    /// Many connected clients, some of whom vanish and come back; fails if a message does not arrive
    Load(load::Load),
    /// A local run in a process of its own, so that its CPU and memory can be read
    #[command(hide = true)]
    Serve,
    /// The client that `fan-out` compares ours with
    #[command(hide = true)]
    Bare(bare_client::Bare),
}

#[derive(Args)]
struct All {
    /// Fails if a goal is missed
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    cold_start: cold_start::ColdStart,
    #[command(flatten)]
    fan_out: fan_out::FanOut,
    #[command(flatten)]
    warm: warm::Warm,
    #[command(flatten)]
    growth: growth::Growth,
}

fn main() -> ExitCode {
    let Arguments { binaries, command } = Arguments::parse();
    let run = match command {
        // It starts its own runtime with one thread.
        Command::Bare(bare) => bare.run(),
        // Each of its schedules has one of its own.
        Command::Simulate(simulate) => simulate.run(),
        command => {
            let runtime = tokio::runtime::Runtime::new().map_err(Into::into);
            runtime.and_then(|runtime| runtime.block_on(run(command, binaries.as_deref())))
        }
    };
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, folder: Option<&Path>) -> Result<()> {
    let mut report = Report::default();
    let mut check = true;
    match command {
        Command::All(all) => {
            check = all.check;
            all.run(&mut report, &functions::binaries(folder)?).await?;
        }
        Command::Costs(costs) => costs.run(&mut report, SendCpu::default()).await?,
        Command::ColdStart(cold_start) => {
            cold_start.run(&mut report, &functions::binaries(folder)?).await?;
        }
        Command::FanOut(fan_out) => {
            fan_out.run(&mut report, &functions::binaries(folder)?["send-message"]).await?;
        }
        Command::Rounds(rounds) => {
            return rounds.run(&mut report, &functions::deployed(folder)?).await;
        }
        Command::Warm(warm) => warm.run(&mut report).await?,
        Command::Growth(growth) => growth.run(&mut report).await?,
        Command::Soak(soak) => return soak.run().await,
        Command::Load(load) => return load.run().await,
        Command::Serve => return load::serve().await,
        Command::Bare(bare) => return bare.run(),
        Command::Simulate(simulate) => return simulate.run(),
    }
    println!("{}", report.document("Benchmarks"));
    ensure!(!check || report.missed() == 0, "{} goals are missed", report.missed());
    Ok(())
}

impl All {
    async fn run(self, report: &mut Report, binaries: &BTreeMap<String, PathBuf>) -> Result<()> {
        // Costs come first in the document, although they need a measured figure.
        let (mut measured, mut rest) = (Report::default(), Report::default());
        let cold = self.cold_start.run(&mut measured, binaries).await?;
        let post = self.fan_out.run(&mut measured, &binaries["send-message"]).await?;
        memory::run(&mut measured, &cold, post).await?;
        let send = memory::send_cpu(&cold, post);
        costs::Costs {}.run(report, SendCpu { send, post }).await?;
        self.warm.run(&mut rest).await?;
        self.growth.run(&mut rest).await?;
        report.append(measured);
        report.append(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::CommandFactory;

    #[test]
    fn no_two_options_of_a_command_have_one_name() {
        Arguments::command().debug_assert();
    }
}
