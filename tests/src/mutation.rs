//! Mistakes that the functions do not make, made at the wire instead: the checker must notice each.

use crate::chaos::{Call, Chaos, lock};
use crate::proxy::Answer;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How many invocations are held after the step that comes too early, until another invocation came between.
const HELD: usize = 3;

/// How long an invocation is held if no other one comes: near the end nobody may send or join any more.
const HOLD_MAX: Duration = Duration::from_secs(15);

/// An invocation for a room, as its event describes it.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    number: u64,
    function: String,
    /// The room's key, if the event names a room.
    room: String,
    connection: String,
}

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
    /// Members are never removed.
    MembersNeverRemoved,
    /// Every seventh message is not stored, and its sender gets an ack.
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

/// A mistake, and the state that it needs.
pub struct Mutation {
    mistake: Mistake,
    /// What was read too early, by invocation.
    early: Mutex<HashMap<u64, Answer>>,
    /// Writes that wait for the first push, by invocation.
    waiting: Mutex<HashMap<u64, Vec<Call>>>,
    /// The last answer to a count, by room.
    counts: Mutex<HashMap<String, (u64, Answer)>>,
    /// A query of each room's members.
    members: Mutex<HashMap<String, Call>>,
    stores: Mutex<u64>,
    /// Every invocation that began.
    begun: watch::Sender<Vec<Begun>>,
    /// Connections that joined, with the room.
    joined: Mutex<BTreeSet<(String, String)>>,
    /// How many invocations were held long enough. The lock is kept while one is held: the invocations that are to come
    /// between must not be held themselves.
    holds: tokio::sync::Mutex<usize>,
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
            begun: watch::Sender::default(),
            joined: Mutex::default(),
            holds: tokio::sync::Mutex::default(),
        }
    }

    /// Takes note of an invocation that begins.
    pub(crate) fn begin(&self, function: &str, event: &Value, number: u64) -> Begun {
        let body: Value = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let connection = event["requestContext"]["connectionId"].as_str().unwrap_or_default().to_owned();
        let begun =
            Begun { number, function: function.into(), room: format!("ROOM#{}", body["chatroomId"]), connection };
        self.begun.send_modify(|all| all.push(begun.clone()));
        begun
    }

    /// Does the early step before the function begins, so that the function's time-out does not run meanwhile.
    pub(crate) async fn before(&self, chaos: &Chaos, begun: Begun) {
        match (self.mistake, begun.function.as_str()) {
            (Mistake::MembersReadBeforeCounting, "send-message") => self.read_members_early(chaos, &begun).await,
            (Mistake::LastIdReadBeforeJoining, "join-room") => self.read_last_id_early(chaos, &begun).await,
            _ => {}
        }
    }

    async fn read_members_early(&self, chaos: &Chaos, send: &Begun) {
        let query = lock(&self.members).get(&send.room).cloned();
        let Some(query) = query else { return };
        let since = self.begun.borrow().len();
        let early = chaos.pass_on(query).await;
        let members = String::from_utf8_lossy(&early.2).into_owned();
        lock(&self.early).insert(send.number, early);
        let joins = |other: &Begun| other.function == "join-room" && !members.contains(&other.connection);
        self.hold(chaos, send, since, joins).await;
    }

    async fn read_last_id_early(&self, chaos: &Chaos, join: &Begun) {
        let is_new = lock(&self.joined).insert((join.room.clone(), join.connection.clone()));
        let call = lock(&self.members).get(&join.room).cloned();
        let Some(call) = call else { return };
        let since = self.begun.borrow().len();
        let key = json!({"PK": {"S": join.room}, "SK": {"S": "HEAD"}});
        // The head is in another table than the members.
        let get = json!({"TableName": "ChatTable", "Key": key, "ConsistentRead": true});
        let early = chaos.pass_on(call.asking("GetItem", &get)).await;
        let spoken_in = early_item(&early).is_object();
        lock(&self.early).insert(join.number, early);
        // A device that joins again knows the messages already; and in a silent room there may never be one.
        if is_new && spoken_in {
            self.hold(chaos, join, since, |other| other.function == "send-message").await;
        }
    }

    /// Holds an invocation until another one for its room has begun after it and ended.
    async fn hold(&self, chaos: &Chaos, held: &Begun, since: usize, comes_between: impl Fn(&Begun) -> bool) {
        let Ok(mut holds) = self.holds.try_lock() else { return };
        if *holds == HELD {
            return;
        }
        let mut begun = self.begun.subscribe();
        let find = |all: &Vec<Begun>| {
            let mut later = all[since..].iter();
            later.find(|other| other.room == held.room && other.number != held.number && comes_between(other)).cloned()
        };
        let other = timeout(HOLD_MAX, begun.wait_for(|all| find(all).is_some())).await;
        let other = other.ok().and_then(|all| find(&all.expect("a list")));
        if let Some(other) = other {
            chaos.ended(other.number).await;
            *holds += 1;
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
        self.remember_query(&call, request);
        let early = queries_members(&call.operation, request).and_then(|_| lock(&self.early).remove(&call.number));
        match early {
            Some(early) => early,
            None => chaos.pass_on(call).await,
        }
    }

    async fn last_id_before_join(&self, chaos: &Chaos, call: Call, request: &Value) -> Answer {
        self.remember_query(&call, request);
        let number = call.number;
        let (reads_head, reads_many) = (text(&request["Key"]["SK"]) == "HEAD", call.operation == "BatchGetItem");
        let answer = match call.operation.as_str() {
            "GetItem" if reads_head => lock(&self.early).remove(&number),
            _ => None,
        };
        let answer = match answer {
            Some(early) => return early,
            None => chaos.pass_on(call).await,
        };
        let early = if reads_many { lock(&self.early).remove(&number) } else { None };
        early.map_or(answer.clone(), |early| with_head(&answer, &early_item(&early)))
    }

    /// Keeps a query of each room's members, to be made again.
    fn remember_query(&self, call: &Call, request: &Value) {
        if let Some(room) = queries_members(&call.operation, request) {
            lock(&self.members).entry(room).or_insert_with(|| call.clone());
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
            members.insert(room.clone(), call.clone());
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

    /// Whether this is one of every `many` stores.
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

/// The row in an answer to `GetItem`.
fn early_item(answer: &Answer) -> Value {
    serde_json::from_slice::<Value>(&answer.2).unwrap_or_default()["Item"].take()
}

/// An answer to `BatchGetItem` with another head of a room in it, or none.
fn with_head(answer: &Answer, head: &Value) -> Answer {
    let mut body: Value = serde_json::from_slice(&answer.2).expect("JSON");
    for rows in body["Responses"].as_object_mut().into_iter().flatten().filter_map(|(_, rows)| rows.as_array_mut()) {
        for row in rows.iter_mut().filter(|row| text(&row["SK"]) == "HEAD") {
            *row = head.clone();
        }
        rows.retain(|row| !row.is_null());
    }
    let mut headers = answer.1.clone();
    headers.remove("x-amz-crc32");
    (answer.0, headers, body.to_string().into())
}

/// The key of the room whose members a query reads.
fn queries_members(operation: &str, request: &Value) -> Option<String> {
    let values = &request["ExpressionAttributeValues"];
    let members = operation == "Query" && text(&values[":prefix"]) == "CONN#";
    members.then(|| text(&values[":pk"]).to_owned())
}

fn text(value: &Value) -> &str {
    value["S"].as_str().unwrap_or_default()
}

/// An empty answer, as DynamoDB gives to a write.
fn nothing() -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/x-amz-json-1.0".parse().expect("a header"));
    (StatusCode::OK, headers, Bytes::from_static(b"{}"))
}
