//! The functions of the template, each built as on Lambda: from its own environment variables.

use crate::interference::{Interference, Plan, Rest};
use crate::s3::Key;
use crate::template::{FunctionSpec, REGION};
use anyhow::{Context, Result, anyhow};
use chat_aws::Vars;
use chat_aws::entry::{After, Answer, Function};
use chat_aws::simulation::Wire;
use functions::{Build, FUNCTIONS};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

/// Where the functions of a run reach AWS.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub dynamodb: String,
    pub management: String,
    pub lambda: String,
    pub s3: String,
}

impl Endpoints {
    /// Those of a run whose gateway is here, without a slash at its end.
    pub fn new(dynamodb: &str, gateway: &str, s3: &str, stage: &str) -> Self {
        let management = format!("{gateway}/{stage}");
        Self { dynamodb: dynamodb.into(), management, lambda: gateway.into(), s3: s3.into() }
    }
}

/// What the functions of a run sign with. On Lambda there is a token beside the key, and about as long; it is in every
/// address of a file.
pub(crate) fn local_key() -> Key {
    Key { id: "local-access-key", secret: "local-secret-key", token: "local".repeat(200) }
}

/// A function's environment: the template's variables, and the addresses of this run.
pub(crate) fn environment(id: &str, spec: &FunctionSpec, endpoints: &Endpoints) -> BTreeMap<String, String> {
    let key = local_key();
    let here = [
        ("AWS_LAMBDA_FUNCTION_NAME", id),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", key.id),
        ("AWS_SECRET_ACCESS_KEY", key.secret),
        ("AWS_SESSION_TOKEN", &key.token),
        ("AWS_ENDPOINT_URL_DYNAMODB", &endpoints.dynamodb),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &endpoints.management),
        ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
        ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
    ];
    let mut vars = spec.variables.clone();
    vars.extend(here.map(|(name, value)| (name.to_owned(), value.to_owned())));
    vars
}

pub(crate) struct Functions {
    built: BTreeMap<String, Built>,
    interference: Option<Arc<dyn Interference>>,
    /// What functions do after their answers.
    afterwards: TaskTracker,
}

/// A function, and what it was built from.
struct Built {
    name: &'static str,
    build: Build,
    vars: BTreeMap<String, String>,
    function: Function,
    timeout: Duration,
}

/// An invocation that gave no answer: an error, a panic, the time-out, or a death.
#[derive(Debug)]
pub struct InvocationFailed(pub String);

impl Functions {
    /// Builds the functions that the template declares, with the endpoints of this run in their environment. Their
    /// requests go over sockets, or through a simulation's wire.
    pub fn new(
        specs: &BTreeMap<String, FunctionSpec>,
        endpoints: &Endpoints,
        interference: Option<Arc<dyn Interference>>,
        wire: Option<&Arc<dyn Wire>>,
    ) -> Result<Self> {
        let mut built = BTreeMap::new();
        for (id, spec) in specs {
            let vars = environment(id, spec, endpoints);
            let found = FUNCTIONS.iter().find(|(name, _)| *name == spec.name);
            let (name, build) = *found.with_context(|| format!("{id}: there is no function {}", spec.name))?;
            let seen: Vars = vars.clone().into_iter().collect();
            let function = build(&match wire {
                None => seen,
                Some(wire) => seen.through(Arc::clone(wire)),
            });
            let function = function.map_err(|fault| anyhow!("{id}: {}", fault.chain()))?;
            built.insert(id.clone(), Built { name, build, vars, function, timeout: spec.timeout });
        }
        Ok(Self { built, interference, afterwards: TaskTracker::new() })
    }

    /// The tasks of what functions do after their answers.
    pub fn afterwards(&self) -> &TaskTracker {
        &self.afterwards
    }

    /// Invokes a function as Lambda would. Its time-out ends it, and the caller sees neither its error nor its panic.
    /// What it does after its answer runs beside that.
    pub async fn invoke(&self, id: &str, request_id: &str, event: Value) -> Result<Value, InvocationFailed> {
        let built = self.built.get(id).ok_or_else(|| InvocationFailed(format!("there is no function {id}")))?;
        let (answer, rest) = match &self.interference {
            None => built.invoke(&built.function, request_id, event).await?,
            Some(interference) => {
                let plan = interference.plan(built.name, &event);
                built.invoke_as_planned(plan, request_id, event).await?
            }
        };
        if let Some(rest) = rest {
            self.afterwards.spawn(rest);
        }
        Ok(answer)
    }
}

impl Built {
    /// The answer, and what comes after it, within what is left of the time-out.
    async fn invoke(
        &self,
        function: &Function,
        request_id: &str,
        event: Value,
    ) -> Result<(Value, Option<Rest>), InvocationFailed> {
        let ends = Instant::now() + self.timeout;
        let invocation = AssertUnwindSafe(function.begin_as(request_id, event)).catch_unwind();
        let failed = match timeout_at(ends, invocation).await {
            Ok(Ok(Ok(Answer { value, after }))) => return Ok((value, after.map(|after| within(ends, after)))),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "it panicked".into(),
            Err(_) => "it timed out".into(),
        };
        tracing::error!(function = self.name, requestId = request_id, "invocation failed: {failed}");
        Err(InvocationFailed(failed))
    }

    async fn invoke_as_planned(
        &self,
        plan: Plan,
        request_id: &str,
        event: Value,
    ) -> Result<(Value, Option<Rest>), InvocationFailed> {
        plan.start.await;
        let rebuilt;
        let function = if plan.vars.is_empty() {
            &self.function
        } else {
            let vars = self.vars.clone().into_iter().chain(plan.vars).collect();
            rebuilt = (self.build)(&vars).map_err(|fault| InvocationFailed(fault.chain().to_string()))?;
            &rebuilt
        };
        let left: Mutex<Vec<Option<Rest>>> = Mutex::default();
        let delivery = |number| {
            let (event, left, after) = (&event, &left, &plan.after);
            let invocation = async move {
                let (value, rest) = self.invoke(function, request_id, event.clone()).await?;
                let rest = rest.map(|rest| after(number, rest));
                left.lock().unwrap_or_else(PoisonError::into_inner).push(rest);
                Ok(value)
            };
            (plan.around)(number, invocation.boxed())
        };
        let deliveries = (0..plan.deliveries).map(delivery);
        let answers = async {
            let answers = join_all(deliveries).await;
            plan.answer.await;
            answers
        };
        let mut killed = plan.killed;
        let answers = tokio::select! {
            biased;
            answers = answers => answers,
            () = &mut killed => return Err(InvocationFailed("it was killed".into())),
        };
        let lost = || Err(InvocationFailed("its event was lost".into()));
        let value = answers.into_iter().next().unwrap_or_else(lost)?;
        let left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
        let left: Vec<Rest> = left.into_iter().flatten().collect();
        if left.is_empty() {
            return Ok((value, None));
        }
        let rest = async move {
            tokio::select! {
                biased;
                _ = join_all(left) => {}
                () = killed => {}
            }
        };
        Ok((value, Some(rest.boxed())))
    }
}

/// What comes after an answer, unless it takes too long.
fn within(ends: Instant, after: After) -> Rest {
    // Nobody hears of its end, on Lambda either.
    timeout_at(ends, after).map(drop).boxed()
}
