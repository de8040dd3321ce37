//! The rules of edits and recalls.

use super::history::{Change, ChangeAck, History, Room, Seen, View};
use super::violation::{Report, Violation};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Which message, or which change, of which room.
type Place = (Room, u64);

/// A change of a message, by its name if it has one.
type Named<'a> = (u64, Option<&'a String>);

/// What was asked of each message, and what became of it.
pub(super) struct Changes<'a> {
    asked: HashMap<Place, Vec<&'a Change>>,
    acks: &'a [ChangeAck],
}

impl<'a> Changes<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let mut asked: HashMap<Place, Vec<&Change>> = HashMap::new();
        for change in &history.changes {
            asked.entry((change.room, change.id)).or_default().push(change);
        }
        Self { asked, acks: &history.change_acks }
    }

    /// Whether somebody asked for a message to be as it was seen. A recalled one is empty.
    pub(super) fn has_asked_for(&self, seen: &Seen) -> bool {
        let asked = self.asked.get(&(seen.room, seen.id)).into_iter().flatten();
        asked.into_iter().any(|change| change.content == seen.content)
    }

    fn acks_of(&self, change: &Change) -> impl Iterator<Item = &'a ChangeAck> {
        let (place, key) = ((change.room, change.id), change.key.clone());
        self.acks.iter().filter(move |ack| (ack.room, ack.id) == place && ack.key == key)
    }

    /// A number is given to one change, and to one message.
    pub(super) fn judge_numbers(&self, stored: &BTreeMap<Room, Vec<Seen>>, report: &mut Report) {
        let mut given: BTreeMap<Place, Vec<Named<'_>>> = BTreeMap::new();
        for ack in self.acks.iter().filter(|ack| !ack.duplicate) {
            let to = given.entry((ack.room, ack.version)).or_default();
            if !to.contains(&(ack.id, ack.key.as_ref())) {
                to.push((ack.id, ack.key.as_ref()));
            }
        }
        for message in stored.values().flatten().filter(|message| message.version > 0) {
            let to = given.entry((message.room, message.version)).or_default();
            if to.iter().all(|(id, _)| *id != message.id) {
                to.push((message.id, None));
            }
        }
        for ((room, version), to) in given.into_iter().filter(|(_, to)| to.len() > 1) {
            let ids = to.into_iter().map(|(id, _)| id).collect();
            report.add(Violation::VersionShared { room, version, ids });
        }
    }

    /// What was acknowledged is in the history, or something later is.
    pub(super) fn judge_acks(&self, stored: impl Fn(Room, u64) -> Option<&'a Seen>, report: &mut Report) {
        for (&(room, id), changes) in &self.asked {
            let Some(now) = stored(room, id) else { continue }; // that it is lost is said elsewhere
            for change in changes {
                let Some(first) = self.acks_of(change).min_by_key(|ack| ack.at) else { continue };
                let is_it = now.content == change.content && now.deleted == change.key.is_none();
                let is_older = now.version < first.version;
                if is_older || (now.version == first.version && !first.duplicate && !is_it) {
                    report.add(Violation::ChangeLost {
                        change: (*change).clone(),
                        version: first.version,
                        stored: now.clone(),
                    });
                }
                if change.key.is_none() && !now.deleted {
                    report.add(Violation::RecallUndone { room, id, stored: now.clone() });
                }
                let is_done = |other: &&&Change| self.acks_of(other).next().is_some();
                let later = changes.iter().filter(|other| other.asked > first.at && other.content != change.content);
                if now.content == change.content && later.filter(is_done).count() > 0 {
                    report.add(Violation::EditReturned { change: (*change).clone() });
                }
            }
        }
    }

    /// A member is pushed every change, or finds it by what its join tells.
    pub(super) fn judge_pushes(&self, view: &View, report: &mut Report) {
        let committed = self.acks.iter().filter(|ack| ack.room == view.room && !ack.duplicate && view.follows);
        let is_told = |v: &u64| view.heard.contains(v) || view.in_rounds && *v <= view.change_border;
        let unheard = committed.map(|ack| ack.version).filter(|v| *v > view.told && !is_told(v));
        for version in unheard.collect::<BTreeSet<_>>() {
            report.add(Violation::NotTold { device: view.device.clone(), room: view.room, version });
        }
    }

    /// Every state that a device was told of was stored, and none follows a recall.
    pub(super) fn judge_states(
        &self,
        view: &View,
        stored: impl Fn(Room, u64) -> Option<&'a Seen>,
        report: &mut Report,
    ) {
        let mut versions: HashMap<(u64, u64), &Seen> = HashMap::new();
        for seen in view.states.iter().filter(|seen| seen.room == view.room) {
            let told = |of: &Seen| Violation::ToldDifferently {
                device: view.device.clone(),
                seen: seen.clone(),
                stored: of.clone(),
            };
            if let Some(before) = versions.insert((seen.id, seen.version), seen)
                && before != seen
            {
                report.add(told(before));
            }
            let Some(now) = stored(view.room, seen.id) else { continue };
            let is_it = seen.content == now.content && seen.deleted == now.deleted;
            if seen.version > now.version || (seen.version == now.version && !is_it) {
                report.add(told(now));
            }
            if !self.has_asked_for(seen) {
                report.add(Violation::NobodyAsked { device: view.device.clone(), seen: seen.clone() });
            }
        }
    }
}
