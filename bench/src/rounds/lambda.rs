//! Lambda as rounds use it: environments of `send-message` within this process, and the real binary of `deliver`, one
//! process for each run that is under way.

use crate::aws::is_good;
use crate::model::VCPU;
use crate::process::{cpu, memory};
use anyhow::{Context, Result, anyhow};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chat_aws::entry::Function;
use chat_aws::{SEND_TIMEOUT_SECONDS, Vars};
use chat_tests::{Lambda, proxy};
use functions::{Build, FUNCTIONS};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Memory of `send-message` in the template, in MB, and the least that Lambda gives. It has posts in flight by it.
const SEND_MEMORY: usize = 512;
const MEMORY_MIN: usize = 128;

/// What Lambda waits after the first error and the second before it brings an event again.
const EVENT_RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// Executions of an account at the same time, by default.
const CONCURRENCY: usize = 1_000;

/// What a sender hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Ack {
        id: u64,
        in_rounds: bool,
    },
    RateLimited,
    /// It failed or timed out, or no execution was left.
    Nothing,
}

/// `send-message`.
pub struct Senders {
    build: Build,
    vars: Vars,
    idle: Mutex<Vec<Function>>,
    executions: Semaphore,
}

impl Senders {
    pub fn new(mut vars: BTreeMap<&'static str, String>, divide_by: usize) -> Result<Self> {
        vars.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", (SEND_MEMORY / divide_by).max(MEMORY_MIN).to_string());
        let (_, build) = FUNCTIONS.iter().find(|(name, _)| *name == "send-message").context("the function")?;
        let executions = Semaphore::new(CONCURRENCY / divide_by);
        Ok(Self { build: *build, vars: Vars::from_iter(vars), idle: Mutex::default(), executions })
    }

    /// Sends in an environment that nobody uses, or in a new one.
    pub async fn send(&self, event: Value) -> Result<Heard> {
        let Ok(_execution) = self.executions.try_acquire() else { return Ok(Heard::Nothing) };
        let idle = lock(&self.idle).pop();
        let function = match idle {
            Some(function) => function,
            None => (self.build)(&self.vars).map_err(|fault| anyhow!(fault.chain().to_string()))?,
        };
        let answer = timeout(Duration::from_secs(SEND_TIMEOUT_SECONDS), function.invoke_as("bench", event)).await;
        lock(&self.idle).push(function);
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                eprintln!("a send failed: {error}");
                return Ok(Heard::Nothing);
            }
            Err(_) => return Ok(Heard::Nothing),
        };
        let reply: Value = serde_json::from_str(answer["body"].as_str().unwrap_or("null"))?;
        Ok(match reply["id"].as_u64() {
            Some(id) if is_good("response", &answer) => Heard::Ack { id, in_rounds: reply["rounds"].is_u64() },
            _ if reply["code"] == "rateLimited" => Heard::RateLimited,
            _ => {
                eprintln!("a send was answered {answer}");
                Heard::Nothing
            }
        })
    }
}

/// Lambda's Invoke, for `deliver`.
pub struct Couriers(Arc<Environments>);

struct Environments {
    binary: String,
    url: OnceLock<String>,
    vars: BTreeMap<&'static str, String>,
    idle: Mutex<Vec<Lambda>>,
    /// Events that are not done yet.
    events: AtomicUsize,
    failed: AtomicUsize,
}

impl Couriers {
    /// Adds its address to the variables of all functions.
    pub async fn start(binary: &Path, vars: &mut BTreeMap<&'static str, String>) -> Self {
        let environments = Arc::new(Environments {
            binary: binary.display().to_string(),
            url: OnceLock::new(),
            vars: vars.clone(),
            idle: Mutex::default(),
            events: AtomicUsize::default(),
            failed: AtomicUsize::default(),
        });
        let router = Router::new().route("/2015-03-31/functions/DeliverFunction/invocations", post(invoked));
        let url = proxy::serve(router.with_state(Arc::clone(&environments))).await;
        vars.insert("AWS_ENDPOINT_URL_LAMBDA", url.clone());
        environments.url.get_or_init(|| url);
        Self(environments)
    }

    /// Whether no room has a courier, and none is on its way.
    pub fn rest(&self) -> bool {
        self.0.events.load(Ordering::Relaxed) == 0
    }

    /// How often a run failed.
    pub fn failed(&self) -> usize {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// The CPU of all processes, how many there are, and the most memory that one had, in kB.
    pub fn used(&self) -> Result<(Duration, usize, u64)> {
        let idle = lock(&self.0.idle);
        let each = idle.iter().map(|lambda| Ok((cpu(lambda.id())?, memory(lambda.id(), "VmHWM")?)));
        let each = each.collect::<Result<Vec<_>>>()?;
        let most = each.iter().map(|(_, memory)| *memory).max().unwrap_or_default();
        Ok((each.iter().map(|(cpu, _)| *cpu).sum(), each.len(), most))
    }
}

impl Environments {
    async fn run(&self, event: Value) -> Result<Value, Value> {
        let idle = lock(&self.idle).pop();
        let mut lambda = match idle {
            Some(lambda) => lambda,
            None => {
                let mut vars = self.vars.clone();
                vars.insert("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", VCPU.to_string());
                vars.extend(self.url.get().map(|url| ("AWS_ENDPOINT_URL_LAMBDA", url.clone())));
                Lambda::start(&self.binary, "deliver", vars).await
            }
        };
        let (kind, answer) = lambda.invoke(event).await;
        lock(&self.idle).push(lambda);
        if kind == "response" { Ok(answer) } else { Err(answer) }
    }

    async fn run_event(&self, event: Value) {
        for wait in EVENT_RETRIES.map(Some).into_iter().chain([None]) {
            let Err(error) = self.run(event.clone()).await else { break };
            eprintln!("a courier failed: {error}");
            self.failed.fetch_add(1, Ordering::Relaxed);
            if let Some(wait) = wait {
                sleep(wait).await;
            }
        }
        self.events.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn invoked(State(environments): State<Arc<Environments>>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(event) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    if headers.get("x-amz-invocation-type").is_some_and(|kind| kind == "Event") {
        environments.events.fetch_add(1, Ordering::Relaxed);
        #[allow(clippy::disallowed_methods, reason = "the run waits until no event is left")]
        tokio::spawn(async move { environments.run_event(event).await });
        return StatusCode::ACCEPTED.into_response();
    }
    match environments.run(event).await {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => ([("x-amz-function-error", "Unhandled")], Json(json!(error))).into_response(),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
