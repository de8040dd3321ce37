//! What rooms take that are kept.

use super::{Meter, TYPICAL_TEXT, Usage, fill};
use crate::{Client, text_message, user};
use chat::{KeptRoom, RoomId};
use chat_aws::now;
use serde_json::{Value, json};

/// Who acts, and a friend who has one connection.
const ME: u64 = 1_001;
const FRIEND: u64 = 1_002;

impl Meter {
    /// Everything that is done with kept rooms. Functions have just started; who is told has one connection.
    pub async fn kept_rooms(&self) -> Vec<(String, Usage)> {
        let mut friend = self.server.connect_kept(FRIEND).await;
        self.take("connect").await;
        let mut taken = Vec::new();
        let pair = json!({"friendId": FRIEND});
        let (_, id) = self.ask("create-one-to-one", "POST /chatroom/create-one-to-one", "", &pair, &mut taken).await;
        self.ask("create-one-to-one, that is there", "POST /chatroom/create-one-to-one", "", &pair, &mut taken).await;
        let pair = id.as_str().expect("an id").to_owned();
        let group = json!({"name": "Team"});
        let (_, id) = self.ask("create-group", "POST /chatroom/create-group", "", &group, &mut taken).await;
        let group = id.as_str().expect("an id").to_owned();
        let joins = json!({"joinUserId": FRIEND});
        self.ask("join/:id", "POST /chatroom/join/{id}", &group, &joins, &mut taken).await;
        let find = json!({"userId1": ME, "userId2": FRIEND});
        self.ask("findChatroom", "GET /chatroom/findChatroom", "", &find, &mut taken).await;

        // Ten people are in it, and nine of them read along.
        let (app, room) = (self.server.app(), RoomId::parse(&group).expect("an id"));
        for number in 0..8 {
            app.kept.add(&room, &user(&ME.to_string()), &user(&(2_000 + number).to_string())).await.expect("taken in");
        }
        fill(&self.server, &room, 8).await;
        let mut client = self.server.connect_kept(ME).await;
        self.take("connect").await;
        let asked = json!({"chatroomId": group});
        self.frame_of(
            "join-room",
            "joinRoom, of ten",
            &mut client,
            json!({"action": "joinRoom", "chatroomId": group}),
            &mut taken,
        )
        .await;
        client.ask(json!({"action": "leaveRoom", "chatroomId": group})).await;
        self.take("leave-room").await;
        let again = json!({"action": "joinRoom", "chatroomId": group});
        client.ask(again).await;
        self.take("join-room").await;
        self.frame_of(
            "send-message",
            "sendMessage, of ten",
            &mut client,
            text_message(group.as_str(), TYPICAL_TEXT),
            &mut taken,
        )
        .await;
        let mut means = text_message(group.as_str(), TYPICAL_TEXT);
        means["message"]["mentions"] = json!([FRIEND]);
        let action = "sendMessage, of ten, one of whom it means";
        self.frame_of("send-message", action, &mut client, means, &mut taken).await;
        let mark = |id: u64, tell: bool| json!({"action": "markRead", "chatroomId": group, "id": id, "tell": tell});
        self.frame_of("mark-read", "markRead", &mut client, mark(1, false), &mut taken).await;
        self.frame_of("mark-read", "markRead, told to ten", &mut client, mark(2, true), &mut taken).await;
        let page = self.server.history_as(&self.server.token_of_kept(ME), &format!("chatroomId={group}")).await;
        assert_eq!(page.status, 200);
        taken.push(("history, of two messages".into(), self.take("list-history").await));
        self.ask("info/:id, of ten", "GET /chatroom/info/{id}", &group, &json!({}), &mut taken).await;
        self.ask("members, of ten", "GET /chatroom/members", "", &asked, &mut taken).await;
        self.ask("reads, of ten", "GET /chatroom/reads", "", &asked, &mut taken).await;
        self.ask("list, of 2 rooms", "GET /chatroom/list", "", &json!({}), &mut taken).await;
        for rooms in [20, 50] {
            self.fill_inbox(rooms).await;
            self.ask(&format!("list, of {rooms} rooms"), "GET /chatroom/list", "", &json!({}), &mut taken).await;
        }
        friend.ask(json!({"action": "joinRoom", "chatroomId": group})).await;
        self.take("join-room").await;
        let quits = json!({"quitUserId": FRIEND});
        self.ask(
            "quit/:id, of ten, whose one connection is in it",
            "POST /chatroom/quit/{id}",
            &group,
            &quits,
            &mut taken,
        )
        .await;
        assert!(!pair.is_empty());
        client.close().await;
        self.take("disconnect").await;
        friend.close().await;
        self.take("disconnect").await;
        taken
    }

    /// Sees to it that somebody is in so many rooms, in each of which something was said.
    async fn fill_inbox(&self, rooms: usize) {
        let app = self.server.app();
        let there = app.kept.list(&user(&ME.to_string())).await.expect("a list").len();
        for number in there..rooms {
            let pair = KeptRoom::pair(&user(&ME.to_string()), &user(&(3_000 + number).to_string()), now());
            assert!(app.kept.create(&pair).await.expect("made"));
            super::talk(&self.server, &pair.id, 1).await;
        }
        self.recorder.take();
    }

    async fn ask(
        &self,
        action: &str,
        route: &str,
        room: &str,
        asked: &Value,
        taken: &mut Vec<(String, Usage)>,
    ) -> (u16, Value) {
        let answer = self.server.chatroom(ME, route, room, asked).await;
        assert_eq!(answer.0, 200, "{action}: {}", answer.1);
        taken.push((action.to_owned(), self.take("chatrooms").await));
        answer
    }

    async fn frame_of(
        &self,
        function: &str,
        action: &str,
        client: &mut Client,
        frame: Value,
        taken: &mut Vec<(String, Usage)>,
    ) {
        let reply = client.ask(frame).await;
        assert_eq!(reply["type"], "ack", "{action}: {reply}");
        taken.push((action.to_owned(), self.take(function).await));
    }
}
