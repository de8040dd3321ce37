//! What makes invocations go wrong in tests: the gateway asks before each one what becomes of it.

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use serde_json::Value;
use std::fmt::Debug;

/// Decides what becomes of invocations. It works from outside, as a cloud does: the functions know nothing of it.
pub trait Interference: Debug + Send + Sync {
    /// Asked once for every invocation, before it starts. `function` is the package's name.
    fn plan(&self, function: &str, event: &Value) -> Plan;
}

/// What becomes of one invocation.
pub struct Plan {
    /// How often the event is delivered: API Gateway may lose a `$disconnect` (0), Lambda delivers at least once (2: at
    /// the same time).
    pub deliveries: usize,
    /// What it waits for before it starts, such as the next frame of its connection.
    pub start: BoxFuture<'static, ()>,
    /// Variables in the place of the function's own, such as endpoints of this invocation alone. With any, the function
    /// is built anew, as at a cold start.
    pub vars: Vec<(String, String)>,
    /// What its answer waits for, once it is given.
    pub answer: BoxFuture<'static, ()>,
    /// Kills the function at once when it resolves, wherever that is.
    pub killed: BoxFuture<'static, ()>,
}

impl Default for Plan {
    /// Nothing happens to it.
    fn default() -> Self {
        let (start, answer) = (future::ready(()).boxed(), future::ready(()).boxed());
        Self { deliveries: 1, start, vars: Vec::new(), answer, killed: future::pending().boxed() }
    }
}
