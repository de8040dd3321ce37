use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// Stands between a function and DynamoDB, passes every call on and remembers what it was.
pub struct Recorder {
    url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Passage {
    target: String,
    http: reqwest::Client,
    calls: Arc<Mutex<Vec<String>>>,
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

    /// The operations that were called since the last time, sorted: those of one step run side by side.
    pub fn take(&self) -> Vec<String> {
        let mut calls = std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.sort();
        calls
    }
}

async fn pass_on(State(passage): State<Passage>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    passage.calls.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    let answer = passage.http.post(&passage.target).headers(headers).body(body).send().await.expect("an answer");
    (answer.status(), answer.headers().clone(), answer.bytes().await.expect("a body"))
}
