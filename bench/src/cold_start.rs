//! The time from a process's start to its first answer: every function's binary under Lambda's runtime API, with its
//! calls over TLS. A function that does nothing is measured in the same run, for comparison.

use crate::aws::{Aws, event, is_good};
use crate::functions::{self, FLOOR};
use crate::process::{cpu_at_rest, memory};
use crate::report::{Report, median, median_ratio, milliseconds, short};
use anyhow::{Result, ensure};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A warm answer's CPU is the mean of this many answers after the first.
const WARM: usize = 20;

/// Goals: two multiples of the floor's CPU, and the size of the deployed file in MB.
const INIT_MAX: f64 = 1.5;
const FIRST_MAX: f64 = 3.0;
const ZIP_MAX: f64 = 2.5;

/// `socket-io` is five functions in one, and is there only where clients of Socket.IO are let in.
const SOCKET_IO: &str = "socket-io";
const SOCKET_IO_ZIP_MAX: f64 = 3.2;

#[derive(Args, Clone)]
pub struct ColdStart {
    /// How often each function is started; figures are medians
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Functions that are started; all if none is named
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// One start of a function.
struct Start {
    init: Duration,
    init_cpu: Duration,
    first: Duration,
    /// CPU from the process's start to the first answer.
    first_cpu: Duration,
    warm_cpu: Duration,
    memory: u64,
}

/// The medians of many starts of one function.
#[derive(Debug, Clone)]
pub struct Cold {
    pub init: Duration,
    pub init_cpu: Duration,
    pub first: Duration,
    pub first_cpu: Duration,
    pub warm_cpu: Duration,
    pub memory: u64,
    pub zipped: usize,
    /// Multiples of the floor's CPU in the same round.
    pub init_ratio: f64,
    pub first_ratio: f64,
}

impl ColdStart {
    pub async fn run(
        self,
        report: &mut Report,
        binaries: &BTreeMap<String, PathBuf>,
    ) -> Result<BTreeMap<String, Cold>> {
        let aws = Aws::start(Duration::ZERO).await;
        let wanted = |name: &&str| self.only.is_empty() || self.only.iter().any(|only| only == name);
        let names: Vec<_> = functions::names().filter(wanted).chain([FLOOR]).collect();
        let mut starts: BTreeMap<&str, Vec<Start>> = BTreeMap::new();
        for round in 0..self.rounds {
            eprintln!("cold start, round {} of {}", round + 1, self.rounds);
            // One start of each in turn, so that other load on the machine slows all of them alike.
            for name in &names {
                starts.entry(name).or_default().push(start(&aws, name, &binaries[*name]).await?);
            }
        }
        aws.stop().await;
        let cold: BTreeMap<_, _> = names
            .iter()
            .map(|name| {
                let zipped = functions::zipped(&binaries[*name])?;
                Ok(((*name).to_owned(), middle(&starts[name], &starts[FLOOR], zipped)))
            })
            .collect::<Result<_>>()?;
        tell(report, &cold, self.rounds);
        Ok(cold)
    }
}

async fn start(aws: &Aws, name: &str, binary: &Path) -> Result<Start> {
    aws.prepare().await?;
    let mut lambda = aws.start_function(binary, 256, true).await;
    let init = lambda.ready().await;
    let init_cpu = cpu_at_rest(lambda.id()).await?;
    let event = event(name);
    let began = Instant::now();
    let (kind, answer) = lambda.invoke(event.clone()).await;
    let first = began.elapsed();
    ensure!(is_good(&kind, &answer), "{name}: {kind}: {answer}");
    let first_cpu = cpu_at_rest(lambda.id()).await?;
    let mut warm_cpu = Duration::ZERO;
    for _ in 0..WARM {
        aws.prepare().await?;
        let before = cpu_at_rest(lambda.id()).await?;
        let (kind, answer) = lambda.invoke(event.clone()).await;
        ensure!(is_good(&kind, &answer), "{name}: {kind}: {answer}");
        warm_cpu += cpu_at_rest(lambda.id()).await? - before;
    }
    let memory = memory(lambda.id(), "VmHWM")?;
    Ok(Start { init, init_cpu, first, first_cpu, warm_cpu: warm_cpu / WARM as u32, memory })
}

fn middle(starts: &[Start], floor: &[Start], zipped: usize) -> Cold {
    let of = |time: fn(&Start) -> Duration| median(&mut starts.iter().map(time).collect::<Vec<_>>());
    let ratio = |time: fn(&Start) -> Duration| median_ratio(starts.iter().map(time).zip(floor.iter().map(time)));
    Cold {
        init: of(|start| start.init),
        init_cpu: of(|start| start.init_cpu),
        first: of(|start| start.first),
        first_cpu: of(|start| start.first_cpu),
        warm_cpu: of(|start| start.warm_cpu),
        memory: starts.iter().map(|start| start.memory).max().unwrap_or_default(),
        zipped,
        init_ratio: ratio(|start| start.init_cpu),
        first_ratio: ratio(|start| start.first_cpu),
    }
}

fn tell(report: &mut Report, cold: &BTreeMap<String, Cold>, rounds: usize) {
    report.heading("Cold start");
    report.paragraph(format!(
        "Each release binary under Lambda's runtime API on loopback, with DynamoDB and the management API over TLS 1.3 (P-256), \
         medians of {rounds} starts. *Init* is from the start of the process until it asks for its first event; *first answer* \
         is the time after that event came, and its CPU counts from the start of the process. The floor is `lambda_runtime` \
         alone, which calls nobody; ratios are to its start in the same round. *Warm* is the CPU of a later answer. CPU is what \
         costs at a cold start: with 256 MB a function has a seventh of a vCPU."
    ));
    let ms = |time| short(milliseconds(time));
    report.table(
        [
            "function",
            "zip, MB",
            "init, ms",
            "init CPU, ms",
            "",
            "first answer, ms",
            "CPU to it, ms",
            "",
            "warm CPU, ms",
            "memory, MB",
        ],
        cold.iter().map(|(name, cold)| {
            [
                name.clone(),
                short(cold.zipped as f64 / 1e6),
                ms(cold.init),
                ms(cold.init_cpu),
                format!("{:.2}×", cold.init_ratio),
                ms(cold.first),
                ms(cold.first_cpu),
                format!("{:.2}×", cold.first_ratio),
                ms(cold.warm_cpu),
                short(cold.memory as f64 / 1e3),
            ]
        }),
    );
    let worst = |of: &dyn Fn(&Cold) -> f64| cold.values().map(of).fold(0.0, f64::max);
    let (init, first) = (worst(&|cold| cold.init_ratio), worst(&|cold| cold.first_ratio));
    report.at_most("Cold start: CPU of init, of the slowest function, to the floor's", init, INIT_MAX, "×");
    report.at_most("Cold start: CPU to the first answer over TLS, the same", first, FIRST_MAX, "×");
    let megabytes = |(_, cold): (&String, &Cold)| cold.zipped as f64 / 1e6;
    let (packets, others): (Vec<_>, Vec<_>) = cold.iter().partition(|(name, _)| *name == SOCKET_IO);
    let largest = others.into_iter().map(megabytes).fold(0.0, f64::max);
    report.at_most("The largest zip file", largest, ZIP_MAX, " MB");
    if let Some(packets) = packets.into_iter().next() {
        report.at_most("That of `socket-io`, where it is on", megabytes(packets), SOCKET_IO_ZIP_MAX, " MB");
    }
}
