mod crowd;
mod kept;
mod moderation;
mod packets;

use crate::chaos::lock;
use crate::recorder::Call;
use crate::{
    Client, Posts, Recorder, Server, caller, device_of, enter_until, ghost, in_time, next_id, plain_frame, room,
    text_message, user,
};
use chat::limits::CONNECTIONS_PER_USER;
use chat::{Change, ConnectionId, Content, Member, Message, MessageId, MessageKind, Profile, RoomId, Timestamp};
use chat_aws::{Kept, now};
use chat_local::{Interference, Plan};
use functions::FUNCTIONS;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Rows that are written at the same time to fill a room.
const WRITES_AT_ONCE: usize = 16;

/// The text of measured messages, 100 characters: as long as what people write, not as long as is allowed.
pub const TYPICAL_TEXT: &str =
    "This is what a message in a chat looks like: a sentence or two, not a letter, and seldom is it more.";

/// What an action used of AWS, counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Invocations by function.
    pub invocations: BTreeMap<String, usize>,
    /// Calls of DynamoDB by operation, and `Invoke` of Lambda.
    pub requests: BTreeMap<String, usize>,
    pub read_units: f64,
    pub write_units: f64,
    pub posts: usize,
    /// The bytes of all posted frames together.
    pub posted_bytes: usize,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, usize>| {
            let one = |(name, count): (&String, &usize)| match count {
                1 => name.clone(),
                count => format!("{count} {name}"),
            };
            let names: Vec<_> = counts.iter().map(one).collect();
            if names.is_empty() { "-".to_owned() } else { names.join(" ") }
        };
        let (invocations, requests) = (list(&self.invocations), list(&self.requests));
        let (reads, writes) = (self.read_units, self.write_units);
        write!(f, "{invocations} | {requests} | {reads} read, {writes} write")?;
        // All posts of a push are the same frame.
        let size = self.posted_bytes.checked_div(self.posts).unwrap_or_default();
        if self.posts > 0 { write!(f, " | {} posts of {size} B", self.posts) } else { Ok(()) }
    }
}

/// A local run that counts what people's actions use, through the gateway and the functions, to the last unit of
/// DynamoDB. [`Posts`] accepts the posts, and they go nowhere, so that a room of a thousand needs no thousand sockets.
pub struct Meter {
    pub server: Server,
    recorder: Recorder,
    posts: Posts,
    counter: Counter,
}

/// Counts invocations, and sends their calls through the recorder.
#[derive(Debug, Clone)]
struct Counter {
    vars: Vec<(String, String)>,
    invocations: Arc<Mutex<BTreeMap<String, usize>>>,
    under_way: watch::Sender<usize>,
}

/// Reports the end of an invocation when the plan is dropped.
struct End(watch::Sender<usize>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_modify(|under_way| *under_way -= 1);
    }
}

impl Interference for Counter {
    fn plan(&self, function: &str, _: &Value) -> Plan {
        *lock(&self.invocations).entry(function.to_owned()).or_default() += 1;
        self.under_way.send_modify(|under_way| *under_way += 1);
        let end = End(self.under_way.clone());
        let killed = async move {
            let _end = end;
            std::future::pending().await
        };
        Plan { vars: self.vars.clone(), killed: killed.boxed(), ..Plan::default() }
    }
}

impl Meter {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(parameters: &[(&str, &str)]) -> Self {
        let (recorder, posts) = (Recorder::start().await, Posts::start(Duration::ZERO, None).await);
        let vars = [
            ("AWS_ENDPOINT_URL_DYNAMODB", recorder.url()),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", posts.url()),
            ("AWS_ENDPOINT_URL_LAMBDA", recorder.url()),
            ("AWS_ENDPOINT_URL_S3", recorder.url()),
        ];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let counter = Counter { vars, invocations: Arc::default(), under_way: watch::Sender::default() };
        let interference = Arc::new(counter.clone());
        let server = Server::start_patient(parameters, interference).await;
        recorder.aim(server.dynamodb_url());
        recorder.aim_at_lambda(server.gateway_url());
        recorder.aim_at_s3(server.s3_url());
        Self { server, recorder, posts, counter }
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// Every action in a room of so many members, with what it used. A function whose sample is a frame, and which is
    /// not named here, is sent that frame.
    pub async fn room_of(&self, members: usize) -> Vec<(String, Usage)> {
        let room = room(&format!("{}", 100_000 + members));
        fill(&self.server, &room, members - 1).await;
        let mut client = self.connect().await;
        let mut taken = vec![("connect".to_owned(), self.take("connect").await)];
        let ask = |action: &str| json!({"action": action, "chatroomId": room});
        let unnamed = text_message(room.to_string(), TYPICAL_TEXT);
        let posts = [
            ("send-message", "/sendMessage", unnamed.clone()),
            ("signal", "/signal", json!({"chatroomId": room, "kind": "typing"})),
        ];
        let mut named = unnamed.clone();
        named["clientMessageId"] = json!("0b5e6a52-6f0c-4c8e-9a53-7d1f2e3c4b5a");
        let mut reply = unnamed.clone();
        reply["message"]["replyTo"] = json!(1);
        reply["message"]["mentions"] = json!([1_001, 1_002]);
        reply["message"]["metadata"] = json!({"mood": "happy"});
        let mut online = ask("joinRoom");
        online["online"] = json!(true);
        let mut signal = ask("signal");
        signal["kind"] = json!("typing");
        let mut told = signal.clone();
        told["requestId"] = json!("r1");
        let edit = |id: u64, name: &str| {
            let message = json!({"type": "text", "content": TYPICAL_TEXT});
            json!({"action": "editMessage", "chatroomId": room, "id": id, "message": message, "clientMessageId": name})
        };
        let mut recall = ask("deleteMessage");
        recall["id"] = json!(3);
        let mut react = ask("reactMessage");
        (react["id"], react["emoji"], react["on"]) = (json!(1), json!("👍"), json!(true));
        let mut steps = vec![
            ("join-room", "joinRoom".to_owned(), ask("joinRoom")),
            ("join-room", "joinRoom, with online".into(), online),
            ("send-message", "sendMessage".into(), unnamed),
            ("send-message", "sendMessage, a reply with mentions and metadata".into(), reply),
            ("send-message", "sendMessage, with an id".into(), named.clone()),
            ("send-message", "sendMessage, repeated".into(), named),
            ("change-message", "editMessage, the first change of a room".into(), edit(1, "a")),
            ("change-message", "editMessage".into(), edit(2, "b")),
            ("change-message", "editMessage, of a message changed before".into(), edit(1, "c")),
            ("change-message", "deleteMessage".into(), recall),
            ("change-message", "reactMessage".into(), react),
            ("signal", "signal".into(), signal),
            ("signal", "signal, with a requestId".into(), told),
            ("signal", "listMembers".into(), ask("listMembers")),
        ];
        let others = FUNCTIONS.iter().map(|(name, _)| *name);
        let others = others.filter(|name| {
            !["join-room", "send-message", "change-message", "signal", "moderate", "leave-room"].contains(name)
        });
        steps.extend(others.filter_map(|name| {
            let mut frame = plain_frame(name)?;
            frame["chatroomId"] = json!(room);
            Some((name, frame["action"].as_str()?.to_owned(), frame))
        }));
        steps.push(("leave-room", "leaveRoom".into(), ask("leaveRoom")));
        steps.push(("default", "ping".into(), json!({"action": "ping"})));
        for (function, step, frame) in steps {
            if frame["action"] == "signal" {
                // What is posted to it goes nowhere.
                client.send(frame).await;
                taken.push((step, self.take(function).await));
                continue;
            }
            let reply = client.ask(frame).await;
            assert!(reply["type"] == "ack" || reply["type"] == "pong", "{step}: {reply}");
            taken.push((step, self.take(function).await));
        }
        client.ask(ask("joinRoom")).await;
        self.take("join-room").await;
        for (function, path, body) in posts {
            let request = self.server.http().post(self.server.url(path)).bearer_auth(self.server.token_of(1_001));
            let answer = in_time("a POST is answered", request.body(body.to_string()).send()).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{path}");
            taken.push((format!("POST {path}"), self.take(function).await));
        }
        client.close().await;
        taken.push(("disconnect, in the room".into(), self.take("disconnect").await));
        taken
    }

    /// An edit that is repeated, and a join that asks how far changes reach.
    pub async fn changes(&self) -> Vec<(String, Usage)> {
        let room = room("200000");
        let mut client = self.connect().await;
        self.take("connect").await;
        client.ask(text_message(room.to_string(), TYPICAL_TEXT)).await;
        self.take("send-message").await;
        let message = json!({"type": "text", "content": TYPICAL_TEXT});
        let edit = json!({"action": "editMessage", "chatroomId": room, "id": 1, "message": message,
            "clientMessageId": "a"});
        let join = json!({"action": "joinRoom", "chatroomId": room, "changes": true});
        let mut taken = Vec::new();
        for (function, step, frame) in [
            ("join-room", "joinRoom, with changes", join),
            ("change-message", "", edit.clone()),
            ("change-message", "editMessage, repeated", edit.clone()),
        ] {
            assert_eq!(client.ask(frame).await["type"], "ack");
            let usage = self.take(function).await;
            taken.extend((!step.is_empty()).then(|| (step.to_owned(), usage)));
        }
        client.close().await;
        self.take("disconnect").await;
        taken
    }

    /// A file that is uploaded, sent and recalled, in a room of so many. The upload itself goes from the client to S3.
    pub async fn files(&self, members: usize) -> Vec<(String, Usage)> {
        let room = room("200001");
        fill(&self.server, &room, members - 1).await;
        let mut client = self.connect().await;
        client.ask(json!({"action": "joinRoom", "chatroomId": room})).await;
        self.take("join-room").await;
        let ask = json!({"chatroomId": room, "clientMessageId": "0b5e6a52-6f0c-4c8e-9a53-7d1f2e3c4b5a",
            "name": "cat.png", "type": "image/png", "size": 51_234});
        let request = self.server.http().post(self.server.url("/createUpload"));
        let request = request.bearer_auth(self.server.token_of(1_001)).body(ask.to_string());
        let form: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let mut taken = vec![("POST /createUpload".to_owned(), self.take("create-upload").await)];
        let message = json!({"type": "image", "attachment": form["attachment"]});
        let send = json!({"action": "sendMessage", "chatroomId": room, "message": message,
            "clientMessageId": ask["clientMessageId"]});
        let recall = json!({"action": "deleteMessage", "chatroomId": room, "id": 1});
        for (function, step, frame) in [
            ("send-message", "sendMessage, an attachment", send),
            ("change-message", "deleteMessage, an attachment", recall.clone()),
            ("change-message", "deleteMessage, an attachment, repeated", recall),
        ] {
            let reply = client.ask(frame).await;
            assert_eq!(reply["type"], "ack", "{reply}");
            taken.push((format!("{step}, room of {members}"), self.take(function).await));
        }
        client.close().await;
        self.take("disconnect").await;
        taken
    }

    /// A page of what changed in a room.
    pub async fn page_of_changes(&self, room: &RoomId, limit: usize) -> Usage {
        let page = self.server.changes(&format!("chatroomId={room}&after=0&limit={limit}")).await;
        assert_eq!(page.body.as_array().map(Vec::len), Some(limit), "{}", page.body);
        self.take("list-history").await
    }

    /// A connection of a user who has as many as are allowed: it displaces the oldest.
    pub async fn displacement(&self) -> Usage {
        let (app, guang) = (self.server.app(), Profile::unknown(user("1001")));
        for number in 0..CONNECTIONS_PER_USER {
            let device = device_of(&ConnectionId::new(format!("L0SM{number:08}hw==")));
            app.connections.open(&device, &guang.id, Kept::default()).await.expect("opened");
            app.users.remember(&guang, 0, &device).await.expect("remembered");
        }
        let client = self.connect().await;
        let usage = self.take("connect").await;
        client.close().await;
        self.take("disconnect").await;
        usage
    }

    /// What a frame uses that is answered with an error.
    pub async fn frame(&self, function: &str, frame: &str) -> Usage {
        let mut client = self.connect().await;
        self.take("connect").await;
        client.send(serde_json::from_str(frame).expect("JSON")).await;
        assert_eq!(client.next().await["type"], "error");
        let usage = self.take(function).await;
        client.close().await;
        self.take("disconnect").await;
        usage
    }

    /// A page of a room's history.
    pub async fn page(&self, room: &RoomId, query: &str) -> Usage {
        let room = room.to_string();
        let page = self.server.history(&format!("chatroomId={room}&{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        self.take("list-history").await
    }

    async fn connect(&self) -> Client {
        let claims = json!({"userId": 1001, "username": "guang", "nickName": "光",
            "headPic": "https://example.com/guang.png", "rooms": "*"});
        Client::connect(&self.server.socket_url(&self.server.token(claims))).await
    }

    /// What was used since the last time, after this function, and everything else that was invoked, has ended.
    async fn take(&self, function: &str) -> Usage {
        let mut under_way = self.counter.under_way.subscribe();
        let done = |under_way: &usize| *under_way == 0 && lock(&self.counter.invocations).contains_key(function);
        let ended = in_time(format_args!("{function} and all others end"), under_way.wait_for(done)).await;
        drop(ended.expect("a counter"));
        // A function that was started by one of these may not have begun.
        self.server.has_no_events().await;
        let ended = in_time("what they started ends", under_way.wait_for(|under_way| *under_way == 0)).await;
        drop(ended.expect("a counter"));
        let posted = self.posts.take();
        let mut usage = Usage {
            invocations: std::mem::take(&mut *lock(&self.counter.invocations)),
            posts: posted.posts,
            posted_bytes: posted.bytes,
            ..Usage::default()
        };
        // On a slow machine an answer may come too late, and be asked for again.
        let mut operations = BTreeSet::new();
        let mut is_new = |call: &Call| call.operation_id.as_ref().is_none_or(|id| operations.insert(id.clone()));
        for call in self.recorder.take().into_iter().filter(|call| !call.renews && is_new(call)) {
            *usage.requests.entry(call.operation).or_default() += 1;
            usage.read_units += call.read_units;
            usage.write_units += call.write_units;
        }
        usage
    }
}

/// Puts members into a room. Their connections' ids have the usual length.
pub async fn fill(server: &Server, room: &RoomId, members: usize) {
    let app = server.app();
    let fill_one = |number: usize| {
        let app = app.clone();
        async move {
            let connection = ConnectionId::new(format!("L0SM{number:08}hw=="));
            let ghost = ghost(&format!("{}", 100_000 + number));
            // DynamoDB stores no zeros at a number's end: so all rows have one size.
            let joined_at = Timestamp::from_millis(ghost.joined_at.millis() | 1);
            let in_an_hour = Timestamp::from_millis(((joined_at.seconds() + 3_600) | 1) * 1_000);
            let member = Member { connection, joined_at, ..ghost };
            enter_until(&app, &member, room, in_an_hour).await;
        }
    };
    stream::iter(0..members).map(fill_one).buffer_unordered(WRITES_AT_ONCE).collect::<()>().await;
}

/// Stores so many messages of ten people, whose profiles are stored too.
pub async fn talk(server: &Server, room: &RoomId, messages: usize) {
    let app = server.app();
    let people: Vec<_> = (0..10).map(|person| user(&format!("{}", 1_001 + person))).collect();
    for id in &people {
        let head_pic = Some("https://example.com/guang.png".to_owned());
        let profile =
            Profile { head_pic, nick_name: "光".into(), username: "guang".into(), ..Profile::unknown(id.clone()) };
        app.users.remember(&profile, 0, &device_of(&ghost("1").connection)).await.expect("remembered");
    }
    let say = |number: usize| {
        let content = Content::parse(MessageKind::Text, TYPICAL_TEXT).expect("content");
        let sender = people[number % people.len()].clone();
        let message = Message {
            id: MessageId::new(0),
            room: room.clone(),
            sender,
            content,
            create_time: now(),
            client_message_id: None,
            changed: None,
            reactions: chat::Reactions::default(),
        };
        let app = app.clone();
        async move {
            let id = next_id(&app.messages, room).await?;
            app.messages.store(Message { id, ..message }).await
        }
    };
    let said = stream::iter(0..messages).map(say).buffered(1);
    said.try_for_each(|_| async { Ok(()) }).await.expect("stored");
}

/// Edits the first messages of a room, so many of them, as their authors.
pub async fn edit_all(server: &Server, room: &RoomId, messages: usize) {
    let app = server.app();
    for number in 1..=messages as u64 {
        let author = caller(&format!("{}", 1_001 + (number - 1) % 10));
        let content = Content::parse(MessageKind::Text, TYPICAL_TEXT).expect("content");
        let client_message_id = serde_json::from_value(json!("a")).expect("an id");
        let edit = Change::Edit { content, client_message_id };
        app.changes.change(room, MessageId::new(number), &edit, &author).await.expect("edited");
    }
}
