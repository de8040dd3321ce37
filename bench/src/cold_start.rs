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
const ZIP_MAX: f64 = 3.9;

#[derive(Args, Clone)]
pub struct ColdStart {
    /// How often each function is started; figures are medians
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Functions that are started; all if none is named
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A folder with binaries of another version, which are started in the same rounds; those that it lacks are not
    #[arg(long, value_name = "FOLDER")]
    beside: Option<PathBuf>,
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
        let beside: BTreeMap<&str, PathBuf> = match &self.beside {
            None => BTreeMap::new(),
            Some(folder) => {
                let paths = names.iter().map(|name| (*name, functions::within(folder, name)));
                paths.filter(|(_, path)| path.exists()).collect()
            }
        };
        ensure!(self.beside.is_none() || !beside.is_empty(), "the folder beside has none of these functions");
        let (mut starts, mut others) = (BTreeMap::<&str, Vec<Start>>::new(), BTreeMap::<&str, Vec<Start>>::new());
        for round in 0..self.rounds {
            eprintln!("cold start, round {} of {}", round + 1, self.rounds);
            // One start of each in turn, so that other load on the machine slows all of them alike.
            for name in &names {
                let mut pair = vec![(&mut starts, &binaries[*name])];
                pair.extend(beside.get(name).map(|other| (&mut others, other)));
                // Each is as often the first of the two.
                if round % 2 == 1 {
                    pair.reverse();
                }
                for (starts, binary) in pair {
                    starts.entry(name).or_default().push(start(&aws, name, binary).await?);
                }
            }
        }
        aws.stop().await;
        let of = |starts: &BTreeMap<&str, Vec<Start>>, floor: &[Start], name: &str, binary: &Path| {
            Ok((name.to_owned(), middle(&starts[name], floor, functions::zipped(binary)?)))
        };
        let floor = &starts[FLOOR];
        let ours = names.iter().map(|name| of(&starts, floor, name, &binaries[*name]));
        let cold: BTreeMap<_, _> = ours.collect::<Result<_>>()?;
        let theirs = beside.iter().map(|(name, binary)| of(&others, floor, name, binary));
        let theirs: BTreeMap<_, _> = theirs.collect::<Result<_>>()?;
        tell(report, &cold, &theirs, self.rounds);
        let pairs = theirs.iter().map(|(name, other)| {
            let (one, zipped) = (&cold[name], other.zipped);
            let pairs = || starts[name.as_str()].iter().zip(&others[name.as_str()]);
            Beside {
                name: name.clone(),
                init: median_ratio(pairs().map(|(one, other)| (one.init_cpu, other.init_cpu))),
                first: median_ratio(pairs().map(|(one, other)| (one.first_cpu, other.first_cpu))),
                zip: one.zipped as f64 / zipped as f64,
            }
        });
        let pairs: Vec<_> = pairs.collect();
        if !pairs.is_empty() {
            tell_beside(report, &pairs);
        }
        Ok(cold)
    }
}

/// A function to the one beside: multiples of its CPU in the same round, and of its size.
struct Beside {
    name: String,
    init: f64,
    first: f64,
    zip: f64,
}

fn tell_beside(report: &mut Report, pairs: &[Beside]) {
    report.paragraph(
        "To the binaries beside: the median of the ratios of two starts, one right after the other, and that of the sizes. The \
         floor's is how much of it is noise, where it is there.",
    );
    let times = |ratio: f64| format!("{ratio:.3}×");
    report.table(
        ["", "init CPU", "CPU to the first answer", "zip"],
        pairs.iter().map(|Beside { name, init, first, zip }| {
            [format!("{name}, to the one beside"), times(*init), times(*first), times(*zip)]
        }),
    );
}

async fn start(aws: &Aws, name: &str, binary: &Path) -> Result<Start> {
    aws.prepare().await?;
    let mut lambda = aws.start_function((binary, name), 256, true).await;
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

/// Each function, and behind it the one beside.
fn rows<'a>(cold: &'a BTreeMap<String, Cold>, beside: &'a BTreeMap<String, Cold>) -> Vec<(String, &'a Cold)> {
    let pair = |(name, cold): (&String, &'a Cold)| {
        let other = beside.get(name).map(|other| (format!("{name} (beside)"), other));
        std::iter::once((name.clone(), cold)).chain(other)
    };
    cold.iter().flat_map(pair).collect()
}

fn tell(report: &mut Report, cold: &BTreeMap<String, Cold>, beside: &BTreeMap<String, Cold>, rounds: usize) {
    report.heading("Cold start");
    report.paragraph(format!(
        "The release binary as each function, under Lambda's runtime API on loopback, with DynamoDB and the management API over \
         TLS 1.3 (P-256), medians of {rounds} starts. *Init* is from the start of the process until it asks for its first \
         event; *first answer* is the time after that event came, and its CPU counts from the start of the process. The floor \
         is `lambda_runtime` alone, which calls nobody; ratios are to its start in the same round. *Warm* is the CPU of a later \
         answer. CPU is what costs at a cold start: with 256 MB a function has a seventh of a vCPU."
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
        rows(cold, beside).into_iter().map(|(name, cold)| {
            [
                name,
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
    let largest = cold.iter().map(megabytes).fold(0.0, f64::max);
    report.at_most("The zip file of all functions", largest, ZIP_MAX, " MB");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cold(zipped: usize) -> Cold {
        let time = Duration::from_millis(2);
        let (init, init_cpu, first, first_cpu, warm_cpu) = (time, time, time, time, time);
        Cold { init, init_cpu, first, first_cpu, warm_cpu, memory: 9_000, zipped, init_ratio: 1.0, first_ratio: 2.0 }
    }

    #[test]
    fn what_is_beside_has_a_row_and_no_goal() {
        let ours = BTreeMap::from([("connect".to_owned(), cold(2_000_000)), (FLOOR.to_owned(), cold(1_000_000))]);
        let theirs = BTreeMap::from([("connect".to_owned(), cold(9_000_000))]);
        let mut report = Report::default();
        tell(&mut report, &ours, &theirs, 3);
        tell_beside(&mut report, &[Beside { name: "connect".into(), init: 1.0, first: 0.9876, zip: 2.0 / 9.0 }]);
        assert_eq!(report.missed(), 0, "the size beside is nobody's goal");
        let document = report.document("Benchmarks");
        for row in [
            "| connect | 2 | 2 | 2 | 1.00× | 2 | 2 | 2.00× | 2 | 9 |",
            "| connect (beside) | 9 | 2 | 2 | 1.00× | 2 | 2 | 2.00× | 2 | 9 |",
            "| connect, to the one beside | 1.000× | 0.988× | 0.222× |",
        ] {
            assert!(document.contains(row), "{row}: {document}");
        }
    }
}
