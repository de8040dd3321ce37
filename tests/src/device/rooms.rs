//! How a device enters its rooms and leaves them.

use super::line::Lost;
use super::{BACKOFF, Device, barred, is_barred_for_long, tries};
use crate::checker::{Room, Seen};
use crate::in_time;
use crate::knowledge::Knowledge;
use serde_json::{Value, json};
use tokio::time::sleep;

/// A join as a client asks for it that follows changes.
pub(super) fn join(room: Room) -> Value {
    json!({"action": "joinRoom", "chatroomId": room, "changes": true})
}

impl Device {
    /// Joins a room, and reads what it missed there since its first join.
    pub async fn join(&mut self, room: Room) {
        self.joined.insert(room);
        for () in tries() {
            if self.line.is_none() {
                // Connecting joins this room as well.
                return self.connect().await;
            }
            if self.try_join(room).await.is_ok() {
                return;
            }
        }
        panic!("{} does not get into {room}", self.name);
    }

    /// Sends a join, and does not wait for the reply. Answers the request.
    pub async fn begin_join(&mut self, room: Room) -> Value {
        self.requests += 1;
        let mut request = self.asking_for_rounds(join(room));
        request["requestId"] = json!(self.requests);
        assert!(self.say(std::slice::from_ref(&request)).await.is_ok(), "a join is sent");
        request
    }

    /// Waits for the reply to a request that was sent.
    pub async fn reply_to(&mut self, request: Value) -> Value {
        let replies = in_time("a reply", self.replies(std::slice::from_ref(&request))).await;
        replies.ok().expect("a connection").remove(0)
    }

    /// Tries to join once. `Lost` if it has to connect again.
    pub(super) async fn try_join(&mut self, room: Room) -> Result<(), Lost> {
        for () in tries() {
            let reply = self.ask(self.asking_for_rounds(join(room))).await?;
            match (reply["type"].as_str(), reply["code"].as_str()) {
                (Some("ack"), _) => {
                    self.enter(room, &reply).await;
                    return Ok(());
                }
                (_, Some("gone")) if self.stays_on => return Ok(()),
                (_, Some("gone")) => {
                    self.line = None;
                    return Err(Lost);
                }
                // Where it was before, it asks again with its next connection.
                _ if is_barred_for_long(&reply) => {
                    if !self.rooms.contains_key(&room) {
                        self.joined.remove(&room);
                    }
                    return Ok(());
                }
                _ => sleep(barred(&reply).unwrap_or(BACKOFF)).await,
            }
        }
        panic!("{} does not get into {room}", self.name);
    }

    /// Takes in the ack of a join, and reads what it missed.
    pub(super) async fn enter(&mut self, room: Room, ack: &Value) {
        let last_id = ack["lastId"].as_u64().expect("lastId");
        let is_first = !self.rooms.contains_key(&room);
        let known = self.rooms.entry(room).or_insert_with(|| Knowledge::since(last_id));
        known.border = known.border.max(last_id);
        let (here, early) = std::mem::take(&mut self.early).into_iter().partition(|seen| seen.room == room);
        self.early = early;
        let here: Vec<Seen> = here;
        here.into_iter().for_each(|seen| self.take_push(seen));
        self.catch_up(room, last_id).await;
        self.enter_changes(room, ack, is_first).await;
    }

    /// Leaves a room, and waits for the ack.
    pub async fn leave(&mut self, room: Room) {
        self.joined.remove(&room);
        for () in tries() {
            if self.line.is_none() {
                // A new connection is only in rooms that it joined.
                return self.connect().await;
            }
            match self.ask(json!({"action": "leaveRoom", "chatroomId": room})).await {
                Ok(reply) if reply["type"] == "ack" => return,
                Ok(_) => sleep(BACKOFF).await,
                Err(Lost) => {}
            }
        }
        panic!("{} does not get out of {room}", self.name);
    }
}
