//! The whole system in simulated time, from fixed seeds. What happens in one that fails is printed by
//! `cargo run --profile simulation -p chat-bench -- simulate --replay SEED`; CI runs three thousand.

mod browser;
mod cases;
mod exhaustive;
mod invocations;
mod kept;
mod moderation;

use chat_tests::simulation::{Hunt, Mutant, Schedule};

#[test]
#[allow(clippy::print_stdout, reason = "how many there were, and how fast, is what it is read for")]
fn the_first_seeds_find_nothing() {
    let hunted = Hunt::of(0..200).run();
    println!("{hunted}");
    let found = hunted.failed.iter().map(|outcome| format!("seed {}: {}", outcome.seed, outcome.findings.join("; ")));
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_seed_is_the_same_each_time() {
    for seed in 0..10 {
        let (one, other) = (Schedule::of(seed).run(), Schedule::of(seed).run());
        assert!(one.log.len() > 50, "hardly anything happens in seed {seed}");
        let differs = one.log.iter().zip(&other.log).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one, other, "seed {seed}");
    }
}

/// These take hundreds or thousands of schedules. CI tries those that take hundreds by `simulate --mistakes`.
const RARE: [Mutant; 8] = [
    Mutant::MembersReadBeforeCounting,
    Mutant::JoinNotVerified,
    Mutant::MemberWrittenOverALaterOne,
    Mutant::MembersReadBeforeCommit,
    Mutant::ChangesReadBeforeJoining,
    Mutant::EditsForgotten,
    Mutant::ChangedWhateverTheVersion,
    Mutant::NumberedWhateverIsThere,
];

#[test]
#[allow(clippy::print_stdout, reason = "what was found of each is what it is read for")]
fn each_mistake_is_found() {
    // Those of rounds take as long: one in four schedules has rounds.
    let often = |mistake: &Mutant| !RARE.contains(mistake) && !mistake.is_of_rounds();
    for mistake in Mutant::all().filter(often) {
        let hunted = Hunt { mutant: Some(mistake), ..Hunt::of(0..80) }.run();
        let found = hunted.failed.first().unwrap_or_else(|| panic!("{mistake:?} goes unnoticed"));
        println!("{mistake:?}, seed {}: {}", found.seed, found.findings[0]);
    }
}
