//! Between the functions and AWS. Each attempt of a call is on its way for a while, meets its fate, and is applied at one
//! moment, even if its function has given up or died by then.

use super::dice::Dice;
use super::invocation::{INVOCATION, Invocation};
use super::plan::Fate;
use super::world::World;
use crate::proxy::{INVOKE, invoked, of_object, operation};
use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use chat_aws::now;
use chat_aws::simulation::Wire;
use chrono::DateTime;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::Bytes;
use serde_json::{Value, json};
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// Longer than a function waits for an answer, in milliseconds.
const LATE: std::ops::Range<u64> = 2_100..7_000;

/// How long a call takes that others overtake, in milliseconds: longer than any other, and not so long that its function
/// gives up.
const DELAYED: u64 = 250;

/// How much longer than usual a slow call takes.
const SLOW_CALL: u64 = 15;

/// How often in a thousand a row of a batch is read before the others.
const TORN: u32 = 300;

/// Largest body of an answer.
const BODY_BYTES_MAX: usize = 8 << 20;

pub struct Calls(pub Weak<World>);

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

/// One attempt of a call.
pub struct Call {
    pub label: String,
    pub operation: String,
    /// Its number in its invocation, and how often it was attempted before.
    pub number: usize,
    pub attempt: u32,
    pub body: Value,
    request: Request<Bytes>,
}

/// Who a call is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Service {
    DynamoDb,
    Management,
    Lambda,
    S3,
}

/// An answer to one.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// What the gateway said, to the letter, where that matters.
    said: Option<(HeaderMap, Bytes)>,
}

impl Wire for Calls {
    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, io::Result<Response<Bytes>>> {
        let Some(world) = self.0.upgrade() else { return std::future::pending().boxed() };
        let invocation = INVOCATION.with(Arc::clone);
        let call = Call::read(&invocation, request);
        world.send(&invocation, call)
    }
}

fn service(request: &Request<Bytes>) -> Service {
    if request.headers().contains_key("x-amz-target") {
        Service::DynamoDb
    } else if request.uri().host() == Some("s3") {
        Service::S3
    } else if invoked(request.uri().path()).is_some() {
        Service::Lambda
    } else {
        Service::Management
    }
}

impl Call {
    fn read(invocation: &Invocation, request: Request<Bytes>) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let operation = match service(&request) {
            Service::DynamoDb => operation(request.headers()).to_owned(),
            Service::Management => request.method().as_str().to_owned(),
            Service::Lambda => INVOKE.to_owned(),
            Service::S3 => of_object(request.method()),
        };
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let (number, attempt) = invocation.attempt(header("amz-sdk-invocation-id"), &operation);
        let label = format!("{}/{number}.{attempt} {operation}", invocation.label);
        Self { label, operation, number, attempt, body, request }
    }

    pub fn service(&self) -> Service {
        service(&self.request)
    }

    /// What it is about, for the log: a row, a partition, a connection, a file, or a function and its event.
    fn about(&self) -> String {
        let text = |value: &Value| value["S"].as_str().map(String::from);
        let row = |row: &Value| Some(format!("{} {}", text(&row["PK"])?, text(&row["SK"])?));
        let rows = |rows: &Value, of: fn(&Value) -> &Value| {
            let rows: Vec<_> = rows.as_array()?.iter().filter_map(|one| row(of(one))).collect();
            Some(rows.join(", "))
        };
        let body = &self.body;
        match self.service() {
            Service::DynamoDb => {}
            Service::Management => return self.connection(),
            Service::S3 => return self.request.uri().path().to_owned(),
            Service::Lambda => return format!("{} {body}", invoked(self.request.uri().path()).unwrap_or_default()),
        }
        row(&body["Key"])
            .or_else(|| row(&body["Item"]))
            .or_else(|| text(&body["ExpressionAttributeValues"][":pk"]))
            .or_else(|| rows(&body["TransactItems"], |one| &one["Put"]["Item"]))
            .or_else(|| {
                let tables = body["RequestItems"].as_object()?;
                let mut all: Vec<_> = tables.values().filter_map(|table| rows(&table["Keys"], |one| one)).collect();
                all.sort();
                Some(all.join(", "))
            })
            .unwrap_or_default()
    }

    /// The connection that a call of the management API is about.
    fn connection(&self) -> String {
        self.request.uri().path().rsplit('/').next().unwrap_or_default().replace("%3D", "=")
    }
}

impl World {
    /// Draws what becomes of an attempt, and sends it on its way.
    fn send(
        self: Arc<Self>,
        invocation: &Arc<Invocation>,
        call: Call,
    ) -> BoxFuture<'static, io::Result<Response<Bytes>>> {
        let mut dice = invocation.dice(self.plan.seed, &call.label);
        let climate = &self.plan.climate;
        let table = climate.slow_table.map_or(1, |(table, times)| if call.names(table) { times } else { 1 });
        let times = invocation.slow * table * if dice.chance(climate.slow_calls) { SLOW_CALL } else { 1 };
        let mut way = || dice.millis(0..climate.latency * times + 1).min(Duration::from_millis(LATE.start - 1) / 3);
        let (mut before, after) = (way(), way());
        let fate = self.fate(&mut dice, invocation, &call);
        match fate {
            Fate::Delayed => before = Duration::from_millis(DELAYED),
            Fate::Late => before = dice.millis(LATE),
            _ => {}
        }
        // A batch read is no snapshot: DynamoDB reads its rows one by one.
        let torn = fate == Fate::Fine && call.operation == "BatchGetItem" && dice.chance(TORN);
        let early = torn.then(|| EarlyRow::drawn(&mut dice, &call)).flatten();
        let pause = dice.millis(0..climate.latency * times + 1);
        let (answer, answered) = oneshot::channel();
        let (world, killed) = (self, Arc::clone(invocation));
        // Spawned: a request that has left is applied, whatever becomes of its function.
        #[allow(clippy::disallowed_methods, reason = "it ends when it has answered")]
        tokio::spawn(async move {
            sleep(before).await;
            let applied = match fate {
                Fate::KilledBefore => return killed.kill.notify_one(),
                Fate::BrokenBefore
                | Fate::Refused
                | Fate::Unavailable
                | Fate::Throttled
                | Fate::Conflict
                | Fate::Unprocessed
                | Fate::Swallowed => made_up(fate, &call),
                Fate::Fine if early.is_some() => {
                    let early = early.map(|row| row.read(&world));
                    sleep(pause).await;
                    let mut answer = world.apply(&killed, &call).await;
                    early.into_iter().for_each(|row| row.put_into(&mut answer));
                    answer
                }
                Fate::Fine | Fate::Delayed | Fate::Late => world.apply(&killed, &call).await,
                Fate::Lost | Fate::BrokenAfter | Fate::KilledAfter => {
                    world.apply(&killed, &call).await;
                    made_up(Fate::Refused, &call)
                }
            };
            world.log.note(format_args!("{} {} -> {} {fate}", call.label, call.about(), applied.status));
            sleep(after).await;
            if fate == Fate::KilledAfter {
                return killed.kill.notify_one();
            }
            let broken = matches!(fate, Fate::BrokenBefore | Fate::BrokenAfter);
            // A function that gave up does not listen.
            let _ = answer.send((!broken).then(|| applied.response()));
        });
        let kills = matches!(fate, Fate::KilledBefore | Fate::KilledAfter);
        async move {
            match answered.await {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => Err(io::ErrorKind::ConnectionReset.into()),
                Err(_) if kills => std::future::pending().await,
                Err(_) => panic!("a call is not answered"),
            }
        }
        .boxed()
    }

    /// Applies a call, at this moment.
    async fn apply(&self, invocation: &Invocation, call: &Call) -> Answer {
        if call.service() == Service::Lambda {
            if self.mutation.as_ref().is_some_and(|mutation| mutation.forgets(invocation)) {
                return Answer::of(202, Value::Null);
            }
            if self.mutation.as_ref().is_some_and(|mutation| mutation.leaves_out(call)) {
                return Answer::of(200, json!({"people": 1, "marks": []}));
            }
            return self.invoke(call).await;
        }
        if call.service() == Service::S3 {
            let (mut head, body) = call.request.clone().into_parts();
            // As a socket adds it.
            head.headers.insert(HOST, HeaderValue::from_static("s3"));
            let answer = self.gateway().answer_as_s3(Request::from_parts(head, Body::from(body))).await;
            return Answer::of(answer.status().as_u16(), Value::Null);
        }
        if call.service() == Service::Management {
            if self.mutation.as_ref().is_some_and(|mutation| mutation.swallows(invocation, call)) {
                return Answer::of(204, Value::Null);
            }
            let answer = self.push(call).await;
            if let Some(mutation) = &self.mutation {
                mutation.pushed(self, invocation);
            }
            return answer;
        }
        let answer = match &self.mutation {
            None => self.ask(&call.operation, &call.body),
            Some(mutation) => mutation.apply(self, invocation, call),
        };
        self.watch(invocation, call, &answer);
        answer
    }

    /// Asks DynamoDB.
    pub fn ask(&self, operation: &str, body: &Value) -> Answer {
        let (status, answer) = self.tables.call(operation, &serde_json::to_vec(body).expect("JSON"));
        Answer::of(status, serde_json::from_slice(&answer).expect("JSON"))
    }

    /// Asks the management API.
    async fn push(&self, call: &Call) -> Answer {
        let (status, _, body) = self.pass_on(call).await;
        Answer::of(status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Asks Lambda. A function that is waited for runs meanwhile.
    async fn invoke(&self, call: &Call) -> Answer {
        let (status, headers, body) = self.pass_on(call).await;
        Answer { said: Some((headers, body)), ..Answer::of(status, Value::Null) }
    }

    async fn pass_on(&self, call: &Call) -> (u16, HeaderMap, Bytes) {
        let (head, body) = call.request.clone().into_parts();
        let response = self.gateway().answer(Request::from_parts(head, Body::from(body))).await;
        let (head, body) = response.into_parts();
        (head.status.as_u16(), head.headers, to_bytes(body, BODY_BYTES_MAX).await.expect("a body"))
    }
}

/// A row of a batch that is read before the others.
struct EarlyRow {
    table: String,
    sort: Value,
    /// What asks for it alone.
    request: Value,
    /// Nothing where it is not there.
    row: Option<Value>,
}

impl EarlyRow {
    /// None where rows cannot be told apart in the answer.
    fn drawn(dice: &mut Dice, call: &Call) -> Option<Self> {
        let mut tables: Vec<_> = call.body["RequestItems"].as_object()?.iter().collect();
        tables.sort_by_key(|(table, _)| table.as_str());
        let (table, wanted) = dice.choose(&tables);
        let keys = wanted["Keys"].as_array()?;
        if keys.len() > 1 && wanted["ProjectionExpression"].is_string() {
            return None;
        }
        let key = &keys[dice.index(keys.len())];
        let mut alone = wanted.clone();
        alone["Keys"] = json!([key]);
        let request = json!({"RequestItems": {table: alone}});
        Some(Self { table: table.clone(), sort: key["SK"].clone(), request, row: None })
    }

    fn read(self, world: &World) -> Self {
        let mut answer = world.ask("BatchGetItem", &self.request).body;
        let row = answer["Responses"][&self.table].as_array_mut().and_then(Vec::pop);
        Self { row, ..self }
    }

    /// In the place of what the others were read beside.
    fn put_into(self, answer: &mut Answer) {
        let Some(rows) = answer.body["Responses"][&self.table].as_array_mut() else { return };
        // A row that is projected has no key, and is alone.
        rows.retain(|row| !row["SK"].is_null() && row["SK"] != self.sort);
        rows.extend(self.row);
    }
}

impl Call {
    /// Whether it is about this table.
    fn names(&self, table: &str) -> bool {
        self.body["TableName"] == table || self.body["RequestItems"][table].is_object()
    }
}

/// An answer that AWS never gave.
fn made_up(fate: Fate, call: &Call) -> Answer {
    let refusal = |status, kind: &str| {
        let kind = format!("com.amazonaws.dynamodb.v20120810#{kind}");
        Answer::of(status, json!({"__type": kind, "message": "a fault of the simulation"}))
    };
    match fate {
        Fate::Throttled => match call.service() {
            Service::DynamoDb => refusal(400, "ProvisionedThroughputExceededException"),
            Service::Management => refusal(429, "LimitExceededException"),
            Service::S3 => refusal(503, "SlowDown"),
            Service::Lambda => refusal(429, "TooManyRequestsException"),
        },
        Fate::Conflict => {
            let length = call.body["TransactItems"].as_array().map_or(0, Vec::len);
            let reasons: Vec<_> = (0..length)
                .map(|item| json!({"Code": if item == 0 { "TransactionConflict" } else { "None" }}))
                .collect();
            let mut refused = refusal(400, "TransactionCanceledException");
            refused.body["CancellationReasons"] = json!(reasons);
            refused
        }
        Fate::Unprocessed => Answer::of(200, json!({"Responses": {}, "UnprocessedKeys": call.body["RequestItems"]})),
        Fate::Swallowed => Answer::of(200, Value::Null),
        Fate::Unavailable => refusal(503, "ServiceUnavailable"),
        _ => refusal(500, "InternalServerError"),
    }
}

impl Answer {
    pub fn of(status: u16, body: Value) -> Self {
        Self { status, body, said: None }
    }

    /// As it comes over the wire, with AWS's own time.
    fn response(self) -> Response<Bytes> {
        if let Some((headers, body)) = self.said {
            let mut response = Response::new(body);
            *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
            *response.headers_mut() = headers;
            return response;
        }
        let kind = self.body["__type"].as_str().and_then(|kind| kind.split_once('#'));
        let kind =
            kind.map(|(_, kind)| kind.to_owned()).or_else(|| (self.status == 410).then(|| "GoneException".into()));
        let body = if self.body.is_null() { Bytes::new() } else { self.body.to_string().into() };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).expect("a status");
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.0".parse().expect("a header"));
        let date = DateTime::from_timestamp_millis(now().millis()).unwrap_or_default();
        headers.insert("date", date.format("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().expect("a header"));
        if let Some(kind) = kind {
            headers.insert("x-amzn-errortype", kind.parse().expect("a header"));
        }
        response
    }
}
