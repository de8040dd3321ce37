//! A device's part in edits and recalls: it asks for them, and follows those of others.

use super::knows::{GAP_PATIENCE, seen};
use super::{BACKOFF, Device, is_barred_for_long, tries};
use crate::chaos::lock;
use crate::checker::{Change, ChangeAck, Room};
use crate::schema;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What is not there any more, or may not be changed, is not asked for again.
const FINAL: [&str; 4] = ["notFound", "tooLate", "notAllowed", "badRequest"];

/// How long a change that a client was told of may be missing from the feed. After that its message has expired.
const CHANGE_PATIENCE: Duration = Duration::from_secs(10);

impl Device {
    /// Edits what it said last in a room, until that is acknowledged or refused for good.
    pub async fn edit(&mut self, room: Room) {
        if let Some(request) = self.new_edit(room) {
            self.change(&request).await;
        }
    }

    /// An edit of what it said last in a room.
    pub(super) fn new_edit(&mut self, room: Room) -> Option<Value> {
        let (id, key) = self.own.get(&room).and_then(|own| own.last()).cloned()?;
        let edit = format!("{}-e{}", self.name, self.edits.len() + 1);
        let content = format!("{key} says something else: {edit}");
        let message = json!({"type": "text", "content": content});
        let request = json!({"action": "editMessage", "chatroomId": room, "id": id, "message": message,
            "clientMessageId": edit});
        self.edits.push(request.clone());
        Some(request)
    }

    /// Repeats an edit that others of it have followed, as a frame does that was under way for long.
    pub async fn edit_again(&mut self) {
        let edits = self.edits.len();
        if let Some(request) = edits.checked_sub(2).map(|at| self.edits[at].clone()) {
            self.change(&request).await;
        }
    }

    /// Recalls what it said last in a room.
    pub async fn recall(&mut self, room: Room) {
        if let Some(request) = self.new_recall(room) {
            self.change(&request).await;
        }
    }

    /// A recall of what it said last in a room.
    pub(super) fn new_recall(&mut self, room: Room) -> Option<Value> {
        let (id, _) = self.own.get_mut(&room).and_then(Vec::pop)?;
        Some(json!({"action": "deleteMessage", "chatroomId": room, "id": id}))
    }

    /// Recalls the newest message that it knows, whoever said it.
    pub async fn recall_any(&mut self, room: Room) {
        let newest = self.rooms.get(&room).and_then(|known| known.messages.keys().next_back().copied());
        if let Some(id) = newest {
            self.change(&json!({"action": "deleteMessage", "chatroomId": room, "id": id})).await;
        }
    }

    /// Reacts to the newest message that it knows, then takes that back, then puts it there again; each time anew.
    pub async fn react(&mut self, room: Room) {
        let newest = self.rooms.get(&room).and_then(|known| known.messages.keys().next_back().copied());
        let Some(id) = newest else { return };
        self.reactions += 1;
        let on = self.reactions % 3 != 2;
        let request = json!({"action": "reactMessage", "chatroomId": room, "id": id, "emoji": "👍", "on": on});
        self.until_final(&request).await;
    }

    async fn change(&mut self, request: &Value) {
        self.asked_for(request);
        if let Some(ack) = self.until_final(request).await {
            self.changed(request, &ack);
        }
    }

    /// Asks until that is acknowledged, or refused for good. Answers the ack.
    async fn until_final(&mut self, request: &Value) -> Option<Value> {
        for () in tries() {
            if self.line.is_none() {
                self.connect().await;
            }
            let Ok(reply) = self.ask(request.clone()).await else { continue };
            if reply["type"] == "ack" {
                return Some(reply);
            }
            if reply["code"].as_str().is_some_and(|code| FINAL.contains(&code)) || is_barred_for_long(&reply) {
                return None;
            }
            sleep(reply["retryAfterMs"].as_u64().map_or(BACKOFF, Duration::from_millis)).await;
        }
        panic!("never acknowledged: {request}");
    }

    /// Records that it asks for a change, unless it did before.
    pub(super) fn asked_for(&self, request: &Value) {
        let (room, id, key) = place(request);
        let content = request["message"]["content"].as_str().unwrap_or_default().to_owned();
        let mut record = lock(&self.record);
        let asked = record.moment();
        let is_new = record.changes.iter().all(|change| (change.room, change.id, &change.key) != (room, id, &key));
        if is_new {
            record.changes.push(Change { room, user: self.user, id, key, content, asked });
        }
    }

    /// Records the ack of a change.
    pub(super) fn changed(&self, request: &Value, ack: &Value) {
        let (room, id, key) = place(request);
        let version = ack["version"].as_u64().expect("a version");
        let mut record = lock(&self.record);
        let at = record.moment();
        record.change_acks.push(ChangeAck { room, id, key, version, duplicate: ack["duplicate"] == true, at });
    }

    /// Takes in the ack of a join: how far the room's changes reach.
    pub(super) async fn enter_changes(&mut self, room: Room, ack: &Value, is_first: bool) {
        let told = ack["lastChange"].as_u64().expect("it was asked for");
        let known = self.rooms.get_mut(&room).expect("a room");
        known.told = known.told.max(told);
        known.change_border = known.change_border.max(told);
        if is_first {
            known.change = ack["settledChange"].as_u64().unwrap_or(told);
        }
        let early = std::mem::take(&mut self.early_changes);
        early.iter().for_each(|message| self.take_change(message));
        self.take_early_rounds();
        self.follow(room, told, Instant::now()).await;
    }

    /// Takes in a pushed change.
    pub(super) fn take_change(&mut self, message: &Value) {
        let seen = seen(message);
        let (room, version) = (seen.room, seen.version);
        // Pushes may come before the reply to the join, which says where the device begins.
        let Some(known) = self.rooms.get_mut(&room) else { return self.early_changes.push(message.clone()) };
        known.take_state(seen);
        known.heard.insert(version);
        self.told_of_changes(room, version - 1, version);
    }

    /// Takes in that it was told of the changes after one and up to one.
    pub(super) fn told_of_changes(&mut self, room: Room, after: u64, up_to: u64) {
        let known = self.rooms.get_mut(&room).expect("a room");
        known.change_border = known.change_border.max(up_to);
        if known.change >= after {
            known.change = known.change.max(up_to);
        } else {
            let (told, _) = self.told.entry(room).or_insert((up_to, Instant::now()));
            *told = up_to.max(*told);
        }
    }

    /// Reads the feed where pushes left something out, after a while: one that was overtaken comes by itself.
    pub(super) async fn close_gaps_of_changes(&mut self) {
        let due = self.told.iter().filter(|(_, (_, since))| since.elapsed() > GAP_PATIENCE);
        let due: Vec<_> = due.map(|(room, (told, since))| (*room, *told, *since)).collect();
        for (room, told, since) in due {
            self.told.remove(&room);
            self.follow(room, told, since).await;
        }
    }

    /// Reads the feed until it knows a change that it was told of, or that has expired.
    pub(super) async fn follow(&mut self, room: Room, told: u64, since: Instant) {
        while self.rooms[&room].change < told {
            let asked_at = Instant::now();
            if !self.read_changes(room).await {
                return;
            }
            let known = self.rooms.get_mut(&room).expect("a room");
            if known.change < told && asked_at.saturating_duration_since(since) >= CHANGE_PATIENCE {
                known.change = told;
            } else if known.change < told {
                sleep(GAP_PATIENCE).await;
            }
        }
    }

    /// Reads all pages after its position, which is the highest place it saw, and never a version. Answers false if it may
    /// not.
    async fn read_changes(&mut self, room: Room) -> bool {
        let mut next = Some(format!("chatroomId={room}&after={}&limit=2", self.rooms[&room].change));
        while let Some(query) = next {
            let Some(page) = self.page(schema::LIST_CHANGES, query).await else { return false };
            let known = self.rooms.get_mut(&room).expect("a room");
            for item in page.body.as_array().expect("a list") {
                known.take_state(seen(item));
                known.change = known.change.max(item["change"].as_u64().expect("a place"));
            }
            next = page.link("next");
        }
        true
    }
}

/// Which message a request is to change, and the name of the edit.
fn place(request: &Value) -> (Room, u64, Option<String>) {
    let number = |field: &str| request[field].as_u64().expect("a number");
    (number("chatroomId"), number("id"), request["clientMessageId"].as_str().map(String::from))
}
