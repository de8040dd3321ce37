//! Functions that are invoked by name, at Lambda's own endpoint: waited for, or run for an event that Lambda keeps.

use chat_local::{Interference, InvocationFailed, Limits, Plan};
use chat_tests::{Chaos, Direction, Fault, Recorder, Refusal, Server, in_time, logged_of};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tracing::Level;

/// What a scaled minute lasts.
const MINUTE: Duration = Duration::from_millis(100);

/// An event that its function refuses.
const REFUSED: &str = "userId is missing";

/// Notes when `disconnect-user` runs, and says what becomes of it.
#[derive(Debug, Clone, Default)]
struct Runs {
    began: Arc<Mutex<Vec<(Value, Instant)>>>,
    /// How many have ended.
    ended: watch::Sender<usize>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, Default)]
enum Fate {
    #[default]
    Fine,
    /// The first of all fails.
    Fails,
    /// It never ends.
    Hangs,
    /// Its answer comes so late.
    Late(Duration),
}

/// Counts an end, whatever it is.
struct End(watch::Sender<usize>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_modify(|ended| *ended += 1);
    }
}

impl Interference for Runs {
    fn plan(&self, function: &str, event: &Value) -> Plan {
        if function != "disconnect-user" {
            return Plan::default();
        }
        let mut began = self.began.lock().expect("runs");
        began.push((event.clone(), Instant::now()));
        let (fate, is_first, ended) = (self.fate, began.len() == 1, self.ended.clone());
        Plan::around(1, move |_, delivery| {
            let end = End(ended.clone());
            async move {
                let _end = end;
                match fate {
                    Fate::Fails if is_first => return Err(InvocationFailed("a fault of the test".into())),
                    Fate::Hangs => std::future::pending().await,
                    Fate::Late(by) => tokio::time::sleep(by).await,
                    _ => {}
                }
                delivery.await
            }
            .boxed()
        })
    }
}

impl Runs {
    fn meeting(fate: Fate) -> Self {
        Self { fate, ..Self::default() }
    }

    /// Where a minute lasts [`MINUTE`].
    async fn server(&self) -> Server {
        let limits = Limits { minute: MINUTE, ..Limits::default() };
        Server::start_with(Arc::new(self.clone()), limits).await
    }

    /// Where the function has this `EventInvokeConfig`, and minutes are minutes.
    async fn server_with(&self, config: &str) -> Server {
        let handler = "      Handler: disconnect-user\n";
        let configured = format!("{handler}      EventInvokeConfig: {config}\n");
        Server::start_with_template_and(&[(handler, &configured)], Arc::new(self.clone())).await
    }

    async fn ended(&self, times: usize) {
        let mut ended = self.ended.subscribe();
        in_time("the function has run", ended.wait_for(|ended| *ended >= times)).await.expect("a count");
    }

    /// When it began for this event.
    fn of(&self, event: &Value) -> Vec<Instant> {
        let began = self.began.lock().expect("runs");
        began.iter().filter(|(of, _)| of == event).map(|(_, began)| *began).collect()
    }
}

/// The lines of the log that say this, each by its request id.
fn request_ids<'a>(lines: &'a [Value], message: &str) -> Vec<&'a str> {
    let said = lines.iter().filter(|line| line["message"].as_str().is_some_and(|said| said.contains(message)));
    said.map(|line| line["requestId"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn a_function_starts_another_and_does_not_wait_for_it() {
    let runs = Runs::default();
    let server = runs.server().await;
    let mut device = server.connect(7).await;
    server.app().invoker.start("DisconnectUserFunction", &json!({"userId": 7})).await.expect("started");
    device.closed().await;
    let fault = server.app().invoker.start("no-such-function", &json!({})).await.expect_err("nobody");
    assert_eq!(fault.chain().to_string(), "failed to invoke a function: answered 404 ResourceNotFoundException");
    server.stop().await;
}

#[tokio::test]
async fn a_function_calls_another_by_its_id_arn_or_name() {
    let server = Server::start().await;
    let mut device = server.connect(7).await;
    let ended = |user: &str, connections: usize, seen: bool| json!({"userId": user, "seen": seen, "connectionsEnded": connections, "connectionsMissing": 0});
    let invoker = server.app().invoker;
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:DisconnectUserFunction";
    for (name, user) in [(arn, "a"), ("DisconnectUserFunction", "b"), ("disconnect-user", "c")] {
        let answer = invoker.call(name, &json!({"userId": user})).await.expect("an answer");
        assert_eq!(answer, ended(user, 0, false), "{name}");
    }
    invoker.call(arn, &json!({"userId": 7})).await.expect("an answer");
    device.closed().await;
    let fault = invoker.call("disconnect-user", &json!({})).await.expect_err("no user");
    assert_eq!(fault.chain().to_string(), "failed to invoke a function: it failed with Error", "not what it was about");
    server.stop().await;
}

/// Other calls are given up after two seconds.
#[tokio::test]
async fn a_function_that_is_called_may_take_as_long_as_its_caller_says() {
    let runs = Runs::meeting(Fate::Late(Duration::from_millis(2_200)));
    let server = runs.server().await;
    let invoker = server.app().invoker.with_patience(Duration::from_secs(20));
    invoker.call("disconnect-user", &json!({"userId": 7})).await.expect("an answer");
    assert_eq!(runs.of(&json!({"userId": 7})).len(), 1, "one attempt");
    server.stop().await;
}

#[tokio::test]
async fn a_function_that_fails_is_run_again_for_its_event_after_one_and_two_minutes() {
    let runs = Runs::default();
    let server = runs.server().await;
    let (answer, lines) = logged_of(Level::WARN, async {
        let answer = server.invoke("disconnect-user", "Event", "{}").await;
        runs.ended(3).await;
        server.rests().await;
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    })
    .await;
    assert_eq!(answer, (202, String::new()), "at once, and with nothing");
    let began = runs.of(&json!({}));
    let waits: Vec<_> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.len() == 2 && waits[0] >= MINUTE && waits[1] >= 2 * MINUTE, "{waits:?}");
    let failed = request_ids(&lines, REFUSED);
    let given_up = request_ids(&lines, "an event is given up");
    assert!(failed.len() == 3 && given_up.len() == 1, "{lines:?}");
    assert!(failed.iter().all(|id| *id == given_up[0]), "an event has one request id: {failed:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_function_that_went_well_is_not_run_again() {
    let runs = Runs::meeting(Fate::Fails);
    let server = runs.server().await;
    let event = json!({"userId": 7});
    server.app().invoker.start("disconnect-user", &event).await.expect("started");
    server.rests().await;
    assert_eq!(runs.of(&event).len(), 2, "the first failed");
    server.stop().await;
}

#[tokio::test]
async fn a_function_is_run_as_often_and_as_late_as_the_template_says() {
    for config in ["{ MaximumRetryAttempts: 0 }", "{ MaximumEventAgeInSeconds: 60 }"] {
        let runs = Runs::default();
        let server = runs.server_with(config).await;
        server.app().invoker.start("disconnect-user", &json!({})).await.expect("started");
        runs.ended(1).await;
        server.rests().await;
        assert_eq!(runs.of(&json!({})).len(), 1, "{config}");
        server.stop().await;
    }
}

#[tokio::test]
async fn what_is_left_of_events_ends_with_the_run() {
    for fate in [Fate::Fails, Fate::Hangs] {
        let runs = Runs::meeting(fate);
        // A function that failed would be run again in a minute.
        let server = Server::start_with(Arc::new(runs.clone()), Limits::default()).await;
        let event = json!({"userId": 7});
        server.app().invoker.start("disconnect-user", &event).await.expect("started");
        in_time("it has begun", async {
            while runs.of(&event).is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let began = Instant::now();
        server.stop().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{fate:?}: it was waited for");
        assert_eq!(runs.of(&event).len(), 1);
    }
}

#[tokio::test]
async fn payloads_are_as_large_as_lambda_takes_them() {
    const MEGABYTE: usize = 1024 * 1024;
    let server = Server::start().await;
    for (kind, bytes, status, said) in [
        ("Event", MEGABYTE, 202, None),
        ("Event", MEGABYTE + 1, 413, Some("RequestEntityTooLargeException")),
        ("RequestResponse", 6 * MEGABYTE, 200, None),
        ("RequestResponse", 6 * MEGABYTE + 1, 413, Some("RequestEntityTooLargeException")),
        ("DryRun", 2, 400, Some("InvalidParameterValueException")),
    ] {
        let payload = format!("\"{}\"", "x".repeat(bytes - 2));
        let answer = server.invoke("disconnect-user", kind, &payload).await;
        let error = answer.headers().get("x-amzn-errortype").map(|error| error.to_str().expect("ASCII"));
        assert_eq!((answer.status().as_u16(), error), (status, said), "{kind} of {bytes} bytes");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_invocation_is_recorded_with_its_right() {
    let server = Server::start().await;
    let recorder = Recorder::before(server.dynamodb_url()).await;
    recorder.aim_at_lambda(server.gateway_url());
    let app = server.app_with(&[("AWS_ENDPOINT_URL_LAMBDA", recorder.url())]);
    app.invoker.start("DisconnectUserFunction", &json!({"userId": 7})).await.expect("started");
    let calls = recorder.take();
    let [call] = calls.as_slice() else { panic!("not one call: {calls:?}") };
    assert_eq!(call.operation, "Invoke");
    assert_eq!(call.rights.iter().collect::<Vec<_>>(), ["lambda:InvokeFunction DisconnectUserFunction"]);
    server.stop().await;
}

#[tokio::test]
async fn an_invocation_meets_faults_over_sockets() {
    use Fault::{AnswerLostOnce, Refused, RefusedOnce};
    let runs = Runs::default();
    let server = runs.server().await;
    let chaos = Chaos::start(Box::new(|_, _, _| Direction::default())).await;
    chaos.aim(server.dynamodb_url(), &server.vars()["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"], server.s3_url());
    for (number, (fault, times, is_started)) in
        [(RefusedOnce(Refusal::Throttled), 1, true), (Refused(Refusal::Failed), 0, false), (AnswerLostOnce, 2, true)]
            .into_iter()
            .enumerate()
    {
        let event = json!({"userId": number + 1});
        let endpoints = chaos.endpoints_with(0, fault);
        let app = server.app_with(&endpoints.each_ref().map(|(name, url)| (*name, url.as_str())));
        let started = app.invoker.start("disconnect-user", &event).await;
        server.rests().await;
        assert_eq!((runs.of(&event).len(), started.is_ok()), (times, is_started), "{fault}");
        assert_eq!(chaos.calls(number as u64), ["Invoke"], "one call, with all its attempts");
    }
    server.stop().await;
}
