//! The local run without sockets, for a simulation: the same gateway and the same functions, on one thread, with a wire
//! and an interference that decide what happens.

use crate::functions::{Endpoints, Functions, environment, local_key};
use crate::gateway::{Gateway, Ids, Limits};
use crate::interference::Interference;
use crate::s3::S3;
use crate::server::answer_all;
use crate::template::{FunctionSpec, Template};
use crate::tokens::Tokens;
use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use chat_aws::simulation::Wire;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{DuplexStream, duplex};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Bytes that a socket holds before its reader must read: as many as the gateway buffers itself.
const SOCKET_BYTES: usize = 64 * 1_024;

/// Where every client comes from.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// What a run without sockets is made of.
pub struct Inside {
    pub template: Template,
    pub tokens: Tokens,
    pub limits: Limits,
    pub interference: Arc<dyn Interference>,
    pub wire: Arc<dyn Wire>,
    /// What ids are drawn from.
    pub seed: u64,
}

/// A run without sockets.
pub struct InMemory {
    gateway: Arc<Gateway>,
    router: Router,
    s3: Arc<S3>,
    stage: String,
    endpoints: Endpoints,
    stop: CancellationToken,
}

impl InMemory {
    pub fn new(inside: Inside) -> Result<Self> {
        let Inside { template, tokens, limits, interference, wire, seed } = inside;
        let stage = template.websocket.stage.clone();
        let endpoints = Endpoints::new(Self::DYNAMODB_URL, Self::GATEWAY_URL, Self::S3_URL, &stage);
        let functions = Functions::new(&template.functions, &endpoints, Some(interference), Some(&wire))?;
        let s3 = S3::new(&template.buckets, None, local_key(), limits.request)?;
        let gateway = Gateway::new(template, functions, tokens, limits, Ids::seeded(seed), None);
        let router = gateway.router();
        Ok(Self { gateway, router, s3, stage, endpoints, stop: CancellationToken::new() })
    }

    /// Where the wire gets DynamoDB's calls for.
    pub const DYNAMODB_URL: &'static str = "http://dynamodb";

    /// Where the wire gets the calls of the management API and of Lambda for.
    pub const GATEWAY_URL: &'static str = "http://gateway";

    /// Where the wire gets the calls of S3 for.
    pub const S3_URL: &'static str = "http://s3";

    /// Where a client opens its WebSocket, over a socket of [`connect`](Self::connect).
    pub fn websocket_url(&self) -> String {
        format!("ws://gateway/{}", self.stage)
    }

    /// A client's end of a new socket to the gateway.
    #[allow(clippy::disallowed_methods, reason = "it ends with its socket")]
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = duplex(SOCKET_BYTES);
        let head = self.gateway.request_patience();
        tokio::spawn(answer_all(far, PEER, self.router.clone(), head, self.stop.clone()));
        near
    }

    /// Answers a request to the HTTP API, the management API, or Lambda's invoke, as if it had come over a socket.
    pub async fn answer(&self, mut request: Request<Body>) -> Response {
        request.extensions_mut().insert(ConnectInfo(PEER));
        let Ok(response) = self.router.clone().oneshot(request).await;
        response
    }

    /// The same of S3.
    pub async fn answer_as_s3(&self, request: Request<Body>) -> Response {
        let Ok(response) = self.s3.router().oneshot(request).await;
        response
    }

    /// Puts a file into the only bucket, as if it had been uploaded.
    pub async fn keep_file(&self, key: &str) -> Result<()> {
        self.s3.keep(key).await
    }

    /// The keys of the files that there are.
    pub fn files(&self) -> Vec<String> {
        self.s3.keys()
    }

    /// What a function of this run has in its environment.
    pub fn environment(&self, id: &str, spec: &FunctionSpec) -> BTreeMap<String, String> {
        environment(id, spec, &self.endpoints)
    }

    /// The ids of the connections that are open.
    pub fn open(&self) -> Vec<String> {
        self.gateway.open()
    }

    /// How many events functions are still run for.
    pub fn kept_events(&self) -> usize {
        self.gateway.kept_events()
    }

    /// How many handshakes, sockets and invocations are under way.
    pub fn under_way(&self) -> usize {
        self.gateway.under_way()
    }
}
