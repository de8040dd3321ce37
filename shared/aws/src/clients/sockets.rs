//! HTTP/1.1 to DynamoDB, the management API and Lambda, over sockets that are kept, and never more than there may be.
//!
//! The SDK's own client looks for an idle socket and opens a new one at the same time. In a fan-out, where a post ends
//! and the next begins at once, it so opens more sockets than there are posts, each with a TLS handshake, and the more
//! the less CPU a function has. It also brings HTTP/2, a tenth of the binary, which is not spoken here.

use crate::limits::{ADDRESSES_KEPT, CONNECT_TIMEOUT, READ_TIMEOUT, SOCKET_IDLE_MAX, SOCKETS_PER_HOST};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// How long a request may take to be answered, if it carries one: longer than usual where another function works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience(pub Duration);

impl Patience {
    /// A request's own, or the usual one.
    pub(crate) fn of<B>(request: &Request<B>) -> Duration {
        request.extensions().get().map_or(READ_TIMEOUT, |Self(patience)| *patience)
    }
}

/// The sockets of a function, to all hosts.
#[derive(Clone)]
pub(crate) struct Http(Arc<Sockets>);

struct Sockets {
    tls: TlsConnector,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// Where requests go to: `https://dynamodb.eu-central-1.amazonaws.com`.
pub(crate) struct Host {
    name: String,
    port: u16,
    secure: bool,
    authority: HeaderValue,
    /// One for each socket that may be in use.
    permits: Semaphore,
    /// The one that was used last is at the end.
    idle: Mutex<Vec<Idle>>,
    /// What the name was resolved to, for all sockets of one burst.
    resolved: AsyncMutex<Option<(Instant, Vec<SocketAddr>)>>,
    /// The next lookup is made on the spot.
    at_once: AtomicBool,
    /// How many sockets were opened; they are spread over the addresses.
    opened: AtomicUsize,
}

struct Idle {
    sender: SendRequest<SdkBody>,
    since: Instant,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.clone();
        HttpConnectorFuture::new(async move { http.exchange(request).await })
    }
}

impl Http {
    pub(crate) fn new(tls: TlsConnector) -> Self {
        Self(Arc::new(Sockets { tls, hosts: Mutex::default() }))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let host = self.host(request.uri()).map_err(|error| ConnectorError::user(error.into()))?;
        request.headers_mut().entry(HOST).or_insert_with(|| host.authority.clone());
        if let Some(path) = request.uri().path_and_query() {
            *request.uri_mut() = path.clone().into();
        }
        let patience = Patience::of(&request);
        let _permit = host.permits.acquire().await.map_err(|error| ConnectorError::other(error.into(), None))?;
        loop {
            let kept = host.kept();
            let reused = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => timeout(CONNECT_TIMEOUT, host.connect(&self.0.tls))
                    .await
                    .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?
                    .map_err(ConnectorError::io)?,
            };
            let answer = timeout(patience, answer(&mut sender, request)).await;
            match answer.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))? {
                Ok(response) => {
                    host.keep(sender);
                    return HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None));
                }
                // The host closed the socket while it was idle: nothing was sent.
                Err(Failed { unsent: Some(unsent), .. }) if reused => request = unsent,
                // Whatever broke on the way may go well another time.
                Err(Failed { error, .. }) => return Err(ConnectorError::io(error.into())),
            }
        }
    }

    fn host(&self, uri: &Uri) -> Result<Arc<Host>, io::Error> {
        let authority = uri.authority().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hosts = lock(&self.0.hosts);
        if let Some(host) = hosts.get(authority.as_str()) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(Host { at_once: AtomicBool::new(true), ..Host::of(uri)? });
        hosts.insert(authority.as_str().to_owned(), Arc::clone(&host));
        Ok(host)
    }
}

impl Host {
    pub(crate) fn of(uri: &Uri) -> io::Result<Self> {
        let authority = uri.authority().ok_or(io::ErrorKind::InvalidInput)?;
        let secure = uri.scheme_str() == Some("https");
        Ok(Self {
            name: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            secure,
            authority: HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?,
            permits: Semaphore::new(SOCKETS_PER_HOST),
            idle: Mutex::default(),
            resolved: AsyncMutex::default(),
            at_once: AtomicBool::new(false),
            opened: AtomicUsize::default(),
        })
    }

    /// As the `Host` header has it.
    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// A socket that was used before and is still good, as far as one can know.
    fn kept(&self) -> Option<SendRequest<SdkBody>> {
        let mut idle = lock(&self.idle);
        while let Some(Idle { sender, since }) = idle.pop() {
            if !sender.is_closed() && since.elapsed() < SOCKET_IDLE_MAX {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, sender: SendRequest<SdkBody>) {
        lock(&self.idle).push(Idle { sender, since: Instant::now() });
    }

    pub(crate) async fn connect(
        &self,
        tls: &TlsConnector,
    ) -> Result<SendRequest<SdkBody>, Box<dyn Error + Send + Sync>> {
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for address in self.addresses().await? {
            match TcpStream::connect(address).await {
                Ok(socket) => {
                    socket.set_nodelay(true)?;
                    if !self.secure {
                        return speak(socket).await;
                    }
                    let name = ServerName::try_from(self.name.clone())?;
                    return speak(tls.connect(name, socket).await?).await;
                }
                Err(error) => refused = error,
            }
        }
        Err(refused.into())
    }

    /// Where to connect to, a different one first each time. One lookup is a thread of its own, so those that come
    /// together share it.
    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut resolved = self.resolved.lock().await;
        let fresh = resolved.take().filter(|(since, _)| since.elapsed() < ADDRESSES_KEPT);
        let (since, mut addresses) = match fresh {
            Some(fresh) => fresh,
            None => (Instant::now(), self.look_up().await?),
        };
        *resolved = Some((since, addresses.clone()));
        let turn = self.opened.fetch_add(1, Ordering::Relaxed) % addresses.len().max(1);
        addresses.rotate_left(turn);
        Ok(addresses)
    }

    /// A lookup blocks, and so takes a thread. AWS's hosts are first looked up without: little is under way then that
    /// could be held up, and the thread would be a twentieth of a cold start. No later one blocks, whatever became of
    /// the first.
    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let name = (self.name.as_str(), self.port);
        if self.at_once.swap(false, Ordering::Relaxed) {
            return Ok(name.to_socket_addrs()?.collect());
        }
        Ok(lookup_host(name).await?.collect())
    }
}

/// Why a request got no answer, and itself if it never left.
struct Failed {
    error: hyper::Error,
    unsent: Option<Request<SdkBody>>,
}

/// The whole answer to a request.
async fn answer(sender: &mut SendRequest<SdkBody>, request: Request<SdkBody>) -> Result<Response<SdkBody>, Failed> {
    if let Err(error) = sender.ready().await {
        return Err(Failed { error, unsent: Some(request) });
    }
    let unsent = |mut error: TrySendError<_>| Failed { unsent: error.take_message(), error: error.into_error() };
    let (head, body) = sender.try_send_request(request).await.map_err(unsent)?.into_parts();
    let body = body.collect().await.map_err(|error| Failed { error, unsent: None })?.to_bytes();
    Ok(Response::from_parts(head, SdkBody::from(body)))
}

async fn speak<S>(socket: S) -> Result<SendRequest<SdkBody>, Box<dyn Error + Send + Sync>>
where
    TokioIo<S>: Read + Write + Send + Unpin,
    S: Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    #[allow(
        clippy::disallowed_methods,
        reason = "a socket is kept for the next invocation; it does nothing by itself"
    )]
    tokio::spawn(connection);
    Ok(sender)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::Http;
    use crate::clients::sdk;
    use futures_util::FutureExt;
    use std::sync::mpsc;
    use tokio_rustls::rustls::RootCertStore;

    /// A thread for the lookup would cost a cold start a twentieth of its CPU; a later lookup without one would hold up
    /// others.
    #[test]
    fn only_the_first_lookup_of_a_host_takes_no_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().expect("a runtime");
        runtime.block_on(async {
            let (release, released) = mpsc::channel::<()>();
            // The only thread that there may be is taken.
            let taken = tokio::task::spawn_blocking(move || released.recv());
            let http = Http::new(sdk::tls(RootCertStore::empty()).expect("TLS"));
            let host = http.host(&"http://localhost:1".parse().expect("a URI")).expect("a host");
            let first = host.addresses().now_or_never().expect("no thread is waited for").expect("addresses");
            assert!(first.iter().all(|address| address.ip().is_loopback()), "{first:?}");
            *host.resolved.lock().await = None;
            assert!(host.addresses().now_or_never().is_none(), "it waits for a thread");
            release.send(()).expect("somebody waits");
            taken.await.expect("the thread ends").expect("it was told");
        });
    }
}
