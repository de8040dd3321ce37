use super::{Outcome, Plan, Schedule};

/// Drops actions and faults from a schedule that fails, one after the other, as long as it still fails. Answers what is
/// left, and its outcome.
pub fn shrink(mut schedule: Schedule) -> (Schedule, Outcome) {
    let mut outcome = schedule.run();
    let plan = Plan::of(schedule.seed);
    let errands = schedule.client.is_some().then(|| plan.errands());
    let actions: Vec<_> = plan.actions().chain(errands.into_iter().flatten()).collect();
    loop {
        let before = (schedule.without.actions.len(), schedule.without.faults.len());
        for action in actions.iter().copied().rev() {
            if !schedule.without.actions.contains(&action) {
                attempt(&mut schedule, &mut outcome, |without| without.actions.insert(action));
            }
        }
        for fault in outcome.faults.clone() {
            attempt(&mut schedule, &mut outcome, |without| without.faults.insert(fault));
        }
        if (schedule.without.actions.len(), schedule.without.faults.len()) == before {
            return (schedule, outcome);
        }
    }
}

/// Leaves something out, if it fails without, too.
fn attempt(schedule: &mut Schedule, outcome: &mut Outcome, leave_out: impl FnOnce(&mut super::Without) -> bool) {
    let mut smaller = schedule.clone();
    leave_out(&mut smaller.without);
    let tried = smaller.run();
    if !tried.findings.is_empty() {
        (*schedule, *outcome) = (smaller, tried);
    }
}
