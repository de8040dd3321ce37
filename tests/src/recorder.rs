use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// One call of DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub operation: String,
    /// Every table that it named, and in it the kind of every partition key: `ChatTable ROOM#*`.
    pub partitions: BTreeSet<String>,
}

/// Stands between a function and DynamoDB, passes every call on and remembers what it was.
pub struct Recorder {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Clone)]
struct Passage {
    target: String,
    http: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Recorder {
    pub async fn before(target: &str) -> Self {
        let calls = Arc::default();
        let passage = Passage { target: target.into(), http: reqwest::Client::new(), calls: Arc::clone(&calls) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass_on).with_state(passage);
        #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, calls }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls since the last time, sorted: those of one step run side by side.
    pub fn take(&self) -> Vec<Call> {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.sort();
        calls
    }
}

async fn pass_on(State(passage): State<Passage>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let request = serde_json::from_slice(&body).expect("JSON");
    let call = Call { operation, partitions: partitions(&request) };
    passage.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    let answer = passage.http.post(&passage.target).headers(headers).body(body).send().await.expect("an answer");
    (answer.status(), answer.headers().clone(), answer.bytes().await.expect("a body"))
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
    batch.chain(single).map(|(table, key)| format!("{table} {}", kind(key))).collect()
}

/// The partition key of a call for one row or one partition.
fn partition_key(call: &Value) -> &Value {
    let places = [&call["Item"]["PK"], &call["Key"]["PK"], &call["ExpressionAttributeValues"][":pk"]];
    places.into_iter().find(|place| !place.is_null()).unwrap_or_else(|| panic!("no partition key: {call}"))
}

/// `ROOM#*` for the key of any room.
fn kind(key: &Value) -> String {
    let key = key["S"].as_str().expect("a text");
    format!("{}#*", key.split_once('#').expect("a kind of key").0)
}
