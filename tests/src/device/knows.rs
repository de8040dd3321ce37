//! What a device hears and reads, and what it knows of its rooms by that.

use super::line::{FORBIDDEN, Lost};
use super::{BACKOFF, BAR_PATIENCE, Device, tries};
use crate::checker::{Room, Seen, View};
use crate::knowledge::Knowledge;
use crate::{Page, schema};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a client waits for a push that another one overtook.
pub(super) const GAP_PATIENCE: Duration = Duration::from_secs(2);

impl Device {
    /// Reads what was pushed: it asks for a `pong`, which comes after earlier pushes.
    pub async fn listen(&mut self) {
        if self.line.is_some() {
            // A connection that ends here is opened again when it is needed.
            let _ = self.ask(json!({"action": "ping"})).await;
        }
    }

    /// Reads what is pushed for so long. It sends nothing, so no function has to run for it.
    pub async fn hear(&mut self, time: Duration) {
        let over = Instant::now() + time;
        while self.line.is_some() {
            match timeout(over.saturating_duration_since(Instant::now()), self.hear_one()).await {
                Ok(Ok(Some(frame))) => self.take_in(&frame),
                Ok(Ok(None)) => {}
                // It is opened again when it is needed.
                Ok(Err(Lost)) => self.line = None,
                Err(_) => return self.close_gaps().await,
            }
        }
        sleep(over.saturating_duration_since(Instant::now())).await;
    }

    /// Rooms that it is or was in.
    pub fn known_rooms(&self) -> Vec<Room> {
        self.rooms.keys().copied().collect()
    }

    /// Learns everything in its rooms up to these ids and changes: it reads what was not pushed.
    pub async fn settle(&mut self, newest: &BTreeMap<Room, u64>, changes: &BTreeMap<Room, u64>) {
        self.connect().await;
        self.listen().await;
        for room in self.known_rooms() {
            self.catch_up(room, newest[&room]).await;
            self.follow(room, changes[&room], Instant::now()).await;
        }
    }

    /// What it knows of each room up to these ids, and what was pushed to it from rooms that it never joined.
    pub fn views(&self, newest: &BTreeMap<Room, u64>) -> Vec<View> {
        let view = |(room, known): (&Room, &Knowledge)| View {
            device: self.name.clone(),
            user: self.user,
            room: *room,
            since: known.since,
            until: newest[room],
            messages: known.messages.values().chain(&known.conflicts).cloned().collect(),
            pushed: known.pushed.clone(),
            follows: true,
            states: known.states.clone(),
            told: known.told,
            heard: known.heard.clone(),
            unused: known.unused.clone(),
            border: known.border,
            change_border: known.change_border,
            in_rounds: self.in_rounds,
        };
        // It reads no history there. That it saw anything may be a violation.
        let elsewhere = self.early.iter().map(|seen| View {
            device: self.name.clone(),
            user: self.user,
            room: seen.room,
            since: 0,
            until: 0,
            messages: vec![seen.clone()],
            pushed: BTreeSet::from([seen.id]),
            follows: false,
            states: Vec::new(),
            told: 0,
            heard: BTreeSet::new(),
            unused: BTreeSet::new(),
            border: 0,
            change_border: 0,
            in_rounds: self.in_rounds,
        });
        self.rooms.iter().map(view).chain(elsewhere).collect()
    }

    /// The same of what it knows so far.
    pub fn views_so_far(&self) -> Vec<View> {
        self.views(&self.known_rooms().into_iter().map(|room| (room, u64::MAX)).collect())
    }

    /// Takes in a frame that may be pushed.
    pub(super) fn take_in(&mut self, frame: &Value) {
        // Kept rooms, whose ids are texts, are not checked here.
        if frame["chatroomId"].is_string() {
            return;
        }
        match (frame["type"].as_str(), frame["code"].as_str()) {
            (Some("sendMessage"), None) if frame["message"].is_object() => {
                self.take_push(seen(&frame["message"]));
                self.take_unused(frame);
            }
            (Some("messages"), _) => self.take_round(frame),
            (Some("editMessage" | "deleteMessage"), None) if frame["message"].is_object() => {
                self.take_change(&frame["message"]);
            }
            (_, Some("tooManyConnections")) => {
                let wait = Duration::from_millis(frame["retryAfterMs"].as_u64().expect("a time"));
                self.comes_back_at = Instant::now() + wait;
            }
            _ => {}
        }
    }

    /// Takes in that a message's sender has used up an id for nothing.
    fn take_unused(&mut self, push: &Value) {
        let known = push["message"]["chatroomId"].as_u64().and_then(|room| self.rooms.get_mut(&room));
        if let (Some(known), Some(unused)) = (known, push["unusedId"].as_u64()) {
            known.unused.extend((unused > known.since).then_some(unused));
        }
    }

    /// Takes in a pushed message. Records a gap between it and what is known.
    pub(super) fn take_push(&mut self, seen: Seen) {
        let (room, id) = (seen.room, seen.id);
        // Pushes may come before the reply to the join, which says where the device's view begins.
        let Some(known) = self.rooms.get_mut(&room) else { return self.early.push(seen) };
        known.pushed.insert(id);
        known.border = known.border.max(id);
        let newest = known.newest();
        known.take_in(seen);
        if id > newest + 1 {
            self.gaps.entry(room).or_insert_with(Instant::now);
        }
    }

    /// Reads what is missing in gaps, after a while: a push that was overtaken comes by itself.
    pub(super) async fn close_gaps(&mut self) {
        let due = self.gaps.iter().filter(|(_, since)| since.elapsed() > GAP_PATIENCE);
        for room in due.map(|(room, _)| *room).collect::<Vec<_>>() {
            self.gaps.remove(&room);
            let known = &self.rooms[&room];
            let newest = if self.in_rounds { known.newest().max(known.border) } else { known.newest() };
            self.catch_up(room, newest).await;
        }
        Box::pin(self.close_gaps_of_changes()).await;
    }

    /// Reads the history from where this device's view is complete up to an id.
    pub(super) async fn catch_up(&mut self, room: Room, until: u64) {
        let (mut after, asked_at) = (self.rooms[&room].complete, Instant::now());
        while after < until {
            // Whoever is banned knows no more than it did.
            let Some(page) = self.history(room, after).await else { return };
            let Some(newest) = page.last().map(|seen| seen.id) else { break };
            let known = self.rooms.get_mut(&room).expect("a room");
            page.into_iter().for_each(|seen| known.take_in(seen));
            after = newest;
        }
        self.rooms.get_mut(&room).expect("a room").pass_over_holes(asked_at);
    }

    async fn history(&mut self, room: Room, after: u64) -> Option<Vec<Seen>> {
        let page = self.page(schema::LIST, format!("chatroomId={room}&after={after}&limit=100")).await?;
        Some(page.body.as_array().expect("a list").iter().map(seen).collect())
    }

    /// Nothing where its user is banned.
    pub(super) async fn page(&mut self, path: &'static str, query: String) -> Option<Page> {
        for () in tries() {
            let page = self.reach.page(path, &self.token, query.clone()).await;
            match page.status {
                200 => return Some(page),
                FORBIDDEN if let Some(left) = banned_for(&page.body) => {
                    if left > BAR_PATIENCE {
                        return None;
                    }
                    sleep(left).await;
                }
                FORBIDDEN => self.renew_token().await,
                _ => sleep(BACKOFF).await,
            }
        }
        panic!("{} never gets {path}?{query}", self.name);
    }
}

/// For how long a refused page says that its reader is banned: its errors have no code, and say that in words.
fn banned_for(body: &Value) -> Option<Duration> {
    let left = body["message"].as_str()?.strip_prefix("banned ")?.rsplit_once("another ")?.1.strip_suffix(" ms")?;
    left.parse().ok().map(Duration::from_millis)
}

/// A message of a push, of the history or of the feed.
pub(crate) fn seen(message: &Value) -> Seen {
    let content = match message["attachment"].as_str() {
        // An address is another one each hour. The key begins with the send's as a text does.
        Some(attachment) => format!("{} {attachment}", attachment.split('/').nth(3).expect("a key")),
        None => message["content"].as_str().expect("a text").to_owned(),
    };
    Seen {
        id: message["id"].as_u64().expect("an id"),
        room: message["chatroomId"].as_u64().expect("a room"),
        user: message["senderId"].as_u64().expect("a user"),
        // The history does not show it. A device's texts begin with it.
        key: content.split_once(' ').map(|(key, _)| key.into()),
        content,
        version: message["version"].as_u64().unwrap_or_default(),
        deleted: message["deleted"] == true,
    }
}
