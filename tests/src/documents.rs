use crate::chaos::lock;
use crate::proxy;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::{Arc, Mutex};

/// A host on this machine that answers every request with the same document, such as an identity provider's keys.
#[derive(Clone)]
pub struct Documents {
    url: String,
    served: Arc<Mutex<Served>>,
}

#[derive(Default)]
struct Served {
    /// `None` while it accepts requests and never answers.
    answer: Option<(StatusCode, String)>,
    asked: usize,
}

impl Documents {
    pub async fn start() -> Self {
        let served = Arc::default();
        let url = proxy::serve(Router::new().fallback(answer).with_state(Arc::clone(&served))).await;
        Self { url, served }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers with this document from now on.
    pub fn serve(&self, status: u16, document: &str) {
        let status = StatusCode::from_u16(status).expect("a status");
        lock(&self.served).answer = Some((status, document.to_owned()));
    }

    /// Never answers from now on.
    pub fn stall(&self) {
        lock(&self.served).answer = None;
    }

    /// The number of requests so far.
    pub fn asked(&self) -> usize {
        lock(&self.served).asked
    }
}

async fn answer(State(served): State<Arc<Mutex<Served>>>) -> (StatusCode, String) {
    let answer = {
        let mut served = lock(&served);
        served.asked += 1;
        served.answer.clone()
    };
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}
