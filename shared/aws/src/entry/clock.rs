//! A function that a schedule invokes. Its event says nothing but that it is time.

use super::{Function, lambda_error};
use crate::Failure;
use serde_json::Value;

/// A failure is Lambda's error: nobody reads an answer, but an alarm counts it.
pub fn clock<S, F>(state: S, handle: impl Fn(S) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    Function::of(
        state,
        |_| Ok(()),
        move |state, ()| handle(state),
        |done: Result<(), Failure>, _| done.map(|()| Value::Null).map_err(lambda_error),
    )
}
