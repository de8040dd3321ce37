//! Mistakes that the functions do not make, made at the wire instead: the simulation must find each.

use super::invocation::Invocation;
use super::mutant::Mutant;
use super::wire::{Answer, Call};
use super::world::World;
use crate::chaos::lock;
use chat_local::InvocationFailed;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// A mistake, and the state that it needs.
pub struct Mutation {
    mutant: Mutant,
    /// What was read too early, by invocation.
    early: Mutex<BTreeMap<String, Value>>,
    /// The number of its join, by invocation.
    joins: Mutex<BTreeMap<String, Value>>,
    /// Writes that wait for the first push, by invocation.
    waiting: Mutex<BTreeMap<String, Vec<(String, Value)>>>,
    /// The last answer to a count, by room, and how many there were.
    counts: Mutex<BTreeMap<String, (u64, Value)>>,
    rooms: Mutex<BTreeSet<String>>,
    /// Invocations whose message had no place.
    refused: Mutex<BTreeSet<String>>,
    stores: Mutex<u64>,
}

impl Mutation {
    pub fn new(mutant: Mutant) -> Self {
        Self {
            mutant,
            early: Mutex::default(),
            joins: Mutex::default(),
            waiting: Mutex::default(),
            counts: Mutex::default(),
            rooms: Mutex::default(),
            refused: Mutex::default(),
            stores: Mutex::default(),
        }
    }

    /// Comes before a function begins.
    pub fn begins(&self, world: &World, invocation: &Invocation, room: &str) {
        let too_early = match self.mutant {
            Mutant::MembersReadBeforeCounting => invocation.function == "send-message",
            Mutant::MembersReadBeforeCommit => invocation.function == "change-message",
            Mutant::MembersReadBeforeLastId => invocation.function == "deliver",
            _ => false,
        };
        if too_early {
            let members = world.ask("Query", &members_of(&format!("ROOM#{room}"))).body;
            lock(&self.early).insert(invocation.label.clone(), members);
        }
    }

    /// Whether a call of the management API is answered as if it had been carried out.
    pub fn swallows(&self, invocation: &Invocation, call: &Call) -> bool {
        let makes_place = invocation.function == "connect";
        let deletes = call.operation == "DELETE";
        match self.mutant {
            Mutant::ClosedAreNotEnded => deletes && !makes_place,
            Mutant::ForgottenThoughNotEnded => deletes && makes_place,
            _ => false,
        }
    }

    /// Whether an invocation is answered as if Lambda had taken it.
    pub fn forgets(&self, invocation: &Invocation) -> bool {
        match self.mutant {
            Mutant::RefusedWakesNobody => lock(&self.refused).contains(&invocation.label),
            Mutant::AckBeforeWake => self.every(5),
            _ => false,
        }
    }

    /// Whether a hand is answered as if it had posted to its part.
    pub fn leaves_out(&self, call: &Call) -> bool {
        self.mutant == Mutant::PartLeftOut && is_hand(&call.body) && call.body["upTo"].is_null()
    }

    /// Comes after a function has ended. Answers what Lambda takes it for.
    pub fn ended(
        &self,
        invocation: &Invocation,
        answer: Result<Value, InvocationFailed>,
    ) -> Result<Value, InvocationFailed> {
        let is_mended = self.mutant == Mutant::FailedIsNotRepeated && invocation.function == "deliver";
        if is_mended { answer.or(Ok(Value::Null)) } else { answer }
    }

    /// Comes after a push. The writes that waited for it are carried out, or the function dies.
    pub fn pushed(&self, world: &World, invocation: &Invocation) {
        for (operation, body) in lock(&self.waiting).remove(&invocation.label).unwrap_or_default() {
            if self.every(5) {
                return invocation.kill.notify_one();
            }
            world.ask(&operation, &body);
        }
    }

    /// Carries out a call of DynamoDB, in its wrong way.
    pub fn apply(&self, world: &World, invocation: &Invocation, call: &Call) -> Answer {
        let (operation, mut body) = (call.operation.as_str(), call.body.clone());
        let is = |key: &str, prefix: &str| text(&call.body["Key"][key]).starts_with(prefix);
        let update = call.body["UpdateExpression"].as_str().unwrap_or_default();
        let condition = call.body["ConditionExpression"].as_str().unwrap_or_default();
        let counts = operation == "UpdateItem" && is("SK", "HEAD");
        let adds_room = operation == "UpdateItem" && update.starts_with("SET roomNumbers");
        let verifies = operation == "BatchGetItem" && invocation.function == "join-room";
        match self.mutant {
            Mutant::PushBeforeStore if stores(operation, &body) => {
                lock(&self.waiting).entry(invocation.label.clone()).or_default().push((operation.to_owned(), body));
                return nothing();
            }
            Mutant::RetryRowForgotten => {
                if let Some(writes) = body["TransactItems"].as_array_mut() {
                    writes.retain(|write| !text(&write["Put"]["Item"]["SK"]).starts_with("SENT#"));
                }
            }
            Mutant::MembersReadBeforeCounting | Mutant::MembersReadBeforeCommit
                if members(operation, &body).is_some() =>
            {
                if let Some(early) = lock(&self.early).remove(&invocation.label) {
                    return Answer::of(200, early);
                }
            }
            Mutant::LastIdReadBeforeJoining if adds_room => {
                let room = body["ExpressionAttributeNames"]["#room"].as_str().unwrap_or_default();
                let key = json!({"PK": {"S": format!("ROOM#{room}")}, "SK": {"S": "HEAD"}});
                let head = world.ask("GetItem", &json!({"TableName": "ChatTable", "Key": key})).body["Item"].take();
                lock(&self.early).insert(invocation.label.clone(), head);
            }
            Mutant::LastIdReadBeforeJoining if verifies => {
                let mut answer = world.ask(operation, &body);
                if let Some(head) = lock(&self.early).remove(&invocation.label) {
                    answer.body["Responses"]["ChatTable"] = if head.is_null() { json!([]) } else { json!([head]) };
                }
                return answer;
            }
            Mutant::ChangesReadBeforeJoining if adds_room => {
                let room = body["ExpressionAttributeNames"]["#room"].as_str().unwrap_or_default();
                let key = json!({"PK": {"S": format!("ROOM#{room}")}, "SK": {"S": "CHANGED"}});
                let row = world.ask("GetItem", &json!({"TableName": "ChatTable", "Key": key})).body["Item"].take();
                lock(&self.early).insert(invocation.label.clone(), row);
            }
            Mutant::ChangesReadBeforeJoining if verifies => {
                let mut answer = world.ask(operation, &body);
                if let (Some(early), Some(rows)) =
                    (lock(&self.early).remove(&invocation.label), answer.body["Responses"]["ChatTable"].as_array_mut())
                {
                    rows.retain(|row| text(&row["SK"]) != "CHANGED");
                    rows.extend((!early.is_null()).then_some(early));
                }
                return answer;
            }
            Mutant::PushBeforeCommit if commits(operation, &body) => {
                lock(&self.waiting).entry(invocation.label.clone()).or_default().push((operation.to_owned(), body));
                return nothing();
            }
            Mutant::ChangeNotListed if commits(operation, &body) => {
                writes(&mut body).retain(|write| !text(&write["Put"]["Item"]["SK"]).starts_with("CHG#"));
            }
            Mutant::EditsForgotten if commits(operation, &body) => {
                for update in writes(&mut body).iter_mut().filter(|write| changes_message(write)) {
                    let expression = update["Update"]["UpdateExpression"].as_str().unwrap_or_default();
                    let expression = expression.replace("edits = :edits, ", "");
                    update["Update"]["UpdateExpression"] = json!(expression);
                    if let Some(values) = update["Update"]["ExpressionAttributeValues"].as_object_mut() {
                        values.remove(":edits");
                    }
                }
            }
            Mutant::ChangedWhateverTheVersion if commits(operation, &body) => {
                for update in writes(&mut body).iter_mut().filter(|write| changes_message(write)) {
                    let update = &mut update["Update"];
                    update["ConditionExpression"] = json!("attribute_exists(PK)");
                    if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
                        values.remove(":old");
                    }
                }
            }
            Mutant::NumberedWhateverIsThere if commits(operation, &body) => {
                let counts = |write: &&mut Value| text(&write["Update"]["Key"]["SK"]) == "CHANGED";
                for update in writes(&mut body).iter_mut().filter(counts) {
                    let update = &mut update["Update"];
                    update.as_object_mut().expect("an update").remove("ConditionExpression");
                    if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
                        values.remove(":seen");
                    }
                }
            }
            Mutant::ReactionCountedTwice if update.contains("reacted :step") => {
                let condition = condition.split(" AND NOT contains").next().unwrap_or_default();
                let condition = condition.split(" AND contains").next().unwrap_or_default();
                body["ConditionExpression"] = json!(condition);
                if let Some(values) = body["ExpressionAttributeValues"].as_object_mut() {
                    values.remove(":user");
                    values.remove(":most");
                }
            }
            Mutant::IdsGivenTwice if counts => {
                let room = text(&body["Key"]["PK"]).to_owned();
                if let Some((count, answer)) = lock(&self.counts).get_mut(&room) {
                    *count += 1;
                    if count.is_multiple_of(5) {
                        return Answer::of(200, answer.clone());
                    }
                }
                let answer = world.ask(operation, &body);
                lock(&self.counts).entry(room).or_insert_with(|| (0, Value::Null)).1 = answer.body.clone();
                return answer;
            }
            Mutant::PushedToAnotherRoom => {
                if let Some(room) = members(operation, &body) {
                    lock(&self.rooms).insert(room.clone());
                    let other = lock(&self.rooms).iter().find(|known| **known != room).cloned();
                    if let Some(other) = other.filter(|_| self.every(5)) {
                        body["ExpressionAttributeValues"][":pk"] = json!({"S": other});
                    }
                }
            }
            Mutant::MembersNeverRemoved if operation == "DeleteItem" && is("PK", "ROOM#") => return nothing(),
            Mutant::StoreForgotten if stores(operation, &body) && self.every(7) => return nothing(),
            Mutant::JoinNotVerified if adds_room => {
                let answer = world.ask(operation, &body);
                lock(&self.joins).insert(invocation.label.clone(), answer.body["Attributes"]["joinCount"].clone());
                return answer;
            }
            Mutant::JoinNotVerified if verifies => {
                let mut answer = world.ask(operation, &body);
                let names = &body["RequestItems"]["ConnectionsTable"]["ExpressionAttributeNames"];
                let room = names["#room"].as_str().unwrap_or_default();
                let number = lock(&self.joins).remove(&invocation.label).unwrap_or_default();
                answer.body["Responses"]["ConnectionsTable"] =
                    json!([{"PK": {"S": ""}, "roomNumbers": {"M": {room: number}}}]);
                return answer;
            }
            Mutant::RoomRemovedWhateverTheNumber if update.starts_with("REMOVE roomNumbers") => {
                body["ConditionExpression"] = json!("attribute_exists(roomNumbers.#room)");
                without_values(&mut body);
            }
            Mutant::MemberWrittenOverALaterOne if operation == "PutItem" && condition.contains("#join <=") => {
                without_condition(&mut body);
            }
            Mutant::UndoneWhateverTheNumber if operation == "DeleteItem" && condition == "#join = :join" => {
                without_condition(&mut body);
            }
            Mutant::OpenedWhateverIsThere if operation == "PutItem" && text(&body["Item"]["SK"]) == "CONN" => {
                without_condition(&mut body);
            }
            Mutant::ClosedOnlyIfThere if update.contains("expiresAt = if_not_exists") => {
                let there = json!({"TableName": body["TableName"], "Key": body["Key"], "ConsistentRead": true});
                if world.ask("GetItem", &there).body["Item"].is_null() {
                    return nothing();
                }
            }
            Mutant::EncodingForgotten if operation == "PutItem" => {
                let item = &mut body["Item"];
                if text(&item["SK"]).starts_with("CONN#")
                    && let Some(item) = item.as_object_mut()
                {
                    item.remove("encoding");
                }
            }
            Mutant::CountedWhoeverIsBarred if counts && update.contains("ADD lastId") => {
                let condition = condition.split(" AND (attribute_not_exists(muted").next().unwrap_or_default();
                body["ConditionExpression"] = json!(condition);
                if let Some(body) = body.as_object_mut() {
                    body.remove("ExpressionAttributeNames");
                }
                if let Some(values) = body["ExpressionAttributeValues"].as_object_mut() {
                    values.remove(":second");
                }
            }
            Mutant::BansNotLookedAt if verifies => {
                let mut answer = world.ask(operation, &body);
                for row in answer.body["Responses"]["ChatTable"].as_array_mut().into_iter().flatten() {
                    if let Some(row) = row.as_object_mut() {
                        row.remove("banned");
                    }
                }
                return answer;
            }
            Mutant::BarNotCopied if is("SK", "CHANGED") && update.starts_with("SET muted") => return nothing(),
            Mutant::CursorPassesHoles if invocation.function == "deliver" && reads_messages(&body) => {
                let mut answer = world.ask(operation, &body);
                fill_holes(&body, &mut answer.body);
                return answer;
            }
            Mutant::RestsWhateverWasCounted if update.starts_with("REMOVE courier") => {
                without_clause(&mut body, " AND lastId = :pushed", ":pushed");
            }
            Mutant::RestsWhateverWasChanged if update.starts_with("REMOVE courier") => {
                without_clause(&mut body, " AND changes = :changes", ":changes");
                without_clause(&mut body, " AND attribute_not_exists(changes)", "");
            }
            Mutant::StoredOverASeal if stores(operation, &body) => {
                for write in body["TransactItems"].as_array_mut().into_iter().flatten() {
                    if text(&write["Put"]["Item"]["SK"]).starts_with("MSG#") {
                        without_condition(&mut write["Put"]);
                    }
                }
                if operation == "PutItem" && body["Item"]["isVoid"].is_null() {
                    without_condition(&mut body);
                }
            }
            Mutant::RefusedWakesNobody if counts && update.contains("ADD lastId") => {
                let answer = world.ask(operation, &body);
                if answer.status != 200 {
                    lock(&self.refused).insert(invocation.label.clone());
                }
                return answer;
            }
            Mutant::MembersReadBeforeLastId
                if invocation.function == "deliver" && members(operation, &body).is_some() =>
            {
                if let Some(early) = lock(&self.early).get(&invocation.label) {
                    return Answer::of(200, early.clone());
                }
            }
            Mutant::PartEndsBeforeItsCut if invocation.function == "deliver" && reads_part(&body) => {
                let mut answer = world.ask(operation, &body);
                let cut = &body["ExpressionAttributeValues"][":last"];
                if let Some(rows) = answer.body["Items"].as_array_mut() {
                    rows.retain(|row| row["SK"] != *cut);
                }
                return answer;
            }
            Mutant::StepsWhoeverHasTheRoom if counts && update.starts_with("SET pushed = :pushed") => {
                body["ConditionExpression"] = json!("attribute_exists(PK)");
                if let Some(values) = body["ExpressionAttributeValues"].as_object_mut() {
                    values.remove(":me");
                    values.remove(":after");
                }
            }
            Mutant::KnockForgotten if counts && update.starts_with("SET changes = :change") => {
                let there = json!({"TableName": body["TableName"], "Key": body["Key"], "ConsistentRead": true});
                let mut head = world.ask("GetItem", &there).body["Item"].take();
                if head["pushed"].is_object() {
                    head["changes"] = body["ExpressionAttributeValues"][":change"].clone();
                    head["changed"] = body["ExpressionAttributeValues"][":before"].clone();
                    return Answer::of(200, json!({"Attributes": head}));
                }
            }
            Mutant::SendsNotLookedAt if operation == "GetItem" && is("SK", "CONN") => {
                return Answer::of(200, json!({"Item": {"PK": body["Key"]["PK"]}}));
            }
            _ => {}
        }
        world.ask(operation, &body)
    }

    /// Whether this is one of every `many`.
    fn every(&self, many: u64) -> bool {
        let mut stores = lock(&self.stores);
        *stores += 1;
        stores.is_multiple_of(many)
    }
}

fn without_condition(body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("ConditionExpression");
        body.remove("ExpressionAttributeNames");
        body.remove("ReturnValuesOnConditionCheckFailure");
    }
    without_values(body);
}

/// Leaves a part of a condition out, and the value that no expression names then.
fn without_clause(body: &mut Value, clause: &str, value: &str) {
    let condition = body["ConditionExpression"].as_str().unwrap_or_default();
    if condition.contains(clause) {
        body["ConditionExpression"] = json!(condition.replace(clause, ""));
        if let Some(values) = body["ExpressionAttributeValues"].as_object_mut() {
            values.remove(value);
        }
    }
}

/// Whether a query reads what stands under a room's ids.
fn reads_messages(body: &Value) -> bool {
    text(&body["ExpressionAttributeValues"][":first"]).starts_with("MSG#")
}

/// Whether a query reads a part of a room's members.
fn reads_part(body: &Value) -> bool {
    text(&body["ExpressionAttributeValues"][":first"]).starts_with("CONN#")
}

/// Whether an event of the courier's function is a part of a round.
pub fn is_hand(event: &Value) -> bool {
    event["frame"].is_string()
}

/// Says of ids that nothing stands under that they are void.
fn fill_holes(query: &Value, answer: &mut Value) {
    let values = &query["ExpressionAttributeValues"];
    let id = |key: &Value| text(key).trim_start_matches("MSG#").parse::<u64>().unwrap_or_default();
    let (first, last) = (id(&values[":first"]), id(&values[":last"]));
    let Some(rows) = answer["Items"].as_array_mut() else { return };
    let there: BTreeSet<u64> = rows.iter().map(|row| id(&row["SK"])).collect();
    let void = |id: u64| json!({"PK": values[":pk"], "SK": {"S": format!("MSG#{id:016}")}, "isVoid": {"BOOL": true}});
    rows.extend((first..=last).filter(|id| !there.contains(id)).map(void));
    rows.sort_by_key(|row| id(&row["SK"]));
}

/// DynamoDB refuses values that no expression names.
fn without_values(body: &mut Value) {
    if let Some(body) = body.as_object_mut() {
        body.remove("ExpressionAttributeValues");
    }
}

/// A query of a room's members, as the functions make it.
fn members_of(partition: &str) -> Value {
    json!({
        "TableName": "ConnectionsTable",
        "ConsistentRead": true,
        "KeyConditionExpression": "PK = :pk AND begins_with(SK, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": partition}, ":prefix": {"S": "CONN#"}},
    })
}

/// The partition of the room whose members a query reads.
fn members(operation: &str, body: &Value) -> Option<String> {
    let values = &body["ExpressionAttributeValues"];
    (operation == "Query" && text(&values[":prefix"]) == "CONN#").then(|| text(&values[":pk"]).to_owned())
}

/// Whether a call stores a message.
fn stores(operation: &str, body: &Value) -> bool {
    let is_message = |item: &Value| text(&item["SK"]).starts_with("MSG#");
    match operation {
        "PutItem" => is_message(&body["Item"]),
        "TransactWriteItems" => {
            let writes = body["TransactItems"].as_array();
            writes.is_some_and(|writes| writes.iter().any(|write| is_message(&write["Put"]["Item"])))
        }
        _ => false,
    }
}

/// Whether a call commits a change of a message.
fn commits(operation: &str, body: &Value) -> bool {
    operation == "TransactWriteItems"
        && body["TransactItems"].as_array().is_some_and(|writes| writes.iter().any(changes_message))
}

fn changes_message(write: &Value) -> bool {
    text(&write["Update"]["Key"]["SK"]).starts_with("MSG#")
}

fn writes(body: &mut Value) -> &mut Vec<Value> {
    body["TransactItems"].as_array_mut().expect("a transaction")
}

fn text(value: &Value) -> &str {
    value["S"].as_str().unwrap_or_default()
}

/// The answer to a write.
fn nothing() -> Answer {
    Answer::of(200, json!({}))
}
