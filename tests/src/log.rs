use crate::invoke;
use chat_aws::Vars;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

/// The log of one invocation.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("UTF-8").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Runs one invocation. Returns its answer and its log from this level on.
pub async fn logged(level: Level, name: &str, vars: &Vars, event: Value) -> (Value, Vec<Value>) {
    logged_of(level, invoke(name, vars, event)).await
}

/// Does something on this thread. Returns what came of it, and the log from this level on.
pub async fn logged_of<T>(level: Level, what: impl Future<Output = T>) -> (T, Vec<Value>) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber.with_max_level(level).finish());
    (what.await, log.lines())
}
