//! Bars, tried in every order: a moderator, a device that joins, sends and edits take one request after the other, die
//! between any two of them, and come late. What stands in the rows is [`chat::Bars`], whose methods the functions use.

mod model;
#[path = "../rounds/search.rs"]
#[allow(dead_code, reason = "rounds are wandered through as well")]
mod search;

use model::Asked::{Ban, BanAgain, Lift, Mute};
use model::{Mistake, Room};
use search::search;

const BANNED: Room = Room { asked: &[Ban], joins: 2, sends: 1, edits: 1, deaths: 0, late: 0, mistake: None };
const LIFTED: Room = Room { asked: &[Ban, Lift], joins: 2, sends: 0, ..BANNED };
const MUTED: Room = Room { asked: &[Mute], joins: 0, sends: 2, edits: 2, ..BANNED };

/// Their numbers tell, though nothing breaks, when a change keeps something from happening.
#[test]
fn a_bar_holds_in_every_order() {
    let rooms = [
        ("a ban", BANNED),
        ("a ban, one dies", Room { deaths: 1, ..BANNED }),
        ("a ban and its end, one write comes late", Room { late: 1, ..LIFTED }),
        (
            "a ban, its end and a longer one, one dies, one write comes late",
            Room { asked: &[Ban, Lift, BanAgain], joins: 1, sends: 0, edits: 0, deaths: 1, late: 1, mistake: None },
        ),
        ("a mute, two die", Room { deaths: 2, ..MUTED }),
        ("a mute and its end, two writes come late", Room { asked: &[Mute, Lift], late: 2, ..MUTED }),
    ];
    for (name, room) in rooms {
        let searched = search(&room, 2_000_000);
        assert!(searched.broken.is_none(), "{name}: {}", searched.broken.expect("broken"));
        assert!(!searched.cut_off && searched.rests > 0 && searched.states > 100, "{name}: {searched:?}");
    }
}

#[test]
fn each_mistake_is_noticed() {
    let late = Room { late: 1, ..LIFTED };
    for (mistake, room) in [
        (Mistake::AsItWasRead, Room { joins: 0, edits: 0, ..late }),
        (Mistake::CopiesWhateverTheNumber, Room { joins: 0, edits: 0, ..late }),
        (Mistake::AcknowledgesTooSoon, Room { joins: 0, ..BANNED }),
        (Mistake::ReadsMembersFirst, BANNED),
        (Mistake::JoinReadsFirst, BANNED),
        (Mistake::EditsWithoutCondition, MUTED),
        (Mistake::CountsWithoutCondition, MUTED),
        (Mistake::TakesOutWhomever, Room { asked: &[Ban, Lift], deaths: 1, ..LIFTED }),
        (Mistake::ForgetsWhatIsStored, Room { deaths: 1, ..MUTED }),
    ] {
        let searched = search(&Room { mistake: Some(mistake), ..room }, 2_000_000);
        assert!(searched.broken.is_some(), "{mistake:?} goes unnoticed in {} states", searched.states);
    }
}
