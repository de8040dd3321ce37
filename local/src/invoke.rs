//! One invocation of one function, with an event from a file.

use crate::functions::{Functions, HANDLERS};
use crate::{TOKEN_SECRET, Template};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The public secret that the tokens in `events/` are signed with.
const SAMPLE_SECRET: &str = "sample-secret-for-the-events-folder-only";

/// The request id that the log and an `internal` reply carry.
const REQUEST_ID: &str = "local-invoke";

/// The endpoints of a local run that is up.
pub struct Endpoints {
    pub dynamodb_url: String,
    pub management_url: String,
}

/// Runs a function in this process with the environment that the template gives it, and answers its reply.
pub async fn invoke(template: &Path, name: &str, event: &Path, endpoints: &Endpoints) -> Result<Value> {
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()));
    let parameters = BTreeMap::from([(TOKEN_SECRET.into(), SAMPLE_SECRET.into())]);
    let mut specs = Template::parse(&read(template)?, &parameters)?.functions;
    specs.retain(|_, spec| spec.name == name);
    let names = HANDLERS.map(|(name, _)| name).join(", ");
    let id = specs.keys().next().cloned().with_context(|| format!("there is no function {name}; there are {names}"))?;
    let event = serde_json::from_str(&read(event)?).with_context(|| format!("{} is not JSON", event.display()))?;
    let functions = Functions::new(&specs, &endpoints.dynamodb_url, &endpoints.management_url)?;
    functions.invoke(&id, REQUEST_ID, event).await.map_err(|_| anyhow!("the invocation failed, as logged above"))
}
