//! Mistakes that the functions do not make, made for them at the wire: what a checker must notice.

use crate::chaos::{Call, Chaos, lock};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Between what is done too early and the rest: long enough for something to come between.
const RACE: Duration = Duration::from_millis(30);

/// How long a join waits for somebody to speak.
const SILENCE: Duration = Duration::from_secs(1);

type Answer = (StatusCode, HeaderMap, Bytes);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A message is stored only after it was pushed to somebody, and every fifth function dies between the two.
    PushBeforeStore,
    /// The row that remembers a send is not written.
    RetryRowForgotten,
    /// The members are read before the message is counted.
    MembersReadBeforeCounting,
    /// A join reads the newest id before it becomes a member.
    LastIdReadBeforeJoining,
    /// Every fifth message gets the id of the one before it.
    IdsGivenTwice,
    /// A message is pushed to the members of another room.
    PushedToAnotherRoom,
    /// Nobody is ever taken out of a room.
    MembersNeverRemoved,
    /// Every seventh message is lost, though all goes well otherwise.
    StoreForgotten,
}

impl Mistake {
    pub const ALL: [Self; 8] = [
        Self::PushBeforeStore,
        Self::RetryRowForgotten,
        Self::MembersReadBeforeCounting,
        Self::LastIdReadBeforeJoining,
        Self::IdsGivenTwice,
        Self::PushedToAnotherRoom,
        Self::MembersNeverRemoved,
        Self::StoreForgotten,
    ];
}

/// A mistake, and what it takes to make it.
pub struct Mutation {
    mistake: Mistake,
    /// What was read too early, by invocation.
    early: Mutex<HashMap<u64, Answer>>,
    /// Writes that wait for the first push, by invocation.
    waiting: Mutex<HashMap<u64, Vec<Call>>>,
    /// The answer to the count before, by room.
    counts: Mutex<HashMap<String, (u64, Answer)>>,
    /// A query of each room's members.
    members: Mutex<HashMap<String, Value>>,
    stores: Mutex<u64>,
}

impl Mutation {
    pub fn new(mistake: Mistake) -> Self {
        Self {
            mistake,
            early: Mutex::default(),
            waiting: Mutex::default(),
            counts: Mutex::default(),
            members: Mutex::default(),
            stores: Mutex::default(),
        }
    }

    pub(crate) async fn apply(&self, chaos: &Chaos, call: Call) -> Answer {
        let request = call.json();
        match self.mistake {
            Mistake::PushBeforeStore => self.push_before_store(chaos, call, &request).await,
            Mistake::RetryRowForgotten => forget_retry_row(chaos, call, request).await,
            Mistake::MembersReadBeforeCounting => self.members_before_count(chaos, call, &request).await,
            Mistake::LastIdReadBeforeJoining => self.last_id_before_join(chaos, call, &request).await,
            Mistake::IdsGivenTwice => self.ids_twice(chaos, call, &request).await,
            Mistake::PushedToAnotherRoom => self.another_room(chaos, call, request).await,
            Mistake::MembersNeverRemoved => {
                let member = call.operation == "DeleteItem" && text(&request["Key"]["PK"]).starts_with("ROOM#");
                if member { nothing() } else { chaos.pass_on(call).await }
            }
            Mistake::StoreForgotten => {
                if stores_message(&call.operation, &request) && self.every(7) {
                    return nothing();
                }
                chaos.pass_on(call).await
            }
        }
    }

    async fn push_before_store(&self, chaos: &Chaos, call: Call, request: &Value) -> Answer {
        if stores_message(&call.operation, request) {
            lock(&self.waiting).entry(call.number).or_default().push(call);
            return nothing();
        }
        let number = call.number;
        let first_push = call.pushes;
        let answer = chaos.pass_on(call).await;
        if first_push {
            let waiting = lock(&self.waiting).remove(&number).unwrap_or_default();
            for write in waiting {
                if self.every(5) {
                    chaos.kill(number);
                    std::future::pending::<()>().await;
                }
                chaos.pass_on(write).await;
            }
        }
        answer
    }

    async fn members_before_count(&self, chaos: &Chaos, call: Call, request: &Value) -> Answer {
        let number = call.number;
        if call.operation == "UpdateItem" && text(&request["Key"]["SK"]) == "HEAD" {
            let query = lock(&self.members).get(text(&request["Key"]["PK"])).cloned();
            if let Some(query) = query {
                let early = chaos.pass_on(call.asking("Query", &query)).await;
                lock(&self.early).insert(number, early);
                sleep(RACE).await;
            }
        }
        if let Some(room) = queries_members(&call.operation, request) {
            lock(&self.members).insert(room, request.clone());
            if let Some(early) = lock(&self.early).remove(&number) {
                return early;
            }
        }
        chaos.pass_on(call).await
    }

    async fn last_id_before_join(&self, chaos: &Chaos, call: Call, request: &Value) -> Answer {
        let number = call.number;
        if let Some(room) = enters_room(&call.operation, request) {
            let key = json!({"PK": {"S": room}, "SK": {"S": "HEAD"}});
            // The table of the head is another than that of the members.
            let get = json!({"TableName": "ChatTable", "Key": key, "ConsistentRead": true});
            let early = chaos.pass_on(call.asking("GetItem", &get)).await;
            // Until somebody speaks meanwhile, or nobody does.
            let read = |answer: &Answer| serde_json::from_slice::<Value>(&answer.2).unwrap_or_default();
            let waited = Instant::now();
            while waited.elapsed() < SILENCE {
                if read(&chaos.pass_on(call.asking("GetItem", &get)).await) != read(&early) {
                    break;
                }
                sleep(RACE).await;
            }
            lock(&self.early).insert(number, early);
        }
        let reads_head = call.operation == "GetItem" && text(&request["Key"]["SK"]) == "HEAD";
        let early = if reads_head { lock(&self.early).remove(&number) } else { None };
        match early {
            Some(early) => early,
            None => chaos.pass_on(call).await,
        }
    }

    async fn ids_twice(&self, chaos: &Chaos, call: Call, request: &Value) -> Answer {
        if call.operation != "UpdateItem" || text(&request["Key"]["SK"]) != "HEAD" {
            return chaos.pass_on(call).await;
        }
        let room = text(&request["Key"]["PK"]).to_owned();
        if let Some((count, answer)) = lock(&self.counts).get_mut(&room) {
            *count += 1;
            if *count % 5 == 0 {
                return answer.clone();
            }
        }
        let answer = chaos.pass_on(call).await;
        lock(&self.counts).entry(room).or_insert_with(|| (0, answer.clone())).1 = answer.clone();
        answer
    }

    async fn another_room(&self, chaos: &Chaos, call: Call, mut request: Value) -> Answer {
        let Some(room) = queries_members(&call.operation, &request) else { return chaos.pass_on(call).await };
        let other = {
            let mut members = lock(&self.members);
            members.insert(room.clone(), Value::Null);
            members.keys().find(|known| **known != room).cloned()
        };
        match other.filter(|_| self.every(5)) {
            Some(other) => {
                request["ExpressionAttributeValues"][":pk"] = json!({"S": other});
                chaos.pass_on(call.asking("Query", &request)).await
            }
            None => chaos.pass_on(call).await,
        }
    }

    /// Whether this is one of every so many.
    fn every(&self, many: u64) -> bool {
        let mut stores = lock(&self.stores);
        *stores += 1;
        (*stores).is_multiple_of(many)
    }
}

async fn forget_retry_row(chaos: &Chaos, call: Call, mut request: Value) -> Answer {
    if let Some(actions) = request["TransactItems"].as_array_mut() {
        actions.retain(|action| !text(&action["Put"]["Item"]["SK"]).starts_with("SENT#"));
        return chaos.pass_on(call.asking("TransactWriteItems", &request)).await;
    }
    chaos.pass_on(call).await
}

fn stores_message(operation: &str, request: &Value) -> bool {
    let is_message = |item: &Value| text(&item["SK"]).starts_with("MSG#");
    match operation {
        "PutItem" => is_message(&request["Item"]),
        "TransactWriteItems" => {
            let actions = request["TransactItems"].as_array();
            actions.is_some_and(|actions| actions.iter().any(|action| is_message(&action["Put"]["Item"])))
        }
        _ => false,
    }
}

/// The room that a connection is made a member of, as its key.
fn enters_room(operation: &str, request: &Value) -> Option<String> {
    let item = &request["Item"];
    let is_member = operation == "PutItem" && text(&item["SK"]).starts_with("CONN#");
    is_member.then(|| text(&item["PK"]).to_owned())
}

/// The room whose members are read, as its key.
fn queries_members(operation: &str, request: &Value) -> Option<String> {
    let values = &request["ExpressionAttributeValues"];
    let members = operation == "Query" && text(&values[":prefix"]) == "CONN#";
    members.then(|| text(&values[":pk"]).to_owned())
}

fn text(value: &Value) -> &str {
    value["S"].as_str().unwrap_or_default()
}

/// DynamoDB's answer to a write.
fn nothing() -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/x-amz-json-1.0".parse().expect("a header"));
    (StatusCode::OK, headers, Bytes::from_static(b"{}"))
}
