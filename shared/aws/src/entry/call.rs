//! A function without a route. A caller with the right to invoke it gets its answer, or Lambda's error, which names the
//! wrong field.

use super::{Function, lambda_error};
use crate::Failure;
use serde::Serialize;
use serde_json::Value;

/// A call by an application's backend, which has the right to invoke the function.
#[derive(Debug)]
pub struct CallEvent {
    pub payload: Value,
}

pub fn call<S, F, A>(state: S, handle: impl Fn(S, CallEvent) -> F + Copy + Send + Sync + 'static) -> Function
where
    S: Clone + Send + Sync + 'static,
    F: Future<Output = Result<A, Failure>> + Send,
    A: Serialize + Send,
{
    Function::of(
        state,
        |payload| Ok(CallEvent { payload }),
        handle,
        |answer: Result<A, Failure>, _| Ok(serde_json::to_value(answer.map_err(lambda_error)?)?),
    )
}
