use crate::chaos::lock;
use crate::{proxy, schema};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use chat::ConnectionId;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A management API that keeps every post, and answers some connections with a status of their own. A 429 names its
/// error in a header, by which the SDK knows what to try again. A 410 does not: not every gateway names it.
pub struct Management {
    url: String,
    state: Arc<Known>,
}

#[derive(Default)]
struct Known {
    statuses: Mutex<HashMap<String, StatusCode>>,
    posts: Mutex<Vec<(ConnectionId, String)>>,
    attempts: Mutex<HashMap<String, usize>>,
    /// Whether calls wait for their answer.
    held: watch::Sender<bool>,
}

impl Management {
    pub async fn start() -> Self {
        let state = Arc::<Known>::default();
        let router = Router::new().route("/dev/@connections/{id}", any(answer)).with_state(Arc::clone(&state));
        let url = proxy::serve(router).await + "/dev";
        Self { url, state }
    }

    /// What `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI` is set to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers every call about a connection with this status from now on.
    pub fn refuse(&self, connection: &ConnectionId, status: u16) {
        let status = StatusCode::from_u16(status).expect("a status");
        lock(&self.state.statuses).insert(connection.to_string(), status);
    }

    /// Answers no call from now on, until it is let go.
    pub fn hold(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    /// The frames that were accepted since the last time, in order.
    pub fn take(&self) -> Vec<(ConnectionId, Value)> {
        let posts = self.take_texts();
        posts.into_iter().map(|(connection, frame)| (connection, schema::received(&frame))).collect()
    }

    /// The same as texts: packets are no frames of JSON.
    pub fn take_texts(&self) -> Vec<(ConnectionId, String)> {
        std::mem::take(&mut *lock(&self.state.posts))
    }

    /// How many calls there were about a connection, including refused ones.
    pub fn attempts(&self, connection: &ConnectionId) -> usize {
        lock(&self.state.attempts).get(connection.as_str()).copied().unwrap_or_default()
    }
}

async fn answer(State(known): State<Arc<Known>>, Path(id): Path<String>, method: Method, body: String) -> Response {
    *lock(&known.attempts).entry(id.clone()).or_default() += 1;
    // The sender is as old as the API.
    let _ = known.held.subscribe().wait_for(|held| !held).await;
    if let Some(status) = lock(&known.statuses).get(&id) {
        let named = [("x-amzn-errortype", "LimitExceededException")];
        let is_full = *status == StatusCode::TOO_MANY_REQUESTS;
        return if is_full { (*status, named).into_response() } else { status.into_response() };
    }
    if method == Method::POST {
        lock(&known.posts).push((ConnectionId::new(id), body));
    }
    StatusCode::OK.into_response()
}
