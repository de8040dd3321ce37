//! Functions that invoke functions, in simulated time: what is lost on the way, and who dies.

use chat_tests::simulation::Stage;
use chat_tests::{Direction, Fault, Refusal};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longer than a call may take that is not a function's.
const SLOW: Duration = Duration::from_secs(5);

/// When `disconnect-user` ran, and under which number.
type Runs = Arc<Mutex<Vec<(u64, Instant)>>>;

/// Plays something, where each run of the function is directed by its number, from 0. Returns when it ran, and what came
/// of it.
fn play<T>(
    direct: impl Fn(usize) -> Direction + Send + Sync + 'static,
    what: impl AsyncFnOnce(&Stage) -> T,
) -> (Vec<Instant>, T) {
    play_and(direct, async |stage, _| what(stage).await)
}

fn play_and<T>(
    direct: impl Fn(usize) -> Direction + Send + Sync + 'static,
    what: impl AsyncFnOnce(&Stage, &Runs) -> T,
) -> (Vec<Instant>, T) {
    let runs = Runs::default();
    let noted = Arc::clone(&runs);
    let director = move |function: &str, _: &Value, number| {
        assert_eq!(function, "disconnect-user");
        let mut noted = noted.lock().expect("runs");
        noted.push((number, Instant::now()));
        direct(noted.len() - 1)
    };
    let came = Stage::play(20, Box::new(director), async |stage| what(&stage, &runs).await);
    let began = runs.lock().expect("runs").iter().map(|(_, began)| *began).collect();
    (began, came)
}

async fn start(stage: &Stage) {
    let invoker = stage.app().invoker;
    stage.behind(invoker.start("disconnect-user", &json!({"userId": 7}))).await.expect("started");
    stage.has_no_events().await;
}

#[test]
fn an_event_outlives_two_deaths_of_its_function() {
    let dies = |run| Direction { fault: (run < 2).then_some((0, Fault::KilledAfter)), ..Direction::default() };
    let (began, calls) = play_and(dies, async |stage, runs| {
        start(stage).await;
        let last = runs.lock().expect("runs").last().expect("a run").0;
        stage.outcome_of(last).0
    });
    let waits: Vec<_> = began.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(waits, [60, 120], "a minute later, and then two");
    assert!(!calls.is_empty(), "the last one works");
}

#[test]
fn an_event_may_come_twice() {
    let calls = |twice| {
        let direct = move |_| Direction { twice, ..Direction::default() };
        play_and(direct, async |stage, runs| {
            start(stage).await;
            let number = runs.lock().expect("runs")[0].0;
            stage.outcome_of(number).0.len()
        })
    };
    let ((once, calls_once), (twice, calls_twice)) = (calls(false), calls(true));
    assert_eq!((once.len(), twice.len()), (1, 1), "it is one event");
    assert!(calls_twice > calls_once, "{calls_twice} calls, not {calls_once}");
}

#[test]
fn what_is_lost_on_the_way_is_invoked_again() {
    use Fault::{AnswerLost, AnswerLostOnce, Delayed, Refused, RefusedOnce};
    use Refusal::{Failed, Throttled, Unavailable};
    for (fault, runs, goes_well) in [
        (RefusedOnce(Failed), 1, true),
        (RefusedOnce(Throttled), 1, true),
        (Refused(Unavailable), 0, false),
        (Delayed, 1, true),
        (AnswerLostOnce, 2, true),
        (AnswerLost, 3, false),
    ] {
        let event = json!({"userId": 7});
        let (began, started) = play(
            |_| Direction::default(),
            async |stage| {
                let invoker = stage.app().invoker;
                let started = stage.behind_meeting(0, fault, invoker.start("disconnect-user", &event)).await;
                stage.has_no_events().await;
                started.is_ok()
            },
        );
        assert_eq!((began.len(), started), (runs, goes_well), "started, {fault}");
        let (began, answered) = play(
            |_| Direction::default(),
            async |stage| {
                let invoker = stage.app().invoker;
                let answer = stage.behind_meeting(0, fault, invoker.call("disconnect-user", &event)).await;
                answer.is_ok_and(|answer| answer["userId"] == 7)
            },
        );
        assert_eq!((began.len(), answered), (runs, goes_well), "called, {fault}");
    }
}

#[test]
fn a_function_that_is_called_may_take_as_long_as_its_caller_says() {
    for (patience, answers) in [(SLOW * 2, true), (SLOW / 2, false)] {
        let slow = |_| Direction { start: Some(sleep(SLOW).boxed()), ..Direction::default() };
        let (began, answered) = play(slow, async |stage| {
            let invoker = stage.app().invoker.with_patience(patience);
            stage.behind(invoker.call("disconnect-user", &json!({"userId": 7}))).await.is_ok()
        });
        assert_eq!((began.len(), answered), (1, answers), "{patience:?}");
    }
}

/// A caller is told that a function failed, and not what it was about.
#[test]
fn the_fault_of_a_function_that_is_called_is_its_callers() {
    let (_, said) = play(
        |_| Direction::default(),
        async |stage| {
            let invoker = stage.app().invoker;
            let fault = stage.behind(invoker.call("disconnect-user", &json!({}))).await.expect_err("no user");
            fault.chain().to_string()
        },
    );
    assert_eq!(said, "failed to invoke a function: it failed with Error");
}
