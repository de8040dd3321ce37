//! Runs that are too long for a test: `cargo run --release -p chat-bench -- <command>`.

#![allow(clippy::print_stdout, reason = "the figures are what it is run for")]

mod load;
mod soak;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Random faults under load, until so many messages are acknowledged; fails if one is lost, doubled or out of order
    Soak(soak::Soak),
    /// Many connected clients, some of whom vanish and come back; fails if a message does not arrive
    Load(load::Load),
    /// A local run for `load`, in a process of its own so that its memory can be read
    #[command(hide = true)]
    Serve,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Soak(soak) => soak.run().await,
        Command::Load(load) => load.run().await,
        Command::Serve => load::serve().await,
    }
}
