//! Every order in which the calls of a few invocations can reach DynamoDB. Each call waits at a gate for its turn, and
//! the orders are tried one by one.

use crate::chaos::lock;
use crate::proxy::{self, Answer, Passage, operation};
use crate::{Posts, Server, frame, in_time, websocket_event, with_kept_rooms};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chat::ConnectionId;
use chat_aws::entry::Function;
use chat_aws::{Vars, now};
use functions::FUNCTIONS;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What the address of a function ends with whose queries wait for their turn as well.
const QUERIES: &str = "/queries";

/// Invocations that can be under way at once.
const MOST: usize = 4;

/// One thing that a connection does: a function, and the frame for it, if it takes one; or the whole event of a request.
pub type Act<'a> = (&'a str, Value);

/// The result of one order.
#[derive(Debug)]
pub struct Interleaved {
    /// The act whose call was next, from 0, at each step; `None` for a death.
    pub order: Vec<Option<usize>>,
    /// The answer to each act, unless it died: the frame, or the status.
    pub answers: Vec<Option<Value>>,
}

/// A gate before DynamoDB.
pub struct Interleaving {
    pub server: Server,
    /// All posts are accepted, and go nowhere.
    _posts: Posts,
    gate: Arc<Gate>,
    functions: BTreeMap<(&'static str, usize), Function>,
    arrivals: Mutex<mpsc::UnboundedReceiver<Arrival>>,
}

struct Gate {
    passage: Passage,
    target: String,
    arrivals: mpsc::UnboundedSender<Arrival>,
}

/// A call at the gate: the number of its act, and the sender that lets it through.
type Arrival = (usize, oneshot::Sender<()>);

impl Interleaving {
    pub async fn start() -> Self {
        let (server, posts) = (Server::start().await, Posts::start(Duration::ZERO, None).await);
        let (sender, arrivals) = mpsc::unbounded_channel();
        let target = server.dynamodb_url().to_owned();
        let gate = Arc::new(Gate { passage: Passage::new(), target, arrivals: sender });
        let url = proxy::serve(Router::new().fallback(serve).with_state(Arc::clone(&gate))).await;
        let mut functions = BTreeMap::new();
        for (name, build) in FUNCTIONS
            .iter()
            .filter(|(name, _)| ["chatrooms", "moderate", "join-room", "leave-room", "disconnect"].contains(name))
        {
            for number in 0..MOST {
                let mut vars = server.vars();
                // Where members are queried to take them out, others may come between.
                let queries = if ["chatrooms", "moderate"].contains(name) { QUERIES } else { "" };
                vars.insert("AWS_ENDPOINT_URL_DYNAMODB", format!("{url}/{number}{queries}"));
                vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", posts.url().to_owned());
                functions.insert((*name, number), build(&Vars::from_iter(vars)).expect("a function"));
            }
        }
        Self { server, _posts: posts, gate, functions, arrivals: Mutex::new(arrivals) }
    }

    pub async fn stop(self) {
        drop(self.gate);
        self.server.stop().await;
    }

    /// Lets a connection do these acts at once. At each step `choose` says which of the waiting calls is next. With a
    /// `death`, the function whose turn it is at that step dies.
    async fn run(
        &self,
        connection: &ConnectionId,
        acts: &[Act<'_>],
        mut choose: impl FnMut(usize, &[usize]) -> usize,
        death: Option<usize>,
    ) -> Run {
        let mut running: FuturesUnordered<BoxFuture<'_, (usize, Value)>> = FuturesUnordered::new();
        let mut kills = Vec::new();
        let mut run = Run { order: Vec::new(), choices: Vec::new(), answers: vec![None; acts.len()] };
        let mut waiting: BTreeMap<usize, oneshot::Sender<()>> = BTreeMap::new();
        let mut ended = BTreeSet::new();
        let mut acts = acts.iter().enumerate();
        loop {
            // They begin one after the other, each in a millisecond of its own: otherwise the order of their times
            // would be chance.
            let begun = acts.next();
            if let Some((number, (name, body))) = begun {
                let before = now();
                while now() == before {
                    tokio::task::yield_now().await;
                }
                let (kill, killed) = oneshot::channel::<()>();
                kills.push(Some(kill));
                let invocation = self.functions[&(*name, number)].invoke_as("r", event(connection, name, body));
                let answer = async move {
                    tokio::select! {
                        answer = invocation => (number, answer.expect("an answer")),
                        Ok(()) = killed => (number, Value::Null),
                    }
                };
                running.push(answer.boxed());
            }
            // Only one act runs at a time: the one that began or was let through last. It runs until it waits again or
            // ends.
            while waiting.len() + ended.len() < kills.len() {
                let arrived = std::future::poll_fn(|context| lock(&self.arrivals).poll_recv(context));
                let next = async {
                    tokio::select! {
                        biased;
                        Some((number, answer)) = running.next() => Err((number, answer)),
                        Some(arrival) = arrived => Ok(arrival),
                    }
                };
                match in_time("a call, or an answer", next).await {
                    Ok((number, through)) => drop(waiting.insert(number, through)),
                    Err((number, answer)) => {
                        ended.insert(number);
                        run.answers[number] = (!answer.is_null()).then(|| said(&answer));
                    }
                }
            }
            if begun.is_some() {
                continue;
            }
            if waiting.is_empty() {
                return run;
            }
            let (step, choices) = (run.order.len(), waiting.keys().copied().collect::<Vec<_>>());
            let turn = choose(step, &choices);
            run.choices.push(choices);
            let through = waiting.remove(&turn).expect("its turn");
            if death == Some(step) {
                let _ = kills[turn].take().expect("it dies once").send(());
                drop(through);
                run.order.push((turn, true));
            } else {
                through.send(()).expect("it waits");
                run.order.push((turn, false));
            }
        }
    }

    /// Tries orders of what a connection does at once. Returns how many. `prepare` makes a connection before each, and
    /// `check` looks at the result.
    pub async fn explore<'a>(
        &self,
        orders: Orders,
        acts: impl Fn(usize) -> Vec<Act<'a>>,
        prepare: impl AsyncFn(usize) -> ConnectionId,
        check: impl AsyncFn(usize, Interleaved),
    ) -> usize {
        if let Orders::Drawn { seed, count } = orders {
            let mut dice = StdRng::seed_from_u64(seed);
            for number in 0..count {
                let connection = prepare(number).await;
                let choose = |_: usize, choices: &[usize]| *choices.choose(&mut dice).expect("somebody waits");
                check(number, self.run(&connection, &acts(number), choose, None).await.outcome()).await;
            }
            return count;
        }
        let (mut count, mut steps) = (0, 0);
        let mut death = None;
        loop {
            let mut prefix = Some(Vec::new());
            while let Some(begun) = prefix {
                let connection = prepare(count).await;
                let choose = |step: usize, choices: &[usize]| begun.get(step).copied().unwrap_or(choices[0]);
                let run = self.run(&connection, &acts(count), choose, death).await;
                steps = steps.max(run.order.len());
                prefix = run.next();
                check(count, run.outcome()).await;
                count += 1;
            }
            let next = death.map_or(0, |step| step + 1);
            death = (orders == Orders::WithADeath && next < steps).then_some(next);
            if death.is_none() {
                return count;
            }
        }
    }
}

/// Which orders are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders {
    All,
    /// All of them, and all of them again for each step at which a function may die.
    WithADeath,
    /// So many random ones, the same for the same seed.
    Drawn {
        seed: u64,
        count: usize,
    },
}

struct Run {
    /// The act whose turn it was, and whether it died there.
    order: Vec<(usize, bool)>,
    /// The acts that waited at each step.
    choices: Vec<Vec<usize>>,
    answers: Vec<Option<Value>>,
}

impl Run {
    fn outcome(self) -> Interleaved {
        let order = self.order.iter().map(|(turn, died)| (!died).then_some(*turn)).collect();
        Interleaved { order, answers: self.answers }
    }

    /// The beginning of the next order: the last step where another act could go first, with that act.
    fn next(&self) -> Option<Vec<usize>> {
        let later = |step: usize| self.choices[step].iter().copied().find(|other| *other > self.order[step].0);
        let (step, turn) = (0..self.order.len()).rev().find_map(|step| Some((step, later(step)?)))?;
        Some(self.order[..step].iter().map(|(turn, _)| *turn).chain([turn]).collect())
    }
}

/// The event of a connection for a function.
fn event(connection: &ConnectionId, function: &str, body: &Value) -> Value {
    if ["chatrooms", "moderate"].contains(&function) {
        return body.clone();
    }
    let mut event = with_kept_rooms(websocket_event(body));
    event["requestContext"]["connectionId"] = json!(connection.as_str());
    event["requestContext"]["eventType"] = json!(if function == "disconnect" { "DISCONNECT" } else { "MESSAGE" });
    event
}

/// The frame of an answer, or the whole answer if it has none.
fn said(answer: &Value) -> Value {
    if answer["headers"].is_null() && answer["body"].is_string() { frame(answer) } else { answer.clone() }
}

/// A call, `/<number>`. Writes, and the reads that verify a join, wait for their turn. A query does not, unless the address
/// says so: it only finds the members to push to.
async fn serve(State(gate): State<Arc<Gate>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let path = uri.path().trim_end_matches('/');
    let (path, queries) = path.strip_suffix(QUERIES).map_or((path, false), |path| (path, true));
    let number = path.trim_matches('/').parse().expect("a number");
    let about_user = body.windows(5).any(|part| part == b"USER#");
    if (queries || operation(&headers) != "Query") && !about_user {
        let (through, turn) = oneshot::channel();
        gate.arrivals.send((number, through)).expect("somebody gives turns");
        if turn.await.is_err() {
            return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Bytes::new());
        }
    }
    gate.passage.pass_on(Method::POST, &gate.target, headers, body).await
}
