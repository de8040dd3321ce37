//! What a device says, once or again and again until it is acknowledged.

use super::line::{Lost, REPLY_TIMEOUT};
use super::rooms::join;
use super::{BACKOFF, Device, barred, is_barred_for_long, tries};
use crate::chaos::lock;
use crate::checker::{Ack, Attempt, Room, Send};
use crate::simulation::Step;
use crate::text_message;
use chat::Attachment;
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

impl Device {
    /// A unique text, which begins with its `clientMessageId`.
    fn new_text(&mut self, room: Room) -> (String, String) {
        self.sends += 1;
        let key = format!("{}-{}", self.name, self.sends);
        let content = format!("{key} says hello to {room}");
        let send = Send { room, user: self.user, key: key.clone(), content: content.clone() };
        lock(&self.record).sends.push(send);
        (key, content)
    }

    /// Notes that it sends a text now, for the first time or again.
    pub(super) fn attempts(&self, request: &Value) {
        let said = request["message"]["content"].as_str().and_then(|content| content.split_once(' '));
        let key = request["clientMessageId"].as_str().or(said.map(|(key, _)| key));
        let (Some("sendMessage"), Some(room), Some(key)) =
            (request["action"].as_str(), request["chatroomId"].as_u64(), key)
        else {
            return;
        };
        let mut record = lock(&self.record);
        let at = record.moment();
        record.attempts.push(Attempt { room, user: self.user, key: key.to_owned(), at });
    }

    /// Makes a new message, with its own `clientMessageId`, the one that is sent next.
    fn write(&mut self, room: Room) {
        let (key, content) = self.new_text(room);
        self.last_send = text_message(room, &content);
        self.last_send["clientMessageId"] = json!(key);
    }

    /// Sends a text with its own `clientMessageId`, again and again until it is acknowledged. Returns its id.
    pub async fn send(&mut self, room: Room) -> u64 {
        self.write(room);
        self.send_again().await
    }

    /// The same of somebody who may be barred: then it is let be.
    pub async fn try_send(&mut self, room: Room) -> Option<u64> {
        self.write(room);
        self.try_send_again().await
    }

    /// Sends a picture that was uploaded, until that is acknowledged. Answers its key.
    pub async fn send_file(&mut self, room: Room) -> String {
        self.sends += 1;
        let key = format!("{}-{}", self.name, self.sends);
        let (in_room, of) = (crate::room(&room.to_string()), crate::user(&self.user.to_string()));
        let id = serde_json::from_value(json!(key)).expect("an id");
        let attachment = Attachment::of(&in_room, &of, &id, "cat.png");
        let send = Send { room, user: self.user, key: key.clone(), content: format!("{key} {attachment}") };
        lock(&self.record).sends.push(send);
        let message = json!({"type": "image", "attachment": attachment});
        self.last_send =
            json!({"action": "sendMessage", "chatroomId": room, "message": message, "clientMessageId": key});
        self.send_again().await;
        attachment.to_string()
    }

    /// Sends a text, cuts the connection before the reply, and sends the text again until it is acknowledged, or barred.
    pub async fn send_cut(&mut self, room: Room) -> Option<u64> {
        self.write(room);
        self.attempts(&self.last_send);
        if let Some(line) = &mut self.line {
            // The frame may or may not be written when the socket is cut.
            let frame = line.written(&self.last_send);
            let _ = timeout(REPLY_TIMEOUT, line.sink.send(frame)).await;
            self.cut();
        }
        self.try_send_again().await
    }

    /// Sends the last text again, if there is one.
    pub async fn repeat(&mut self) {
        if !self.last_send.is_null() {
            self.try_send_again().await;
        }
    }

    /// Sends the last text again, as a client does that got no ack.
    pub async fn send_again(&mut self) -> u64 {
        self.try_send_again().await.unwrap_or_else(|| panic!("{} is barred", self.name))
    }

    async fn try_send_again(&mut self) -> Option<u64> {
        let request = self.last_send.clone();
        let ack = self.ask_until_answered(&request).await?;
        let room = request["chatroomId"].as_u64().expect("a room");
        self.acknowledged(room, &request, &ack);
        ack["id"].as_u64()
    }

    fn acknowledged(&mut self, room: Room, request: &Value, ack: &Value) {
        let id = ack["id"].as_u64().expect("an id");
        let key = request["clientMessageId"].as_str().expect("a text").to_owned();
        let own = self.own.entry(room).or_default();
        if own.last().is_none_or(|(newest, _)| *newest < id) {
            own.push((id, key.clone()));
        }
        lock(&self.record).acks.push(Ack { room, user: self.user, key, id });
    }

    /// Sends a request again and again until it is acknowledged, and answers the ack.
    pub async fn insist(&mut self, request: &Value) -> Value {
        self.ask_until_answered(request).await.unwrap_or_else(|| panic!("{} is barred", self.name))
    }

    /// The same of somebody who may be barred: that is an answer too, unless the bar is over soon.
    async fn ask_until_answered(&mut self, request: &Value) -> Option<Value> {
        for () in tries() {
            if self.line.is_none() {
                self.connect().await;
            }
            match self.ask(request.clone()).await {
                Ok(reply) if reply["type"] == "ack" => return Some(reply),
                Ok(reply) if is_barred_for_long(&reply) => return None,
                Ok(reply) => sleep(barred(&reply).or_else(|| self.patience(&reply)).unwrap_or(BACKOFF)).await,
                Err(Lost) => {}
            }
        }
        panic!("never acknowledged: {request}");
    }

    /// Sends a text once, without a `clientMessageId`: it may be lost, unless it is acknowledged.
    pub async fn send_unnamed(&mut self, room: Room) {
        let (key, content) = self.new_text(room);
        if let Ok(reply) = self.ask(text_message(room, &content)).await
            && let Some(id) = reply["id"].as_u64()
        {
            lock(&self.record).acks.push(Ack { room, user: self.user, key, id });
        }
    }

    /// Sends frames back to back, then waits for their replies. API Gateway hands them on side by side, so nobody knows
    /// which is carried out first.
    pub async fn pipeline(&mut self, steps: &[Step]) {
        self.connect().await;
        let mut requests = Vec::new();
        for step in steps {
            let request = match *step {
                Step::Join(room) => self.asking_for_rounds(join(room)),
                Step::Leave(room) => json!({"action": "leaveRoom", "chatroomId": room}),
                Step::Send(room) => {
                    self.write(room);
                    self.last_send.clone()
                }
                Step::Edit(room) => self.new_edit(room).unwrap_or(Value::Null),
                Step::Recall(room) => self.new_recall(room).unwrap_or(Value::Null),
            };
            // It said nothing yet that it could change.
            let mut request = if request.is_null() { json!({"action": "ping"}) } else { request };
            if request["id"].is_number() {
                self.asked_for(&request);
            }
            self.requests += 1;
            request["requestId"] = json!(self.requests);
            requests.push(request);
        }
        let replies = timeout(REPLY_TIMEOUT, self.converse(&requests)).await.unwrap_or(Err(Lost));
        let Ok(replies) = replies else {
            self.line = None;
            return;
        };
        for (step, (request, reply)) in steps.iter().zip(requests.iter().zip(replies)) {
            match (step, reply["type"] == "ack") {
                (Step::Join(room), true) => self.enter(*room, &reply).await,
                (Step::Send(room), true) => self.acknowledged(*room, request, &reply),
                (Step::Edit(_) | Step::Recall(_), true) => self.changed(request, &reply),
                _ => {}
            }
        }
    }

    /// Sends a text to a room that it may not enter. Returns whether it was acknowledged.
    pub async fn trespass(&mut self, room: Room) -> bool {
        if self.line.is_none() {
            self.connect().await;
        }
        self.ask(text_message(room, "let me in")).await.is_ok_and(|reply| reply["type"] == "ack")
    }
}
