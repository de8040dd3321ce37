//! One user is barred and let be again, while it joins, speaks and edits. A step is one request. What is written to the
//! three rows that have bars goes through [`chat::Bars`], and what refuses is asked of it.

use super::search::{Model, Step};
use chat::{Bar, BarChange, Barred, Bars, Timestamp, UserId};
use std::collections::BTreeMap;

/// What must not be forgotten. Each is noticed by a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The room's row is written if the bars are as they were read, and not by their number.
    AsItWasRead,
    /// A copy is written over a later one.
    CopiesWhateverTheNumber,
    /// It is acknowledged before the copies are written.
    AcknowledgesTooSoon,
    /// The members are read before the ban is written.
    ReadsMembersFirst,
    /// A join looks for a ban before it enters, and not after.
    JoinReadsFirst,
    /// An edit looks at the bars, and writes whatever they are by then.
    EditsWithoutCondition,
    /// A send is counted whatever the bars are.
    CountsWithoutCondition,
    /// Whoever is found is taken out, whichever join let it in, and it is not looked again whether there is a ban.
    TakesOutWhomever,
    /// A repeated send is refused, stored or not.
    ForgetsWhatIsStored,
}

/// What a moderator asks for, one thing after the other has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    Mute,
    Ban,
    /// For longer.
    BanAgain,
    Lift,
}

/// A room and what may go wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub asked: &'static [Asked],
    /// How often the user's one device joins, says something, and edits.
    pub joins: u8,
    pub sends: u8,
    pub edits: u8,
    /// Functions that die, and whose client asks again; and writes that are made once more, late.
    pub deaths: u8,
    pub late: u8,
    pub mistake: Option<Mistake>,
}

#[derive(Clone, Default, Hash)]
pub struct State {
    head: Bars,
    last_id: u8,
    changed: Bars,
    /// The ban in the user's row: whether it holds, and its number.
    user: (bool, u64),
    /// The number of the join that wrote the member's row.
    member: Option<u8>,
    /// The number of the join that is noted at the connection.
    noted: Option<u8>,
    joined: u8,
    join: Join,
    /// Whether the last join was told that it is in.
    is_in: bool,
    a_join_died: bool,
    send: Send,
    /// Of the message under way: whether it is stored. Of all that were counted: the last id.
    stored: bool,
    edit: Edit,
    /// How many of what was asked has ended.
    done: u8,
    moderator: Moderator,
    late: Vec<Write>,
    joins: u8,
    sends: u8,
    edits: u8,
    deaths: u8,
    again: u8,
    /// What happened that must not.
    broken: Option<&'static str>,
}

#[derive(Clone, Default, Hash, PartialEq)]
enum Join {
    #[default]
    None,
    Noted,
    Entered,
    Undoes,
}

#[derive(Clone, Default, Hash, PartialEq)]
enum Send {
    #[default]
    None,
    Counted,
    /// Stored, and its answer lost: it is said again.
    SaidAgain,
}

#[derive(Clone, Default, Hash, PartialEq)]
enum Edit {
    #[default]
    None,
    /// Free as it was seen.
    Looked,
}

#[derive(Clone, Default, Hash, PartialEq)]
enum Moderator {
    #[default]
    Asks,
    Read(Bars),
    Wrote(Bars),
    Copied(Bars),
    CopiedBoth,
    Found(Option<u8>),
    LookedAgain(Option<u8>),
    TookOut(u8),
}

/// A write of bars that may be made once more, late.
#[derive(Clone, Hash, PartialEq)]
enum Write {
    Head { seen: Bars, next: Bars },
    Changed(Bars),
    User(bool, u64),
}

const NOW: Timestamp = Timestamp::from_millis(0);

fn x() -> UserId {
    UserId::parse("7").expect("an id")
}

impl Asked {
    fn change(self) -> BarChange {
        let set = |bar, seconds: i64| BarChange::Set(Barred { bar, until: Timestamp::from_millis(seconds * 1_000) });
        match self {
            Self::Mute => set(Bar::Mute, 10),
            Self::Ban => set(Bar::Ban, 10),
            Self::BanAgain => set(Bar::Ban, 20),
            Self::Lift => BarChange::Lift,
        }
    }

    fn bans(self) -> bool {
        matches!(self, Self::Ban | Self::BanAgain)
    }
}

fn is_banned(bars: &Bars) -> bool {
    bars.banned(NOW).contains(&x())
}

fn is_barred(bars: &Bars) -> bool {
    bars.of(&x(), NOW).is_some()
}

impl Room {
    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// The last thing that was acknowledged.
    fn acknowledged(&self, state: &State) -> Option<Asked> {
        self.asked[..usize::from(state.done)].last().copied()
    }

    /// Whether nothing else is asked of the moderator.
    fn is_final(&self, state: &State) -> bool {
        usize::from(state.done) == self.asked.len()
    }

    fn write(&self, state: &mut State, write: Write) -> bool {
        match write {
            Write::Head { seen, next } => {
                let same = |one: &BTreeMap<UserId, i64>, other: &BTreeMap<UserId, i64>| one == other;
                let as_read = same(&state.head.muted, &seen.muted) && same(&state.head.banned, &seen.banned);
                let holds = if self.is(Mistake::AsItWasRead) { as_read } else { state.head.number == seen.number };
                if holds {
                    state.head = next;
                }
                holds
            }
            Write::Changed(bars) => {
                if bars.number > state.changed.number || self.is(Mistake::CopiesWhateverTheNumber) {
                    state.changed = bars;
                }
                true
            }
            Write::User(banned, number) => {
                if number > state.user.1 || self.is(Mistake::CopiesWhateverTheNumber) {
                    state.user = (banned, number);
                }
                true
            }
        }
    }

    /// Steps that make a write: once, or once and again later.
    fn writes(
        &self,
        from: &State,
        name: &'static str,
        write: &Write,
        then: impl Fn(&mut State, bool),
    ) -> Vec<Step<State>> {
        let mut once = from.clone();
        let done = self.write(&mut once, write.clone());
        then(&mut once, done);
        let mut steps = vec![Step { name, comes: true, to: once.clone() }];
        if from.again > 0 {
            once.again -= 1;
            once.late.push(write.clone());
            steps.push(Step { name: "and once more, late", comes: false, to: once });
        }
        steps
    }

    fn acknowledge(&self, state: &mut State) {
        state.done += 1;
        state.moderator = Moderator::Asks;
    }

    fn moderate(&self, from: &State, asked: Asked) -> Vec<Step<State>> {
        let to = |change: &dyn Fn(&mut State)| {
            let mut to = from.clone();
            change(&mut to);
            to
        };
        let step = |name, change: &dyn Fn(&mut State)| vec![Step { name, comes: true, to: to(change) }];
        let copies = |bars: &Bars| bars.clone();
        match from.moderator.clone() {
            Moderator::Asks if self.is(Mistake::ReadsMembersFirst) && asked.bans() => {
                step("reads the row, and the members", &|to| {
                    to.moderator = Moderator::Read(to.head.clone());
                    to.user.1 = to.user.1.max(u64::from(to.member.unwrap_or_default()) << 32);
                })
            }
            Moderator::Asks => step("reads the row", &|to| to.moderator = Moderator::Read(to.head.clone())),
            Moderator::Read(seen) if seen.has(&x(), asked.change()) => {
                step("finds it done", &|to| to.moderator = Moderator::Wrote(copies(&seen)))
            }
            Moderator::Read(seen) => {
                let next = seen.clone().with(&x(), asked.change(), NOW).expect("few bars");
                let write = Write::Head { seen, next: next.clone() };
                self.writes(from, "writes the row", &write, |to, done| {
                    to.moderator = if done { Moderator::Wrote(next.clone()) } else { Moderator::Asks };
                    if done && self.is(Mistake::AcknowledgesTooSoon) {
                        self.acknowledge(to);
                    }
                })
            }
            Moderator::Wrote(bars) => {
                let write = Write::Changed(bars.clone());
                self.writes(from, "copies it for edits", &write, |to, _| to.moderator = Moderator::Copied(bars.clone()))
            }
            Moderator::Copied(bars) if asked == Asked::Mute => step("is done", &|to| {
                let _ = &bars;
                self.acknowledge(to);
            }),
            Moderator::Copied(bars) => {
                let write = Write::User(asked.bans(), bars.number);
                self.writes(from, "copies it for readers", &write, |to, _| {
                    to.moderator = if asked.bans() { Moderator::CopiedBoth } else { Moderator::Asks };
                    if !asked.bans() {
                        self.acknowledge(to);
                    }
                })
            }
            Moderator::CopiedBoth if self.is(Mistake::ReadsMembersFirst) => {
                step("takes out whom it read", &|to| self.acknowledge(to))
            }
            Moderator::CopiedBoth => step("reads the members", &|to| to.moderator = Moderator::Found(to.member)),
            Moderator::Found(found) => step("looks again whether it is banned", &|to| {
                if is_banned(&to.head) || self.is(Mistake::TakesOutWhomever) {
                    to.moderator = Moderator::LookedAgain(found);
                } else {
                    self.acknowledge(to);
                }
            }),
            Moderator::LookedAgain(found) => step("takes out whom it found", &|to| match (found, to.member) {
                (Some(found), Some(member)) if found == member || self.is(Mistake::TakesOutWhomever) => {
                    to.member = None;
                    to.moderator = Moderator::TookOut(member);
                }
                _ => self.acknowledge(to),
            }),
            Moderator::TookOut(join) => step("strikes the room at the connection", &|to| {
                if to.noted == Some(join) {
                    to.noted = None;
                }
                // It is pushed that it is out, unless it is on its way in.
                to.is_in &= to.join != Join::None;
                self.acknowledge(to);
            }),
        }
    }

    fn join(&self, from: &State, steps: &mut Vec<Step<State>>) {
        let mut to = from.clone();
        let name = match from.join {
            Join::None if from.joins > 0 => {
                (to.joins, to.joined, to.is_in) = (from.joins - 1, from.joined + 1, false);
                to.noted = Some(to.joined);
                let refused = self.is(Mistake::JoinReadsFirst) && is_banned(&from.head);
                to.join = if refused { Join::None } else { Join::Noted };
                "joins"
            }
            Join::None => return,
            Join::Noted => {
                to.member = Some(from.joined);
                to.join = Join::Entered;
                "enters"
            }
            Join::Entered => {
                let refused = is_banned(&from.head) && !self.is(Mistake::JoinReadsFirst);
                // One whose note is gone was overtaken, and asks again.
                let overtaken = from.noted != Some(from.joined);
                (to.join, to.is_in) =
                    (if refused || overtaken { Join::Undoes } else { Join::None }, !refused && !overtaken);
                "looks what forbids it"
            }
            Join::Undoes => {
                if from.member == Some(from.joined) {
                    to.member = None;
                }
                to.join = Join::None;
                "goes"
            }
        };
        steps.push(Step { name, comes: true, to });
        if from.deaths > 0 && from.join != Join::None {
            let mut to = from.clone();
            (to.deaths, to.join, to.a_join_died) = (from.deaths - 1, Join::None, true);
            steps.push(Step { name: "the join dies", comes: false, to });
        }
    }

    fn speak(&self, from: &State, steps: &mut Vec<Step<State>>) {
        let barred = is_barred(&from.head) && !self.is(Mistake::CountsWithoutCondition);
        let muted_for_good = self.acknowledged(from).is_some_and(|asked| asked != Asked::Lift) && self.is_final(from);
        let mut to = from.clone();
        let name = match from.send {
            Send::None if from.sends > 0 => {
                to.sends -= 1;
                if !barred {
                    (to.send, to.last_id, to.stored) = (Send::Counted, from.last_id + 1, false);
                    if muted_for_good {
                        to.broken = Some("who is barred is given a number");
                    }
                }
                "speaks"
            }
            Send::None => return,
            Send::Counted => {
                (to.stored, to.send) = (true, Send::None);
                "is stored"
            }
            Send::SaidAgain => {
                if barred && self.is(Mistake::ForgetsWhatIsStored) {
                    to.broken = Some("what is stored is refused");
                }
                to.send = Send::None;
                "says it again"
            }
        };
        steps.push(Step { name, comes: true, to });
        if from.deaths > 0 && from.send == Send::Counted {
            let mut to = from.clone();
            (to.deaths, to.stored, to.send) = (from.deaths - 1, true, Send::SaidAgain);
            steps.push(Step { name: "is stored, and its sender hears nothing", comes: false, to });
        }
    }

    fn edit(&self, from: &State, steps: &mut Vec<Step<State>>) {
        let mut to = from.clone();
        let name = match from.edit {
            Edit::None if from.edits > 0 => {
                to.edits -= 1;
                to.edit = if is_barred(&from.changed) { Edit::None } else { Edit::Looked };
                "looks at what it edits"
            }
            Edit::None => return,
            Edit::Looked => {
                let commits = !is_barred(&from.changed) || self.is(Mistake::EditsWithoutCondition);
                let barred = self.acknowledged(from).is_some_and(|asked| asked != Asked::Lift) && self.is_final(from);
                if commits && barred {
                    to.broken = Some("who is barred edits");
                }
                to.edit = Edit::None;
                "edits"
            }
        };
        steps.push(Step { name, comes: true, to });
    }
}

impl Model for Room {
    type State = State;

    fn first(&self) -> State {
        let (joins, sends, edits) = (self.joins, self.sends, self.edits);
        State { joins, sends, edits, deaths: self.deaths, again: self.late, ..State::default() }
    }

    fn steps(&self, from: &State) -> Vec<Step<State>> {
        let mut steps = Vec::new();
        if let Some(asked) = self.asked.get(usize::from(from.done)) {
            steps.extend(self.moderate(from, *asked));
            if from.deaths > 0 && from.moderator != Moderator::Asks {
                let mut to = from.clone();
                (to.deaths, to.moderator) = (from.deaths - 1, Moderator::Asks);
                steps.push(Step { name: "the moderator's function dies, and it asks again", comes: false, to });
            }
        }
        self.join(from, &mut steps);
        self.speak(from, &mut steps);
        self.edit(from, &mut steps);
        for (at, write) in from.late.iter().enumerate() {
            let mut to = from.clone();
            to.late.remove(at);
            self.write(&mut to, write.clone());
            steps.push(Step { name: "a late write comes", comes: true, to });
        }
        steps
    }

    fn always(&self, state: &State) -> Result<(), &'static str> {
        state.broken.map_or(Ok(()), Err)
    }

    fn at_rest(&self, state: &State) -> Result<(), &'static str> {
        let bans = self.acknowledged(state).is_some_and(Asked::bans);
        let mutes = self.acknowledged(state) == Some(Asked::Mute);
        if !self.is_final(state) {
            return Err("a moderator gets no answer");
        }
        if is_banned(&state.head) != bans || is_banned(&state.changed) != bans || (state.user.0 && !bans) {
            return Err("what was acknowledged last does not hold");
        }
        if bans && !state.user.0 {
            return Err("who is banned reads on");
        }
        if (is_barred(&state.head), is_barred(&state.changed)) != (bans || mutes, bans || mutes) {
            return Err("who is muted speaks, or who is free does not");
        }
        if bans && state.member.is_some() && !state.a_join_died {
            return Err("who is banned is a member");
        }
        if !bans && state.is_in && state.member != Some(state.joined) && self.acknowledged(state) == Some(Asked::Lift) {
            return Err("who was let in again is no member");
        }
        Ok(())
    }
}
