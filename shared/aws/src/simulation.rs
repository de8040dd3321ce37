//! The seam for a simulation: a wire in place of the sockets, and a clock in place of the system's. Everything above
//! it is the product's: SDK, retries, signatures, time-outs. Nothing of it is in a deployed binary.

use crate::clients::Patience;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use chat::Timestamp;
use futures_util::future::BoxFuture;
use hyper::body::Bytes;
use hyper::{Request, Response};
use std::cell::Cell;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use tokio::time::timeout;

/// What the requests of functions go to, DynamoDB's, the management API's and Lambda's.
pub trait Wire: Debug + Send + Sync {
    /// Answers one attempt of a call, or breaks.
    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, io::Result<Response<Bytes>>>;
}

thread_local! {
    static CLOCK: Cell<Option<fn() -> Timestamp>> = const { Cell::new(None) };
}

/// Makes [`now`](crate::now) on this thread ask another clock than the system's.
pub fn set_clock(clock: fn() -> Timestamp) {
    CLOCK.set(Some(clock));
}

pub(crate) fn now() -> Option<Timestamp> {
    CLOCK.get().map(|clock| clock())
}

/// The wire as the SDK sees it. It gives up when a socket would.
#[derive(Debug)]
pub(crate) struct Connector(pub Arc<dyn Wire>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
            let answer = timeout(Patience::of(&request), wire.call(request)).await;
            let answer = answer.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?;
            let answer = answer.map_err(|error| ConnectorError::io(error.into()))?.map(SdkBody::from);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
