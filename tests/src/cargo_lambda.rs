use crate::{POLL, in_time};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// The project's folder. Tests run in their package's folder.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// How long the first event may wait: it waits for the build of the function.
const BUILD_PATIENCE: Duration = Duration::from_secs(900);

/// A function under `cargo lambda watch`, started as docs/local.md says.
pub struct CargoLambda {
    function: String,
    port: String,
    /// When this ends, so does the function: its runtime API is gone.
    watch: Child,
}

impl CargoLambda {
    /// Starts it with the variables of a file. The function is built when the first event comes.
    pub async fn watch(function: &str, env_file: &Path) -> Self {
        let port = free_port().await;
        let watch = Command::new("cargo")
            .args(["lambda", "watch", "--package", "functions", "--ignore-changes"])
            .args(["--invoke-address", "127.0.0.1", "--invoke-port", &port, "--env-file"])
            .arg(env_file)
            .current_dir(ROOT)
            // It ends when the terminal that it reads from does.
            .process_group(0)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("cargo lambda starts");
        let mut started = Self { function: function.into(), port, watch };
        in_time("cargo lambda watch listens", started.listens()).await;
        started
    }

    async fn listens(&mut self) {
        while TcpStream::connect(format!("127.0.0.1:{}", self.port)).await.is_err() {
            let ended = self.watch.try_wait().expect("a process");
            assert!(ended.is_none(), "cargo lambda watch ended: {ended:?}");
            sleep(POLL).await;
        }
    }

    /// Sends it a sample by a file. Returns what it prints.
    pub async fn invoke(&self, sample: &str, event: &Value) -> Value {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("event.json");
        std::fs::write(&file, event.to_string()).expect("written");
        let output = Command::new("cargo")
            .args(["lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", &self.port, &self.function])
            .arg("--data-file")
            .arg(&file)
            .current_dir(ROOT)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output =
            timeout(BUILD_PATIENCE, output).await.unwrap_or_else(|_| panic!("{sample}: no answer, nor a build"));
        let output = output.expect("cargo lambda starts");
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sample}: {said}{complaint}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{sample}: {error}: {said}{complaint}"))
    }

    pub async fn stop(mut self) {
        in_time("cargo lambda watch ends", self.watch.kill()).await.expect("ended");
    }
}

async fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port().to_string()
}
