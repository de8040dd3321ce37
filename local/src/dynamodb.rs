//! DynamoDB, embedded, with the template's tables in it.

use crate::pipe::Pipe;
use crate::template::{PipeSpec, TableSpec, Template};
use anyhow::{Context, Result, anyhow};
use chat_aws::now;
use dynoxide::Database;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often expired rows are removed. AWS may take days, so nothing may rely on when they go.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Tables in memory, which a simulation's wire leads to.
pub struct Tables(Database);

/// The simulation's clock.
struct Clock;

impl dynoxide::storage_backend::Clock for Clock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(now().seconds()).unwrap_or_default()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.now_unix_secs() as f64
    }
}

impl Tables {
    pub fn of(template: &Template) -> Result<Self> {
        let database = Database::memory_with_clock(Arc::new(Clock))?;
        for table in &template.tables {
            prepare(&database, table).with_context(|| format!("failed to set up table {}", table.name))?;
        }
        Ok(Self(database))
    }

    /// Answers a call: the status, and the body.
    pub fn call(&self, operation: &str, body: &[u8]) -> (u16, Vec<u8>) {
        macro_rules! one_of {
            ($($name:literal => $call:ident),* $(,)?) => {
                match operation {
                    $($name => answer(body, |request| self.0.$call(request)),)*
                    other => panic!("{other} is not simulated"),
                }
            };
        }
        one_of! {
            "PutItem" => put_item,
            "GetItem" => get_item,
            "DeleteItem" => delete_item,
            "UpdateItem" => update_item,
            "Query" => query,
            "Scan" => scan,
            "BatchGetItem" => batch_get_item,
            "TransactWriteItems" => transact_write_items,
        }
    }
}

fn answer<Q, A>(body: &[u8], call: impl FnOnce(Q) -> dynoxide::Result<A>) -> (u16, Vec<u8>)
where
    Q: for<'a> serde::Deserialize<'a>,
    A: serde::Serialize,
{
    let request = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => panic!("DynamoDB cannot read this request: {error}: {}", String::from_utf8_lossy(body)),
    };
    match call(request) {
        Ok(answer) => (200, serde_json::to_vec(&answer).unwrap_or_default()),
        Err(error) => (error.status_code(), error.to_json().into_bytes()),
    }
}

pub struct DynamoDb {
    url: String,
    server: JoinHandle<Result<(), String>>,
    stop: CancellationToken,
    pipe: Option<Pipe>,
    /// The lock on the folder, held as long as this run uses its tables.
    _lock: Option<File>,
}

impl DynamoDb {
    /// Opens the tables, in the given folder or in memory, and serves them. What the pipe lets through goes to its file.
    #[allow(clippy::disallowed_methods, reason = "the server and the sweep last as long as the run")]
    pub async fn start(
        listener: TcpListener,
        data: Option<&Path>,
        tables: &[TableSpec],
        pipe: Option<(PipeSpec, &Path)>,
    ) -> Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let mut lock = None;
        let database = match data {
            None => Database::memory()?,
            Some(folder) => {
                let failed = || format!("failed to keep tables in {}", folder.display());
                std::fs::create_dir_all(folder).with_context(failed)?;
                lock = Some(take(folder)?);
                let file = folder.join("dynamodb.sqlite");
                Database::new(file.to_str().context("the data folder's name is not Unicode")?).with_context(failed)?
            }
        };
        for table in tables {
            prepare(&database, table).with_context(|| format!("failed to set up table {}", table.name))?;
        }
        let stop = CancellationToken::new();
        tokio::spawn(sweep(database.clone(), stop.clone()));
        let pipe = pipe.map(|(spec, file)| Pipe::start(database.clone(), spec, file)).transpose()?;
        let serve = dynoxide::server::serve_with_shutdown(listener, database, stop.clone().cancelled_owned());
        Ok(Self { url, server: tokio::spawn(serve), stop, pipe, _lock: lock })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        let ended = crate::end(self.server).await.unwrap_or(Ok(())).map_err(|error| anyhow!(error));
        // Nothing is written any more.
        match self.pipe {
            Some(pipe) => pipe.stop().await.and(ended),
            None => ended,
        }
    }
}

/// Locks the folder for this run: a second run would empty this one's table of connections.
fn take(folder: &Path) -> Result<File> {
    let lock = File::create(folder.join("lock")).with_context(|| format!("failed to lock {}", folder.display()))?;
    let taken = || format!("{} is in use by another run; --data or --memory chooses another place", folder.display());
    lock.try_lock().with_context(taken)?;
    Ok(lock)
}

/// Creates a missing table. A table that the template does not retain starts empty: the connections of an earlier run
/// are gone.
fn prepare(database: &Database, table: &TableSpec) -> Result<()> {
    let existing = database.describe_table(request(json!({"TableName": table.name}))?).is_ok();
    if existing && !table.retained {
        database.delete_table(request(json!({"TableName": table.name}))?)?;
    }
    if existing && table.retained {
        return set_stream(database, table);
    }
    database.create_table(request(table.create.clone())?)?;
    set_stream(database, table)?;
    if let Some(attribute) = &table.expires_by {
        let expiry = json!({"AttributeName": attribute, "Enabled": true});
        let enable = json!({"TableName": table.name, "TimeToLiveSpecification": expiry});
        database.update_time_to_live(request(enable)?)?;
    }
    Ok(())
}

/// Begins or ends a table's stream, as the template has it now.
fn set_stream(database: &Database, table: &TableSpec) -> Result<()> {
    let described = serde_json::to_value(database.describe_table(request(json!({"TableName": table.name}))?)?)?;
    let is_on = described["Table"]["StreamSpecification"]["StreamEnabled"] == true;
    if is_on != table.stream.is_some() {
        let mut stream = json!({"StreamEnabled": table.stream.is_some()});
        if let Some(kind) = &table.stream {
            stream["StreamViewType"] = json!(kind);
        }
        database.update_table(request(json!({"TableName": table.name, "StreamSpecification": stream}))?)?;
    }
    Ok(())
}

pub(crate) fn request<T: for<'a> serde::Deserialize<'a>>(body: Value) -> Result<T> {
    Ok(serde_json::from_value(body)?)
}

async fn sweep(database: Database, stop: CancellationToken) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        let database = database.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            tracing::warn!(%error, "failed to remove expired rows");
        }
    }
}
