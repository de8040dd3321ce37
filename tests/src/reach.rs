//! How devices reach a deployment: over sockets, or in a simulation.

use crate::{Deployment, Page, Server, Way};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::either::Either;

/// A client's WebSocket.
pub type Socket = WebSocketStream<Either<TcpStream, DuplexStream>>;

/// The status with which a handshake was refused, if it was answered.
pub type Refused = Option<u16>;

/// How a device comes.
#[derive(Debug, Clone, Copy)]
pub struct Handshake<'a> {
    pub name: &'a str,
    pub token: &'a str,
    /// Set where it speaks Socket.IO.
    pub way: Option<Way>,
}

/// A deployment, as a device sees it.
pub trait Reach: Send + Sync {
    /// A token with these claims.
    fn token(&self, claims: &Value) -> String;

    /// Opens a connection.
    fn open<'a>(&'a self, handshake: Handshake<'a>) -> BoxFuture<'a, Result<Socket, Refused>>;

    /// A page of a room's history, or of its changes.
    fn page<'a>(&'a self, path: &'static str, token: &'a str, query: String) -> BoxFuture<'a, Page>;
}

impl Reach for Server {
    fn token(&self, claims: &Value) -> String {
        Deployment::token(self, claims.clone())
    }

    fn open<'a>(&'a self, Handshake { token, way, .. }: Handshake<'a>) -> BoxFuture<'a, Result<Socket, Refused>> {
        async move {
            let url = way.map_or_else(|| self.socket_url(token), |way| self.socket_io_url_of(way, token));
            let request = url.into_client_request().expect("a URL");
            let host = request.uri().authority().expect("a host").as_str();
            let stream = TcpStream::connect(host).await.map_err(|_| None)?;
            shake(request, Either::Left(stream)).await
        }
        .boxed()
    }

    fn page<'a>(&'a self, path: &'static str, token: &'a str, query: String) -> BoxFuture<'a, Page> {
        async move { Deployment::page(self, path, token, &query).await }.boxed()
    }
}

/// A handshake over a stream.
pub(crate) async fn shake(
    request: impl IntoClientRequest + Unpin,
    stream: Either<TcpStream, DuplexStream>,
) -> Result<Socket, Refused> {
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(Some(answer.status().as_u16())),
        Err(_) => Err(None),
    }
}

/// Ends a socket at once, without a close frame.
pub(crate) fn reset(socket: Socket) {
    if let Either::Left(stream) = socket.get_ref() {
        stream.set_zero_linger().expect("a socket");
    }
}
