//! A strict API Gateway. It refuses what AWS refuses, because a lenient emulator hides bugs.

mod authorizer;
mod connections;
mod events;
mod http;
mod ids;
mod kept_events;
mod lambda;
mod limits;
mod local_only;
mod management;
mod polling;
mod reviewer;
mod schedule;
mod throttle;
mod websocket;

pub use ids::Ids;
pub use limits::Limits;
pub(crate) use reviewer::Reviewer;
pub use throttle::Bucket;

use crate::functions::Functions;
use crate::template::Template;
use crate::tokens::Tokens;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use connections::Connections;
use limits::STOP_GRACE;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use throttle::Throttles;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Both APIs of the template, and the connections that are open.
pub(crate) struct Gateway {
    template: Template,
    functions: Functions,
    tokens: Tokens,
    limits: Limits,
    ids: Ids,
    connections: Connections,
    throttles: Throttles,
    /// Who is asked before a message is stored, if anybody.
    reviewer: Option<Reviewer>,
    /// The tasks of handshakes and sockets, and the invocations they started.
    tasks: TaskTracker,
    /// Those of them that run functions for events.
    kept_events: TaskTracker,
    closing: CancellationToken,
}

impl Gateway {
    pub fn new(
        template: Template,
        functions: Functions,
        tokens: Tokens,
        limits: Limits,
        ids: Ids,
        reviewer: Option<Reviewer>,
    ) -> Arc<Self> {
        let throttles = Throttles::new(&template, limits.account);
        Arc::new(Self {
            template,
            // What functions do after their answers is waited for as well.
            tasks: functions.afterwards().clone(),
            functions,
            tokens,
            limits,
            ids,
            connections: Connections::default(),
            throttles,
            reviewer,
            kept_events: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }

    /// The WebSocket API under its stage, its management API below it, the HTTP API under its own paths, and the page.
    pub fn router(self: &Arc<Self>) -> Router {
        let stage = &self.template.websocket.stage;
        let mut router = Router::new()
            .route(&format!("/{stage}"), get(websocket::handshake))
            // Some clients of Socket.IO always write it so.
            .route(&format!("/{stage}/"), get(websocket::handshake))
            .route(&format!("/{stage}/@connections/{{id}}"), any(management::serve))
            .route("/2015-03-31/functions/{name}/invocations", any(lambda::serve))
            .route("/local/token", any(local_only::token))
            .route("/local/endpoints", get(local_only::endpoints))
            .fallback(http::elsewhere);
        // A path that several methods share is one route of the server.
        let paths: BTreeSet<_> = self.template.http.routes.iter().map(|route| &route.path).collect();
        for path in paths {
            router = router.route(path, any(http::serve));
        }
        router.with_state(Arc::clone(self))
    }

    /// How long the head of a request may take.
    pub fn request_patience(&self) -> Duration {
        self.limits.request
    }

    /// The ids of the connections that are open.
    pub fn open(&self) -> Vec<String> {
        self.connections.ids()
    }

    /// How many handshakes, sockets and invocations are under way.
    pub fn under_way(&self) -> usize {
        self.tasks.len()
    }

    /// How many events functions are still run for.
    pub fn kept_events(&self) -> usize {
        self.kept_events.len()
    }

    fn stage(&self) -> &str {
        &self.template.websocket.stage
    }

    /// Closes all sockets and waits until `$disconnect` has run for each.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_GRACE, self.tasks.wait()).await.is_err() {
            tracing::warn!(left = self.tasks.len(), "stopping although some connections did not close");
        }
    }
}

/// API Gateway's own error bodies.
fn refuse(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({"message": message}))).into_response()
}
