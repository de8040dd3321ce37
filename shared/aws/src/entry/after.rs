//! What a function does once its answer is out. On Lambda that is between its answer and its question for the next
//! event: the caller has been answered, and the process is not frozen yet.

use super::Error;
use lambda_runtime::LambdaInvocation;
use lambda_runtime::tower::{Layer, Service};
use serde_json::Value;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

/// What is left to do after an answer. It takes of the function's time-out, and nobody hears of its end.
pub struct After(Pin<Box<dyn Future<Output = ()> + Send>>);

impl After {
    pub(crate) fn new(what: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(what))
    }
}

impl Future for After {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("After")
    }
}

/// What an invocation answers, and what it leaves for afterwards.
#[derive(Debug)]
pub struct Answer {
    pub value: Value,
    pub after: Option<After>,
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self { value, after: None }
    }
}

/// Takes over what an invocation leaves, and runs it when the runtime has posted the answer. A function handles one
/// event at a time.
#[derive(Default)]
pub(super) struct Afterwards(Mutex<Option<After>>);

impl Afterwards {
    pub fn leave(&self, after: Option<After>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = after;
    }

    fn take(&self) -> Option<After> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Has a runtime run what its invocations leave.
pub(super) struct RunsAfter<'a>(pub &'a Afterwards);

impl<'a, S> Layer<S> for RunsAfter<'a> {
    type Service = WithAfter<'a, S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithAfter { inner, afterwards: self.0 }
    }
}

pub(super) struct WithAfter<'a, S> {
    inner: S,
    afterwards: &'a Afterwards,
}

impl<'a, S> Service<LambdaInvocation> for WithAfter<'a, S>
where
    S: Service<LambdaInvocation, Response = (), Error = Error>,
    S::Future: 'a,
{
    type Response = ();
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (posted, afterwards) = (self.inner.call(invocation), self.afterwards);
        Box::pin(async move {
            posted.await?;
            if let Some(after) = afterwards.take() {
                after.await;
            }
            Ok(())
        })
    }
}
