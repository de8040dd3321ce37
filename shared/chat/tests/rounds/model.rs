//! Everybody who has to do with a room in rounds, one request at a time: senders, changers, joiners, couriers, Lambda's
//! queue. The room's row is the product's [`Head`], with its own conditions; the rest of the tables is what the
//! functions ask of them.

mod steps;

use crate::search::{Model, Step};
use chat::rounds::{Count, Courier, Head, InRounds, Prefix, Pushed, Rest};
use chat::{ChangeNumber, MessageId, Timestamp};
use steps::Steps;

/// It is always this moment: what is over is before it. Of other moments only their order matters.
const NOW: i64 = 0;
/// How long a lease is.
const LEASE: i64 = 100;
/// By how much a clock may be wrong: more than a lease, so that it sees any lease as over, or one that is over as not.
const WRONG: i64 = 1_000;
/// When a lease ended whose courier died so long ago that Lambda has repeated its event, a minute later. No clock is so
/// wrong that it looks as if it went on.
const LONG_AGO: i64 = -10_000;

/// How often Lambda repeats an event whose run failed. The last run of an event does not die here.
const REPEATS: u8 = 2;

/// How often a client repeats its request.
const CLIENT_REPEATS: u8 = 2;

/// How often a send counts again because its id was void before it gives up.
const VOID_IDS: u8 = 3;

/// A room, who is about it, and what may go wrong.
#[derive(Debug, Clone, Copy)]
pub struct Rounds {
    pub senders: usize,
    pub changers: usize,
    pub joined: usize,
    pub joiners: usize,
    /// How many messages a round is taken to carry.
    pub carries: u64,
    /// How many messages one frame holds, and how many changes.
    pub frame: usize,
    /// Whether the room begins in rounds.
    pub in_rounds: bool,
    pub chances: Chances,
    pub mistake: Option<Mistake>,
}

impl Rounds {
    pub const fn with(self, chances: Chances) -> Self {
        Self { chances, ..self }
    }
}

/// How often something happens that need not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Chances {
    /// A function dies between two of its requests.
    pub deaths: u8,
    /// A write is applied late, after its function died, or after the SDK repeated it.
    pub late: u8,
    /// An answer is lost, and the SDK repeats the request.
    pub lost: u8,
    /// Somebody's clock is wrong.
    pub clocks: u8,
    /// A courier is slower than its lease.
    pub slow: u8,
    /// A sender is slower than a courier is patient.
    pub seals: u8,
    /// A client does not come again.
    pub gone: u8,
    /// An event comes twice.
    pub doubled: u8,
    pub enters: u8,
    pub leaves: u8,
    /// A member goes and comes again.
    pub moves: u8,
    pub renewals: u8,
    pub hand_ons: u8,
}

/// What the functions do not do. Each is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    PassesHoles,
    RestsWithoutLastId,
    StoresOverVoid,
    TakesByItsOwnClock,
    TakesUnderANewName,
    EndsWellThoughUnsure,
    NobodyRepeats,
    RefusedWakesNobody,
    MembersBeforeLastId,
    AcksBeforeItWakes,
    LeavesOutEmptyRounds,
    StepRenewsFromWhenItIsApplied,
    SealsAtOnce,
    CountsAboveTheCeiling,
    PostsBeforeItStores,
    StoresWithoutRetryRow,
    SealsWhatIsThere,
    HandsOnToNobody,
    HandsOnOnlyIfItIsTold,
    RestsWithoutChanges,
    KnocksBeforeItCommits,
    KnocksAndWakesNobody,
    ChangeAcksBeforeItWakes,
    TrustsWhatItReadBefore,
    DoesNotKnock,
    JoinReadsChangesFirst,
    ChangeReadsMembersFirst,
    RefusedKnockWakesNobody,
    TakesTwoFrames,
    ForgetsWhatIsLeft,
    StepsOnceMore,
    MakesPlaceForChanges,
    TakesADoneStepForLost,
}

/// `Some` where somebody is still to be woken: with the lease that was seen.
type Wake = Option<Option<Timestamp>>;

/// Members, a bit each.
type Members = u8;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    head: Head,
    /// What stands under each id, from 1.
    rows: Vec<Row>,
    last_change: ChangeNumber,
    senders: Vec<Sender>,
    changers: Vec<Changer>,
    members: Vec<Member>,
    events: Vec<Event>,
    runs: Vec<Run>,
    late: Vec<Late>,
    chances: Chances,
    /// More was counted during a round than the next one carries.
    is_late: bool,
    /// A courier was refused though whoever woke it saw that this very lease is over.
    woken_in_vain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Row {
    Hole,
    Void,
    MessageOf(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Sender {
    at: Sending,
    id: MessageId,
    in_rounds: bool,
    wake: Wake,
    stored: Stored,
    sealed: bool,
    /// Who is still to be posted to, once the members are read.
    to: Option<Members>,
    entered: bool,
    repeats: u8,
    void_ids: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
enum Sending {
    #[default]
    Start,
    Refused,
    Counted,
    Acked,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
enum Stored {
    #[default]
    No,
    Yes,
    /// It was there already, under this id.
    Before(MessageId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Changer {
    at: Changing,
    version: ChangeNumber,
    /// What it read before its commit: whether the room is in rounds.
    in_rounds: bool,
    /// Only where it knocks before its commit.
    has_knocked: bool,
    wake: Wake,
    to: Option<Members>,
    repeats: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
enum Changing {
    #[default]
    Start,
    Committing,
    Knocking,
    Waking,
    Posting,
    Acked,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Member {
    at: Joining,
    /// The last message when it first joined: what is before is not owed to it.
    start: Option<MessageId>,
    /// The highest id of which it was told; it asks the history for what it has not.
    told: MessageId,
    told_change: ChangeNumber,
    /// Messages that it was pushed, and ids of which it was told that they are void: a bit each.
    has: u32,
    void: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Joining {
    #[default]
    Away,
    /// Only where it reads the changes before it writes its row.
    HasReadChange,
    Row,
    LastId,
    Joined,
}

/// In Lambda's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Event {
    seen: Option<Timestamp>,
    repeats: u8,
    /// Its run died, and it waits for being repeated.
    dead: Option<u64>,
}

/// One run of the courier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Run {
    at: Doing,
    event: Event,
    /// What the last answer of the row said.
    last_id: MessageId,
    pushed: MessageId,
    changes: Option<ChangeNumber>,
    changed: ChangeNumber,
    /// The round that is being posted, and to whom it still is to be.
    up_to: MessageId,
    changes_up_to: Option<ChangeNumber>,
    to: Members,
    /// Only where it reads the members before the row.
    early: Members,
    /// An attempt of its TAKE was given up, and may still come.
    is_unsure: bool,
    me: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Doing {
    Reading,
    SeesAHole,
    HasRead,
    Posting,
    HandingOn,
}

/// What a courier says of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Carried {
    after: MessageId,
    up_to: MessageId,
    known: MessageId,
    changes_up_to: Option<ChangeNumber>,
}

/// A write that is under way while nobody waits for it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Late {
    Count,
    Enter,
    Store { sender: u8, id: MessageId },
    Knock(ChangeNumber),
    Take { me: u64, seen: Option<Timestamp>, until: Timestamp },
    Step { me: u64, round: Carried, until: Timestamp },
    Renew { me: u64, until: Timestamp },
    Rest { me: u64, pushed: MessageId, changes: Option<ChangeNumber>, over: bool },
}

const fn at(moment: i64) -> Timestamp {
    Timestamp::from_millis(moment)
}

fn bit(id: MessageId) -> u32 {
    1 << id.get()
}

impl World {
    fn first(model: &Rounds) -> Self {
        let mut head = Head::default();
        if model.in_rounds {
            head.enter(model.carries);
        }
        let joined = Member { at: Joining::Joined, start: Some(MessageId::default()), ..Member::default() };
        let mut members = vec![joined; model.joined];
        members.resize(model.joined + model.joiners, Member::default());
        Self {
            head,
            rows: Vec::new(),
            last_change: ChangeNumber::default(),
            senders: vec![Sender::default(); model.senders],
            changers: vec![Changer::default(); model.changers],
            members,
            events: Vec::new(),
            runs: Vec::new(),
            late: Vec::new(),
            chances: model.chances,
            is_late: false,
            woken_in_vain: false,
        }
    }

    fn row(&self, id: MessageId) -> Row {
        self.rows[id.get() as usize - 1]
    }

    fn row_mut(&mut self, id: MessageId) -> &mut Row {
        &mut self.rows[id.get() as usize - 1]
    }

    fn is_stored(&self, id: MessageId) -> bool {
        matches!(self.row(id), Row::MessageOf(_))
    }

    /// Under which id a message is stored.
    fn stored(&self, sender: usize) -> Option<MessageId> {
        let of = Row::MessageOf(sender as u8);
        self.rows.iter().position(|row| *row == of).map(|index| MessageId::new(index as u64 + 1))
    }

    fn members(&self) -> Members {
        self.members.iter().enumerate().filter(|(_, member)| member.has_row()).map(|(index, _)| 1 << index).sum()
    }

    /// Whom the answer of a write says is to be woken, read by a clock that is wrong by so much.
    fn wake(&self, wrong: i64) -> Wake {
        let rounds = self.head.rounds.as_ref()?;
        rounds.is_asleep(at(NOW + wrong)).then(|| rounds.lease.map(|lease| lease.until))
    }

    /// An asynchronous Invoke that was accepted. Equal events that wait are one: what comes twice is a fault of its own.
    fn invoke(&mut self, seen: Option<Timestamp>) {
        let event = Event { seen, repeats: 0, dead: None };
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    /// COUNT. How fast messages come is not modelled: whether a room goes over is chance.
    fn count(&mut self, model: &Rounds) -> Count {
        let before = self.head.clone();
        let ignores = model.mistake == Some(Mistake::CountsAboveTheCeiling);
        if let Some(rounds) = self.head.rounds.as_mut().filter(|_| ignores) {
            rounds.ceiling = before.last_id.next();
        }
        let count = self.head.count(at(NOW));
        if let (Some(rounds), Some(before)) = (&mut self.head.rounds, before.rounds) {
            rounds.ceiling = before.ceiling;
        }
        if count != Count::Full {
            self.rows.push(Row::Hole);
        }
        count
    }

    /// The transaction that stores a message and its retry row.
    fn store(&mut self, model: &Rounds, sender: usize, id: MessageId) -> Option<Stored> {
        let before = self.stored(sender).filter(|_| model.mistake != Some(Mistake::StoresWithoutRetryRow));
        match (before, self.row(id)) {
            (Some(before), _) if before == id => Some(Stored::Yes),
            (Some(before), _) => Some(Stored::Before(before)),
            (None, Row::Void) if model.mistake != Some(Mistake::StoresOverVoid) => None,
            (None, _) => {
                *self.row_mut(id) = Row::MessageOf(sender as u8);
                Some(Stored::Yes)
            }
        }
    }

    fn seal(&mut self, model: &Rounds, id: MessageId) {
        if self.row(id) == Row::Hole || model.mistake == Some(Mistake::SealsWhatIsThere) {
            *self.row_mut(id) = Row::Void;
        }
    }

    /// COUNT, and what a send makes of its answer.
    fn send(&mut self, model: &Rounds, index: usize, wrong: i64) {
        let count = self.count(model);
        let wake = self.wake(wrong);
        let wakes = wake.is_some() && model.mistake != Some(Mistake::RefusedWakesNobody);
        let sender = &mut self.senders[index];
        let (repeats, void_ids) = (sender.repeats, sender.void_ids);
        let again = Sender { repeats, void_ids, ..Sender::default() };
        *sender = match count {
            Count::Direct(id) => Sender { at: Sending::Counted, id, ..again },
            Count::InRounds(id) => Sender { at: Sending::Counted, id, in_rounds: true, wake, ..again },
            Count::Full if wakes => Sender { at: Sending::Refused, wake, ..again },
            Count::Full => again,
        };
    }

    /// What stays of a send that is acknowledged; no wake, unless it is made too late.
    fn ack(&mut self, index: usize) {
        let wake = self.senders[index].wake;
        self.senders[index] = Sender { at: Sending::Acked, wake, ..Sender::default() };
    }

    /// KNOCK, and what a changer makes of its answer.
    fn knock(&mut self, model: &Rounds, index: usize, change: ChangeNumber, wrong: i64) {
        let only_reads = model.mistake == Some(Mistake::DoesNotKnock);
        let applied = only_reads || self.head.knock(change);
        let rounds = self.head.rounds.as_ref();
        let waits = rounds.is_some_and(|rounds| rounds.has_work(rounds.pushed));
        let wakes = applied || waits && model.mistake != Some(Mistake::RefusedKnockWakesNobody);
        let in_rounds = rounds.is_some() || model.mistake == Some(Mistake::TrustsWhatItReadBefore);
        let wakes = wakes && model.mistake != Some(Mistake::KnocksAndWakesNobody);
        let wake = self.wake(wrong).filter(|_| wakes);
        let changer = &mut self.changers[index];
        changer.wake = wake;
        changer.at = if in_rounds { Changing::Waking } else { Changing::Posting };
    }

    /// TAKE, and what a courier makes of its answer.
    fn take(&mut self, model: &Rounds, event: Event, wrong: i64, me: u64) -> bool {
        let seen = event.seen.filter(|_| model.mistake != Some(Mistake::TakesByItsOwnClock));
        if !self.head.take(Courier(me), seen, at(NOW + wrong), at(NOW + wrong + LEASE)) {
            self.woken_in_vain |= self.lease().is_some_and(|(_, until)| Some(until) == event.seen);
            return false;
        }
        let early = if model.mistake == Some(Mistake::MembersBeforeLastId) { self.members() } else { 0 };
        let nothing = MessageId::default();
        let mut run = Run {
            at: Doing::Reading,
            event,
            last_id: nothing,
            pushed: nothing,
            changes: None,
            changed: ChangeNumber::default(),
            up_to: nothing,
            changes_up_to: None,
            to: 0,
            early,
            is_unsure: false,
            me,
        };
        self.answer(model, &mut run);
        self.runs.push(run);
        true
    }

    fn renew(&mut self, index: usize) {
        self.head.renew(Courier(self.runs[index].me), at(NOW + LEASE));
    }

    /// HAND_ON. The next run is woken whatever the answer is: the first of two attempts may have let the room go.
    fn hand_on(&mut self, model: &Rounds, index: usize) {
        let told = self.head.hand_on(Courier(self.runs[index].me));
        if told || model.mistake != Some(Mistake::HandsOnOnlyIfItIsTold) {
            self.runs[index].at = Doing::HandingOn;
        } else {
            self.end(model, index);
        }
    }

    /// A run ends; in a fault if it is unsure: a TAKE that comes later would give the room to nobody.
    fn end(&mut self, model: &Rounds, index: usize) {
        let run = self.runs.remove(index);
        if run.is_unsure && model.mistake != Some(Mistake::EndsWellThoughUnsure) {
            self.fail(run.event, run.me);
        }
    }

    /// A run ends in the middle.
    fn die(&mut self, index: usize) {
        let run = self.runs.remove(index);
        self.fail(run.event, run.me);
    }

    /// Lambda repeats the event of a run that failed, a minute later.
    fn fail(&mut self, event: Event, me: u64) {
        self.events.push(Event { repeats: event.repeats + 1, dead: Some(me), ..event });
    }

    /// What a courier wrote who died a minute ago, and what of it is still to come.
    fn ends_long_ago(&mut self, dead: u64) {
        let late = self.late.iter_mut().filter(|late| late.me() == Some(dead));
        late.filter_map(Late::until_mut).for_each(|until| *until = at(LONG_AGO));
        let lease = self.head.rounds.as_mut().and_then(|rounds| rounds.lease.as_mut());
        lease.into_iter().filter(|lease| lease.courier.0 == dead).for_each(|lease| lease.until = at(LONG_AGO));
    }

    /// Time passes until just after this moment.
    fn pass(&mut self, until: Timestamp) {
        let passed = until.millis() + 1 - NOW;
        self.each_moment(|moment| *moment = at(moment.millis() - passed));
    }

    fn each_moment(&mut self, mut change: impl FnMut(&mut Timestamp)) {
        if let Some(lease) = self.head.rounds.as_mut().and_then(|rounds| rounds.lease.as_mut()) {
            change(&mut lease.until);
        }
        self.late.iter_mut().filter_map(Late::until_mut).for_each(&mut change);
        self.each_seen(|seen| seen.iter_mut().for_each(&mut change));
    }

    fn each_seen(&mut self, mut change: impl FnMut(&mut Option<Timestamp>)) {
        self.senders.iter_mut().filter_map(|sender| sender.wake.as_mut()).for_each(&mut change);
        self.changers.iter_mut().filter_map(|changer| changer.wake.as_mut()).for_each(&mut change);
        self.events.iter_mut().for_each(|event| change(&mut event.seen));
        for late in &mut self.late {
            if let Late::Take { seen, .. } = late {
                change(seen);
            }
        }
        self.runs.iter_mut().for_each(|run| change(&mut run.event.seen));
    }

    /// Gives what is alike one form, so that it is looked at once.
    fn tidy(&mut self) {
        self.order_senders();
        self.changers.sort_unstable();
        self.rank_moments();
        self.name_runs();
        self.events.sort_unstable();
        self.events.dedup();
        self.late.sort_unstable();
    }

    fn order_senders(&mut self) {
        let keys: Vec<_> =
            self.senders.iter().enumerate().map(|(index, sender)| (*sender, self.stored(index))).collect();
        if keys.is_sorted() {
            return;
        }
        let mut order: Vec<_> = (0..keys.len()).collect();
        order.sort_by_key(|index| keys[*index]);
        let mut place = vec![0; keys.len()];
        for (to, from) in order.into_iter().enumerate() {
            place[from] = to as u8;
            self.senders[to] = keys[from].0;
        }
        for row in &mut self.rows {
            if let Row::MessageOf(sender) = row {
                *sender = place[usize::from(*sender)];
            }
        }
        for late in &mut self.late {
            if let Late::Store { sender, .. } = late {
                *sender = place[usize::from(*sender)];
            }
        }
    }

    /// Of moments only the order matters, and which are over. A lease that was seen and cannot come back is as good as
    /// none.
    fn rank_moments(&mut self) {
        let mut moments: Vec<_> = self.lease().map(|(_, until)| until).into_iter().collect();
        moments.extend(self.late.iter_mut().filter_map(Late::until_mut).map(|until| *until));
        moments.sort_unstable();
        moments.dedup();
        self.each_seen(|seen| *seen = seen.filter(|seen| moments.contains(seen)));
        let over = moments.partition_point(|moment| *moment < at(NOW)) as i64;
        let rank = |moment: &Timestamp| moments.iter().position(|other| other == moment).unwrap_or_default() as i64;
        let is_old = |moment: &Timestamp| moment.millis() <= LONG_AGO;
        self.each_moment(|moment| *moment = at(if is_old(moment) { LONG_AGO } else { NOW + rank(moment) - over }));
    }

    /// Runs are alike, but for the one that has the room, and those of which something is late.
    fn name_runs(&mut self) {
        let holder = self.lease().map(|(courier, _)| courier);
        self.runs.sort_by_key(|run| (Some(run.me) != holder, Run { me: 0, ..*run }));
        let mut names = Vec::with_capacity(4);
        let mut name = |me: &mut u64| {
            let index = names.iter().position(|name| name == me).unwrap_or_else(|| {
                names.push(*me);
                names.len() - 1
            });
            *me = index as u64 + 1;
        };
        if let Some(lease) = self.head.rounds.as_mut().and_then(|rounds| rounds.lease.as_mut()) {
            name(&mut lease.courier.0);
        }
        self.runs.iter_mut().for_each(|run| name(&mut run.me));
        self.events.iter_mut().filter_map(|event| event.dead.as_mut()).for_each(&mut name);
        self.late.iter_mut().filter_map(Late::me_mut).for_each(name);
    }

    fn rows_of(&self, run: &Run) -> impl Iterator<Item = Row> {
        self.rows[run.pushed.get() as usize..run.up_to.get() as usize].iter().copied()
    }

    /// STEP, as its courier made it. It may come late.
    fn step(&mut self, model: &Rounds, me: u64, pushed: Pushed) -> bool {
        let last_id = self.head.last_id;
        let mut after = pushed.after;
        if let Some(rounds) = self.head.rounds.as_ref().filter(|_| model.mistake == Some(Mistake::StepsOnceMore)) {
            after = rounds.pushed;
        }
        let done = self.head.step(Courier(me), Pushed { after, ..pushed.clone() });
        if let Some(rounds) = self.head.rounds.as_mut().filter(|_| done) {
            match (model.mistake, pushed.has_ids()) {
                (Some(Mistake::TakesTwoFrames), true) => rounds.ceiling = rounds.pushed.plus(2 * pushed.carries),
                (Some(Mistake::ForgetsWhatIsLeft), true) => rounds.ceiling = last_id.plus(pushed.carries),
                (Some(Mistake::MakesPlaceForChanges), false) => rounds.ceiling = last_id.plus(pushed.place()),
                _ => {}
            }
        }
        self.is_late |= done && last_id > pushed.known.plus(pushed.carries);
        done
    }

    fn rest(
        &mut self,
        model: &Rounds,
        me: u64,
        mut pushed: MessageId,
        mut changes: Option<ChangeNumber>,
        over: bool,
    ) -> bool {
        if model.mistake == Some(Mistake::RestsWithoutLastId) {
            pushed = self.head.last_id;
        }
        if matches!(model.mistake, Some(Mistake::RestsWithoutChanges | Mistake::DoesNotKnock))
            && let Some(rounds) = &self.head.rounds
        {
            changes = rounds.changes;
        }
        self.head.rest(Courier(me), pushed, changes, if over { Rest::OverAndOut } else { Rest::Asleep })
    }

    /// A frame of one message, as in a small room.
    fn post(&mut self, member: usize, id: MessageId, unused: Option<MessageId>) {
        let member = &mut self.members[member];
        if !member.has_row() {
            return;
        }
        member.has |= bit(id);
        member.told = member.told.max(id);
        if let Some(unused) = unused {
            member.void |= bit(unused);
            member.told = member.told.max(unused);
        }
    }

    fn post_round(&mut self, member: usize, run: &Run) {
        if !self.members[member].has_row() {
            return;
        }
        let mut id = run.pushed;
        while id < run.up_to {
            id = id.next();
            let is_stored = self.is_stored(id);
            let member = &mut self.members[member];
            if is_stored { member.has |= bit(id) } else { member.void |= bit(id) }
        }
        let member = &mut self.members[member];
        member.told = member.told.max(run.up_to);
        member.told_change = member.told_change.max(run.changes_up_to.unwrap_or_default());
    }

    fn post_change(&mut self, member: usize, change: ChangeNumber) {
        let member = &mut self.members[member];
        if member.has_row() {
            member.told_change = member.told_change.max(change);
        }
    }

    /// Takes over what the answer of a write says.
    fn answer(&self, model: &Rounds, run: &mut Run) {
        run.at = Doing::Reading;
        run.last_id = self.head.last_id;
        if let Some(rounds) = &self.head.rounds {
            (run.pushed, run.changes, run.changed) = (rounds.pushed, rounds.changes, rounds.changed);
            if model.mistake == Some(Mistake::DoesNotKnock) {
                run.changes = Some(self.last_change);
            }
        }
        (run.up_to, run.changes_up_to, run.to) = (MessageId::default(), None, 0);
    }

    fn holds(&self, me: u64) -> bool {
        self.lease().is_some_and(|(courier, _)| courier == me)
    }

    /// Who has the room, and until when.
    fn lease(&self) -> Option<(u64, Timestamp)> {
        let lease = self.head.rounds.as_ref()?.lease?;
        Some((lease.courier.0, lease.until))
    }

    fn new_name(&self) -> u64 {
        let names = self.runs.iter().map(|run| run.me).chain(self.late.iter().filter_map(Late::me));
        let names = names.chain(self.lease().map(|(courier, _)| courier));
        names.chain(self.events.iter().filter_map(|event| event.dead)).max().unwrap_or(0) + 1
    }
}

impl Carried {
    fn by(run: &Run) -> Self {
        Self { after: run.pushed, up_to: run.up_to, known: run.last_id, changes_up_to: run.changes_up_to }
    }

    fn pushed(self, model: &Rounds, until: Timestamp) -> Pushed {
        let Self { after, up_to, known, changes_up_to } = self;
        Pushed { after, up_to, known, carries: model.carries, changes_up_to, people: 0, cuts: Vec::new(), until }
    }
}

impl Member {
    fn has_row(&self) -> bool {
        !matches!(self.at, Joining::Away | Joining::HasReadChange)
    }
}

impl Changer {
    fn after_commit(&self) -> Changing {
        match (self.in_rounds, self.has_knocked) {
            (false, _) => Changing::Posting,
            (true, false) => Changing::Knocking,
            (true, true) => Changing::Waking,
        }
    }
}

impl Late {
    fn me(&self) -> Option<u64> {
        match self {
            Self::Take { me, .. } | Self::Step { me, .. } | Self::Renew { me, .. } | Self::Rest { me, .. } => Some(*me),
            _ => None,
        }
    }

    fn me_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Take { me, .. } | Self::Step { me, .. } | Self::Renew { me, .. } | Self::Rest { me, .. } => Some(me),
            _ => None,
        }
    }

    fn until_mut(&mut self) -> Option<&mut Timestamp> {
        match self {
            Self::Take { until, .. } | Self::Step { until, .. } | Self::Renew { until, .. } => Some(until),
            _ => None,
        }
    }

    fn apply(self, model: &Rounds, world: &mut World) {
        match self {
            Self::Count => drop(world.count(model)),
            Self::Enter => drop(world.head.enter(model.carries)),
            Self::Store { sender, id } => drop(world.store(model, sender.into(), id)),
            Self::Knock(change) => drop(world.head.knock(change)),
            // To its own clock, which it read long ago, no lease of today is over.
            Self::Take { me, seen, until } => drop(world.head.take(Courier(me), seen, at(NOW - WRONG), until)),
            Self::Renew { me, until } => drop(world.head.renew(Courier(me), until)),
            Self::Rest { me, pushed, changes, over } => drop(world.rest(model, me, pushed, changes, over)),
            Self::Step { me, round, mut until } => {
                if model.mistake == Some(Mistake::StepRenewsFromWhenItIsApplied) {
                    until = at(NOW + LEASE);
                }
                world.step(model, me, round.pushed(model, until));
            }
        }
    }
}

impl Model for Rounds {
    type State = World;

    fn first(&self) -> World {
        World::first(self)
    }

    fn steps(&self, from: &World) -> Vec<Step<World>> {
        let mut steps = Steps { model: self, from, all: Vec::with_capacity(16) };
        (0..from.senders.len()).for_each(|index| steps.sender(index));
        (0..from.changers.len()).for_each(|index| steps.changer(index));
        (0..from.members.len()).for_each(|index| steps.member(index));
        (0..from.events.len()).for_each(|index| steps.event(index));
        (0..from.runs.len()).for_each(|index| steps.run(index));
        for index in 0..from.late.len() {
            steps.comes("a late write is applied", |world| world.late.remove(index).apply(self, world));
        }
        steps.lease_runs_out();
        steps.all
    }

    fn always(&self, world: &World) -> Result<(), &'static str> {
        let last_id = world.head.last_id;
        if let Some(rounds) = &world.head.rounds {
            ensure(rounds.pushed <= last_id, "more is pushed than was counted")?;
            ensure(last_id <= rounds.ceiling, "more is counted than has a place")?;
            ensure(rounds.ceiling <= rounds.pushed.plus(2 * self.carries), "more may wait than two rounds carry")?;
            ensure(rounds.pushed < last_id || last_id < rounds.ceiling, "nobody may send though nothing waits")?;
        }
        ensure(!world.is_late, "more is counted during a round than the next one carries")?;
        ensure(!world.woken_in_vain, "who saw that the lease is over wakes in vain")?;
        for member in &world.members {
            ensure(member.told_change <= world.last_change, "a frame covers a change that is not committed")?;
            ensure(member.has & member.void == 0, "an id was a message and void")?;
            for id in (1..=last_id.get()).map(MessageId::new) {
                let is_stored = world.is_stored(id);
                ensure(member.void & bit(id) == 0 || !is_stored, "an id that was told void is a message")?;
                ensure(member.has & bit(id) == 0 || is_stored, "something is pushed that is not stored")?;
            }
        }
        for (index, sender) in world.senders.iter().enumerate() {
            let of = Row::MessageOf(index as u8);
            let stored = world.rows.iter().filter(|row| **row == of).count();
            ensure(stored <= 1, "a message is stored twice")?;
            ensure(sender.at != Sending::Acked || stored == 1, "an acknowledged message is not stored")?;
            ensure(sender.void_ids < VOID_IDS, "a sender starves")?;
        }
        Ok(())
    }

    fn at_rest(&self, world: &World) -> Result<(), &'static str> {
        let is_over = world.lease().is_none_or(|(_, until)| until < at(NOW));
        ensure(is_over, "a lease is stuck")?;
        ensure(world.runs.is_empty() && world.events.is_empty(), "a courier is stuck")?;
        let joined: Vec<_> = world.members.iter().filter(|member| member.at == Joining::Joined).collect();
        for (index, sender) in world.senders.iter().enumerate() {
            ensure(matches!(sender.at, Sending::Acked | Sending::Gone), "a sender is stuck")?;
            let acked = world.stored(index).filter(|_| sender.at == Sending::Acked);
            let learned = acked.is_none_or(|id| joined.iter().all(|member| member.told >= id || member.start >= acked));
            ensure(learned, "a member never learns of an acknowledged message")?;
        }
        for changer in &world.changers {
            ensure(matches!(changer.at, Changing::Acked | Changing::Gone), "a changer is stuck")?;
            let learned = joined.iter().all(|member| member.told_change >= changer.version);
            ensure(changer.at == Changing::Gone || learned, "a member never learns of an acknowledged change")?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
