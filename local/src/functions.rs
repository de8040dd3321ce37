//! The functions of the template, each built as on Lambda: from its own environment variables.

use crate::template::{FunctionSpec, REGION};
use anyhow::{Context, Result, anyhow};
use chat_aws::serve::Function;
use chat_aws::{Fault, Vars};
use futures_util::FutureExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// Builds a function from its environment.
type Build = fn(&Vars) -> Result<Function, Fault>;

/// Every function there is, by the name of its package.
pub const HANDLERS: [(&str, Build); 8] = [
    ("authorize", authorize::function),
    ("connect", connect::function),
    ("default", default::function),
    ("disconnect", disconnect::function),
    ("join-room", join_room::function),
    ("leave-room", leave_room::function),
    ("list-history", list_history::function),
    ("send-message", send_message::function),
];

pub(crate) struct Functions(BTreeMap<String, Running>);

struct Running {
    function: Function,
    timeout: Duration,
}

/// An invocation that gave no answer: an error, a panic, or the time-out.
#[derive(Debug)]
pub(crate) struct InvocationFailed;

impl Functions {
    /// Builds the functions that the template declares, with the endpoints of this run in their environment.
    pub fn new(specs: &BTreeMap<String, FunctionSpec>, dynamodb_url: &str, management_url: &str) -> Result<Self> {
        let mut functions = BTreeMap::new();
        for (id, spec) in specs {
            let here = [
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", "local"),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
                ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management_url),
            ];
            let declared = spec.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let vars: Vars = declared.chain(here).collect();
            let (_, build) = HANDLERS
                .iter()
                .find(|(name, _)| *name == spec.name)
                .with_context(|| format!("{id}: there is no function {}", spec.name))?;
            let function = build(&vars).map_err(|fault| anyhow!("{id}: {}", fault.chain()))?;
            functions.insert(id.clone(), Running { function, timeout: spec.timeout });
        }
        Ok(Self(functions))
    }

    /// Invokes a function as Lambda would: its time-out ends it, and neither error nor panic reaches the caller.
    pub async fn invoke(&self, id: &str, request_id: &str, event: Value) -> Result<Value, InvocationFailed> {
        let running = self.0.get(id).ok_or(InvocationFailed)?;
        let invocation = AssertUnwindSafe(running.function.invoke_as(request_id, event)).catch_unwind();
        match tokio::time::timeout(running.timeout, invocation).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => {
                tracing::error!(function = id, requestId = request_id, %error, "invocation failed");
                Err(InvocationFailed)
            }
            Ok(Err(_)) => {
                tracing::error!(function = id, requestId = request_id, "invocation panicked");
                Err(InvocationFailed)
            }
            Err(_) => {
                tracing::error!(function = id, requestId = request_id, "invocation timed out");
                Err(InvocationFailed)
            }
        }
    }
}
