use crate::Tls;
use futures_util::future;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Decides what a post is answered with, by its path and the first bytes of its frame.
pub type Judge = Arc<dyn Fn(&str, &[u8]) -> StatusCode + Send + Sync>;

/// Bytes of a frame that a judge sees.
const JUDGED_BYTES: usize = 256;

/// A management API that takes every post, each after a while, or those that a judge takes.
pub struct Posts {
    url: String,
    seen: Arc<Seen>,
}

/// What was posted since the last time.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    pub posts: usize,
    /// The sum of all frames.
    pub bytes: usize,
    /// The most sockets that were open at the same time.
    pub sockets: usize,
    /// When each post came, and when it was answered.
    pub spans: Vec<(Instant, Instant)>,
}

struct Seen {
    open: AtomicUsize,
    posted: Mutex<Posted>,
    /// Without one every post is counted; with one, the judge counts.
    judge: Option<Judge>,
}

impl Posts {
    /// Answers each post after `latency`, the time that API Gateway takes. With a certificate it serves TLS.
    pub async fn start(latency: Duration, tls: Option<&Tls>) -> Self {
        Self::serve(latency, tls, None).await
    }

    /// Answers each post as it is told: at once where that is no success.
    pub async fn judged(latency: Duration, judge: Judge) -> Self {
        Self::serve(latency, None, Some(judge)).await
    }

    async fn serve(latency: Duration, tls: Option<&Tls>, judge: Option<Judge>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = match tls {
            None => format!("http://{address}/dev"),
            Some(_) => format!("https://localhost:{}/dev", address.port()),
        };
        let seen = Arc::new(Seen { open: AtomicUsize::default(), posted: Mutex::default(), judge });
        let (tls, counted) = (tls.cloned(), Arc::clone(&seen));
        #[allow(clippy::disallowed_methods, reason = "they last as long as their test")]
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, tls.clone(), latency, Arc::clone(&counted)));
            }
        });
        Self { url, seen }
    }

    /// What `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI` is set to.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn take(&self) -> Posted {
        let mut posted = self.seen.posted();
        let sockets = self.seen.open.load(Ordering::Relaxed);
        std::mem::replace(&mut *posted, Posted { sockets, ..Posted::default() })
    }
}

impl Seen {
    fn posted(&self) -> std::sync::MutexGuard<'_, Posted> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

async fn serve(socket: TcpStream, tls: Option<Tls>, latency: Duration, seen: Arc<Seen>) {
    let open = seen.open.fetch_add(1, Ordering::Relaxed) + 1;
    {
        let mut posted = seen.posted();
        posted.sockets = posted.sockets.max(open);
    }
    // The answers are small, and waiting to fill a packet would be measured.
    let _ = socket.set_nodelay(true);
    let io: Option<Pin<Box<dyn Io>>> = match tls {
        None => Some(Box::pin(socket)),
        Some(tls) => tls.accept(socket).await.map(|socket| Box::pin(socket) as Pin<Box<dyn Io>>),
    };
    if let Some(io) = io {
        let answer = service_fn(|request| answer(request, latency, &seen));
        // However the client ends the connection, nothing is to be done.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(io), answer).await;
    }
    seen.open.fetch_sub(1, Ordering::Relaxed);
}

async fn answer(request: Request<Incoming>, latency: Duration, seen: &Seen) -> Result<Response<String>, Infallible> {
    let came = Instant::now();
    let (head, body) = request.into_parts();
    let mut body = pin!(body);
    let (mut bytes, mut first) = (0, Vec::new());
    while let Some(Ok(frame)) = future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Some(data) = frame.data_ref() else { continue };
        bytes += data.len();
        if seen.judge.is_some() {
            first.extend_from_slice(&data[..data.len().min(JUDGED_BYTES - first.len())]);
        }
    }
    let judged = seen.judge.as_ref().map(|judge| judge(head.uri.path(), &first));
    if let Some(refusal) = judged.filter(|status| !status.is_success()) {
        let mut refused = Response::new(String::new());
        *refused.status_mut() = refusal;
        return Ok(refused);
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency.saturating_sub(came.elapsed())).await;
    }
    if judged.is_some() {
        return Ok(Response::new(String::new()));
    }
    let mut posted = seen.posted();
    posted.posts += 1;
    posted.bytes += bytes;
    posted.spans.push((came, Instant::now()));
    drop(posted);
    Ok(Response::new(String::new()))
}
