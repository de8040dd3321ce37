//! Messages that change: what those who stayed are pushed, and what those find who were away.

use chat_tests::{Client, Deployment, fresh};
use serde_json::{Value, json};

fn edit(room: u64, id: &Value, name: &str, text: &str) -> Value {
    let message = json!({"type": "text", "content": text});
    json!({"action": "editMessage", "chatroomId": room, "id": id, "message": message, "clientMessageId": name})
}

fn recall(room: u64, id: &Value) -> Value {
    json!({"action": "deleteMessage", "chatroomId": room, "id": id})
}

fn react(room: u64, id: &Value, on: bool) -> Value {
    json!({"action": "reactMessage", "chatroomId": room, "id": id, "emoji": "👍", "on": on})
}

fn join(room: u64) -> Value {
    json!({"action": "joinRoom", "chatroomId": room, "changes": true})
}

/// What a client shows of a room: the text of each message by its id, as its frames tell.
#[derive(Default)]
struct Shown(std::collections::BTreeMap<u64, (u64, Value)>);

impl Shown {
    fn take(&mut self, message: &Value) {
        let (id, version) = (message["id"].as_u64().expect("an id"), message["version"].as_u64().unwrap_or_default());
        let shown = self.0.entry(id).or_insert((version, message["content"].clone()));
        if shown.0 <= version {
            *shown = (version, message["content"].clone());
        }
    }

    async fn hear(&mut self, client: &mut Client) {
        for frame in client.pushed().await {
            if frame["message"].is_object() {
                self.take(&frame["message"]);
            }
        }
    }

    fn texts(&self) -> Vec<&str> {
        self.0.values().map(|(_, text)| text.as_str().expect("a text")).collect()
    }
}

#[tokio::test]
async fn who_was_away_ends_with_what_who_stayed_has() {
    let deployment = Deployment::start().await;
    let (room, author, away) = (fresh(), fresh(), fresh());
    let (mut speaker, mut stayed, mut leaver) =
        (deployment.connect(author).await, deployment.connect(fresh()).await, deployment.connect(away).await);
    let (mut of_who_stayed, mut of_who_left) = (Shown::default(), Shown::default());
    for client in [&mut speaker, &mut stayed, &mut leaver] {
        assert_eq!(client.ask(join(room)).await["lastChange"], 0);
    }
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(speaker.say(room, text).await["id"].clone());
    }
    of_who_left.hear(&mut leaver).await;
    leaver.close().await;

    for request in [edit(room, &ids[0], "a", "ONE"), recall(room, &ids[1]), edit(room, &ids[0], "b", "one!")] {
        assert_eq!(speaker.ask(request).await["type"], "ack");
    }
    of_who_stayed.hear(&mut stayed).await;

    // Back again: nothing is read twice, and nothing that did not change.
    let mut back = deployment.connect(away).await;
    assert_eq!(back.ask(join(room)).await["lastChange"], 3);
    let page = deployment.changes(&format!("chatroomId={room}&after=0")).await;
    let feed = page.body.as_array().expect("a list");
    let places: Vec<_> = feed.iter().map(|item| (item["id"].clone(), item["change"].clone())).collect();
    assert_eq!(places, [(ids[1].clone(), json!(2)), (ids[0].clone(), json!(3))], "each once, at its latest number");
    feed.iter().for_each(|item| of_who_left.take(item));
    assert_eq!(of_who_stayed.texts(), ["one!", "", "three"]);
    assert_eq!(of_who_left.texts(), of_who_stayed.texts());
    let history = deployment.history(&format!("chatroomId={room}")).await;
    let contents: Vec<_> =
        history.body.as_array().expect("a list").iter().map(|item| item["content"].clone()).collect();
    assert_eq!(contents, ["one!", "", "three"]);
    let recalled = &history.body[1];
    assert_eq!((&recalled["deleted"], &recalled["deletedBy"]), (&json!(true), &json!(author)), "{recalled}");
    deployment.stop().await;
}

#[tokio::test]
async fn the_feed_is_read_page_by_page() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut speaker = deployment.connect(fresh()).await;
    for name in ["a", "b", "c"] {
        let id = speaker.say(room, name).await["id"].clone();
        assert_eq!(speaker.ask(edit(room, &id, name, "edited")).await["type"], "ack");
    }
    let (mut places, mut query) = (Vec::new(), Some(format!("chatroomId={room}&after=0&limit=2")));
    while let Some(next) = query {
        let page = deployment.changes(&next).await;
        places
            .push(page.body.as_array().expect("a list").iter().map(|item| item["change"].clone()).collect::<Vec<_>>());
        query = page.link("next");
    }
    assert_eq!(places, [vec![json!(1), json!(2)], vec![json!(3)]]);
    assert_eq!(deployment.changes(&format!("chatroomId={room}&after=3")).await.body, json!([]));
    deployment.stop().await;
}

#[tokio::test]
async fn a_repeat_is_acknowledged_and_an_older_edit_does_not_come_back() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let (mut speaker, mut member) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
    member.ask(join(room)).await;
    let id = speaker.say(room, "one").await["id"].clone();
    let first = edit(room, &id, "a", "two");
    let acked = speaker.ask(first.clone()).await;
    assert_eq!((&acked["version"], &acked["duplicate"]), (&json!(1), &Value::Null));
    assert_eq!(speaker.ask(edit(room, &id, "b", "three")).await["version"], 2);
    let late = speaker.ask(first).await;
    assert_eq!((&late["version"], &late["duplicate"]), (&json!(2), &json!(true)), "{late}");
    let told = member.pushed().await;
    let texts = told.iter().map(|frame| &frame["message"]["content"]).filter(|content| content.is_string());
    let texts: Vec<_> = texts.collect();
    assert_eq!(texts, ["one", "two", "three", "three"], "a repeat is pushed as the message is now");
    deployment.stop().await;
}

#[tokio::test]
async fn what_may_not_be_changed_is_refused_by_name() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let (mut author, mut other) = (deployment.connect(fresh()).await, deployment.connect(fresh()).await);
    let id = author.say(room, "mine").await["id"].clone();
    let code = |reply: Value| reply["code"].as_str().map(String::from);
    assert_eq!(code(other.ask(edit(room, &id, "a", "yours")).await).as_deref(), Some("notAllowed"));
    assert_eq!(code(other.ask(recall(room, &id)).await).as_deref(), Some("notAllowed"));
    assert_eq!(code(author.ask(recall(room, &json!(99))).await).as_deref(), Some("notFound"));
    assert_eq!(code(author.ask(recall(room, &id)).await), None);
    assert_eq!(code(author.ask(edit(room, &id, "b", "again")).await).as_deref(), Some("notFound"));
    assert_eq!(code(other.ask(react(room, &id, true)).await).as_deref(), Some("notFound"));
    deployment.stop().await;
}

#[tokio::test]
async fn a_moderator_recalls_what_others_said() {
    let deployment = Deployment::start().await;
    let (room, person) = (fresh(), fresh());
    let mut author = deployment.connect(fresh()).await;
    let id = author.say(room, "rude").await["id"].clone();
    let claims = |rooms: Value| json!({"userId": person, "rooms": "*", "moderates": rooms});
    let mut elsewhere = Client::connect(&deployment.socket_url(&deployment.token(claims(json!([fresh()]))))).await;
    assert_eq!(elsewhere.ask(recall(room, &id)).await["code"], "notAllowed");
    let mut moderator = Client::connect(&deployment.socket_url(&deployment.token(claims(json!([room]))))).await;
    assert_eq!(moderator.ask(edit(room, &id, "a", "kind")).await["code"], "notAllowed", "it recalls, and no more");
    author.ask(join(room)).await;
    assert_eq!(moderator.ask(recall(room, &id)).await["type"], "ack");
    let push = author.expect(json!({"type": "deleteMessage"})).await;
    assert_eq!((&push["userId"], &push["message"]["deletedBy"]), (&json!(person), &json!(person)), "{push}");
    deployment.stop().await;
}

#[tokio::test]
async fn a_reaction_is_told_counted_once_and_taken_back() {
    let deployment = Deployment::start().await;
    let (room, person) = (fresh(), fresh());
    let (mut author, mut reader) = (deployment.connect(fresh()).await, deployment.connect(person).await);
    author.ask(join(room)).await;
    let id = author.say(room, "cake!").await["id"].clone();
    author.pushed().await;
    assert_eq!(reader.ask(react(room, &id, true)).await["duplicate"], Value::Null);
    assert_eq!(reader.ask(react(room, &id, true)).await["duplicate"], true);
    let pushes = author.pushed().await;
    for push in &pushes {
        assert_eq!((&push["reactions"], &push["reactionVersion"]), (&json!({"👍": [person]}), &json!(1)), "{push}");
    }
    assert_eq!(pushes.len(), 2);
    let shown = deployment.history(&format!("chatroomId={room}")).await.body[0].clone();
    assert_eq!(shown["reactions"], json!({"👍": [person]}), "{shown}");
    assert_eq!(reader.ask(react(room, &id, false)).await["duplicate"], Value::Null);
    assert_eq!(reader.ask(react(room, &id, false)).await["duplicate"], true);
    let shown = deployment.history(&format!("chatroomId={room}")).await.body[0].clone();
    assert_eq!((&shown["reactions"], &shown["reactionVersion"]), (&json!({}), &json!(2)), "{shown}");
    assert_eq!(deployment.changes(&format!("chatroomId={room}&after=0")).await.body, json!([]), "it is no change");
    deployment.stop().await;
}

/// An edit leaves alone what stands beside the text, a recall leaves nothing.
#[tokio::test]
async fn what_stands_beside_a_text_outlives_an_edit_and_not_a_recall() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut author = deployment.connect(fresh()).await;
    let message = json!({"type": "text", "content": "so do I", "replyTo": 1, "mentions": ["all"],
        "metadata": {"mood": "happy"}});
    let id = author.ask(json!({"action": "sendMessage", "chatroomId": room, "message": message})).await["id"].clone();
    author.ask(react(room, &id, true)).await;
    author.ask(join(room)).await;
    author.ask(edit(room, &id, "a", "so do we")).await;
    let push = author.expect(json!({"type": "editMessage"})).await;
    assert_eq!((&push["message"]["replyTo"], &push["message"]["metadata"]), (&json!(1), &json!({"mood": "happy"})));
    let listed = async || deployment.history(&format!("chatroomId={room}")).await.body[0].clone();
    assert_eq!(listed().await["mentions"], json!(["all"]));
    author.ask(recall(room, &id)).await;
    let left = listed().await;
    for field in ["replyTo", "mentions", "metadata", "reactions", "reactionVersion"] {
        assert_eq!(left[field], Value::Null, "{left}");
    }
    deployment.stop().await;
}
