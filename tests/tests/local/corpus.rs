//! The inputs that the fuzzer kept, tried without the fuzzer.

#[path = "../../../fuzz/src/lib.rs"]
mod checks;

use checks::TARGETS;
use std::fs::read_dir;

#[test]
fn what_the_fuzzer_kept_breaks_nothing() {
    for (target, check) in TARGETS {
        let corpus = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let inputs: Vec<_> = read_dir(&corpus).expect("a corpus").map(|input| input.expect("a file").path()).collect();
        assert!(inputs.len() > 5, "{corpus}");
        for input in inputs {
            let bytes = std::fs::read(&input).expect("an input");
            let held = std::panic::catch_unwind(|| check(&bytes));
            assert!(held.is_ok(), "{}", input.display());
        }
    }
}
