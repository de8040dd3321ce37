//! `cargo run`: the whole system on one machine.

use anyhow::{Context, Result, bail};
use chat_local::{Limits, Local, Options, Running, invoke};
use clap::{Parser, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// The chat room's functions, API Gateway and DynamoDB, all in this process and on loopback.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Port of the page, the WebSocket API and the HTTP API (0: any free one)
    #[arg(long, global = true, default_value_t = 3000)]
    port: u16,
    /// Port of the DynamoDB endpoint (0: any free one)
    #[arg(long, global = true, default_value_t = 8000)]
    dynamodb_port: u16,
    /// Port of the S3 endpoint, which files are uploaded to (0: any free one)
    #[arg(long, global = true, default_value_t = 8001)]
    s3_port: u16,
    /// Folder that messages and files are kept in [default: .local beside the template]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Keep nothing when it ends
    #[arg(long, conflicts_with = "data")]
    memory: bool,
    /// Cut each connection after so many seconds, to see how a client takes it
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().lifetime.as_secs())]
    connection_lifetime: u64,
    /// Cut a connection that is silent for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = Limits::default().idle.as_secs())]
    idle_timeout: u64,
    /// The SAM template to run [default: template.yaml here or in a folder above]
    #[arg(long, global = true, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Address that is asked before a message is stored, as a review function is on AWS
    #[arg(long, value_name = "URL")]
    review: Option<String>,
    /// A value for one of the template's parameters
    #[arg(long = "parameter", global = true, value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one function with one event, against the DynamoDB and the connections of a run that is up
    Invoke {
        /// The function, by its name, such as send-message
        function: String,
        /// The event, such as events/send-message.json
        event: PathBuf,
    },
    /// Is an operator's command: `cargo run -p ops -- --local disconnect-user`
    #[command(hide = true)]
    DisconnectUser {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Is an operator's command: `cargo run -p ops -- token`
    #[command(hide = true)]
    Token {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    // The embedded DynamoDB warns of every condition that fails, and conditions that fail are how a retry is known.
    let levels = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(levels)).init();
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "the greeting is what somebody at a terminal waits for")]
async fn run(arguments: Arguments) -> Result<()> {
    if let Some(Command::Token { .. }) = arguments.command {
        bail!("operators' commands are in ops: cargo run -p ops -- token USER --rooms ROOMS < secret.txt");
    }
    if let Some(Command::DisconnectUser { rest }) = arguments.command {
        let (deployed, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(|argument| argument == "--deployed");
        let local = if deployed.is_empty() { " --local" } else { "" };
        let rest: String = rest.iter().map(|argument| format!(" {argument}")).collect();
        bail!("operators' commands are in ops: cargo run -p ops --{local} disconnect-user{rest}");
    }
    let template = match arguments.template {
        Some(template) => template,
        None => find_template()?,
    };
    if let Some(Command::Invoke { function, event }) = arguments.command {
        let parameters = arguments.parameters.into_iter().collect();
        let running =
            Running { port: arguments.port, dynamodb_port: arguments.dynamodb_port, s3_port: arguments.s3_port };
        let reply = invoke(&template, parameters, &function, &event, running).await?;
        println!("{}", serde_json::to_string_pretty(&reply)?);
        return Ok(());
    }
    let data = match (arguments.memory, arguments.data) {
        (true, _) => None,
        (false, Some(folder)) => Some(folder),
        (false, None) => Some(template.with_file_name(".local")),
    };
    let options = Options {
        port: arguments.port,
        dynamodb_port: arguments.dynamodb_port,
        s3_port: arguments.s3_port,
        data: data.clone(),
        template,
        parameters: arguments.parameters.into_iter().collect(),
        limits: Limits { lifetime: Duration::from_secs(arguments.connection_lifetime), ..Limits::default() }
            .with_idle(Duration::from_secs(arguments.idle_timeout)),
        review: arguments.review,
        interference: None,
    };
    let local = Local::start(options).await?;
    print!("{}", welcome(&local, data)?);
    asked_to_stop().await?;
    println!("\nclosing the room; once more to drop everything");
    tokio::select! {
        stopped = local.stop() => stopped,
        again = asked_to_stop() => again,
    }
}

/// Waits for Ctrl-C, or for the signal that a process manager sends.
async fn asked_to_stop() -> Result<()> {
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("failed to wait for Ctrl-C"),
        terminated = terminated() => terminated.context("failed to wait for a signal"),
    }
}

#[cfg(unix)]
async fn terminated() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminated() -> std::io::Result<()> {
    std::future::pending().await
}

fn find_template() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let candidates = here.ancestors().map(|folder| folder.join("template.yaml"));
    let found = candidates.into_iter().find(|candidate| candidate.is_file());
    found.context("there is no template.yaml here or in a folder above; --template names one")
}

fn welcome(local: &Local, data: Option<PathBuf>) -> Result<String> {
    let (http, websocket) = (local.http_url(), local.websocket_url());
    let kept = data.map_or_else(|| "in memory, gone when this ends".into(), |folder| folder.display().to_string());
    let token = |id: u64, name: &str| -> Result<String> {
        let claims = json!({"userId": id, "username": name, "nickName": name, "rooms": ["*", "@mine"]});
        local.tokens().issue(claims.as_object().cloned().unwrap_or_default())
    };
    let client = |id: u64, name: &str| -> Result<String> {
        let token = token(id, name)?;
        Ok(format!("  npx wscat -c '{websocket}?token={token}'   # {name}; websocat takes the same address"))
    };
    let socket_io = match local.socket_io_path() {
        None => String::new(),
        Some(path) => format!(
            "\
A client of Socket.IO:

  io(\"{http}\", {{ path: \"{path}\", transports: [\"websocket\"], addTrailingSlash: false, auth: {{ token: \"{}\" }} }})

",
            token(1, "guang")?
        ),
    };
    Ok(format!(
        "\
The chat room is open. Ctrl-C closes it.

  page        {http}/   (open it in two windows)
  websocket   {websocket}
  history     {http}/chat-history/list?chatroomId=1   (with -H \"Authorization: Bearer <token>\")
  tokens      curl -d '{{\"userId\":1,\"username\":\"guang\",\"rooms\":[\"*\",\"@mine\"]}}' {http}/local/token
  dynamodb    {dynamodb}   (AWS_ENDPOINT_URL_DYNAMODB)
  s3          {s3}   (AWS_ENDPOINT_URL_S3)
  management  {management}   (AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI)
  data        {kept}

Two users in two terminals:

{guang}
{dong}
  {{\"action\":\"joinRoom\",\"chatroomId\":1}}
  {{\"action\":\"sendMessage\",\"chatroomId\":1,\"message\":{{\"type\":\"text\",\"content\":\"hello\"}}}}

{socket_io}",
        dynamodb = local.dynamodb_url(),
        s3 = local.s3_url(),
        management = local.management_url(),
        guang = client(1, "guang")?,
        dong = client(2, "dong")?,
    ))
}
