//! What is done from outside to a run that is up: one invocation of one function, or the end of a user's connections.

use crate::functions::{Functions, environment};
use crate::{TOKEN_SECRET, Template};
use anyhow::{Context, Result, anyhow};
use chat::UserId;
use chat_aws::{Aws, Ended, Fault, Vars};
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
    let management_url = management_url(&template, running);
    let functions = Functions::new(&template.functions, &dynamodb_url(running), &management_url, None)?;
    functions.invoke(&id, REQUEST_ID, event).await.map_err(|_| anyhow!("the invocation failed, as logged above"))
}

/// Somebody who is to be shut out, as a person typed it.
#[derive(Debug, Clone)]
pub struct Outcast {
    pub user: String,
    /// Whether it may be somebody who was never seen. Else such an id is taken for a mistyped one.
    pub unseen: bool,
}

/// Ends all connections of a user, of a run that is up, and has none of the tokens that were issued until now connect again.
pub async fn disconnect_user(template: &Path, outcast: &Outcast, running: Running) -> Result<Ended> {
    let parameters = BTreeMap::from([(TOKEN_SECRET.into(), SAMPLE_SECRET.into())]);
    let text = std::fs::read_to_string(template).with_context(|| format!("failed to read {}", template.display()))?;
    let template = Template::parse(&text, &parameters)?;
    let function = template.functions.values().find(|spec| spec.name == "disconnect-user");
    let function = function.context("the template has no function disconnect-user")?;
    let vars = environment(function, &dynamodb_url(running), &management_url(&template, running));
    disconnect_user_of(outcast, &vars.into_iter().collect()).await
}

/// The same, of the deployment that these variables name. Nothing is written before the tables are known to be those.
pub async fn disconnect_user_of(outcast: &Outcast, vars: &Vars) -> Result<Ended> {
    let user = &outcast.user;
    let id = UserId::parse(user).with_context(|| format!("{user:?} is no user's id"))?;
    let done = async {
        let aws = Aws::new(vars)?;
        let (tables, users, sessions) = (aws.tables()?, aws.users()?, aws.sessions()?);
        tables.recognise().await?;
        let (seen, _) = users.look(&id).await?;
        if seen || outcast.unseen { sessions.end_all(&id).await.map(Some) } else { Ok(None) }
    };
    let ended = done.await.map_err(|fault: Fault| anyhow!("{}", fault.chain()))?;
    ended.with_context(|| {
        format!("user {user:?} was never seen, and nothing was done; --unseen keeps out somebody who has not come yet")
    })
}

fn dynamodb_url(running: Running) -> String {
    format!("http://127.0.0.1:{}", running.dynamodb_port)
}

fn management_url(template: &Template, running: Running) -> String {
    format!("http://127.0.0.1:{}/{}", running.port, template.websocket.stage)
}
