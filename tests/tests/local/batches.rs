//! DynamoDB may do a batch in part, when it throttles, and leaves the rest to be asked for again.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chat::{Profile, Timestamp, UserId};
use chat_aws::now;
use chat_tests::{Server, ghost, room, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Does one row of each batch, or none, and leaves the others.
struct Stingy {
    target: String,
    rows: usize,
    http: reqwest::Client,
}

impl Stingy {
    /// Answers the URL of one that stands before DynamoDB.
    async fn before(target: &str, rows: usize) -> String {
        let stingy = Self { target: target.into(), rows, http: reqwest::Client::new() };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(serve).with_state(Arc::new(stingy));
        #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}

/// The rows of a batch that are done, and those that are left over; each by table.
fn divide(request: &Value, rows: usize) -> (Value, Value) {
    let (mut done, mut left) = (json!({}), json!({}));
    let mut count = 0;
    for (table, wanted) in request["RequestItems"].as_object().expect("a batch") {
        let reads = wanted["Keys"].as_array();
        for row in reads.or_else(|| wanted.as_array()).expect("rows") {
            let part = if count < rows { &mut done } else { &mut left };
            count += 1;
            let list = if reads.is_some() { &mut part[table]["Keys"] } else { &mut part[table] };
            list.as_array_mut().map(|list| list.push(row.clone())).unwrap_or_else(|| *list = json!([row]));
            if reads.is_some() && !wanted["ConsistentRead"].is_null() {
                part[table]["ConsistentRead"] = wanted["ConsistentRead"].clone();
            }
        }
    }
    (done, left)
}

async fn serve(
    State(stingy): State<Arc<Stingy>>,
    mut headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request: Value = serde_json::from_slice(&body).expect("JSON");
    let target = headers["x-amz-target"].to_str().expect("ASCII").to_owned();
    let mut left = Value::Null;
    if target.contains(".Batch") {
        (request["RequestItems"], left) = divide(&request, stingy.rows);
    }
    headers.remove("content-length");
    let (status, headers, mut answer) = if request["RequestItems"] == json!({}) {
        (StatusCode::OK, HeaderMap::new(), json!({"Responses": {}}))
    } else {
        let sent = stingy.http.post(&stingy.target).headers(headers).body(request.to_string()).send().await;
        let sent = sent.expect("an answer");
        let (status, mut headers) = (sent.status(), sent.headers().clone());
        headers.remove("content-length");
        headers.remove("x-amz-crc32");
        (status, headers, sent.json().await.expect("JSON"))
    };
    if !left.is_null() {
        let name = if target.ends_with("BatchGetItem") { "UnprocessedKeys" } else { "UnprocessedItems" };
        answer[name] = left;
    }
    (status, headers, answer.to_string().into())
}

#[tokio::test]
async fn what_a_batch_left_over_is_done_next() {
    let server = Server::start().await;
    let url = Stingy::before(server.dynamodb_url(), 1).await;
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &url)]);
    let (room, member) = (room("1"), ghost("7"));
    app.connections.open(&member.connection, &member.user, now()).await.expect("opened");
    app.connections.enter(&member, &room, Timestamp::MAX).await.expect("entered");
    assert_eq!(server.keys("ConnectionsTable").await.len(), 4, "two rows of each batch, though one at a time");
    app.messages.next_id(&room).await.expect("an id");
    let arrival = app.arrivals.read(&member.connection, &room).await.expect("an arrival");
    assert_eq!((arrival.open, arrival.last_id.get()), (true, 1), "of two tables");

    let people: BTreeSet<UserId> = ["1", "2", "3"].map(user).into();
    for id in &people {
        let profile = Profile { username: format!("user {id}"), ..Profile::unknown(id.clone()) };
        app.users.remember(&profile, 0).await.expect("remembered");
    }
    let profiles = app.users.profiles(people.clone()).await.expect("profiles");
    assert!(people.iter().all(|id| profiles[id].username == format!("user {id}")), "{profiles:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_ever_done_is_a_fault() {
    let server = Server::start().await;
    let url = Stingy::before(server.dynamodb_url(), 0).await;
    let app = server.app_with(&[("AWS_ENDPOINT_URL_DYNAMODB", &url)]);
    let written = app.connections.enter(&ghost("7"), &room("1"), Timestamp::MAX).await.expect_err("a fault");
    let said = written.chain().to_string();
    assert_eq!(said, "failed to make a connection a member: DynamoDB left rows over each time");
    let read = app.users.profiles(["1"].map(user).into()).await.expect_err("a fault");
    assert_eq!(read.chain().to_string(), "failed to read profiles: DynamoDB left keys over each time");
    assert!(server.keys("ConnectionsTable").await.is_empty());
    server.stop().await;
}
