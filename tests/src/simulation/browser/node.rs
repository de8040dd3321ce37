//! The processes in which clients run.

use crate::chaos::lock;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// What is between a client and the simulation.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/tests/simulated.js");

/// The client as it is shipped.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/chat-client.js");

/// The oldest Node that the client runs in.
const NODE_MIN: u32 = 20;

/// A client's code, and the processes that run it. Starting one takes longer than most schedules, so each serves one
/// schedule after the other.
#[derive(Debug)]
pub struct Client {
    node: PathBuf,
    code: PathBuf,
    idle: Mutex<Vec<Node>>,
}

/// A process with a client.
#[derive(Debug)]
pub struct Node {
    process: Child,
    /// `None` when it is told to end.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// What a client did, and when it wants to be woken.
pub struct Done {
    pub did: Vec<Value>,
    pub wake_at: Option<u64>,
}

/// Which come first, timers that are due or what happened. Or timers have to wait.
#[derive(Debug, Clone, Copy)]
pub enum Timers {
    First,
    Last,
    Later,
}

impl Timers {
    fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Later => "later",
        }
    }
}

impl Client {
    /// The client as it is shipped, in this Node. Says why it cannot be run.
    pub fn shipped(node: &Path) -> Result<Self, String> {
        Self::changed(node, Path::new(SHIPPED))
    }

    /// A changed copy of the client.
    pub fn changed(node: &Path, code: &Path) -> Result<Self, String> {
        let asked = Command::new(node).arg("--version").output();
        let said = asked.map_err(|error| format!("there is no Node ({}): {error}", node.display()))?.stdout;
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        let version = said.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        if version.is_none_or(|major: u32| major < NODE_MIN) {
            return Err(format!("Node {NODE_MIN} or later is needed, and this one is {said:?}"));
        }
        Ok(Self { node: node.to_owned(), code: code.to_owned(), idle: Mutex::default() })
    }

    /// The code of the client as it is shipped.
    pub fn code() -> String {
        std::fs::read_to_string(SHIPPED).expect("web/chat-client.js")
    }

    pub fn take(&self) -> Node {
        let idle = lock(&self.idle).pop();
        idle.unwrap_or_else(|| Node::start(&self.node, &self.code))
    }

    /// Takes back a process whose schedule is over.
    pub fn give_back(&self, node: Node) {
        lock(&self.idle).push(node);
    }
}

impl Node {
    fn start(node: &Path, code: &Path) -> Self {
        let mut command = Command::new(node);
        command.arg(SCRIPT).arg(code).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Node");
        let (stdin, stdout) = (process.stdin.take(), process.stdout.take().expect("piped"));
        Self { process, stdin, stdout: BufReader::new(stdout) }
    }

    /// Tells the client what happened by now, and waits for what it does then. No time passes meanwhile: the simulation's
    /// clock cannot move on while its thread waits.
    pub fn step(&mut self, now: u64, timers: Timers, happened: &[Value]) -> Done {
        let stdin = self.stdin.as_mut().expect("it is not told to end");
        let mut line = json!({"now": now, "timers": timers.word(), "happened": happened}).to_string();
        line.push('\n');
        let mut answer = String::new();
        let said = stdin.write_all(line.as_bytes()).and_then(|()| self.stdout.read_line(&mut answer));
        assert!(said.is_ok_and(|bytes| bytes > 0), "the client's process ended, after: {line}");
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        let did = answer["did"].as_array_mut().map(std::mem::take).expect("what it did");
        Done { did, wake_at: answer["wakeAt"].as_u64() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.stdin.take());
        let _ = self.process.wait();
    }
}
