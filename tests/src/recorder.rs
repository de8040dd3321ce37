use crate::proxy::{self, Answer, INVOKE, Passage, invoked, of_object, operation};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::DATE;
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use chat_aws::now;
use chrono::DateTime;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// One call of DynamoDB, of Lambda, or of S3.
#[derive(Debug, Clone)]
pub struct Call {
    pub operation: String,
    /// Every table that it names, or index of one, with the kind of every partition key: `ChatTable ROOM#*`.
    pub partitions: BTreeSet<String>,
    /// The rights that it takes: `dynamodb:PutItem ChatTable ROOM#*`, `lambda:InvokeFunction SendMessageFunction`,
    /// `s3:DeleteObject FilesBucket rooms/*`. A transaction takes those of what is in it.
    pub rights: BTreeSet<String>,
    /// Capacity units, as DynamoDB reports them.
    pub read_units: f64,
    pub write_units: f64,
    /// Whether a courier keeps its room by it. How often it does so goes by how long its posts take.
    pub renews: bool,
    /// What the SDK calls the operation that it is an attempt of.
    pub operation_id: Option<String>,
    /// When it began and ended.
    pub began: Instant,
    pub ended: Instant,
}

/// A proxy before DynamoDB, Lambda and S3 that records every call.
#[derive(Clone)]
pub struct Recorder {
    url: String,
    books: Arc<Books>,
}

struct Books {
    target: OnceLock<String>,
    lambda: OnceLock<String>,
    s3: OnceLock<String>,
    passage: Passage,
    calls: Mutex<Vec<Call>>,
    /// How far DynamoDB's clock is ahead of this machine's, in seconds.
    ahead: OnceLock<i64>,
    /// How long DynamoDB takes for an answer, besides what it takes here.
    latency: OnceLock<Duration>,
}

impl Call {
    /// One of another service than DynamoDB, that just ended.
    fn of_other(operation: String, right: String, began: Instant) -> Self {
        let (partitions, rights) = (BTreeSet::new(), BTreeSet::from([right]));
        let (read_units, write_units, renews, operation_id) = (0.0, 0.0, false, None);
        let ended = Instant::now();
        Self { operation, partitions, rights, read_units, write_units, renews, operation_id, began, ended }
    }
}

impl Books {
    fn note(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

/// The right that a request of S3 takes, by its path: a bucket, and the key of an object in it. Nothing for another service.
fn right_of_s3(method: &Method, path: &str) -> Option<String> {
    let path = path.strip_prefix('/').filter(|_| path != "/" && invoked(path).is_none())?;
    Some(match path.split_once('/') {
        None => format!("s3:ListBucket {path}"),
        Some((bucket, key)) => {
            let folder = key.split('/').next().unwrap_or_default();
            format!("s3:{} {bucket} {folder}/*", of_object(method))
        }
    })
}

/// How many of these calls waited for each other: the longest row of calls that each began after the one before had
/// ended.
pub fn steps(calls: &[Call]) -> usize {
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| call.ended);
    let mut row: Vec<&Call> = Vec::new();
    for call in calls {
        if row.last().is_none_or(|last| last.ended <= call.began) {
            row.push(call);
        }
    }
    row.len()
}

impl Recorder {
    /// Changes the answers' `Date`, as if DynamoDB's clock were so many seconds ahead.
    pub async fn with_clock(target: &str, ahead: i64) -> Self {
        let recorder = Self::before(target).await;
        recorder.books.ahead.set(ahead).expect("set once");
        recorder
    }

    /// Has DynamoDB take so long for each answer that calls which do not wait for each other overlap.
    pub async fn with_latency(target: &str, latency: Duration) -> Self {
        let recorder = Self::before(target).await;
        recorder.books.latency.set(latency).expect("set once");
        recorder
    }

    pub async fn before(target: &str) -> Self {
        let recorder = Self::start().await;
        recorder.aim(target);
        recorder
    }

    /// Starts without a target; [`Recorder::aim`] sets it.
    pub async fn start() -> Self {
        let (target, lambda, s3, calls) = (OnceLock::new(), OnceLock::new(), OnceLock::new(), Mutex::default());
        let (ahead, latency) = (OnceLock::new(), OnceLock::new());
        let books = Arc::new(Books { target, lambda, s3, passage: Passage::new(), calls, ahead, latency });
        let url = proxy::serve(Router::new().fallback(pass_on).with_state(Arc::clone(&books))).await;
        Self { url, books }
    }

    pub fn aim(&self, target: &str) {
        self.books.target.set(target.into()).expect("aimed once");
    }

    /// Sets where Lambda is.
    pub fn aim_at_lambda(&self, url: &str) {
        self.books.lambda.set(url.into()).expect("aimed once");
    }

    /// Sets where S3 is.
    pub fn aim_at_s3(&self, url: &str) {
        self.books.s3.set(url.into()).expect("aimed once");
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls since the last time, sorted by what they are, since calls of one step run side by side.
    pub fn take(&self) -> Vec<Call> {
        let mut calls = std::mem::take(&mut *self.books.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.sort_by(|a, b| (&a.operation, &a.partitions).cmp(&(&b.operation, &b.partitions)));
        calls
    }
}

async fn pass_on(State(books): State<Arc<Books>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    if let Some(right) = right_of_s3(&method, uri.path()) {
        let began = Instant::now();
        let s3 = books.s3.get().expect("aimed before it is used");
        let path = uri.path_and_query().expect("a path").as_str();
        let answer = books.passage.pass_on_to_s3(&method, s3, path).await;
        let operation = right.strip_prefix("s3:").and_then(|right| right.split(' ').next()).expect("an action");
        books.note(Call::of_other(operation.to_owned(), right.clone(), began));
        return answer;
    }
    if let Some(function) = invoked(uri.path()) {
        let lambda = books.lambda.get().expect("aimed before it is used");
        let began = Instant::now();
        let answer = books.passage.pass_on(Method::POST, &format!("{lambda}{}", uri.path()), headers, body).await;
        books.note(Call::of_other(INVOKE.to_owned(), format!("lambda:InvokeFunction {function}"), began));
        return answer;
    }
    let operation = operation(&headers).to_owned();
    let operation_id = headers.get("amz-sdk-invocation-id").and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let mut request: Value = serde_json::from_slice(&body).expect("JSON");
    let partitions = partitions(&request);
    let rights = rights(&operation, &request, &partitions);
    if operation != "DescribeTable" {
        request["ReturnConsumedCapacity"] = "TOTAL".into();
    }
    let url = books.target.get().expect("aimed before it is used");
    let began = Instant::now();
    let (status, mut headers, body) = books.passage.pass_on(Method::POST, url, headers, request.to_string()).await;
    if let Some(ahead) = books.ahead.get() {
        headers.insert(DATE, http_date(now().seconds() + ahead));
    }
    if let Some(latency) = books.latency.get() {
        tokio::time::sleep(*latency).await;
    }
    let ended = Instant::now();

    let mut units = units(&serde_json::from_slice(&body).unwrap_or_default());
    if operation == "TransactWriteItems" && !status.is_success() {
        // A cancelled transaction is charged too, and DynamoDB does not say how much: two units for each of our rows,
        // none of which is larger than a unit.
        units = request["TransactItems"].as_array().map_or(0, Vec::len) as f64 * 2.0;
    }
    let reads = matches!(operation.as_str(), "BatchGetItem" | "GetItem" | "Query" | "Scan");
    let (read_units, write_units) = if reads { (units, 0.0) } else { (0.0, units) };
    let renews = request["UpdateExpression"] == "SET leaseUntil = :until";
    let call = Call { operation, partitions, rights, read_units, write_units, renews, operation_id, began, ended };
    books.note(call);
    (status, headers, body)
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(seconds: i64) -> HeaderValue {
    let time = DateTime::from_timestamp(seconds, 0).expect("a time");
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().expect("a header")
}

/// The units of an answer, which names one table or several.
fn units(answer: &Value) -> f64 {
    let consumed = &answer["ConsumedCapacity"];
    let tables = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
    tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum()
}

fn partitions(request: &Value) -> BTreeSet<String> {
    let batch = request["RequestItems"].as_object().into_iter().flatten();
    let batch = batch.flat_map(|(table, items)| {
        let reads = items["Keys"].as_array().into_iter().flatten().map(|key| &key["PK"]);
        let writes = items.as_array().into_iter().flatten();
        let writes = writes.map(|write| match &write["PutRequest"]["Item"] {
            Value::Null => &write["DeleteRequest"]["Key"]["PK"],
            item => &item["PK"],
        });
        reads.chain(writes).map(move |key| (table.as_str(), key))
    });
    let actions = request["TransactItems"].as_array().into_iter().flatten();
    let actions = actions.flat_map(|action| action.as_object().expect("an action").values());
    let single = actions.chain([request]).filter_map(|call| Some((call["TableName"].as_str()?, partition_key(call))));
    let index = request["IndexName"].as_str().map(|index| format!("/index/{index}")).unwrap_or_default();
    batch.chain(single).map(|(table, key)| format!("{table}{index} {}", kind(key))).collect()
}

fn rights(operation: &str, request: &Value, partitions: &BTreeSet<String>) -> BTreeSet<String> {
    let actions = request["TransactItems"].as_array().into_iter().flatten();
    let of_actions = actions.flat_map(|action| action.as_object().expect("an action")).map(|(verb, call)| {
        let table = call["TableName"].as_str().expect("a table");
        format!("dynamodb:{verb}Item {table} {}", kind(partition_key(call)))
    });
    match operation {
        "TransactWriteItems" => of_actions.collect(),
        operation => partitions.iter().map(|row| format!("dynamodb:{operation} {row}")).collect(),
    }
}

/// The partition key of a call for one row or one partition; null for one of a whole table.
fn partition_key(call: &Value) -> &Value {
    let places = [&call["Item"]["PK"], &call["Key"]["PK"], &call["ExpressionAttributeValues"][":pk"]];
    places.into_iter().find(|place| !place.is_null()).unwrap_or(&Value::Null)
}

/// `ROOM#*` for the key of any room, the key itself if it is the only one of its kind, and `*` for all of a table's.
fn kind(key: &Value) -> String {
    match key["S"].as_str().map(|key| (key, key.split_once('#'))) {
        Some((_, Some((kind, _)))) => format!("{kind}#*"),
        Some((key, None)) => key.into(),
        None => "*".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_call_that_waited_for_the_one_before() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let call = |began, ended| Call {
            operation: "Query".into(),
            partitions: BTreeSet::new(),
            rights: BTreeSet::new(),
            read_units: 0.0,
            write_units: 0.0,
            renews: false,
            operation_id: None,
            began: at(began),
            ended: at(ended),
        };
        for (calls, expected) in [
            (vec![], 0),
            (vec![call(0, 5), call(5, 9)], 2),
            (vec![call(5, 9), call(0, 5), call(1, 20)], 2),
            (vec![call(0, 50), call(10, 20), call(21, 30), call(60, 70)], 3),
        ] {
            assert_eq!(steps(&calls), expected, "{calls:?}");
        }
    }
}
