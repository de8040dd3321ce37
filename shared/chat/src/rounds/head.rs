use crate::limits::COUNTS_KEPT;
use crate::{Bars, ChangeNumber, MessageId, Timestamp};

/// One run of the courier. Random: Lambda repeats an event under the same request id, and the run that it repeats may
/// still be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Courier(pub u64);

/// Who delivers a room, and until when nobody else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    pub courier: Courier,
    /// Always computed before the request that writes it leaves: one that comes late brings a time that is over.
    pub until: Timestamp,
}

/// What a room's row says of its messages. Every method that changes it is one write, and answers whether its condition
/// held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Head {
    pub last_id: MessageId,
    /// When the last messages were counted, the newest first; 0 before the first ones, so that a room's second message
    /// does not look as if it came at once.
    pub counted_at: [i64; COUNTS_KEPT],
    /// There only while the room is in rounds.
    pub rounds: Option<InRounds>,
    /// Who may not speak, or be here. No write of the messages' own touches it.
    pub bars: Bars,
    /// The seconds between two of a user's messages; 0 where the room is not slow.
    pub slow: u64,
}

/// What a room's row says while the room is in rounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InRounds {
    /// Every id up to this one was pushed, or is pushed by its sender, or is void.
    pub pushed: MessageId,
    /// Nothing is counted above this one.
    pub ceiling: MessageId,
    pub lease: Option<Lease>,
    /// How many connections the last round met; 0 before the first.
    pub people: usize,
    /// Sort keys that cut the members into parts, each for a hand of the courier.
    pub cuts: Vec<String>,
    /// The highest change that the courier is asked to push, if it was asked.
    pub changes: Option<ChangeNumber>,
    /// Every change up to this one was pushed.
    pub changed: ChangeNumber,
}

/// What became of a message that was to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// It has this id. Its sender pushes it.
    Direct(MessageId),
    /// It has this id. The courier pushes it, and is woken if it is asleep.
    InRounds(MessageId),
    /// So much waits for the courier that nothing is counted. It is woken if it is asleep.
    Full,
}

/// What a round leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Up to where ids were pushed before it.
    pub after: MessageId,
    pub up_to: MessageId,
    /// Up to where ids were known to be counted when it was read.
    pub known: MessageId,
    /// How many messages the next rounds carry.
    pub carries: u64,
    /// If the round carried changes.
    pub changes_up_to: Option<ChangeNumber>,
    pub people: usize,
    pub cuts: Vec<String>,
    pub until: Timestamp,
}

/// How a courier goes when there is nothing left to push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rest {
    /// The room stays in rounds: whoever comes next wakes a courier.
    Asleep,
    /// The room is small and quiet again: senders push.
    OverAndOut,
}

impl Pushed {
    /// How many messages may be counted while the next round is under way: as many as the one after it carries, beside
    /// what is left to it. That is no more than this one left, unless there is a hole again, since no more came meanwhile
    /// than the next one carries. So what is counted during a round is carried whole by the one that follows.
    pub fn place(&self) -> u64 {
        self.carries.saturating_sub(self.known.get().saturating_sub(self.up_to.get()))
    }

    /// Whether ids were pushed, and not changes alone. Then there is new place; without, the place that there was holds.
    pub fn has_ids(&self) -> bool {
        self.after < self.up_to
    }
}

impl Head {
    /// Counts a message. It is this write that decides how the message comes to the members.
    pub fn count(&mut self, now: Timestamp) -> Count {
        if self.rounds.as_ref().is_some_and(|rounds| self.last_id >= rounds.ceiling) {
            return Count::Full;
        }
        self.last_id = self.last_id.next();
        self.counted_at.rotate_right(1);
        self.counted_at[0] = now.millis();
        match self.rounds {
            Some(_) => Count::InRounds(self.last_id),
            None => Count::Direct(self.last_id),
        }
    }

    /// Goes over into rounds, of which the first carries so many messages. Whatever was counted until now is pushed by its
    /// senders.
    pub fn enter(&mut self, carries: u64) -> bool {
        if self.rounds.is_some() {
            return false;
        }
        self.rounds = Some(InRounds {
            pushed: self.last_id,
            ceiling: self.last_id.plus(carries),
            lease: None,
            people: 0,
            cuts: Vec::new(),
            changes: None,
            changed: ChangeNumber::default(),
        });
        true
    }

    /// Takes the room for a courier, who was woken by somebody that saw this lease. Whose lease is over is not asked of
    /// the courier's own clock alone: the waker saw it as well, and its clock may be another.
    pub fn take(&mut self, me: Courier, seen: Option<Timestamp>, now: Timestamp, until: Timestamp) -> bool {
        let Some(rounds) = &mut self.rounds else { return false };
        let free =
            rounds.lease.is_none_or(|lease| Some(lease.until) == seen || lease.until < now || lease.courier == me);
        if free {
            rounds.lease = Some(Lease { courier: me, until });
        }
        free
    }

    /// Notes what a round pushed. Nothing if somebody else has the room, or if it is noted already: a request that is
    /// repeated would make place twice.
    pub fn step(&mut self, me: Courier, pushed: Pushed) -> bool {
        let last_id = self.last_id;
        let Some(rounds) = self.held_by(me).filter(|rounds| rounds.pushed == pushed.after) else { return false };
        if pushed.has_ids() {
            rounds.ceiling = last_id.plus(pushed.place());
        }
        rounds.pushed = pushed.up_to;
        rounds.lease = Some(Lease { courier: me, until: pushed.until });
        rounds.people = pushed.people;
        rounds.cuts = pushed.cuts;
        rounds.changed = pushed.changes_up_to.unwrap_or(rounds.changed);
        true
    }

    /// Keeps the room during a round.
    pub fn renew(&mut self, me: Courier, until: Timestamp) -> bool {
        self.held_by(me).map(|rounds| rounds.lease = Some(Lease { courier: me, until })).is_some()
    }

    /// Lets the room go, unless something came meanwhile.
    pub fn rest(&mut self, me: Courier, pushed: MessageId, changes: Option<ChangeNumber>, rest: Rest) -> bool {
        let last_id = self.last_id;
        let Some(rounds) = self.held_by(me) else { return false };
        if last_id != pushed || rounds.changes != changes {
            return false;
        }
        match rest {
            Rest::Asleep => rounds.lease = None,
            Rest::OverAndOut => self.rounds = None,
        }
        true
    }

    /// Lets the room go whatever came, for the next run to take.
    pub fn hand_on(&mut self, me: Courier) -> bool {
        self.held_by(me).map(|rounds| rounds.lease = None).is_some()
    }

    /// Asks the courier to push a change that is stored. Refused if the room is not in rounds, or if a later change was
    /// asked for: that one brings this one along.
    pub fn knock(&mut self, change: ChangeNumber) -> bool {
        let Some(rounds) = &mut self.rounds else { return false };
        if rounds.changes.is_some_and(|changes| changes >= change) {
            return false;
        }
        if rounds.changes.is_none() {
            rounds.changed = change.previous();
        }
        rounds.changes = Some(change);
        true
    }

    /// How many messages a second the last ones came at.
    pub fn rate(&self, now: Timestamp) -> f64 {
        let millis = now.millis().saturating_sub(self.counted_at[COUNTS_KEPT - 1]).max(1);
        (COUNTS_KEPT - 1) as f64 * 1_000.0 / millis as f64
    }

    fn held_by(&mut self, me: Courier) -> Option<&mut InRounds> {
        self.rounds.as_mut().filter(|rounds| rounds.lease.is_some_and(|lease| lease.courier == me))
    }
}

impl InRounds {
    /// Whether nobody delivers the room: then a courier is woken, and told which lease was seen.
    pub fn is_asleep(&self, now: Timestamp) -> bool {
        self.lease.is_none_or(|lease| lease.until < now)
    }

    /// Whether there is something to push, if the room's messages reach this far.
    pub fn has_work(&self, last_id: MessageId) -> bool {
        self.pushed < last_id || self.has_changes()
    }

    /// Whether a change was asked for that is not pushed.
    pub fn has_changes(&self) -> bool {
        self.changes.is_some_and(|changes| self.changed < changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn in_rounds(carries: u64) -> Head {
        let mut head = Head::default();
        assert_eq!(head.count(at(0)), Count::Direct(MessageId::new(1)));
        assert!(head.enter(carries));
        head
    }

    /// What a round leaves behind that pushed all that was known.
    fn pushed(after: u64, up_to: u64, until: i64) -> Pushed {
        let (after, up_to) = (MessageId::new(after), MessageId::new(up_to));
        let (people, cuts, until) = (9, Vec::new(), at(until));
        Pushed { after, up_to, known: up_to, carries: 4, changes_up_to: None, people, cuts, until }
    }

    #[test]
    fn the_write_that_counts_decides_who_pushes() {
        let mut head = in_rounds(2);
        assert!(!head.enter(2), "once");
        assert_eq!(head.count(at(1)), Count::InRounds(MessageId::new(2)));
        assert_eq!(head.count(at(2)), Count::InRounds(MessageId::new(3)));
        assert_eq!(head.count(at(3)), Count::Full);
        assert_eq!(head.last_id, MessageId::new(3), "what is refused takes no id");
        assert!(head.take(Courier(1), None, at(3), at(13)));
        assert!(head.step(Courier(1), pushed(1, 3, 14)));
        assert!(head.rest(Courier(1), MessageId::new(3), None, Rest::OverAndOut));
        assert_eq!(head.count(at(4)), Count::Direct(MessageId::new(4)));
    }

    #[test]
    fn one_courier_has_the_room() {
        let (mut head, one, two) = (in_rounds(4), Courier(1), Courier(2));
        assert!(head.take(one, None, at(0), at(10)));
        assert!(head.take(one, None, at(1), at(11)), "a request whose answer was lost is repeated");
        assert!(!head.take(two, None, at(5), at(15)));
        assert!(head.take(two, Some(at(11)), at(5), at(15)), "whoever woke it saw that the lease is over");
        assert!(!head.step(one, pushed(1, 1, 20)) && !head.renew(one, at(20)));
        assert!(!head.rest(one, MessageId::new(1), None, Rest::Asleep) && !head.hand_on(one));
        assert!(head.take(one, None, at(16), at(26)), "its lease is over");
        assert!(head.hand_on(one));
        assert!(head.rounds.as_ref().is_some_and(|rounds| rounds.is_asleep(at(0))));
    }

    #[test]
    fn nobody_rests_while_something_came() {
        let (mut head, me) = (in_rounds(4), Courier(1));
        assert!(head.take(me, None, at(0), at(10)));
        head.count(at(1));
        assert!(!head.rest(me, MessageId::new(1), None, Rest::Asleep));
        assert!(head.step(me, pushed(1, 2, 12)));
        assert!(head.knock(ChangeNumber::new(5)));
        let rounds = head.rounds.clone().expect("in rounds");
        assert_eq!((rounds.changes, rounds.changed), (Some(ChangeNumber::new(5)), ChangeNumber::new(4)));
        assert!(rounds.has_work(MessageId::new(2)));
        assert!(!head.knock(ChangeNumber::new(4)), "the later one brings it along");
        assert!(!head.rest(me, MessageId::new(2), None, Rest::OverAndOut));
        let changes_up_to = Some(ChangeNumber::new(5));
        assert!(head.step(me, Pushed { changes_up_to, ..pushed(2, 2, 13) }));
        assert!(head.rest(me, MessageId::new(2), changes_up_to, Rest::Asleep));
        assert!(head.rounds.is_some_and(|rounds| rounds.is_asleep(at(1)) && !rounds.has_work(MessageId::new(2))));
    }

    #[test]
    fn a_round_is_noted_once() {
        let (mut head, me) = (in_rounds(4), Courier(1));
        head.count(at(1));
        assert!(head.take(me, None, at(0), at(10)));
        assert!(head.step(me, pushed(1, 2, 11)));
        let before = head.clone();
        assert!(!head.step(me, pushed(1, 2, 12)), "a request whose answer was lost is repeated");
        assert_eq!(head, before);
        let with_changes = Pushed { changes_up_to: Some(ChangeNumber::new(1)), ..pushed(2, 2, 13) };
        head.count(at(2));
        let ceiling = |head: &Head| head.rounds.as_ref().expect("in rounds").ceiling;
        let until_then = ceiling(&head);
        assert!(head.step(me, with_changes.clone()) && head.step(me, with_changes), "changes alone");
        assert_eq!(ceiling(&head), until_then, "they make no place");
    }

    /// A room whose frames hold so many messages, in all small cases: how many want in during a round, and how many of
    /// those a hole, or their length, keeps from being carried.
    struct Small {
        carries: u64,
        head: Head,
        /// Up to where ids were counted when each round began, and what it left of them.
        rounds: Vec<(u64, u64)>,
    }

    impl Small {
        fn tries(carries: u64, rounds: usize) {
            let mut head = in_rounds(carries);
            assert!(head.take(Courier(1), None, at(0), at(1)));
            Self { carries, head, rounds: Vec::new() }.goes_on(rounds);
        }

        fn goes_on(&self, rounds: usize) {
            for (want, kept_back) in (0..=2 * self.carries + 1).flat_map(|want| [(want, 0), (want, 1), (want, 9)]) {
                if rounds > 0 {
                    self.after_a_round(want, kept_back).goes_on(rounds - 1);
                }
            }
        }

        fn after_a_round(&self, want: u64, kept_back: u64) -> Self {
            let in_rounds = |head: &Head| head.rounds.clone().expect("in rounds");
            let (mut head, mut rounds) = (self.head.clone(), self.rounds.clone());
            let (known, after) = (head.last_id.get(), in_rounds(&head).pushed.get());
            let most = (known - after).min(self.carries);
            // A round carries something if there is something.
            let up_to = after + most.saturating_sub(kept_back).max(most.min(1));
            let counted = (0..want).filter(|_| head.count(at(0)) != Count::Full).count() as u64;
            assert!(counted <= self.carries, "{rounds:?}: {counted} are counted during a round");
            let pushed = Pushed { known: MessageId::new(known), carries: self.carries, ..pushed(after, up_to, 1) };
            assert!(head.step(Courier(1), pushed));
            rounds.push((known, known - up_to));

            let (now, waiting) = (in_rounds(&head), head.last_id.get() - up_to);
            assert!(now.ceiling.get() <= up_to + 2 * self.carries, "{rounds:?}: more may wait than two rounds carry");
            if waiting == 0 {
                assert!(now.ceiling > head.last_id, "{rounds:?}: nobody may send though nothing waits");
            }
            let before = rounds.len().checked_sub(2).map_or(0, |before| rounds[before].1);
            if known - up_to <= before {
                let all = waiting <= self.carries;
                assert!(all, "{rounds:?}: {waiting} wait for the next round, which leaves some of them");
            }
            Self { carries: self.carries, head, rounds }
        }
    }

    #[test]
    fn what_is_counted_during_a_round_is_carried_by_the_next() {
        (1..=3).for_each(|carries| Small::tries(carries, 4));
    }

    #[test]
    fn a_rate_is_that_of_the_last_eight() {
        let mut head = Head::default();
        for number in 0..8 {
            assert!(head.rate(at(1_000_000 + number * 100)) < 0.1, "{number}");
            head.count(at(1_000_000 + number * 100));
        }
        assert!((head.rate(at(1_000_700)) - 10.0).abs() < 1e-9);
        assert!((head.rate(at(1_007_000)) - 1.0).abs() < 1e-9, "it falls by itself");
    }
}
