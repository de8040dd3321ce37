//! Sockets into HTTP: what axum's own `serve` does, with an end for requests that are half sent.

use crate::STOP_GRACE;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long nothing is accepted after the system refused a socket, as when the process has no file descriptor left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until it is stopped; then what is under way may end, but not for ever.
pub(crate) async fn serve(listener: TcpListener, router: Router, head: Duration, stop: CancellationToken) {
    let (sockets, dropped) = (TaskTracker::new(), CancellationToken::new());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    // A frame that waits for the acknowledgement of the one before it would come 40 ms late.
                    let _ = socket.set_nodelay(true);
                    let router = TowerToHyperService::new(router.clone());
                    let answer = service_fn(move |mut request: Request<Incoming>| {
                        request.extensions_mut().insert(ConnectInfo(peer));
                        router.call(request)
                    });
                    let served = answer_all(socket, answer, head, stop.clone());
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

/// Answers the requests of one socket, one after the other. A head that does not come in time ends it.
async fn answer_all<S>(socket: TcpStream, answer: S, head: Duration, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = axum::response::Response, Error = std::convert::Infallible>,
    S::Future: Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), answer).with_upgrades());
    // A socket that fails has nobody left to tell.
    tokio::select! {
        _ = &mut connection => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
