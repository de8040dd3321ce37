//! Serves HTTP as axum's own `serve` does, with a time limit for half-sent requests.

use crate::STOP_GRACE;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before accepting again after the system refused a socket, as when no file descriptor is left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until it is stopped. Then requests under way get a limited time to end.
pub(crate) async fn serve(listener: TcpListener, router: Router, head: Duration, stop: CancellationToken) {
    let (sockets, dropped) = (TaskTracker::new(), CancellationToken::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    // Otherwise a frame would wait for TCP's acknowledgement of the frame before, up to 40 ms.
                    let _ = socket.set_nodelay(true);
                    let served = answer_all(socket, peer, router.clone(), head, stop.clone());
                    sockets.spawn(dropped.clone().run_until_cancelled_owned(served));
                }
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
            () = stop.cancelled() => break,
        }
    }
    drop(listener);
    sockets.close();
    if tokio::time::timeout(STOP_GRACE, sockets.wait()).await.is_err() {
        dropped.cancel();
    }
}

/// Answers the requests of one socket, one after the other. It ends if a request's head does not come in time.
pub(crate) async fn answer_all(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    head: Duration,
    stop: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), answer).with_upgrades());
    // If the socket fails, there is no client left to tell.
    tokio::select! {
        biased;
        _ = &mut connection => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
