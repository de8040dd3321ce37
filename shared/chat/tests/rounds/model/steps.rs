//! What each of them may do next.

use super::*;

/// Gathers the steps that lead out of a state.
pub struct Steps<'a> {
    pub model: &'a Rounds,
    pub from: &'a World,
    pub all: Vec<Step<World>>,
}

/// One of the chances.
type Chance = fn(&mut Chances) -> &mut u8;

const CLOCKS: Chance = |of| &mut of.clocks;
const DEATHS: Chance = |of| &mut of.deaths;
const DOUBLED: Chance = |of| &mut of.doubled;
const ENTERS: Chance = |of| &mut of.enters;
const GONE: Chance = |of| &mut of.gone;
const HAND_ONS: Chance = |of| &mut of.hand_ons;
const LATE: Chance = |of| &mut of.late;
const LEAVES: Chance = |of| &mut of.leaves;
const LOST: Chance = |of| &mut of.lost;
const MOVES: Chance = |of| &mut of.moves;
const RENEWALS: Chance = |of| &mut of.renewals;
const SEALS: Chance = |of| &mut of.seals;
const SLOW: Chance = |of| &mut of.slow;

impl Steps<'_> {
    /// A step that comes by itself.
    pub fn comes(&mut self, name: &'static str, act: impl FnOnce(&mut World)) {
        self.add(name, true, act);
    }

    /// A step that may come, so often.
    fn may(&mut self, name: &'static str, chance: Chance, act: impl FnOnce(&mut World)) {
        self.add_if(name, false, chance, act);
    }

    /// A step that may come instead of another, so often.
    fn instead(&mut self, name: &'static str, chance: Chance, act: impl FnOnce(&mut World)) {
        self.add_if(name, true, chance, act);
    }

    fn add_if(&mut self, name: &'static str, comes: bool, chance: Chance, act: impl FnOnce(&mut World)) {
        if self.left(chance) == 0 {
            return;
        }
        self.add(name, comes, |world| {
            *chance(&mut world.chances) -= 1;
            act(world);
        });
    }

    fn add(&mut self, name: &'static str, comes: bool, act: impl FnOnce(&mut World)) {
        let mut to = self.from.clone();
        act(&mut to);
        to.tidy();
        self.all.push(Step { name, comes, to });
    }

    fn left(&self, chance: Chance) -> u8 {
        *chance(&mut self.from.chances.clone())
    }

    fn makes(&self, mistake: Mistake) -> bool {
        self.model.mistake == Some(mistake)
    }

    /// By how much a clock is wrong that sees the lease otherwise than it is.
    fn wrong(&self) -> Option<i64> {
        let (_, until) = self.from.lease().filter(|(_, until)| *until > at(LONG_AGO))?;
        Some(if until < at(NOW) { -WRONG } else { WRONG })
    }

    pub fn sender(&mut self, index: usize) {
        let (model, sender) = (self.model, self.from.senders[index]);
        match sender.at {
            Sending::Start => {
                let rounds = self.from.head.rounds.as_ref();
                let is_full = rounds.is_some_and(|rounds| self.from.head.last_id >= rounds.ceiling);
                // Who is refused waits and comes again; that changes nothing.
                if !is_full || self.from.wake(0).is_some() && !self.makes(Mistake::RefusedWakesNobody) {
                    self.comes("a sender counts", |world| world.send(model, index, 0));
                }
                if let Some(wrong) = self.wrong() {
                    self.may("a sender counts, its clock is wrong", CLOCKS, |world| {
                        world.send(model, index, wrong);
                    });
                }
                if !is_full {
                    self.may("a sender counts, its answer is lost, it counts again", LOST, |world| {
                        world.count(model);
                        world.send(model, index, 0);
                    });
                    self.may("a sender's count is late, it counts again", LATE, |world| {
                        world.send(model, index, 0);
                        world.late.push(Late::Count);
                    });
                }
            }
            Sending::Refused => self.comes("who is refused wakes", |world| {
                let sender = &mut world.senders[index];
                sender.at = Sending::Start;
                if let Some(seen) = sender.wake.take() {
                    world.invoke(seen);
                }
            }),
            Sending::Counted => {
                self.send(index, sender);
                self.sender_dies(index, sender);
            }
            Sending::Acked => {
                if let Some(seen) = sender.wake {
                    self.comes("a sender wakes", |world| {
                        world.senders[index].wake = None;
                        world.invoke(seen);
                    });
                    self.may("a sender dies", DEATHS, |world| world.senders[index].wake = None);
                }
            }
            Sending::Gone => {}
        }
    }

    /// What a send does after it has counted.
    fn send(&mut self, index: usize, sender: Sender) {
        let model = self.model;
        let is_settled = sender.stored != Stored::No;
        if !is_settled {
            self.comes("a sender stores", |world| match world.store(model, index, sender.id) {
                Some(stored) => world.senders[index].stored = stored,
                None => {
                    let (repeats, void_ids) = (sender.repeats, sender.void_ids + 1);
                    world.senders[index] = Sender { repeats, void_ids, ..Sender::default() };
                }
            });
        }
        if sender.in_rounds {
            let is_before = matches!(sender.stored, Stored::Before(_));
            if let Some(seen) = sender.wake {
                self.comes("a sender wakes", |world| {
                    world.senders[index].wake = None;
                    world.invoke(seen);
                });
            }
            if is_before && !sender.sealed {
                self.comes("a repeated send seals its own id", |world| {
                    world.senders[index].sealed = true;
                    world.seal(model, sender.id);
                });
            }
            let has_woken = sender.wake.is_none() || self.makes(Mistake::AcksBeforeItWakes);
            if is_settled && has_woken && (sender.sealed || !is_before) {
                self.comes("a send is acknowledged", |world| world.ack(index));
            }
            return;
        }
        match sender.to {
            None => self.comes("a sender reads the members", |world| {
                world.senders[index].to = Some(world.members());
            }),
            Some(0) if is_settled => self.comes("a send is acknowledged", |world| world.ack(index)),
            Some(to) if is_settled || self.makes(Mistake::PostsBeforeItStores) => {
                for member in bits(to) {
                    self.comes("a sender posts", |world| {
                        world.senders[index].to = Some(to & !(1 << member));
                        match sender.stored {
                            Stored::Before(id) => world.post(member, id, Some(sender.id)),
                            _ => world.post(member, sender.id, None),
                        }
                    });
                }
            }
            Some(_) => {}
        }
        if sender.to.is_some() && !sender.entered {
            self.may("a sender lets the room go over", ENTERS, |world| {
                world.senders[index].entered = true;
                world.head.enter(model.carries);
            });
            if self.left(ENTERS) > 0 {
                self.may("a sender's ENTER is late", LATE, |world| {
                    world.chances.enters -= 1;
                    world.senders[index].entered = true;
                    world.late.push(Late::Enter);
                });
            }
        }
    }

    fn sender_dies(&mut self, index: usize, sender: Sender) {
        let again = Sender { repeats: sender.repeats + 1, void_ids: sender.void_ids, ..Sender::default() };
        if sender.repeats < CLIENT_REPEATS {
            self.may("a sender dies, its client repeats", DEATHS, |world| world.senders[index] = again);
        }
        let gone = Sender { at: Sending::Gone, ..Sender::default() };
        if self.left(GONE) > 0 {
            self.may("a sender dies, its client is gone", DEATHS, |world| {
                world.chances.gone -= 1;
                world.senders[index] = gone;
            });
        }
        if sender.stored != Stored::No || self.left(LATE) == 0 {
            return;
        }
        let store = Late::Store { sender: index as u8, id: sender.id };
        if sender.repeats < CLIENT_REPEATS {
            self.may("a sender dies, its store is late, its client repeats", DEATHS, |world| {
                world.chances.late -= 1;
                world.senders[index] = again;
                world.late.push(store);
            });
        }
        if self.left(GONE) > 0 {
            self.may("a sender dies, its store is late, its client is gone", DEATHS, |world| {
                world.chances.late -= 1;
                world.chances.gone -= 1;
                world.senders[index] = gone;
                world.late.push(store);
            });
        }
    }

    pub fn changer(&mut self, index: usize) {
        let (model, changer) = (self.model, self.from.changers[index]);
        match changer.at {
            Changing::Start => self.comes("a changer reads", |world| {
                let members = world.members();
                let in_rounds = world.head.rounds.is_some();
                let changer = &mut world.changers[index];
                changer.in_rounds = in_rounds;
                if model.mistake == Some(Mistake::ChangeReadsMembersFirst) {
                    changer.to = Some(members);
                }
                changer.at = if changer.version == ChangeNumber::default() {
                    Changing::Committing
                } else {
                    changer.after_commit()
                };
            }),
            Changing::Committing => self.comes("a changer commits", |world| {
                if model.mistake == Some(Mistake::KnocksBeforeItCommits) && !changer.has_knocked {
                    world.knock(model, index, world.last_change.next(), 0);
                    let changer = &mut world.changers[index];
                    changer.in_rounds = changer.at == Changing::Waking;
                    (changer.at, changer.has_knocked) = (Changing::Committing, true);
                    return;
                }
                world.last_change = world.last_change.next();
                let version = world.last_change;
                let changer = &mut world.changers[index];
                changer.version = version;
                changer.at = changer.after_commit();
            }),
            Changing::Knocking => {
                self.comes("a changer knocks", |world| world.knock(model, index, changer.version, 0));
                if let Some(wrong) = self.wrong() {
                    self.may("a changer knocks, its clock is wrong", CLOCKS, |world| {
                        world.knock(model, index, changer.version, wrong);
                    });
                }
                self.may("a changer knocks, its answer is lost, it knocks again", LOST, |world| {
                    world.head.knock(changer.version);
                    world.knock(model, index, changer.version, 0);
                });
                self.may("a changer knocks, and once more later", LATE, |world| {
                    world.knock(model, index, changer.version, 0);
                    world.late.push(Late::Knock(changer.version));
                });
            }
            Changing::Waking => {
                self.changer_wakes(index, changer);
                if changer.wake.is_none() || self.makes(Mistake::ChangeAcksBeforeItWakes) {
                    self.comes("a change is acknowledged", |world| world.changers[index].at = Changing::Acked);
                }
            }
            Changing::Posting => match changer.to {
                None => self.comes("a changer reads the members", |world| {
                    world.changers[index].to = Some(world.members());
                }),
                Some(0) => self.comes("a change is acknowledged", |world| world.changers[index].at = Changing::Acked),
                Some(to) => {
                    for member in bits(to) {
                        self.comes("a changer posts", |world| {
                            world.changers[index].to = Some(to & !(1 << member));
                            world.post_change(member, changer.version);
                        });
                    }
                }
            },
            Changing::Acked => {
                self.changer_wakes(index, changer);
                if changer.wake.is_some() {
                    self.may("a changer dies", DEATHS, |world| world.changers[index].wake = None);
                }
            }
            Changing::Gone => {}
        }
        if !matches!(changer.at, Changing::Start | Changing::Acked | Changing::Gone) {
            self.changer_dies(index, changer);
        }
    }

    fn changer_wakes(&mut self, index: usize, changer: Changer) {
        if let Some(seen) = changer.wake {
            self.comes("a changer wakes", |world| {
                world.changers[index].wake = None;
                world.invoke(seen);
            });
        }
    }

    fn changer_dies(&mut self, index: usize, changer: Changer) {
        let again = Changer { version: changer.version, repeats: changer.repeats + 1, ..Changer::default() };
        if changer.repeats < CLIENT_REPEATS {
            self.may("a changer dies, its client repeats", DEATHS, |world| world.changers[index] = again);
            if changer.at == Changing::Knocking && self.left(LATE) > 0 {
                self.may("a changer dies, its KNOCK is late, its client repeats", DEATHS, |world| {
                    world.chances.late -= 1;
                    world.changers[index] = again;
                    world.late.push(Late::Knock(changer.version));
                });
            }
        }
        if self.left(GONE) > 0 {
            self.may("a changer dies, its client is gone", DEATHS, |world| {
                world.chances.gone -= 1;
                world.changers[index] = Changer { at: Changing::Gone, ..Changer::default() };
            });
        }
    }

    pub fn member(&mut self, index: usize) {
        let has_changes = self.model.changers > 0;
        let changes_first = self.makes(Mistake::JoinReadsChangesFirst);
        match self.from.members[index].at {
            Joining::Away if changes_first => self.comes("a joiner reads lastChange", |world| {
                let last_change = world.last_change;
                let member = &mut world.members[index];
                member.told_change = member.told_change.max(last_change);
                member.at = Joining::HasReadChange;
            }),
            Joining::Away | Joining::HasReadChange => self.comes("a joiner writes its row", |world| {
                world.members[index].at = Joining::Row;
            }),
            Joining::Row => self.comes("a joiner reads lastId", |world| {
                let last_id = world.head.last_id;
                let member = &mut world.members[index];
                member.start = member.start.or(Some(last_id));
                member.told = member.told.max(last_id);
                member.at = if has_changes && !changes_first { Joining::LastId } else { Joining::Joined };
            }),
            Joining::LastId => self.comes("a joiner reads lastChange", |world| {
                let last_change = world.last_change;
                let member = &mut world.members[index];
                member.told_change = member.told_change.max(last_change);
                member.at = Joining::Joined;
            }),
            Joining::Joined => self.may("a member goes, to come again", MOVES, |world| {
                world.members[index].at = Joining::Away;
            }),
        }
    }

    /// An event of Lambda's queue.
    pub fn event(&mut self, index: usize) {
        let event = self.from.events[index];
        let model = self.model;
        if let Some(dead) = event.dead {
            // A minute later: what the dead one wrote or is still to write is over.
            let is_over = self.from.lease().is_none_or(|(courier, until)| courier != dead || until < at(NOW));
            if self.makes(Mistake::NobodyRepeats) {
                self.comes("nobody repeats an event", |world| {
                    world.events.remove(index);
                });
            } else if is_over {
                self.comes("Lambda repeats an event", |world| {
                    world.events[index].dead = None;
                    world.ends_long_ago(dead);
                });
            }
            return;
        }
        self.comes("a courier takes", |world| {
            world.events.remove(index);
            world.take(model, event, 0, world.new_name());
        });
        self.may("an event comes twice", DOUBLED, |world| {
            world.take(model, event, 0, world.new_name());
        });
        if let Some(wrong) = self.wrong() {
            self.may("a courier takes, its clock is wrong", CLOCKS, |world| {
                world.events.remove(index);
                world.take(model, event, wrong, world.new_name());
            });
        }
        let take = |me| Late::Take { me, seen: event.seen, until: at(NOW + LEASE) };
        if event.repeats < REPEATS {
            self.may("a courier takes, and once more later", LATE, |world| {
                world.events.remove(index);
                let me = world.new_name();
                world.late.push(take(me));
                if world.take(model, event, 0, me) {
                    world.runs.iter_mut().filter(|run| run.me == me).for_each(|run| run.is_unsure = true);
                } else if model.mistake != Some(Mistake::EndsWellThoughUnsure) {
                    world.fail(event, me);
                }
            });
            if self.left(LATE) > 0 {
                self.may("a courier dies, its TAKE is late", DEATHS, |world| {
                    world.chances.late -= 1;
                    world.events.remove(index);
                    let me = world.new_name();
                    world.late.push(take(me));
                    world.fail(event, me);
                });
            }
        }
        self.may("a courier takes, its answer is lost, it takes again", LOST, |world| {
            world.events.remove(index);
            let me = world.new_name();
            world.head.take(Courier(me), event.seen, at(NOW), at(NOW + LEASE));
            let again = if model.mistake == Some(Mistake::TakesUnderANewName) { me + 1 } else { me };
            world.take(model, event, 0, again);
        });
    }

    /// A run of the courier.
    pub fn run(&mut self, index: usize) {
        let (model, run) = (self.model, self.from.runs[index]);
        match run.at {
            Doing::Reading => self.courier_reads(index, run),
            Doing::SeesAHole => self.courier_seals(index, run),
            Doing::HasRead => self.comes("a courier reads the members", |world| {
                let is_empty = world.rows_of(&run).all(|row| row == Row::Void) && run.changes_up_to.is_none();
                let to =
                    if is_empty && model.mistake == Some(Mistake::LeavesOutEmptyRounds) { 0 } else { world.members() };
                let early = model.mistake == Some(Mistake::MembersBeforeLastId);
                let run = &mut world.runs[index];
                run.to = if early { run.early } else { to };
                run.at = Doing::Posting;
            }),
            Doing::Posting => {
                for member in bits(run.to) {
                    self.comes("a courier posts", |world| {
                        world.runs[index].to &= !(1 << member);
                        world.post_round(member, &run);
                    });
                }
                self.may("a courier renews", RENEWALS, |world| {
                    world.renew(index);
                });
                if self.left(RENEWALS) > 0 {
                    self.may("a courier renews, and once more later", LATE, |world| {
                        world.chances.renewals -= 1;
                        world.renew(index);
                        world.late.push(Late::Renew { me: run.me, until: at(NOW + LEASE) });
                    });
                }
                if run.to == 0 {
                    self.courier_steps(index, run);
                }
            }
            Doing::HandingOn => self.comes("a courier wakes the next run", |world| {
                world.end(model, index);
                if model.mistake != Some(Mistake::HandsOnToNobody) {
                    world.invoke(None);
                }
            }),
        }
        if run.event.repeats < REPEATS {
            self.may("a courier dies", DEATHS, |world| world.die(index));
        }
    }

    /// With what the row's last answer said: reads on, seals, or rests.
    fn courier_reads(&mut self, index: usize, run: Run) {
        let model = self.model;
        let (changes, changed, pushed) = (run.changes, run.changed, run.pushed);
        let told = InRounds { pushed, changes, changed, ceiling: pushed, lease: None, people: 0, cuts: Vec::new() };
        if !told.has_work(run.last_id) {
            return self.courier_rests(index, run);
        }
        self.may("a courier hands on", HAND_ONS, |world| world.hand_on(model, index));
        if self.left(HAND_ONS) > 0 {
            self.may("a courier hands on, its answer is lost, it hands on again", LOST, |world| {
                world.chances.hand_ons -= 1;
                world.head.hand_on(Courier(run.me));
                world.hand_on(model, index);
            });
        }
        let rows = (pushed.get() + 1..=run.last_id.get()).map(MessageId::new);
        let passes_holes = self.makes(Mistake::PassesHoles);
        let rows = rows.filter(|id| passes_holes || self.from.row(*id) != Row::Hole);
        let prefix = Prefix::of(pushed, rows.take(model.frame));
        let changes_fit = ChangeNumber::new(changed.get().saturating_add(model.frame as u64));
        let has_changes = changes.is_some_and(|changes| changed < changes);
        if prefix.rows > 0 || pushed == run.last_id {
            self.comes("a courier reads", |world| {
                let run = &mut world.runs[index];
                run.up_to = prefix.up_to;
                run.changes_up_to = changes.filter(|_| has_changes).map(|changes| changes.min(changes_fit));
                run.at = Doing::HasRead;
            });
            return;
        }
        self.comes("a courier sees a hole", |world| world.runs[index].at = Doing::SeesAHole);
    }

    /// A hole is sealed after a patience: its sender is dead, or slower than that.
    fn courier_seals(&mut self, index: usize, run: Run) {
        let (model, hole) = (self.model, run.pushed.next());
        let waits = |sender: &Sender| sender.at == Sending::Counted && sender.id == hole && sender.stored == Stored::No;
        let seal = move |world: &mut World| {
            world.seal(model, hole);
            world.runs[index].at = Doing::Reading;
        };
        if !self.from.senders.iter().any(waits) {
            self.comes("a courier seals", seal);
        } else if self.makes(Mistake::SealsAtOnce) {
            self.comes("a courier seals at once", seal);
        } else {
            self.may("a courier seals the id of a slow sender", SEALS, seal);
        }
    }

    fn courier_steps(&mut self, index: usize, run: Run) {
        let model = self.model;
        let (me, round, until) = (run.me, Carried::by(&run), at(NOW + LEASE));
        let step = move |world: &mut World| {
            let mut run = world.runs[index];
            let stepped = world.step(model, me, round.pushed(model, until));
            let goes_on = world.holds(me) && model.mistake != Some(Mistake::TakesADoneStepForLost);
            if !stepped && !goes_on {
                world.end(model, index);
                return;
            }
            world.answer(model, &mut run);
            world.runs[index] = run;
        };
        let late = Late::Step { me, round, until };
        self.comes("a courier steps", step);
        self.may("a courier steps, its answer is lost, it steps again", LOST, |world| {
            world.step(model, me, round.pushed(model, until));
            step(world);
        });
        self.may("a courier steps, and once more later", LATE, |world| {
            step(world);
            world.late.push(late);
        });
        self.dies_with(index, run, "a courier dies, its STEP is late", late);
    }

    fn courier_rests(&mut self, index: usize, run: Run) {
        let model = self.model;
        let rest = move |world: &mut World, over: bool| {
            let mut run = world.runs[index];
            let rests = world.rest(model, run.me, run.pushed, run.changes, over);
            if rests || !world.holds(run.me) {
                world.end(model, index);
                return;
            }
            world.answer(model, &mut run);
            world.runs[index] = run;
        };
        self.comes("a courier rests", |world| rest(world, false));
        self.instead("a courier rests, and the rounds are over", LEAVES, |world| rest(world, true));
        let (me, pushed, changes) = (run.me, run.pushed, run.changes);
        self.dies_with(index, run, "a courier dies, its REST is late", Late::Rest { me, pushed, changes, over: false });
        if self.left(LEAVES) > 0 {
            let late = Late::Rest { me, pushed, changes, over: true };
            self.dies_with(index, run, "a courier dies, its REST is late, with which the rounds are over", late);
        }
    }

    fn dies_with(&mut self, index: usize, run: Run, name: &'static str, late: Late) {
        if self.left(LATE) == 0 || run.event.repeats >= REPEATS {
            return;
        }
        self.may(name, DEATHS, |world| {
            world.chances.late -= 1;
            if matches!(late, Late::Rest { over: true, .. }) {
                world.chances.leaves -= 1;
            }
            world.late.push(late);
            world.die(index);
        });
    }

    /// Time passes until the lease is over, whose courier is dead, or slow.
    pub fn lease_runs_out(&mut self) {
        let Some((courier, until)) = self.from.lease() else { return };
        if until < at(NOW) {
            return;
        }
        if self.from.runs.iter().any(|run| run.me == courier) {
            self.may("a slow courier's lease runs out", SLOW, |world| world.pass(until));
        } else {
            self.comes("a lease runs out", |world| world.pass(until));
        }
    }
}

fn bits(members: Members) -> impl Iterator<Item = usize> {
    (0..8).filter(move |member| members >> member & 1 == 1)
}
