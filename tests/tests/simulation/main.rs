//! The whole system in simulated time, from fixed seeds. A seed that fails is run alone by
//! `cargo run -p chat-bench -- simulate --replay SEED`.

use chat_tests::simulation::{Hunt, Schedule};

#[test]
fn the_first_seeds_find_nothing() {
    let hunted = Hunt { enough: 20, ..Hunt::of(0..60) }.run();
    println!("{hunted}");
    for outcome in &hunted.failed {
        println!("seed {} ({} calls): {:#?}", outcome.seed, outcome.calls, outcome.findings);
    }
    assert!(hunted.failed.is_empty());
}

#[test]
fn a_seed_is_the_same_each_time() {
    for seed in 0..20 {
        let (one, other) = (Schedule::of(seed).run(), Schedule::of(seed).run());
        if one.log != other.log {
            let at = one.log.iter().zip(&other.log).position(|(a, b)| a != b);
            panic!("seed {seed} differs at {at:?}: {:?} {:?}", at.map(|a| &one.log[a]), at.map(|a| &other.log[a]));
        }
    }
}
