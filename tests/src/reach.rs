//! How devices reach a deployment: over sockets, or in a simulation.

use crate::{Deployment, Page, Server};
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

/// A deployment, as a device sees it.
pub trait Reach: Send + Sync {
    /// A token with these claims.
    fn token(&self, claims: &Value) -> String;

    /// Opens a connection.
    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Socket, Refused>>;

    /// A page of a room's history, or of its changes.
    fn page<'a>(&'a self, path: &'static str, token: &'a str, query: String) -> BoxFuture<'a, Page>;
}

impl Reach for Server {
    fn token(&self, claims: &Value) -> String {
        Deployment::token(self, claims.clone())
    }

    fn open<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Socket, Refused>> {
        async move {
            let request = self.socket_url(token).into_client_request().expect("a URL");
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
