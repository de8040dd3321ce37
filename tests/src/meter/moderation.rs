//! What keeping a room in order takes, and what bars cost others: nothing.

use super::{Meter, TYPICAL_TEXT, Usage, fill};
use crate::{Client, room, text_message};
use serde_json::{Value, json};

const MODERATOR: u64 = 1_001;
/// Who is barred; it has one connection in the room.
const TARGET: u64 = 1_002;

impl Meter {
    /// Everything that moderators do, in a room of ten, and what becomes of the sends of whom they bar. Functions have just
    /// started.
    pub async fn moderation(&self) -> Vec<(String, Usage)> {
        let room = room("300000");
        fill(&self.server, &room, 8).await;
        let mut target = self.server.connect(TARGET).await;
        self.take("connect").await;
        target.join(300_000).await;
        self.take("join-room").await;
        let token = self.server.token(json!({"userId": MODERATOR, "rooms": "*", "moderates": [300_000]}));
        let mut moderator = Client::connect(&self.server.socket_url(&token)).await;
        self.take("connect").await;
        moderator.join(300_000).await;
        self.take("join-room").await;
        let mut named = text_message(300_000, TYPICAL_TEXT);
        named["clientMessageId"] = json!("0b5e6a52-6f0c-4c8e-9a53-7d1f2e3c4b5a");
        assert_eq!(target.ask(named.clone()).await["type"], "ack");
        self.take("send-message").await;

        let mut taken = Vec::new();
        let bar = |bar: &str| json!({"action": "barUser", "chatroomId": 300_000, "targetId": TARGET, "bar": bar, "seconds": 3_600});
        let ask = |action: &str| json!({"action": action, "chatroomId": 300_000});
        let mut slow = ask("slowMode");
        slow["seconds"] = json!(10);
        let mut report = ask("reportMessage");
        (report["id"], report["reason"]) = (json!(1), json!("spam"));
        self.moderate("barUser, a mute", &mut moderator, bar("mute"), &mut taken).await;
        let refused = target.ask(text_message(300_000, TYPICAL_TEXT)).await;
        assert_eq!(refused["code"], "barred", "{refused}");
        taken.push(("sendMessage, of whom is muted".into(), self.take("send-message").await));
        assert_eq!(target.ask(named).await["type"], "ack");
        taken.push(("sendMessage, repeated, of whom was muted since".into(), self.take("send-message").await));
        assert_eq!(moderator.ask(text_message(300_000, TYPICAL_TEXT)).await["type"], "ack");
        taken.push(("sendMessage, of somebody else in such a room".into(), self.take("send-message").await));
        self.moderate("barUser, a ban", &mut moderator, bar("ban"), &mut taken).await;
        let refused = target.ask(ask("joinRoom")).await;
        assert_eq!(refused["code"], "barred", "{refused}");
        taken.push(("joinRoom, of whom is banned".into(), self.take("join-room").await));
        self.moderate("barUser, lifted", &mut moderator, bar("none"), &mut taken).await;
        target.join(300_000).await;
        self.take("join-room").await;
        self.moderate("barUser, taken out", &mut moderator, bar("kick"), &mut taken).await;
        self.moderate("slowMode", &mut moderator, slow, &mut taken).await;
        self.moderate("listBars", &mut moderator, ask("listBars"), &mut taken).await;
        self.moderate("reportMessage", &mut moderator, report, &mut taken).await;
        self.moderate("listReports", &mut moderator, ask("listReports"), &mut taken).await;
        for client in [target, moderator] {
            client.close().await;
            self.take("disconnect").await;
        }
        taken
    }

    async fn moderate(&self, action: &str, client: &mut Client, frame: Value, taken: &mut Vec<(String, Usage)>) {
        let mut reply = client.ask(frame.clone()).await;
        while let Some(wait) = reply["retryAfterMs"].as_u64() {
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            self.take("moderate").await;
            reply = client.ask(frame.clone()).await;
        }
        assert_eq!(reply["type"], "ack", "{action}: {reply}");
        taken.push((action.to_owned(), self.take("moderate").await));
    }
}
