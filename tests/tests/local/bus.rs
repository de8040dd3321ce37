//! What goes out as events: each message, change and report once, in the room's order, and nothing else. The local run
//! reads the template's own filters and input template, and the embedded DynamoDB's own stream.

use chat_aws::now;
use chat_local::{Limits, Local, Options, Template};
use chat_tests::{Server, in_time, room, schema, text_message, until, user};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A run with a file of events, which are read as they come.
struct Listening {
    server: Server,
    folder: TempDir,
}

impl Listening {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start_with_events(&folder.path().join("events.jsonl")).await;
        Self { server, folder }
    }

    /// The events that have come, when there are so many. Each is one that the document describes.
    async fn events(&self, wanted: usize) -> Vec<Value> {
        let file = self.folder.path().join("events.jsonl");
        until(format!("{wanted} events come"), async || read(&file).len() >= wanted).await;
        read(&file)
    }

    /// All events of the run, which ends.
    async fn end(self) -> Vec<Value> {
        self.server.stop().await;
        read(&self.folder.path().join("events.jsonl"))
    }
}

fn read(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a text");
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    events.iter().for_each(schema::put_on_the_bus);
    events
}

/// What an event says in short: `INSERT MSG#…42 v0 hi`.
fn short(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = text(&detail["key"]).replace("#00000000000000", "#");
    let version = detail["row"]["version"]["N"].as_str().unwrap_or("0");
    format!("{} {key} v{version} {}", text(&detail["event"]), text(&detail["row"]["content"]["S"]))
        .trim_end()
        .to_owned()
}

async fn put(server: &Server, row: Value) {
    server.dynamodb("PutItem", json!({"TableName": "ChatTable", "Item": row})).await;
}

#[tokio::test]
async fn messages_changes_and_reports_go_out_and_nothing_else_does() {
    let run = Listening::start().await;
    let server = &run.server;
    let (mut author, mut other) = (server.connect(7).await, server.connect(8).await);
    author.join(1).await;
    other.join(1).await;
    author.say(1, "hello").await;
    // A repetition is the same message.
    for _ in 0..2 {
        let mut frame = text_message(1, "你好");
        frame["clientMessageId"] = json!("7f3a");
        frame["message"]["metadata"] = json!({"mood": "happy"});
        frame["message"]["replyTo"] = json!(1);
        frame["message"]["mentions"] = json!([8, "all"]);
        author.ask(frame).await;
    }
    // A reaction is no event, but that to a message with a version repeats the message's.
    let react = |id: u64| json!({"action": "reactMessage", "chatroomId": 1, "id": id, "emoji": "👍", "on": true});
    other.ask(react(1)).await;
    let edit = json!({"action": "editMessage", "chatroomId": 1, "id": 1, "clientMessageId": "9c1e",
        "message": {"type": "text", "content": "hello there"}});
    author.ask(edit).await;
    let mut again = react(1);
    again["emoji"] = json!("🎉");
    other.ask(again).await;
    author.ask(json!({"action": "markRead", "chatroomId": 1, "id": 2})).await;
    author.ask(json!({"action": "deleteMessage", "chatroomId": 1, "id": 2})).await;
    author.ask(json!({"action": "leaveRoom", "chatroomId": 1})).await;
    // An id that nobody used, as a courier seals it.
    server.app().messages.seal(&room("1"), chat::MessageId::new(3)).await.expect("sealed");
    // A report, as the one who reports has it written.
    let (in_room, report) = (json!({"S": "ROOM#1"}), json!({"S": "REPORT#0000000000000001#8"}));
    put(
        server,
        json!({"PK": in_room, "SK": report, "id": {"N": "1"}, "reporterId": {"N": "8"}, "reason": {"S": "spam"},
        "createTime": {"N": "1741746165123"}}),
    )
    .await;
    let short: Vec<_> = run.end().await.iter().map(short).collect();
    assert_eq!(
        short,
        [
            "INSERT MSG#01 v0 hello",
            "INSERT MSG#02 v0 你好",
            "MODIFY MSG#01 v1 hello there",
            "MODIFY MSG#01 v1 hello there",
            "MODIFY MSG#02 v2",
            "INSERT REPORT#01#8 v0",
        ]
    );
}

#[tokio::test]
async fn an_event_is_the_row_in_its_envelope() {
    let run = Listening::start().await;
    let before = now().seconds();
    run.server.connect(7).await.say("lobby", "hi \"there\" <$.x>").await;
    let events = run.events(1).await;
    let [event] = &events[..] else { panic!("one event: {events:?}") };
    let mut row = event["detail"]["row"].clone();
    let created: i64 = row["createTime"]["N"].as_str().and_then(|time| time.parse().ok()).expect("a time");
    assert!((before..before + 60).contains(&(created / 1_000)), "{created}");
    row.as_object_mut().expect("a row").remove("createTime");
    assert_eq!(
        row,
        json!({
            "PK": {"S": "ROOM#lobby"}, "SK": {"S": "MSG#0000000000000001"}, "id": {"N": "1"}, "roomId": {"S": "lobby"},
            "senderId": {"N": "7"}, "kind": {"S": "text"}, "content": {"S": "hi \"there\" <$.x>"},
        })
    );
    let detail = &event["detail"];
    assert_eq!((&detail["v"], &detail["event"]), (&json!(1), &json!("INSERT")));
    assert_eq!((&detail["room"], &detail["key"]), (&row["PK"]["S"], &row["SK"]["S"]));
    run.end().await;
}

#[tokio::test]
async fn what_an_operator_erased_goes_out_though_it_is_no_change() {
    let run = Listening::start().await;
    run.server.connect(7).await.say(1, "who I am").await;
    let erasure = run.server.app().erasure;
    let found = erasure.messages(&user("7"), chat_aws::Where::Everywhere, None, 100).await.expect("read").found;
    erasure.empty(&user("7"), &found[0], now()).await.expect("emptied");
    let events = run.end().await;
    let erased = &events[1]["detail"]["row"];
    assert_eq!(
        (short(&events[0]).as_str(), short(&events[1]).as_str()),
        ("INSERT MSG#01 v0 who I am", "MODIFY MSG#01 v0")
    );
    assert!(!erased["eraseTime"].is_null(), "{erased}");
}

#[tokio::test]
async fn events_of_a_room_come_in_its_order() {
    let run = Listening::start().await;
    let mut senders = join_all((1..=4).map(|sender| run.server.connect(sender))).await;
    let talk = senders.iter_mut().map(async |client| {
        for room in [1, 2, 1, 2, 1] {
            client.say(room, "x").await;
        }
    });
    join_all(talk).await;
    for client in &mut senders {
        for room in [1, 2] {
            let edit = json!({"action": "editMessage", "chatroomId": room, "id": 1, "clientMessageId": "e",
                "message": {"type": "text", "content": "y"}});
            client.ask(edit).await;
        }
    }
    let mut by_room: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for event in run.end().await {
        let number =
            |name: &str| event["detail"]["row"][name]["N"].as_str().map_or(0, |n| n.parse().expect("a number"));
        let room = event["detail"]["room"].as_str().expect("a room").to_owned();
        by_room.entry(room).or_default().push((number("version"), number("id")));
    }
    assert_eq!(by_room.keys().collect::<Vec<_>>(), ["ROOM#1", "ROOM#2"]);
    for (room, events) in by_room {
        let versions: Vec<_> = events.iter().map(|(version, _)| version).filter(|version| **version > 0).collect();
        assert!(versions.is_sorted(), "{room}: {versions:?}");
        // Two ids that were counted at once are stored in either order; none comes twice.
        let ids: BTreeSet<_> = events.iter().filter(|(version, _)| *version == 0).map(|(_, id)| *id).collect();
        assert_eq!(ids.len(), events.len() - versions.len(), "{room}: {events:?}");
    }
}

/// Whoever starts a run again does not hear of what was said before.
#[tokio::test]
async fn a_run_over_a_folder_goes_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    let options = |events: Option<PathBuf>, parameters: &[(&str, &str)]| Options {
        port: 0,
        dynamodb_port: 0,
        s3_port: 0,
        data: Some(folder.path().join("data")),
        events,
        template: concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml").into(),
        parameters: parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        limits: Limits::default(),
        interference: None,
    };
    for (events, text) in [(Some(file.clone()), "one"), (None, "two"), (Some(file.clone()), "three")] {
        let server = Server::with(options(events, &[])).await;
        server.connect(7).await.say(1, text).await;
        server.stop().await;
    }
    let short: Vec<_> = read(&file).iter().map(short).collect();
    assert_eq!(short, ["INSERT MSG#01 v0 one", "INSERT MSG#03 v0 three"]);
    // A parameter without a file, and a file that cannot be: said in a line, before anything is written.
    for (options, said) in [
        (options(None, &[("Events", "on")]), "--events names a file"),
        (options(Some(file.clone()), &[("Events", "off")]), "has no pipe whose events --events could write"),
        (options(Some(folder.path().join("none/events.jsonl")), &[]), "failed to write events to"),
    ] {
        let error = in_time("the local run does not start", Local::start(options)).await.err().expect("it started");
        let line = format!("{error:#}");
        assert!(line.contains(said) && !line.contains('\n'), "{line}");
    }
}

/// Where events are off, the table has no stream, and nothing of theirs is deployed.
#[test]
fn with_events_off_nothing_of_them_is_there() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("the template");
    let document = Template::document(&text).expect("parses");
    let resources = document["Resources"].as_object().expect("resources");
    let of_events: Vec<_> = resources.iter().filter(|(_, resource)| resource["Condition"] == "HasEvents").collect();
    let names: Vec<_> = of_events.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["EventBus", "EventDeadLetters", "EventDeadLettersAlarm", "EventPipe", "EventPipeRole"]);
    assert_eq!(document["Parameters"]["Events"]["Default"], "off");
    let stream = &resources["ChatTable"]["Properties"]["StreamSpecification"]["Fn::If"];
    assert_eq!((&stream[0], &stream[2]), (&json!("HasEvents"), &json!({"Ref": "AWS::NoValue"})));
    // What is always there does not name them, but in a branch of the condition.
    for (id, resource) in resources.iter().filter(|(_, resource)| resource["Condition"] != "HasEvents") {
        let text = resource.to_string();
        let named =
            names.iter().filter(|name| text.contains(&format!("\"{name}\"")) || text.contains(&format!("${{{name}.")));
        assert!(id == "Dashboard" || named.count() == 0, "{id}");
    }
    for (id, output) in document["Outputs"].as_object().expect("outputs") {
        let of_events = output["Value"].to_string().contains("\"Event");
        assert_eq!(of_events, output["Condition"] == "HasEvents", "{id}");
    }
}

/// The pipe reads the stream, puts onto the bus and tells of what it could not, and may do nothing else.
#[test]
fn the_pipe_may_do_what_it_does_and_nothing_else() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("the template");
    let document = Template::document(&text).expect("parses");
    let role = &document["Resources"]["EventPipeRole"]["Properties"];
    assert_eq!(role["Policies"].as_array().map(Vec::len), Some(1));
    assert!(role["ManagedPolicyArns"].is_null());
    let arn = |id: &str, attribute: &str| json!({"Fn::GetAtt": [id, attribute]});
    let stream = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"];
    assert_eq!(
        role["Policies"][0]["PolicyDocument"]["Statement"],
        json!([
            {"Effect": "Allow", "Action": stream.map(|action| format!("dynamodb:{action}")), "Resource": arn("ChatTable", "StreamArn")},
            {"Effect": "Allow", "Action": "events:PutEvents", "Resource": arn("EventBus", "Arn")},
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn("EventDeadLetters", "Arn")},
        ])
    );
    let assumes = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(assumes["Principal"], json!({"Service": "pipes.amazonaws.com"}));
    assert_eq!(assumes["Condition"], json!({"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}));
    // No half of it is lost for want of time to look: the stream holds a row for a day.
    let source = &document["Resources"]["EventPipe"]["Properties"]["SourceParameters"]["DynamoDBStreamParameters"];
    assert_eq!((&source["MaximumRetryAttempts"], &source["ParallelizationFactor"]), (&json!(5), &json!(1)));
    assert!(source["MaximumRecordAgeInSeconds"].as_u64().is_some_and(|age| age <= 12 * 3_600));
    assert_eq!(source["DeadLetterConfig"]["Arn"], arn("EventDeadLetters", "Arn"));
    assert_eq!(document["Resources"]["EventDeadLetters"]["Properties"]["SqsManagedSseEnabled"], true);
}
