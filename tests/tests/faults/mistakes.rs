//! The checker notices mistakes: each one that the functions could make is made for them.

use chat_tests::checker::Violation;
use chat_tests::{Mistake, Workload};

/// The violations by which a mistake must be noticed. Others may have other reasons.
fn shows(mistake: Mistake, violation: &Violation) -> bool {
    use Violation::*;
    match mistake {
        Mistake::PushBeforeStore => matches!(violation, AckedDifferently { .. } | NeverStored { .. }),
        Mistake::RetryRowForgotten => matches!(violation, AckedDifferently { .. } | StoredTwice { .. }),
        Mistake::MembersReadBeforeCounting | Mistake::LastIdReadBeforeJoining => matches!(violation, NotPushed { .. }),
        Mistake::IdsGivenTwice => matches!(violation, IdShared { .. }),
        Mistake::PushedToAnotherRoom => matches!(violation, ViewForbidden { .. }),
        Mistake::MembersNeverRemoved => matches!(violation, MemberLeft { .. }),
        Mistake::StoreForgotten => matches!(violation, Lost { .. } | AckedDifferently { .. }),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "what was noticed of each is what it is read for")]
async fn every_mistake_is_noticed() {
    for mistake in Mistake::ALL {
        // Where two requests must meet, one is held until the other is done. On a busy machine a function may give up,
        // which can spoil a run.
        let mut noticed = None;
        for seed in 1..=3 {
            let workload = Workload {
                seed,
                rooms: 3,
                users: 5,
                devices: 2,
                newcomers: 10,
                messages: 100,
                hostile: false,
                mistake: Some(mistake),
            };
            let violations = workload.run().await.violations;
            noticed = violations.iter().find(|violation| shows(mistake, violation)).map(ToString::to_string);
            if noticed.is_some() {
                break;
            }
        }
        let noticed = noticed.unwrap_or_else(|| panic!("{mistake:?} goes unnoticed"));
        println!("{mistake:?}: {noticed}");
    }
}
