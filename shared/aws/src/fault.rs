//! Two ways to fail, never mixed: a [`Rejection`] is the client's and expected; a [`Fault`] is ours and logged.

use chat::{InvalidContext, Rejection};
use std::error::Error;
use std::fmt;
use thiserror::Error;

/// Infrastructure failed. Its `Display` says what we were doing; the cause is walked once, when it is logged.
#[derive(Debug, Error)]
#[error("{doing}")]
pub struct Fault {
    doing: &'static str,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

impl Fault {
    /// `doing` is a fragment: "failed to count a message".
    pub fn because(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, source: source.into() }
    }

    /// For `map_err`.
    pub(crate) fn doing<E: Into<Box<dyn Error + Send + Sync>>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::because(doing, source)
    }

    /// The whole chain of causes in one line, for the log.
    pub fn chain(&self) -> impl fmt::Display + '_ {
        Chain(self)
    }
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What a handler's `?` may carry.
#[derive(Debug, Error)]
pub enum Failure {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<InvalidContext> for Failure {
    fn from(invalid: InvalidContext) -> Self {
        Self::Fault(Fault::because("failed to identify the caller", invalid))
    }
}
