//! `cargo run -p ops -- COMMAND`: what operators do to a deployment, each command in a file of its name.
//!
//! README.md, beside this crate, says what each of them needs, says and does.

#![allow(clippy::print_stdout, reason = "what a command answers is what somebody at a terminal asked for")]

mod account;
mod check;
mod disconnect_user;
mod erase_user;
mod export_room;
mod limits;
mod pace;
mod secret;
mod stack;
mod target;
mod token;

use anyhow::{Result, anyhow};
use chat_aws::Fault;
use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;
use target::Target;

/// Operates a deployment of the chat room.
///
/// Without --stack and --local it is the deployment that the variables CONNECTIONS_TABLE, CHAT_TABLE and
/// AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI name.
///
/// Credentials are those of the environment, as for the functions: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
/// and, if there is one, AWS_SESSION_TOKEN. `aws configure export-credentials --format env` prints them.
#[derive(Parser)]
#[command(name = "ops", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum Command {
    DisconnectUser(disconnect_user::DisconnectUser),
    Token(token::Token),
    ExportRoom(export_room::ExportRoom),
    EraseUser(erase_user::EraseUser),
    Check(check::Check),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { command, target } = Arguments::parse();
    if let Err((kind, why)) = target.agrees() {
        Arguments::command().error(kind, why).exit();
    }
    let done = match command {
        Command::DisconnectUser(command) => command.run(&target).await,
        Command::Token(command) => command.run(),
        Command::ExportRoom(command) => command.run(&target).await,
        Command::EraseUser(command) => command.run(&target).await,
        Command::Check(command) => command.run(&target).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// A fault with all its causes, for whoever reads the terminal.
fn told(fault: Fault) -> anyhow::Error {
    anyhow!("{}", fault.chain())
}

/// What a command answers that did what it was asked.
fn done() -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
