use super::{Meter, TYPICAL_TEXT, Usage, fill};
use crate::{room, text_message};
use chat::rounds::Courier;
use chat_aws::{Written, now};
use serde_json::json;
use std::time::Duration;

/// Somebody who has the room, and delivers nothing.
const NOBODY: Courier = Courier(1);

impl Meter {
    /// What a connection uses in a room in rounds of so many, and what its courier uses. Frames of one message go to all of
    /// them.
    pub async fn crowd(&self, members: usize) -> Vec<(String, Usage)> {
        let (room, messages) = (room(&format!("{}", 300_000 + members)), self.server.app().messages);
        fill(&self.server, &room, members).await;
        self.plan_far_ahead().await;
        let mut client = self.connect().await;
        self.take("connect").await;
        let mut taken = Vec::new();
        let name = room.to_string();
        client.ask(text_message(name.clone(), TYPICAL_TEXT)).await;
        taken.push(("sendMessage, as it goes over into rounds".to_owned(), self.take("send-message").await));

        let hour = now().after(Duration::from_secs(3_600));
        assert!(matches!(messages.take(&room, NOBODY, None, now(), hour).await, Ok(Written::Done(_))));
        self.recorder.take();
        let mut named = text_message(name.clone(), TYPICAL_TEXT);
        named["clientMessageId"] = json!("5f0c1a52-6d0e-4a39-9d33-5b8f2d5c7a11");
        let message = json!({"type": "text", "content": TYPICAL_TEXT});
        let edit =
            json!({"action": "editMessage", "chatroomId": name, "id": 1, "message": message, "clientMessageId": "a"});
        for (function, step, frame) in [
            ("join-room", "joinRoom", json!({"action": "joinRoom", "chatroomId": name, "rounds": true})),
            ("send-message", "sendMessage", text_message(name.clone(), TYPICAL_TEXT)),
            ("send-message", "sendMessage, with an id", named.clone()),
            ("send-message", "sendMessage, repeated", named),
            ("change-message", "editMessage", edit),
        ] {
            let reply = client.ask(frame).await;
            assert_eq!(reply["type"], "ack", "{step}: {reply}");
            taken.push((step.to_owned(), self.take(function).await));
        }
        self.make_place(&name, 0).await;
        assert_eq!(client.ask(text_message(name.clone(), TYPICAL_TEXT)).await["code"], "rateLimited");
        taken.push(("sendMessage, refused".to_owned(), self.take("send-message").await));

        self.make_place(&name, 100).await;
        assert!(matches!(messages.hand_on(&room, NOBODY).await, Ok(Written::Done(_))));
        self.recorder.take();
        client.ask(text_message(name, TYPICAL_TEXT)).await;
        let step = "sendMessage that wakes the courier, and its round of three messages, a void id and a change";
        taken.push((step.to_owned(), self.take("deliver").await));
        client.close().await;
        taken.push(("disconnect, in the room".to_owned(), self.take("disconnect").await));
        taken
    }

    /// Lets a room in rounds count so many messages more, as the courier does at the end of a round.
    async fn make_place(&self, room: &str, place: u64) {
        let key = json!({"PK": {"S": format!("ROOM#{room}")}, "SK": {"S": "HEAD"}});
        let set = json!({"TableName": "ChatTable", "Key": key, "UpdateExpression": "SET ceiling = lastId + :place",
            "ExpressionAttributeValues": {":place": {"N": place.to_string()}}});
        self.server.dynamodb("UpdateItem", set).await;
        self.recorder.take();
    }

    /// Makes the pace of all couriers one that is planned an hour ahead, which nobody waits for. So each slice of posts is
    /// planned by one request, however long the machine takes.
    async fn plan_far_ahead(&self) {
        let until = now().after(Duration::from_secs(3_600)).millis() * 1_000;
        let item = json!({"PK": {"S": "BUDGET"}, "SK": {"S": "POSTS"}, "busyUntil": {"N": until.to_string()}});
        self.server.dynamodb("PutItem", json!({"TableName": "ConnectionsTable", "Item": item})).await;
        self.recorder.take();
    }
}
