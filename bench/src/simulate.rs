//! The whole system in simulated time, seed after seed.

use anyhow::{Result, ensure};
use chat_tests::simulation::{Hunt, Mutant, Outcome, Schedule, shrink};
use clap::Args;
use std::time::Duration;

/// A first seed that was not tried before, most likely, if none is given.
fn any_seed() -> u64 {
    u64::from(rand::random::<u32>()) << 8
}

/// Of how many schedules one must find a mistake.
const SCHEDULES_PER_MISTAKE: u64 = 4_000;

#[derive(Args)]
pub struct Simulate {
    /// How long it begins new schedules
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many schedules it runs, however long that takes
    #[arg(long, conflicts_with = "seconds")]
    schedules: Option<u64>,
    /// The first seed; the others follow it. One is drawn, if none is given
    #[arg(long)]
    seed: Option<u64>,
    /// Runs this seed alone, and prints all that happens
    #[arg(long, conflicts_with_all = ["seconds", "schedules", "seed", "mistakes"])]
    replay: Option<u64>,
    /// Makes each mistake that the functions do not make, and says in how many schedules it is found
    #[arg(long)]
    mistakes: bool,
    /// With `--mistakes`, those alone whose name has this in it
    #[arg(long, requires = "mistakes")]
    only: Option<String>,
    /// With `--mistakes`, not these
    #[arg(long, requires = "mistakes", value_delimiter = ',')]
    except: Vec<String>,
}

impl Simulate {
    pub fn run(&self) -> Result<()> {
        match self.replay {
            Some(seed) => replay(seed),
            None if self.mistakes => self.find_mistakes(),
            None => self.hunt(),
        }
    }

    fn hunt(&self) -> Result<()> {
        let first = self.seed.unwrap_or_else(any_seed);
        let (seeds, time) = match self.schedules {
            Some(schedules) => (first..first.saturating_add(schedules), None),
            None => (first..u64::MAX, Some(Duration::from_secs(self.seconds))),
        };
        let hunted = Hunt { time, ..Hunt::of(seeds) }.run();
        println!("from seed {first}: {hunted}");
        for outcome in &hunted.failed {
            print(outcome);
            let (smaller, outcome) = shrink(Schedule::of(outcome.seed));
            println!(
                "without {} actions and {} faults it still fails:",
                smaller.without.actions.len(),
                smaller.without.faults.len()
            );
            outcome.log.iter().for_each(|line| println!("{line}"));
            print(&outcome);
        }
        ensure!(hunted.failed.is_empty(), "{} schedules failed", hunted.failed.len());
        Ok(())
    }

    fn find_mistakes(&self) -> Result<()> {
        let first = self.seed.unwrap_or_default();
        println!("| mistake | found in schedule | how |\n| --- | ---: | --- |");
        let mut unfound = Vec::new();
        let named = |mistake: &Mutant| {
            let name = format!("{mistake:?}");
            !self.except.contains(&name) && self.only.as_deref().is_none_or(|only| name.contains(only))
        };
        for mistake in Mutant::all().filter(named) {
            let hunt = Hunt { mutant: Some(mistake), ..Hunt::of(first..first.saturating_add(SCHEDULES_PER_MISTAKE)) };
            match hunt.run().failed.first() {
                Some(outcome) => println!("| {mistake:?} | {} | {} |", outcome.seed - first + 1, outcome.findings[0]),
                None => unfound.push(mistake),
            }
        }
        ensure!(unfound.is_empty(), "not found in {SCHEDULES_PER_MISTAKE} schedules each: {unfound:?}");
        Ok(())
    }
}

fn replay(seed: u64) -> Result<()> {
    let outcome = Schedule::of(seed).run();
    outcome.log.iter().for_each(|line| println!("{line}"));
    print(&outcome);
    ensure!(outcome.findings.is_empty(), "seed {seed} fails");
    Ok(())
}

fn print(outcome: &Outcome) {
    println!("seed {}, hash {:016x}, {} AWS calls", outcome.seed, outcome.hash(), outcome.calls);
    outcome.findings.iter().for_each(|finding| println!("  {finding}"));
}
