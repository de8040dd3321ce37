//! The rules, and the tables by which they look up facts.

use super::changes::Changes;
use super::history::{Ack, History, Leftover, Room, Seen, Send, User, View};
use super::violation::{Report, Violation, Witness};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};

/// Keys and texts are unique only per user and room.
type Name<'a> = (Room, User, &'a str);

/// The facts that everything else is compared with, by what they are looked up by.
pub(super) struct Facts<'a> {
    sends: HashMap<Name<'a>, &'a Send>,
    /// How many sends have this text.
    contents: HashMap<Name<'a>, usize>,
    /// If several messages have the same id, the first one.
    stored: BTreeMap<Room, BTreeMap<u64, &'a Seen>>,
    grants: &'a BTreeMap<User, BTreeSet<Room>>,
    changes: Changes<'a>,
}

impl<'a> Facts<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let mut sends = HashMap::with_capacity(history.sends.len());
        for send in &history.sends {
            sends.entry((send.room, send.user, send.key.as_str())).or_insert(send);
        }
        let mut contents = HashMap::with_capacity(sends.len());
        for send in sends.values() {
            *contents.entry((send.room, send.user, send.content.as_str())).or_default() += 1;
        }
        let first_of_each = |messages: &'a Vec<Seen>| {
            let mut by_id = BTreeMap::new();
            for message in messages {
                by_id.entry(message.id).or_insert(message);
            }
            by_id
        };
        let stored = history.stored.iter().map(|(&room, messages)| (room, first_of_each(messages))).collect();
        Self { sends, contents, stored, grants: &history.grants, changes: Changes::of(history) }
    }

    fn stored(&self, room: Room, id: u64) -> Option<&'a Seen> {
        self.stored.get(&room)?.get(&id).copied()
    }

    /// The messages of the room's history that a view must have.
    fn due(&self, view: &View) -> impl Iterator<Item = &'a Seen> {
        let later = self.stored.get(&view.room).into_iter();
        let later = later.flat_map(|by_id| by_id.range((Excluded(view.since), Unbounded)));
        later.map(|(_, message)| *message).take_while(|message| message.id <= view.until)
    }

    fn may_enter(&self, user: User, room: Room) -> bool {
        self.grants.get(&user).is_none_or(|rooms| rooms.contains(&room))
    }

    pub(super) fn judge_changes(&self, stored: &BTreeMap<Room, Vec<Seen>>, report: &mut Report) {
        self.changes.judge_numbers(stored, report);
        self.changes.judge_acks(|room, id| self.stored(room, id), report);
    }

    /// Whether somebody said it, at first or by a change.
    fn was_sent(&self, seen: &Seen) -> bool {
        if self.changes.has_asked_for(seen) {
            return true;
        }
        match &seen.key {
            Some(key) => self.sends.get(&(seen.room, seen.user, key)).is_some_and(|send| send.content == seen.content),
            None => self.contents.contains_key(&(seen.room, seen.user, seen.content.as_str())),
        }
    }

    /// Returns the rooms and ids of the messages that it reported as altered.
    pub(super) fn judge_acks(&self, acks: &'a [Ack], report: &mut Report) -> HashSet<(Room, u64)> {
        let mut ids: BTreeMap<Name<'a>, BTreeSet<u64>> = BTreeMap::new();
        for ack in acks {
            ids.entry((ack.room, ack.user, &ack.key)).or_default().insert(ack.id);
        }

        let mut owners: BTreeMap<(Room, u64), Vec<&Send>> = BTreeMap::new();
        for (name, ids) in &ids {
            let &(room, user, key) = name;
            let listed = || ids.iter().copied().collect();
            if ids.len() > 1 {
                report.add(Violation::AckedDifferently { room, user, key: key.into(), ids: listed() });
            }
            match self.sends.get(name) {
                Some(send) => ids.iter().for_each(|&id| owners.entry((room, id)).or_default().push(send)),
                None => report.add(Violation::AckOfNothing { room, user, key: key.into(), ids: listed() }),
            }
        }
        for (&(room, id), sends) in owners.iter().filter(|(_, sends)| sends.len() > 1) {
            report.add(Violation::IdShared { room, id, sends: sends.iter().copied().cloned().collect() });
        }

        let mut altered = HashSet::new();
        for (name, ids) in &ids {
            let Some(&send) = self.sends.get(name) else { continue };
            let mut found = ids.iter().filter_map(|&id| self.stored(send.room, id)).peekable();
            let Some(&stored) = found.peek() else {
                report.add(Violation::Lost { send: send.clone(), ids: ids.iter().copied().collect() });
                continue;
            };
            // Several ids for a send, and several sends for an id, are reported elsewhere. Here one that fits is
            // enough.
            if !found.any(|stored| owners[&(send.room, stored.id)].iter().any(|send| is_of(stored, send))) {
                altered.insert((send.room, stored.id));
                report.add(Violation::Altered { send: send.clone(), stored: stored.clone() });
            }
        }
        altered
    }

    pub(super) fn judge_stored(
        &self,
        room: Room,
        messages: &[Seen],
        altered: &HashSet<(Room, u64)>,
        report: &mut Report,
    ) {
        for seen in messages {
            let witness = Witness::History;
            if seen.room != room {
                report.add(Violation::ForeignRoom { witness, room, seen: seen.clone() });
                continue;
            }
            if !self.was_sent(seen) && !altered.contains(&(room, seen.id)) {
                report.add(Violation::NobodySent { witness: witness.clone(), seen: seen.clone() });
            }
            if !self.may_enter(seen.user, room) {
                report.add(Violation::MessageForbidden { witness, seen: seen.clone() });
            }
        }
    }

    /// Finds a send that has several ids: by its key or, since keys may be unknown, by a text that is there more often
    /// than it was sent. The same id twice is a matter of order.
    pub(super) fn judge_copies(&self, room: Room, report: &mut Report) {
        let mut by_key: BTreeMap<Name<'a>, Vec<&Seen>> = BTreeMap::new();
        let mut by_content: BTreeMap<Name<'a>, Vec<&Seen>> = BTreeMap::new();
        for &seen in self.stored[&room].values().filter(|seen| seen.room == room && seen.version == 0) {
            if let Some(key) = &seen.key {
                by_key.entry((room, seen.user, key)).or_default().push(seen);
            }
            by_content.entry((room, seen.user, &seen.content)).or_default().push(seen);
        }

        let mut told: HashSet<u64> = HashSet::new();
        let same_key = by_key.into_values().filter(|copies| copies.len() > 1);
        let same_content = by_content.into_iter().filter_map(|(name, copies)| {
            let sent = *self.contents.get(&name)?;
            (copies.len() > sent).then_some(copies)
        });
        for copies in same_key.chain(same_content) {
            let ids: Vec<_> = copies.iter().map(|seen| seen.id).collect();
            if ids.iter().all(|id| !told.contains(id)) {
                told.extend(&ids);
                report.add(Violation::StoredTwice { first: copies[0].clone(), ids });
            }
        }
    }

    pub(super) fn judge_view(&self, view: &View, report: &mut Report) {
        let View { device, user, room, .. } = view;
        if !self.may_enter(*user, *room) {
            report.add(Violation::ViewForbidden { device: device.clone(), user: *user, room: *room });
        }

        self.changes.judge_states(view, |room, id| self.stored(room, id), report);

        let mut shown = HashSet::with_capacity(view.messages.len());
        let mut previous = 0;
        for seen in &view.messages {
            if seen.room != *room {
                let witness = Witness::Device(device.clone());
                report.add(Violation::ForeignRoom { witness, room: *room, seen: seen.clone() });
                continue;
            }
            self.judge_seen(device, seen, report);
            if seen.id <= view.since || seen.id > view.until {
                continue;
            }
            if let Some(stored) = self.stored(*room, seen.id).filter(|now| view.follows && now.version > seen.version) {
                let (device, seen, stored) = (device.clone(), seen.clone(), stored.clone());
                report.add(Violation::Stale { device, seen, stored });
            }
            if !shown.insert(seen.id) {
                report.add(Violation::SeenTwice { device: device.clone(), room: *room, id: seen.id });
                continue;
            }
            if seen.id < previous {
                let (before, after) = (previous, seen.id);
                report.add(Violation::ViewDisordered { device: device.clone(), room: *room, before, after });
            }
            previous = seen.id;
        }

        for stored in view.unused.iter().filter_map(|id| self.stored(*room, *id)) {
            report.add(Violation::NotUnused { device: device.clone(), stored: stored.clone() });
        }
        for stored in self.due(view).filter(|stored| !shown.contains(&stored.id)) {
            report.add(Violation::Missed { device: device.clone(), stored: stored.clone() });
        }
    }

    /// Every message that a device sees must be in the history, also one from before it joined.
    fn judge_seen(&self, device: &str, seen: &Seen, report: &mut Report) {
        let witness = || Witness::Device(device.into());
        match self.stored(seen.room, seen.id) {
            // One that does not follow changes, or left, has an earlier state.
            Some(stored) if seen.version == stored.version && !agree(seen, stored) => {
                let (device, seen, stored) = (device.into(), seen.clone(), stored.clone());
                report.add(Violation::SeenDifferently { device, seen, stored });
            }
            // The history is judged elsewhere, except for keys, which it does not show.
            Some(stored) => {
                if !self.was_sent(seen) && self.was_sent(stored) {
                    report.add(Violation::NobodySent { witness: witness(), seen: seen.clone() });
                }
            }
            None => {
                report.add(if self.was_sent(seen) {
                    Violation::NeverStored { device: device.into(), seen: seen.clone() }
                } else {
                    Violation::NobodySent { witness: witness(), seen: seen.clone() }
                });
                if !self.may_enter(seen.user, seen.room) {
                    report.add(Violation::MessageForbidden { witness: witness(), seen: seen.clone() });
                }
            }
        }
    }

    pub(super) fn judge_pushes(&self, view: &View, report: &mut Report) {
        self.changes.judge_pushes(view, report);
        for stored in self.due(view).filter(|stored| !view.pushed.contains(&stored.id)) {
            report.add(Violation::NotPushed { device: view.device.clone(), room: view.room, id: stored.id });
        }
    }
}

pub(super) fn judge_order(room: Room, messages: &[Seen], report: &mut Report) {
    for pair in messages.windows(2) {
        let (before, after) = (pair[0].id, pair[1].id);
        if before >= after {
            report.add(Violation::HistoryDisordered { room, before, after });
        }
    }
}

pub(super) fn judge_leftovers(leftovers: &[Leftover], report: &mut Report) {
    for Leftover { row, member, expires } in leftovers {
        if *member {
            report.add(Violation::MemberLeft { row: row.clone() });
        }
        if !expires {
            report.add(Violation::NeverExpires { row: row.clone() });
        }
    }
}

/// Whether a message is what the client sent. Its room is known to be right here.
fn is_of(seen: &Seen, send: &Send) -> bool {
    let is_as_sent = seen.content == send.content && seen.key.as_ref().is_none_or(|key| *key == send.key);
    seen.user == send.user && (is_as_sent || seen.version > 0)
}

/// Whether two views of one id agree.
fn agree(one: &Seen, other: &Seen) -> bool {
    let keys_agree = one.key.is_none() || other.key.is_none() || one.key == other.key;
    let states_agree = (one.version, one.deleted) == (other.version, other.deleted);
    one.user == other.user && one.content == other.content && keys_agree && states_agree
}
