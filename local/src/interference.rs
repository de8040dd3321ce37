//! Lets tests make invocations go wrong. The gateway asks before each invocation what should happen to it.

use crate::functions::InvocationFailed;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use serde_json::Value;
use std::fmt::Debug;

/// One delivery of an event to its function, which answers or fails.
pub type Delivery<'a> = BoxFuture<'a, Result<Value, InvocationFailed>>;

/// Decides what happens to invocations. It works from outside, as a cloud does: the functions know nothing of it.
pub trait Interference: Debug + Send + Sync {
    /// Asked once for every invocation, before it starts. `function` is the package's name.
    fn plan(&self, function: &str, event: &Value) -> Plan;
}

/// What happens to one invocation.
pub struct Plan {
    /// How often the event is delivered: API Gateway may lose a `$disconnect` (0), Lambda delivers at least once (2: at
    /// the same time).
    pub deliveries: usize,
    /// What it waits for before it starts, such as the next frame of its connection.
    pub start: BoxFuture<'static, ()>,
    /// Variables that replace the function's own, such as endpoints for this invocation only. With any of them, the
    /// function is built again, as at a cold start.
    pub vars: Vec<(String, String)>,
    /// The function's answer is held until this resolves.
    pub answer: BoxFuture<'static, ()>,
    /// When it resolves, the function is killed at once, wherever it is.
    pub killed: BoxFuture<'static, ()>,
    /// Runs each delivery, whose number is given, from 0. It may wait before, look at the answer, or run it inside of a
    /// scope.
    pub around: Around,
    /// Runs what a delivery leaves for after its answer.
    pub after: AroundRest,
}

/// What is left of a delivery once it has answered.
pub type Rest = BoxFuture<'static, ()>;

/// What that is run by.
pub type AroundRest = Box<dyn Fn(usize, Rest) -> Rest + Send + Sync>;

/// What a delivery is run by.
pub type Around = Box<dyn for<'a> Fn(usize, Delivery<'a>) -> Delivery<'a> + Send + Sync>;

impl Plan {
    /// So many deliveries, each of which is run by `around`.
    pub fn around(
        deliveries: usize,
        around: impl for<'a> Fn(usize, Delivery<'a>) -> Delivery<'a> + Send + Sync + 'static,
    ) -> Self {
        Self { deliveries, around: Box::new(around), ..Self::default() }
    }
}

impl Default for Plan {
    /// Nothing happens to it.
    fn default() -> Self {
        let (start, answer) = (future::ready(()).boxed(), future::ready(()).boxed());
        let around: Around = Box::new(|_, delivery| delivery);
        let after: AroundRest = Box::new(|_, rest| rest);
        Self { deliveries: 1, start, vars: Vec::new(), answer, killed: future::pending().boxed(), around, after }
    }
}
