use super::posting::{Content, Posting};
use super::{Waker, done};
use crate::files::Files;
use crate::limits::{
    ATTEMPTS, COURIER_TURN, HOLE_PATIENCE, HOLE_POLL, LEASE, LEASE_RENEWED, PROFILES_KEPT, ROOMS_IN_FLIGHT,
};
use crate::store::{Changes, Messages, Users, Written, wait_before};
use crate::{Fault, now, telemetry};
use chat::limits::{CHANGES_PAGE_MAX, ROUND_MESSAGES_MAX, ROUND_MIN};
use chat::rounds::{ChangesOfRound, Courier, Crowd, Hand, Head, InRounds, Met, Prefix, Pushed, Round, Slot, Wake};
use chat::{Cursor, ListChanges, ListHistory, Message, MessageId, Profile, RoomId, UserId};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::time::{Instant, sleep, sleep_until};

/// Couriers of rooms in rounds.
#[derive(Clone)]
pub struct Couriers {
    messages: Messages,
    changes: Changes,
    users: Users,
    files: Files,
    posting: Posting,
    waker: Waker,
    crowd: Crowd,
}

/// A room that this run delivers.
#[derive(Debug)]
pub struct Turn {
    room: RoomId,
    me: Courier,
    head: Head,
    /// Of the room's row, while it has them.
    rounds: InRounds,
    /// Whether it was taken at the first attempt. Another one may come late, and give the room to nobody.
    at_once: bool,
    until: Instant,
    round_began: Instant,
    counted: Counted,
    profiles: BTreeMap<UserId, Profile>,
    profiles_until: Instant,
}

/// When it was first known up to where ids were counted. An id that is known for long and has no message gets none.
#[derive(Debug, Default)]
struct Counted(VecDeque<(Instant, MessageId)>);

impl Counted {
    fn up_to(&mut self, last_id: MessageId, now: Instant) {
        if self.0.back().is_none_or(|(_, known)| *known < last_id) {
            self.0.push_back((now, last_id));
        }
    }

    /// Up to where ids are known for so long that nobody waits for them.
    fn ripe(&mut self, now: Instant) -> Option<MessageId> {
        let ripe = self.0.iter().rev().find(|(since, _)| now.duration_since(*since) >= HOLE_PATIENCE);
        let ripe = ripe.map(|(_, id)| *id);
        self.0.retain(|(_, id)| ripe.is_none_or(|ripe| *id >= ripe));
        ripe
    }
}

impl Turn {
    /// Whether there is something to push.
    pub fn has_work(&self) -> bool {
        self.rounds.has_work(self.head.last_id)
    }

    /// Ends the run. It fails if it had to ask for the room more than once: an attempt that was given up may come when the
    /// room rests, and give it to nobody for as long as a lease. Lambda repeats the run, when that lease is over.
    pub fn end(self) -> Result<(), Fault> {
        if self.at_once { Ok(()) } else { Err(taken_late()) }
    }

    /// Whether the next run is to take the room.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn goes_on(&mut self, head: Head) -> bool {
        let Some(rounds) = head.rounds.clone() else { return false };
        self.counted.up_to(head.last_id, Instant::now());
        (self.head, self.rounds) = (head, rounds);
        true
    }

    fn goes_on_if_mine(&mut self, head: Head) -> bool {
        let lease = head.rounds.as_ref().and_then(|rounds| rounds.lease);
        lease.is_some_and(|lease| lease.courier == self.me) && self.goes_on(head)
    }
}

fn taken_late() -> Fault {
    Fault::because("failed to take a room at once", "an attempt that was given up may still be carried out")
}

impl Couriers {
    pub(crate) fn new(
        (messages, changes): (Messages, Changes),
        users: Users,
        files: Files,
        posting: Posting,
        waker: Waker,
        crowd: Crowd,
    ) -> Self {
        Self { messages, changes, users, files, posting, waker, crowd }
    }

    /// Takes a room. Nothing if somebody else has it, or it is not in rounds any more.
    pub async fn take(&self, Wake { room, seen }: Wake) -> Result<Option<Turn>, Fault> {
        let me = Courier(fastrand::u64(1..1 << 53));
        let mut attempt = 0;
        let taken = loop {
            wait_before(attempt).await;
            let now = now();
            match self.messages.take(&room, me, seen, now, now.after(LEASE)).await {
                Err(fault) if attempt + 1 < ATTEMPTS => telemetry::survived(&fault),
                taken => break taken?,
            }
            attempt += 1;
        };
        let Some(head) = done(taken) else { return if attempt == 0 { Ok(None) } else { Err(taken_late()) } };
        let Some(rounds) = head.rounds.clone() else { return Ok(None) };
        let began = Instant::now();
        let mut counted = Counted::default();
        counted.up_to(head.last_id, began);
        Ok(Some(Turn {
            room,
            me,
            head,
            rounds,
            at_once: attempt == 0,
            until: began + COURIER_TURN,
            round_began: began,
            counted,
            profiles: BTreeMap::new(),
            profiles_until: began + PROFILES_KEPT,
        }))
    }

    /// What is to be pushed next: all that came since the last round, as far as it comes without a hole and one frame
    /// holds it. Waits for a hole that comes first, and seals it if nothing comes.
    ///
    /// The members are read after this, so that whoever is not among them reads a `lastId` that is not smaller.
    pub async fn next(&self, turn: &mut Turn) -> Result<Round, Fault> {
        turn.round_began = Instant::now();
        let pushed = turn.rounds.pushed;
        let slots = loop {
            let (last_id, at_most) = (turn.head.last_id, self.crowd.round_messages);
            let slots = self.messages.slots(&turn.room, pushed, last_id, at_most).await?;
            if pushed >= turn.head.last_id || Prefix::of(pushed, slots.iter().map(|(id, _)| *id)).rows > 0 {
                break slots;
            }
            let first = slots.first().map_or(turn.head.last_id.next(), |(id, _)| *id);
            match turn.counted.ripe(Instant::now()) {
                Some(ripe) if ripe > pushed => self.seal(&turn.room, pushed, first.previous().min(ripe)).await?,
                _ => sleep(HOLE_POLL).await,
            }
        };
        let changes = self.changes(turn).await?;
        self.learn_senders(turn, &slots).await?;
        let located = |(id, message): Slot| Ok((id, message.map(|message| self.files.located(message)).transpose()?));
        let slots = slots.into_iter().map(located).collect::<Result<_, Fault>>()?;
        let mut round = Round::of(turn.room.clone(), pushed, slots, &turn.profiles, turn.rounds.people);
        if round.is_void() {
            round.last = self.last_before(turn, round.after.next()).await?;
        }
        Ok(match changes {
            Some(changes) => round.with_changes(changes),
            None => round,
        })
    }

    /// The newest message before an id, and how its sender is shown.
    async fn last_before(&self, turn: &mut Turn, id: MessageId) -> Result<Option<(Message, Profile)>, Fault> {
        let newest = ListHistory { room: turn.room.clone(), cursor: Cursor::Before(id), limit: 1 };
        let Some(message) = self.messages.page(&newest).await?.messages.pop() else { return Ok(None) };
        let slots = [(message.id, Some(message.clone()))];
        self.learn_senders(turn, &slots).await?;
        let message = self.files.located(message)?;
        let sender = turn.profiles.get(&message.sender).cloned();
        Ok(sender.map(|sender| (message, sender)))
    }

    async fn seal(&self, room: &RoomId, after: MessageId, up_to: MessageId) -> Result<(), Fault> {
        let ids = (after.get() + 1..=up_to.get()).take(ROUND_MESSAGES_MAX).map(MessageId::new);
        let seals = stream::iter(ids).map(|id| self.messages.seal(room, id));
        seals.buffer_unordered(ROOMS_IN_FLIGHT).try_collect().await
    }

    /// The changes that were asked to be pushed since the last round.
    async fn changes(&self, turn: &Turn) -> Result<Option<ChangesOfRound>, Fault> {
        let Some(asked) = turn.rounds.changes.filter(|asked| *asked > turn.rounds.changed) else { return Ok(None) };
        let after = turn.rounds.changed;
        let page =
            self.changes.whole_page(&ListChanges { room: turn.room.clone(), after, limit: CHANGES_PAGE_MAX }).await?;
        let up_to = match page.changes.last() {
            Some((last, _)) if page.more => *last,
            Some((last, _)) => asked.max(*last),
            None => asked,
        };
        Ok(Some(ChangesOfRound { after, up_to, changes: page.changes }))
    }

    /// How the senders of these messages are shown. What is known is good for a minute.
    async fn learn_senders(&self, turn: &mut Turn, slots: &[Slot]) -> Result<(), Fault> {
        if Instant::now() >= turn.profiles_until {
            turn.profiles.clear();
            turn.profiles_until = Instant::now() + PROFILES_KEPT;
        }
        let senders: BTreeSet<_> =
            slots.iter().filter_map(|(_, message)| Some(message.as_ref()?.sender.clone())).collect();
        let unknown: BTreeSet<_> = senders.into_iter().filter(|user| !turn.profiles.contains_key(user)).collect();
        if !unknown.is_empty() {
            // A push shows somebody as the token does, which does not say since when there is a profile.
            let pushed = |(user, profile)| (user, Profile { create_time: None, ..profile });
            turn.profiles.extend(self.users.profiles_of(unknown).await?.into_iter().map(pushed));
        }
        Ok(())
    }

    /// Pushes a round, and notes that it was. Keeps the room meanwhile. Answers whether it still has it.
    pub async fn push(&self, turn: &mut Turn, round: &Round) -> Result<bool, Fault> {
        let content = Content::of(round, turn.head.bars.banned(now()))?;
        let met = tokio::select! {
            met = self.posting.post(&turn.room, &turn.rounds.cuts, &content) => met?,
            lost = self.keep(turn) => return lost.map(|()| false),
        };
        let pushed = Pushed {
            after: round.after,
            up_to: round.up_to,
            known: turn.head.last_id,
            carries: self.crowd.carries(round.messages.len(), content.bytes()),
            changes_up_to: round.changes.as_ref().map(|changes| changes.up_to),
            people: met.people,
            cuts: met.cuts(self.posting.parts(met.people)),
            until: now().after(LEASE),
        };
        Ok(match self.messages.step(&turn.room, turn.me, &pushed).await? {
            Written::Done(head) => turn.goes_on(head),
            // Of two attempts the first was carried out, if the room is still this run's.
            Written::Refused(head) => head.is_some_and(|head| turn.goes_on_if_mine(head)),
        })
    }

    /// Waits for the next round: what is said in one breath comes together.
    pub async fn breathe(&self, turn: &Turn) {
        sleep_until(turn.round_began + ROUND_MIN).await;
    }

    /// Keeps a room until somebody else has it.
    async fn keep(&self, turn: &Turn) -> Result<(), Fault> {
        loop {
            sleep(LEASE_RENEWED).await;
            if done(self.messages.renew(&turn.room, turn.me, now().after(LEASE)).await?).is_none() {
                return Ok(());
            }
        }
    }

    /// Lets the room go where nothing has come. Answers whether the room is still this run's, since something came.
    pub async fn rest(&self, turn: &mut Turn) -> Result<bool, Fault> {
        let rest = self.crowd.rest(&turn.head, turn.rounds.people, now());
        let (pushed, changes) = (turn.rounds.pushed, turn.rounds.changes);
        match self.messages.rest(&turn.room, turn.me, pushed, changes, rest).await? {
            Written::Done(_) => Ok(false),
            Written::Refused(head) => Ok(head.is_some_and(|head| turn.goes_on_if_mine(head))),
        }
    }

    /// Hands the room on to the next run. It is woken whatever the answer is: of two attempts the first may have let the
    /// room go, and then the second is refused.
    pub async fn hand_on(&self, turn: &Turn) -> Result<(), Fault> {
        self.messages.hand_on(&turn.room, turn.me).await?;
        self.waker.wake(&Wake { room: turn.room.clone(), seen: None }).await
    }

    /// Posts a part of a round, for the courier of another run.
    pub async fn lend_a_hand(&self, hand: &Hand) -> Result<Met, Fault> {
        self.posting.post_part(hand, &Content::of_hand(hand)).await
    }
}
