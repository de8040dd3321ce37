//! DynamoDB may do only a part of a batch when it throttles. The rest must be asked for again.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use chat::{Profile, UserId};
use chat_aws::Failure;
use chat_tests::proxy::{self, Answer, Passage, operation};
use chat_tests::{Server, caller, device_of, ghost, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads only so many keys of each batch, and returns the others as unprocessed.
struct Stingy {
    target: String,
    keys: usize,
    passage: Passage,
}

impl Stingy {
    /// Starts one before DynamoDB. Returns its URL.
    async fn before(target: &str, keys: usize) -> String {
        let stingy = Self { target: target.into(), keys, passage: Passage::new() };
        proxy::serve(Router::new().fallback(serve).with_state(Arc::new(stingy))).await
    }
}

/// The keys of a batch that are read, and the others, each by table.
fn divide(request: &Value, keys: usize) -> (Value, Value) {
    let (mut done, mut left) = (json!({}), json!({}));
    let mut count = 0;
    for (table, wanted) in request["RequestItems"].as_object().expect("a batch") {
        for key in wanted["Keys"].as_array().expect("keys") {
            let part = if count < keys { &mut done } else { &mut left };
            count += 1;
            if part[table].is_null() {
                part[table] = wanted.clone();
                part[table]["Keys"] = json!([]);
            }
            part[table]["Keys"].as_array_mut().expect("keys").push(key.clone());
        }
    }
    (done, left)
}

async fn serve(State(stingy): State<Arc<Stingy>>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut request: Value = serde_json::from_slice(&body).expect("JSON");
    let mut left = Value::Null;
    if operation(&headers) == "BatchGetItem" {
        (request["RequestItems"], left) = divide(&request, stingy.keys);
    }
    let (status, headers, mut answer) = if request["RequestItems"] == json!({}) {
        (StatusCode::OK, HeaderMap::new(), json!({"Responses": {}}))
    } else {
        let passed = stingy.passage.pass_on(Method::POST, &stingy.target, headers, request.to_string()).await;
        let (status, mut headers, body) = passed;
        headers.remove("x-amz-crc32");
        (status, headers, serde_json::from_slice(&body).expect("JSON"))
    };
    if !left.is_null() {
        answer["UnprocessedKeys"] = left;
    }
    (status, headers, answer.to_string().into())
}

#[tokio::test]
async fn what_a_batch_left_over_is_done_next() {
    let server = Server::start().await;
    let url = Stingy::before(server.dynamodb_url(), 1).await;
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &url)]);
    let people: BTreeSet<UserId> = ["1", "2", "3"].map(user).into();
    for id in &people {
        let profile = Profile { username: format!("user {id}"), ..Profile::unknown(id.clone()) };
        app.users.remember(&profile, 0, &device_of(&ghost("1").connection)).await.expect("remembered");
    }
    let profiles = app.users.profiles(people.clone(), &caller("1")).await.expect("profiles");
    assert!(people.iter().all(|id| profiles[id].username == format!("user {id}")), "{profiles:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_ever_done_is_a_fault() {
    let server = Server::start().await;
    let url = Stingy::before(server.dynamodb_url(), 0).await;
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &url)]);
    let read = app.users.profiles(["1"].map(user).into(), &caller("1")).await.expect_err("a fault");
    let Failure::Fault(fault) = read else { panic!("{read}") };
    assert_eq!(fault.chain().to_string(), "failed to read profiles: DynamoDB left keys over each time");
    server.stop().await;
}
