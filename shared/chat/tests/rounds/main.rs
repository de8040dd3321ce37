//! Rounds, tried in every order: senders, couriers and joiners take one request after the other, die between any two of
//! them, and come late. The room's row is [`chat::rounds::Head`], whose methods are the writes that the functions make.

mod model;
mod search;

use model::{Chances, Mistake, Rounds};
use search::{search, wander};

const NONE: Chances = Chances {
    deaths: 0,
    late: 0,
    lost: 0,
    clocks: 0,
    slow: 0,
    seals: 0,
    gone: 0,
    doubled: 0,
    enters: 0,
    leaves: 0,
    moves: 0,
    renewals: 0,
    hand_ons: 0,
};
const SEAL: Chances = Chances { seals: 1, ..NONE };
const DEATH: Chances = Chances { deaths: 1, ..NONE };
const ONE_LATE: Chances = Chances { late: 1, ..NONE };
const LATE: Chances = Chances { late: 1, ..DEATH };
/// The room goes over into rounds once, and back once.
const OVER: Chances = Chances { enters: 1, leaves: 1, ..SEAL };

/// Two send, one listens, and a round carries two messages.
const SMALL: Rounds = Rounds {
    senders: 2,
    changers: 0,
    joined: 1,
    joiners: 0,
    carries: 2,
    frame: 2,
    in_rounds: false,
    chances: NONE,
    mistake: None,
};
const IN_ROUNDS: Rounds = Rounds { in_rounds: true, ..SMALL };
const ONE_A_ROUND: Rounds = Rounds { carries: 1, frame: 1, ..IN_ROUNDS };
const ONE_SENDS: Rounds = Rounds { senders: 1, ..IN_ROUNDS };
const NOBODY_LISTENS: Rounds = Rounds { joined: 0, ..IN_ROUNDS };
const ONE_CHANGES: Rounds = Rounds { senders: 0, changers: 1, ..IN_ROUNDS };

/// All states of small rooms. Their numbers tell, though nothing breaks, when a change of the protocol keeps something
/// from happening.
#[test]
fn what_is_acknowledged_is_learned_in_every_order() {
    let comes_again = Chances { moves: 1, ..DEATH };
    let rooms = [
        ("over and back, one joins", Rounds { joiners: 1, ..SMALL }.with(OVER), 8_817, 50),
        ("over and back, one dies", SMALL.with(Chances { deaths: 1, gone: 1, ..OVER }), 30_139, 117),
        ("over twice", Rounds { senders: 3, ..SMALL }.with(Chances { enters: 2, ..NONE }), 3_682, 3),
        (
            "over and back, two late writes",
            Rounds { senders: 1, ..SMALL }.with(Chances { deaths: 1, late: 2, gone: 1, ..OVER }),
            27_595,
            359,
        ),
        ("three send", Rounds { senders: 3, ..IN_ROUNDS }.with(SEAL), 21_737, 4),
        (
            "three send, a frame holds less than was thought",
            Rounds { senders: 3, frame: 1, ..IN_ROUNDS }.with(SEAL),
            20_297,
            4,
        ),
        ("five send, nobody listens", Rounds { senders: 5, ..NOBODY_LISTENS }, 38_213, 1),
        ("five send, nobody listens, a frame holds less", Rounds { senders: 5, frame: 1, ..NOBODY_LISTENS }, 35_763, 1),
        ("three send, a late write, nobody listens", Rounds { senders: 3, ..NOBODY_LISTENS }.with(ONE_LATE), 36_990, 7),
        ("one dies, a late write", IN_ROUNDS.with(LATE), 121_989, 28),
        ("two die, a message a round", ONE_A_ROUND.with(Chances { deaths: 2, ..NONE }), 34_482, 15),
        ("an answer is lost, a slow courier", ONE_A_ROUND.with(Chances { lost: 1, slow: 1, ..NONE }), 17_488, 8),
        ("one dies, a slow courier", ONE_A_ROUND.with(Chances { slow: 1, ..DEATH }), 65_191, 10),
        ("one dies, a wrong clock", IN_ROUNDS.with(Chances { clocks: 1, ..DEATH }), 84_850, 10),
        ("an event comes twice, a wrong clock", IN_ROUNDS.with(Chances { doubled: 1, clocks: 1, ..NONE }), 6_652, 4),
        (
            "one dies, one joins, goes and comes again",
            Rounds { senders: 1, joined: 0, joiners: 1, ..IN_ROUNDS }.with(comes_again),
            9_483,
            50,
        ),
        ("a courier hands on, one dies", IN_ROUNDS.with(Chances { hand_ons: 1, ..DEATH }), 32_850, 10),
        ("a courier hands on, an answer is lost", IN_ROUNDS.with(Chances { hand_ons: 1, lost: 1, ..NONE }), 8_650, 8),
        (
            "a courier renews, one dies, a late write",
            Rounds { senders: 1, ..IN_ROUNDS }.with(Chances { renewals: 1, seals: 1, ..LATE }),
            46_533,
            92,
        ),
        (
            "over and back, a change, one joins",
            Rounds { senders: 1, changers: 1, joiners: 1, ..SMALL }.with(OVER),
            2_447,
            12,
        ),
        (
            "over and back, two changes, one a frame",
            Rounds { senders: 1, changers: 2, frame: 1, ..SMALL }.with(OVER),
            2_265,
            11,
        ),
        (
            "over and back, a change, one dies, a late write",
            Rounds { senders: 1, changers: 1, ..SMALL }.with(Chances { deaths: 1, late: 1, gone: 1, ..OVER }),
            96_944,
            404,
        ),
        (
            "two changes, one dies, a late write, the rounds are over",
            Rounds { changers: 2, ..ONE_CHANGES }.with(Chances { leaves: 1, ..LATE }),
            31_136,
            78,
        ),
        (
            "two changes, an answer is lost, a wrong clock",
            Rounds { changers: 2, ..ONE_CHANGES }.with(Chances { clocks: 1, lost: 1, ..DEATH }),
            19_074,
            16,
        ),
        (
            "a change, one dies, one joins, goes and comes again",
            Rounds { joined: 0, joiners: 1, ..ONE_CHANGES }.with(comes_again),
            1_241,
            6,
        ),
    ];
    for (room, model, states, rests) in rooms {
        let found = search(&model, usize::MAX);
        if let Some(broken) = found.broken {
            panic!("{room}: {broken}");
        }
        assert_eq!((found.states, found.rests), (states, rests), "{room}");
    }
}

/// As many states of each as `CHAT_STATES` says, and a hundredth of as many ways to the end.
#[test]
fn what_is_acknowledged_is_learned_as_far_as_is_looked() {
    #[allow(clippy::disallowed_methods, reason = "how long is for who runs it to say")]
    let states = std::env::var("CHAT_STATES").map_or(20_000, |states| states.parse().expect("a number of states"));
    let busy = Chances { deaths: 2, late: 1, lost: 1, clocks: 1, slow: 1, ..SEAL };
    let all = Chances {
        deaths: 4,
        late: 2,
        lost: 2,
        clocks: 2,
        slow: 1,
        seals: 2,
        gone: 1,
        doubled: 1,
        enters: 2,
        leaves: 2,
        moves: 1,
        renewals: 1,
        hand_ons: 1,
    };
    let rooms = [
        ("over and back, one dies, a late write", SMALL.with(Chances { deaths: 1, late: 1, gone: 1, ..OVER })),
        ("over and back, three send, one joins", Rounds { senders: 3, joined: 0, joiners: 1, ..SMALL }.with(OVER)),
        ("three send, one dies, a late write", Rounds { senders: 3, ..IN_ROUNDS }.with(Chances { seals: 1, ..LATE })),
        ("four send", Rounds { senders: 4, ..IN_ROUNDS }.with(SEAL)),
        ("two die, much goes wrong", ONE_A_ROUND.with(busy)),
        ("two die, much goes wrong, two changes", Rounds { changers: 2, ..ONE_CHANGES }.with(busy)),
        (
            "a courier hands on, renews and dies, an event comes twice",
            IN_ROUNDS.with(Chances { hand_ons: 1, renewals: 1, doubled: 1, ..DEATH }),
        ),
        ("two changes, one sends, one dies, a late write", Rounds { senders: 1, changers: 2, ..IN_ROUNDS }.with(LATE)),
        (
            "everything, a message a round",
            Rounds { senders: 4, changers: 2, joiners: 1, carries: 1, frame: 1, ..SMALL }.with(all),
        ),
        (
            "everything, three messages a round",
            Rounds { senders: 5, changers: 2, joiners: 2, carries: 3, frame: 3, ..SMALL }.with(all),
        ),
    ];
    for (room, model) in rooms {
        let found = search(&model, states);
        let end = if found.cut_off { "cut off" } else { "all" };
        eprintln!("{room}: {} states, {end}, {} at rest", found.states, found.rests);
        if let Some(broken) = found.broken.or_else(|| wander(&model, states / 100)) {
            panic!("{room}: {broken}");
        }
    }
}

/// What the functions do not do, and in how many steps it is found. A row of this table is a reason for a condition.
#[test]
fn each_mistake_is_found() {
    const LOST: &str = "a member never learns of an acknowledged message";
    const MISSED: &str = "a member never learns of an acknowledged change";
    const LATE_ROUND: &str = "more is counted during a round than the next one carries";
    const IN_VAIN: &str = "who saw that the lease is over wakes in vain";
    let two = IN_ROUNDS.with(SEAL);
    let change = Rounds { senders: 1, ..ONE_CHANGES };
    let mistakes = [
        (Mistake::PassesHoles, two, 7, "an id that was told void is a message"),
        (Mistake::RestsWithoutLastId, two, 13, LOST),
        (Mistake::StoresOverVoid, two, 9, "an id that was told void is a message"),
        (Mistake::TakesByItsOwnClock, IN_ROUNDS.with(Chances { clocks: 1, ..DEATH }), 6, IN_VAIN),
        (Mistake::TakesUnderANewName, IN_ROUNDS.with(Chances { lost: 1, ..NONE }), 9, LOST),
        (Mistake::EndsWellThoughUnsure, IN_ROUNDS.with(ONE_LATE), 15, LOST),
        (Mistake::NobodyRepeats, IN_ROUNDS.with(DEATH), 11, LOST),
        (Mistake::RefusedWakesNobody, ONE_A_ROUND.with(DEATH), 2, "a sender is stuck"),
        (Mistake::MembersBeforeLastId, Rounds { joiners: 1, ..two }, 19, LOST),
        (Mistake::AcksBeforeItWakes, ONE_SENDS.with(DEATH), 4, LOST),
        (Mistake::LeavesOutEmptyRounds, SMALL.with(Chances { deaths: 1, enters: 1, ..NONE }), 19, LOST),
        (Mistake::StepRenewsFromWhenItIsApplied, IN_ROUNDS.with(LATE), 17, LOST),
        (Mistake::SealsAtOnce, ONE_SENDS, 22, "a sender starves"),
        (Mistake::SealsWhatIsThere, two, 7, "an acknowledged message is not stored"),
        (Mistake::CountsAboveTheCeiling, Rounds { carries: 1, frame: 1, ..two }, 2, "more is counted than has a place"),
        (Mistake::PostsBeforeItStores, SMALL, 3, "something is pushed that is not stored"),
        (Mistake::StoresWithoutRetryRow, SMALL.with(DEATH), 5, "a message is stored twice"),
        (Mistake::HandsOnToNobody, ONE_SENDS.with(Chances { hand_ons: 1, ..NONE }), 7, LOST),
        (Mistake::HandsOnOnlyIfItIsTold, ONE_SENDS.with(Chances { hand_ons: 1, lost: 1, ..NONE }), 6, LOST),
        (Mistake::RestsWithoutChanges, change, 14, MISSED),
        (Mistake::KnocksBeforeItCommits, change, 9, "a frame covers a change that is not committed"),
        (Mistake::KnocksAndWakesNobody, ONE_CHANGES, 4, MISSED),
        (Mistake::RefusedKnockWakesNobody, ONE_CHANGES.with(DEATH), 7, MISSED),
        (Mistake::ChangeAcksBeforeItWakes, ONE_CHANGES.with(DEATH), 5, MISSED),
        (Mistake::TrustsWhatItReadBefore, change.with(Chances { leaves: 1, ..NONE }), 14, MISSED),
        (Mistake::DoesNotKnock, change, 14, MISSED),
        (Mistake::JoinReadsChangesFirst, Rounds { joiners: 1, ..ONE_CHANGES }, 14, MISSED),
        (Mistake::ChangeReadsMembersFirst, Rounds { joiners: 1, in_rounds: false, ..ONE_CHANGES }, 7, MISSED),
        (Mistake::MembersBeforeLastId, Rounds { joiners: 1, ..change }, 21, MISSED),
        (Mistake::TakesTwoFrames, Rounds { senders: 5, ..NOBODY_LISTENS }, 15, LATE_ROUND),
        (
            Mistake::ForgetsWhatIsLeft,
            Rounds { senders: 6, frame: 1, ..NOBODY_LISTENS },
            20,
            "more may wait than two rounds carry",
        ),
        (Mistake::StepsOnceMore, Rounds { senders: 4, ..NOBODY_LISTENS }.with(ONE_LATE), 11, LATE_ROUND),
        (
            Mistake::MakesPlaceForChanges,
            Rounds { senders: 4, changers: 1, ..NOBODY_LISTENS }.with(ONE_LATE),
            12,
            "more may wait than two rounds carry",
        ),
        (Mistake::TakesADoneStepForLost, IN_ROUNDS.with(Chances { lost: 1, ..NONE }), 13, LOST),
    ];
    for (mistake, model, steps, why) in mistakes {
        let found = search(&Rounds { mistake: Some(mistake), ..model }, 200_000);
        let broken = found.broken.unwrap_or_else(|| panic!("{mistake:?} is not found in {} states", found.states));
        assert_eq!((broken.trace.len(), broken.why), (steps, why), "{mistake:?} is found so: {broken}");
        let without = search(&model, 20_000).broken;
        assert!(without.is_none(), "{mistake:?} is found where it is not made: {without:?}");
    }
}
