//! A process's CPU time, to the microsecond, and its memory, as Linux reports them.

use anyhow::{Context, Result};
use chat_tests::PATIENCE;
use std::fs::read_to_string;
use std::time::{Duration, Instant};

/// The CPU time of all living threads of a process. It is exact while they sleep.
pub fn cpu(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).context(LINUX)? {
        let path = thread?.path().join("schedstat");
        // A thread may end between the listing and the read.
        let Ok(text) = read_to_string(path) else { continue };
        nanoseconds += text.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).context("no time")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The same, after every thread of the process has gone to sleep.
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
        // The state comes after the name, and a name may hold any character.
        let state = text.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if state != Some('S') {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A process's resident memory in kB: `VmRSS` is the current size, `VmHWM` the peak.
pub fn memory(process: u32, which: &str) -> Result<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).context(LINUX)?;
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).with_context(|| format!("no {which}"))
}

const LINUX: &str = "processes are measured by /proc, which is Linux's";
