//! One invocation of one function, from outside of a run that is up.

use crate::functions::{Endpoints, Functions};
use crate::{TOKEN_SECRET, Template};
use anyhow::{Context, Result, anyhow};
use functions::FUNCTIONS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The public secret that the tokens in `events/` are signed with.
const SAMPLE_SECRET: &str = "sample-secret-for-the-events-folder-only";

/// The request id that the log and an `internal` reply carry.
const REQUEST_ID: &str = "local-invoke";

/// Where a local run is up.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    pub port: u16,
    pub dynamodb_port: u16,
    pub s3_port: u16,
}

/// Runs a function in this process with the environment that the template gives it, and answers its reply.
pub async fn invoke(
    template: &Path,
    mut parameters: BTreeMap<String, String>,
    name: &str,
    event: &Path,
    running: Running,
) -> Result<Value> {
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()));
    parameters.entry(TOKEN_SECRET.into()).or_insert_with(|| SAMPLE_SECRET.into());
    let mut template = Template::parse(&read(template)?, &parameters)?;
    template.functions.retain(|_, spec| spec.name == name);
    let names = FUNCTIONS.map(|(name, _)| name).join(", ");
    let id = template.functions.keys().next().cloned();
    let id = id.with_context(|| format!("there is no function {name}; there are {names}"))?;
    let event = serde_json::from_str(&read(event)?).with_context(|| format!("{} is not JSON", event.display()))?;
    let functions = Functions::new(&template.functions, &endpoints(&template, running), None, None)?;
    let answer = functions.invoke(&id, REQUEST_ID, event).await;
    functions.afterwards().close();
    functions.afterwards().wait().await;
    answer.map_err(|_| anyhow!("the invocation failed, as logged above"))
}

fn endpoints(template: &Template, running: Running) -> Endpoints {
    let at = |port: u16| format!("http://127.0.0.1:{port}");
    Endpoints::new(&at(running.dynamodb_port), &at(running.port), &at(running.s3_port), &template.websocket.stage)
}
