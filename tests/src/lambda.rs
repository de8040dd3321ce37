use crate::{in_time, proxy};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

/// About how many bytes the line has that `send-message` writes for an invocation, with a function's name and a request
/// id as long as Lambda's. What such lines cost is computed from it.
pub const INVOCATION_LINE_BYTES: usize = 700;

/// Lambda's side of the runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): starts the
/// real binary of a function and has it serve events.
pub struct Lambda {
    process: Child,
    /// What it writes, read as it comes: a function whose pipe is full stands still.
    log: JoinHandle<String>,
    started: Instant,
    asked: watch::Receiver<Option<Instant>>,
    events: mpsc::Sender<Value>,
    answers: mpsc::Receiver<(String, Value)>,
}

#[derive(Clone)]
struct Runtime {
    /// When the function last asked for an event.
    asked: watch::Sender<Option<Instant>>,
    events: Arc<Mutex<mpsc::Receiver<Value>>>,
    answers: mpsc::Sender<(String, Value)>,
}

impl Lambda {
    /// Starts the binary as the function with this handler, with these variables and no others of ours. By default the
    /// function has 256 MB.
    pub async fn start(binary: &str, handler: &str, variables: BTreeMap<&'static str, String>) -> Self {
        let (events, incoming) = mpsc::channel(1);
        let (outgoing, answers) = mpsc::channel(1);
        let (asks, asked) = watch::channel(None);
        let runtime = Runtime { asked: asks, events: Arc::new(Mutex::new(incoming)), answers: outgoing };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(answer))
            .with_state(runtime);
        let url = proxy::serve(router).await;
        let address = url.strip_prefix("http://").expect("an address");
        let started = Instant::now();
        let mut process = Command::new(binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("_HANDLER", handler)
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .envs(variables)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let mut stdout = process.stdout.take().expect("stdout");
        #[allow(clippy::disallowed_methods, reason = "it ends with the function")]
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stdout.read_to_string(&mut log).await.expect("a log");
            log
        });
        Self { process, log, started, asked, events, answers }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it has not ended")
    }

    /// Waits until the function asks for its first event. Returns how long that took.
    pub async fn ready(&mut self) -> Duration {
        let asked = in_time("the function asks for an event", self.asked.wait_for(Option::is_some)).await;
        asked.expect("a runtime").map_or(Duration::ZERO, |asked| asked - self.started)
    }

    /// When the function last asked for an event.
    pub fn asked(&self) -> Option<Instant> {
        *self.asked.borrow()
    }

    /// Waits until the function asks for another event than it last did at that time.
    pub async fn asks_after(&mut self, last: Option<Instant>) {
        let asked = in_time("the function asks for the next event", self.asked.wait_for(|asked| *asked != last)).await;
        asked.expect("a runtime");
    }

    /// Hands the function an event and waits for what it posts back: `response` or `error`, and the body.
    pub async fn invoke(&mut self, event: Value) -> (String, Value) {
        in_time("the function takes an event", self.events.send(event)).await.expect("a runtime");
        in_time("the function answers", self.answers.recv()).await.expect("an answer")
    }

    /// Kills the function, as Lambda does when nobody calls it any more. Returns its log.
    pub async fn kill(mut self) -> String {
        self.process.start_kill().expect("it runs");
        self.end().await.1
    }

    /// Waits for a function that ends by itself. Returns its status and its log.
    pub async fn end(mut self) -> (ExitStatus, String) {
        let output = async { (self.process.wait().await.expect("a status"), self.log.await.expect("a log")) };
        in_time("the function ends", output).await
    }
}

async fn next(State(runtime): State<Runtime>) -> impl IntoResponse {
    runtime.asked.send_replace(Some(Instant::now()));
    match runtime.events.lock().await.recv().await {
        Some(event) => {
            let headers = [
                ("lambda-runtime-aws-request-id", "request-7"),
                ("lambda-runtime-deadline-ms", "4102444800000"),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function"),
            ];
            (headers, Json(event)).into_response()
        }
        None => StatusCode::GONE.into_response(),
    }
}

async fn answer(State(runtime): State<Runtime>, Path((_, kind)): Path<(String, String)>, body: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&body).expect("JSON");
    match runtime.answers.send((kind, body)).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}
