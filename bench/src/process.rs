//! What the system knows of a process: its CPU time to the microsecond, and its memory. Linux's.

use anyhow::{Context, Result};
use chat_tests::PATIENCE;
use std::fs::read_to_string;
use std::time::{Duration, Instant};

/// CPU time that all threads of a process have used. Exact while they sleep; threads that ended are not in it.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).context(LINUX)? {
        let path = thread?.path().join("schedstat");
        // A thread may end between the two.
        let Ok(text) = read_to_string(path) else { continue };
        nanoseconds += text.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).context("no time")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The same, once every thread of the process has gone to sleep.
pub async fn cpu_at_rest(process: u32) -> Result<Duration> {
    let started = Instant::now();
    while !asleep(process)? {
        anyhow::ensure!(started.elapsed() < PATIENCE, "process {process} does not come to rest");
        tokio::task::yield_now().await;
    }
    cpu(process)
}

fn asleep(process: u32) -> Result<bool> {
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).context(LINUX)? {
        let Ok(text) = read_to_string(thread?.path().join("stat")) else { continue };
        // The state comes after the name, which may hold anything.
        let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if state != Some('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Resident memory of a process in kB: `VmRSS` for now, `VmHWM` for its most ever.
pub fn memory(process: u32, which: &str) -> Result<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).context(LINUX)?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).with_context(|| format!("no {which}"))
}

const LINUX: &str = "processes are measured by /proc, which is Linux's";
