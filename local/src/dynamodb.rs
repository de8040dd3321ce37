//! DynamoDB, embedded, with the template's tables in it.

use crate::template::TableSpec;
use anyhow::{Context, Result, anyhow};
use dynoxide::Database;
use serde_json::{Value, json};
use std::fs::File;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often expired rows are removed. AWS may take days, so nothing may rely on when they go.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

pub struct DynamoDb {
    url: String,
    server: JoinHandle<Result<(), String>>,
    stop: CancellationToken,
    /// The lock on the folder, held as long as this run uses its tables.
    _lock: Option<File>,
}

impl DynamoDb {
    /// Opens the tables, in the given folder or in memory, and serves them.
    #[allow(clippy::disallowed_methods, reason = "the server and the sweep last as long as the run")]
    pub async fn start(listener: TcpListener, data: Option<&Path>, tables: &[TableSpec]) -> Result<Self> {
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
        let serve = dynoxide::server::serve_with_shutdown(listener, database, stop.clone().cancelled_owned());
        Ok(Self { url, server: tokio::spawn(serve), stop, _lock: lock })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        crate::end(self.server).await.unwrap_or(Ok(())).map_err(|error| anyhow!(error))
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
        return Ok(());
    }
    database.create_table(request(table.create.clone())?)?;
    if let Some(attribute) = &table.expires_by {
        let expiry = json!({"AttributeName": attribute, "Enabled": true});
        let enable = json!({"TableName": table.name, "TimeToLiveSpecification": expiry});
        database.update_time_to_live(request(enable)?)?;
    }
    Ok(())
}

fn request<T: for<'a> serde::Deserialize<'a>>(body: Value) -> Result<T> {
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
