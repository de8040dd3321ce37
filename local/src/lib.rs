//! The whole system on a laptop: `template.yaml` read, API Gateway emulated strictly, DynamoDB embedded, a strict S3, and the very
//! handlers that run on Lambda.
//!
//! The functions' code is the deployed code. It speaks the real protocols of DynamoDB and the management API to
//! loopback ports, and every event and reply is the JSON that Lambda would carry.

mod dynamodb;
mod functions;
mod gateway;
mod in_memory;
mod interference;
mod invoke;
mod page;
mod s3;
mod server;
mod template;
mod tokens;

pub use dynamodb::Tables;
pub use functions::InvocationFailed;
pub use gateway::{Bucket, Limits};
pub use in_memory::{InMemory, Inside};
pub use interference::{AroundRest, Delivery, Interference, Plan, Rest};
pub use invoke::{Running, invoke};
pub use template::{HttpRoute, Template, Throttle};
pub use tokens::Tokens;

use crate::functions::{Endpoints, Functions};
use anyhow::{Context, Result};
use dynamodb::DynamoDb;
use functions::local_key;
use gateway::{Gateway, Ids, Reviewer};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The template's parameter that tokens are signed with.
const TOKEN_SECRET: &str = "TokenSecret";

/// The template's parameter that names who reviews messages.
const REVIEW_FUNCTION: &str = "ReviewFunctionArn";

/// How long a server may take to finish the requests that are under way when it is stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the page and both APIs; 0 takes a free one.
    pub port: u16,
    /// Port of the DynamoDB endpoint; 0 takes a free one.
    pub dynamodb_port: u16,
    /// Port of the S3 endpoint; 0 takes a free one.
    pub s3_port: u16,
    /// Folder that tables and files are kept in; none keeps them in memory.
    pub data: Option<PathBuf>,
    pub template: PathBuf,
    /// Values for the template's parameters. Without a `TokenSecret` one is made for this run.
    pub parameters: BTreeMap<String, String>,
    pub limits: Limits,
    /// Address of whoever is asked before a message is stored, as [`ReviewFunctionArn`](REVIEW_FUNCTION) is on AWS.
    pub review: Option<String>,
    /// Makes invocations go wrong, in tests.
    pub interference: Option<Arc<dyn Interference>>,
}

/// A running system. If it is dropped without [`Local::stop`], its tasks run until the process ends.
pub struct Local {
    address: SocketAddr,
    stage: String,
    takes_packets: bool,
    tokens: Tokens,
    gateway: Arc<Gateway>,
    server: JoinHandle<()>,
    stop_server: CancellationToken,
    dynamodb: DynamoDb,
    s3: s3::Serving,
}

impl Local {
    /// Starts everything. An error, such as a port in use or a broken template, fits on one line.
    #[allow(clippy::disallowed_methods, reason = "the server lasts as long as the run")]
    pub async fn start(options: Options) -> Result<Self> {
        let mut parameters = options.parameters;
        let tokens = match parameters.get(TOKEN_SECRET) {
            Some(secret) => Tokens::signed_with(secret)?,
            None => Tokens::signed_with(&tokens::new_secret())?,
        };
        parameters.insert(TOKEN_SECRET.into(), tokens.secret().into());
        let reviewer = options.review.as_deref().map(Reviewer::at).transpose()?;
        if reviewer.is_some() {
            parameters.insert(REVIEW_FUNCTION.into(), Reviewer::arn());
        }
        let path = options.template.display();
        let text = std::fs::read_to_string(&options.template).with_context(|| format!("failed to read {path}"))?;
        let template = Template::parse(&text, &parameters).with_context(|| format!("{path} cannot be run"))?;

        let listener = listen(options.port, "--port").await?;
        let address = listener.local_addr()?;
        let dynamodb = listen(options.dynamodb_port, "--dynamodb-port").await?;
        let dynamodb = DynamoDb::start(dynamodb, options.data.as_deref(), &template.tables).await?;
        let s3 = listen(options.s3_port, "--s3-port").await?;
        let files = s3::S3::new(&template.buckets, options.data.as_deref(), local_key(), options.limits.request)?;
        let s3 = s3::Serving::start(s3, &files)?;
        let gateway = format!("http://{address}");
        let endpoints = Endpoints::new(dynamodb.url(), &gateway, &s3.url, &template.websocket.stage);
        let functions = Functions::new(&template.functions, &endpoints, options.interference, None)?;

        let stage = template.websocket.stage.clone();
        let takes_packets = template.takes_packets();
        let gateway = Gateway::new(template, functions, tokens.clone(), options.limits, Ids::random(), reviewer);
        gateway.keep_time();
        let stop_server = CancellationToken::new();
        let serve = server::serve(listener, gateway.router(), options.limits.request, stop_server.clone());
        let server = tokio::spawn(serve);
        Ok(Self { address, stage, takes_packets, tokens, gateway, server, stop_server, dynamodb, s3 })
    }

    /// Base of the page and the HTTP API, without a slash at its end.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where frontends connect.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}/{}", self.address, self.stage)
    }

    /// The `path` of a client of Socket.IO, if it is let in.
    pub fn socket_io_path(&self) -> Option<String> {
        self.takes_packets.then(|| format!("/{}", self.stage))
    }

    /// What `AWS_ENDPOINT_URL_DYNAMODB` is set to.
    pub fn dynamodb_url(&self) -> &str {
        self.dynamodb.url()
    }

    /// What `AWS_ENDPOINT_URL_S3` is set to.
    pub fn s3_url(&self) -> &str {
        &self.s3.url
    }

    /// What `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI` is set to.
    pub fn management_url(&self) -> String {
        format!("http://{}/{}", self.address, self.stage)
    }

    /// How many handshakes, sockets and invocations are under way, with the events that functions are still run for.
    pub fn under_way(&self) -> usize {
        self.gateway.under_way()
    }

    /// How many events functions are still run for.
    pub fn kept_events(&self) -> usize {
        self.gateway.kept_events()
    }

    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Closes every connection, lets `$disconnect` clean up after each, then stops the servers.
    pub async fn stop(self) -> Result<()> {
        self.gateway.close().await;
        self.stop_server.cancel();
        // It ends by itself, within its grace.
        let _ = self.server.await;
        self.s3.stop().await;
        self.dynamodb.stop().await
    }
}

/// Waits for a server to end, but not for a client that has sent half a request.
async fn end<T>(mut server: JoinHandle<T>) -> Option<T> {
    let ended = tokio::time::timeout(STOP_GRACE, &mut server).await;
    server.abort();
    ended.ok()?.ok()
}

async fn listen(port: u16, option: &str) -> Result<TcpListener> {
    let taken = || format!("failed to listen on 127.0.0.1:{port}; {option} chooses another port");
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(taken)
}
