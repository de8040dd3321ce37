//! `check`: look at a deployment from outside, as its users and its account see it.

mod alarms;
mod clocks;
mod endpoints;
mod message;
mod quotas;
mod socket_io;

use crate::account::{Account, http};
use crate::limits::{CHECK_TOKEN, FLOOD_MAX};
use crate::stack::{Stack, unnamed};
use crate::target::Target;
use crate::{secret, token};
use anyhow::{Context, Result};
use chat::RoomId;
use chat_aws::Vars;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

/// Looks whether a deployment works: endpoints, a message that goes round, clocks, Socket.IO, alarms and quotas
///
/// One line for each: "ok", "not ok" or "unknown" where it could not be looked at, and what to do. Exits with 1 if
/// something is not ok, with 3 if something is unknown, else with 0. The message is sent with a token of its own:
/// TOKEN_SECRET is the deployment's secret, or TOKEN a token that is ready.
#[derive(Debug, Args)]
pub struct Check {
    /// Where the WebSocket API is [default: the stack's output WebSocketUrl]
    #[arg(long, value_name = "URL")]
    websocket_url: Option<String>,
    /// Where the HTTP API is [default: the stack's output HttpUrl]
    #[arg(long, value_name = "URL")]
    http_url: Option<String>,
    /// The room that the message is sent to; a TOKEN must grant it
    #[arg(long, value_name = "ROOM", default_value = "ops-check")]
    room: String,
    /// Where clients of Socket.IO are let in, also watch one that says nothing, for so long; API Gateway cuts after 600
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "660")]
    silence: Option<u64>,
    /// Where clients of Socket.IO are let in, also send so many frames at once, at most, to hear how one is turned away;
    /// for that second the others of such clients are turned away with it
    #[arg(long, value_name = "FRAMES", num_args = 0..=1, default_missing_value = "900",
        value_parser = clap::value_parser!(u32).range(1..=FLOOD_MAX))]
    throttle: Option<u32>,
}

/// What came out of one look, and what to do where it is not good.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Ok(String),
    NotOk(String),
    Unknown(String),
}

/// What is looked at, as far as it could be found out.
pub struct Subject {
    vars: Vars,
    http: reqwest::Client,
    websocket_url: Option<String>,
    http_url: Option<String>,
    room: RoomId,
    /// A token that may enter the room, or why there is none.
    token: Result<String, String>,
    /// Whether somebody brought it, and not this command.
    is_brought: bool,
    /// The stack's name, where it is a stack.
    stack: Option<String>,
    /// Whether clients of Socket.IO are let in, where the stack says it.
    socket_io: Option<bool>,
}

/// The user that the message is from.
const USER: &str = "ops-check";

impl Check {
    pub async fn run(self, target: &Target) -> Result<ExitCode> {
        let mut vars = Vars::from_env();
        let room = RoomId::parse(&self.room).with_context(|| format!("{:?} is no room's id", self.room))?;
        let mut report = Report::default();
        let (mut websocket_url, mut http_url, mut socket_io) = (self.websocket_url, self.http_url, None);
        if let Some(name) = &target.stack {
            let stack = match Account::new(&vars) {
                Ok(aws) => Stack::read(&aws, name).await,
                Err(error) => Err(error),
            };
            let known = stack.as_ref().ok().map(|stack| Ok((stack, stack.vars(vars.clone())?))).transpose();
            report.add("stack", stack_found(name, &stack, known.as_ref().err()));
            if let Ok(Some((stack, its))) = known {
                websocket_url = websocket_url.or_else(|| stack.output("WebSocketUrl").ok().map(String::from));
                http_url = http_url.or_else(|| stack.output("HttpUrl").ok().map(String::from));
                socket_io = Some(stack.output("SocketIoUrl").is_ok());
                vars = its;
            } else {
                vars = unnamed(vars);
            }
        } else if target.local {
            vars = target.local_vars(vars);
            websocket_url = websocket_url.or_else(|| Some(target.local_websocket_url()));
            http_url = http_url.or_else(|| Some(target.local_http_url()));
        }
        let http = http()?;
        // What the environment has is of another deployment than the local run, which signs for whoever asks.
        let brought = vars.optional("TOKEN").filter(|_| !target.local).map(String::from);
        let is_brought = brought.is_some();
        let token = match brought {
            Some(token) => Ok(token),
            None if target.local => asked(&http, &room, &target.local_http_url()).await,
            None => signed(&vars, &room),
        };
        let token = token.map_err(|error| format!("{error:#}"));
        let stack = target.stack.clone();
        let subject = Subject { vars, http, websocket_url, http_url, room, token, is_brought, stack, socket_io };

        report.add("http", endpoints::http(&subject).await);
        report.add("websocket", endpoints::websocket(&subject).await);
        report.add("clock", clocks::machine(&subject).await);
        report.add("token", clocks::token(&subject).await);
        report.add("message", message::goes_round(&subject).await);
        if socket_io::is_on(&subject).await {
            report.add("greeting", socket_io::greets(&subject).await);
            report.add("bare number", socket_io::takes_numbers(&subject).await);
            report.add("slash", socket_io::takes_a_slash(&subject).await);
            report.add("last word", socket_io::says_why(&subject).await);
            if let Some(seconds) = self.silence {
                report.add("silence", socket_io::keeps(&subject, Duration::from_secs(seconds)).await);
            }
            // The last of them, since it turns others away.
            if let Some(frames) = self.throttle {
                report.add("throttle", socket_io::turns_away(&subject, frames).await);
            }
        }
        if !target.local {
            let resources = alarms::resources(&subject).await;
            report.add("alarms", alarms::exist(&subject, &resources).await);
            report.add("alarm mail", alarms::reach_somebody(&subject, &resources).await);
            report.add("quotas", quotas::concurrency(&subject).await);
        }
        Ok(report.exit())
    }
}

/// A token for this command, signed with the secret. It grants that one room, whatever the room's id looks like.
fn signed(vars: &Vars, room: &RoomId) -> Result<String> {
    let secret = secret::given(vars)?.context("set TOKEN_SECRET to the deployment's secret, or TOKEN to a token")?;
    token::sign(&secret, USER, None, Some(json!([room])), CHECK_TOKEN)
}

/// The same of the local run.
async fn asked(http: &reqwest::Client, room: &RoomId, url: &str) -> Result<String> {
    let claims = json!({"userId": USER, "rooms": [room]});
    let answer = http.post(format!("{url}/local/token")).json(&claims).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    answer["token"].as_str().map(String::from).context("the local run gives out no token")
}

fn stack_found(name: &str, stack: &Result<Stack>, missing: Option<&anyhow::Error>) -> Found {
    match (stack, missing) {
        (Ok(stack), Some(missing)) => Found::NotOk(format!("{name} is {}: {missing}", stack.status)),
        // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html has all the states.
        (Ok(stack), None)
            if matches!(stack.status.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE") =>
        {
            Found::Ok(format!("{name} is {}", stack.status))
        }
        (Ok(stack), None) => Found::NotOk(format!("{name} is {}: look at the stack's events", stack.status)),
        (Err(error), _) => Found::unknown(error, "is the name right, and may you cloudformation:DescribeStacks?"),
    }
}

impl Found {
    pub fn unknown(why: impl Display, what_to_do: &str) -> Self {
        Self::Unknown(format!("{why:#}; {what_to_do}"))
    }
}

/// The worst that was found.
#[derive(Default)]
struct Report {
    not_ok: bool,
    unknown: bool,
}

impl Report {
    fn add(&mut self, what: &str, found: Found) {
        let (state, text) = match found {
            Found::Ok(text) => ("ok", text),
            Found::NotOk(text) => {
                self.not_ok = true;
                ("not ok", text)
            }
            Found::Unknown(text) => {
                self.unknown = true;
                ("unknown", text)
            }
        };
        println!("{state:<8} {what:<11} {text}");
    }

    fn exit(&self) -> ExitCode {
        match (self.not_ok, self.unknown) {
            (true, _) => ExitCode::FAILURE,
            // Not 2: that is a command line that cannot be read.
            (false, true) => ExitCode::from(3),
            (false, false) => ExitCode::SUCCESS,
        }
    }
}
