//! What functions may do is what they do: the rights in the template, and those that a run takes.

use super::contract::{document, functions, many, of_type, pascal, template};
use chat::rounds::{Courier, Pushed};
use chat::{
    Attachment, ChangeNumber, ConnectionId, Content, Member, Message, MessageId, MessageKind, Reactions, RoomId,
    Timestamp,
};
use chat_aws::{Kept, Vars, Written, now};
use chat_local::Tokens;
use chat_tests::{
    Recorder, Server, enter, function_of, ghost, guest_event, invoke, lost_device, next_id, plain_frame,
    post_by_moderator, remember, room, room_event, sample, text_message, until, user, websocket_event, with_kept_rooms,
};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// SAM gives every role two managed policies of AWS. They count as far as the boundary has what they allow.
#[test]
fn no_function_may_do_more_than_the_boundary_has() {
    let document = document();
    assert_eq!(document["Globals"]["Function"]["PermissionsBoundary"], json!({"Ref": "FunctionBoundary"}));
    let named = |resource: &Value| {
        let id = resource["Fn::GetAtt"][0].as_str().or(resource["Ref"].as_str()).or(resource.as_str());
        let sub = resource["Fn::Sub"].as_str().unwrap_or_default();
        let of_the_api = || sub.split(":${ChatApi}/").nth(1);
        // A function by its name, for which CloudFormation puts the stack's before it and letters behind it.
        let function = || sub.split(":function:*-").nth(1)?.strip_suffix("-*");
        let part = |arn: &str| sub.strip_prefix(&format!("${{{arn}.Arn}}")).map(|part| format!("{arn}{part}"));
        match part("ConnectionsTable").or(part("FilesBucket")) {
            Some(part) => part,
            None => id.or_else(of_the_api).or_else(function).expect("a resource").to_owned(),
        }
    };
    let boundary = &document["Resources"]["FunctionBoundary"]["Properties"]["PolicyDocument"]["Statement"];
    let mut allowed = BTreeSet::new();
    for statement in boundary.as_array().expect("statements") {
        let statement = statement["Fn::If"].get(1).unwrap_or(statement);
        assert_eq!(statement["Effect"], "Allow");
        for action in many(&statement["Action"]) {
            let action = action.as_str().expect("an action");
            allowed.extend(many(&statement["Resource"]).iter().map(|resource| format!("{action} {}", named(resource))));
        }
    }
    let rows = ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"];
    let tables = ["ChatTable", "ConnectionsTable", "ConnectionsTable/index/KeptAlive"];
    let rows = rows.map(|action| tables.map(|table| format!("dynamodb:{action} {table}")));
    let others = [
        "dynamodb:ConditionCheckItem ChatTable",
        "execute-api:ManageConnections ${Stage}/*/@connections/*",
        "kms:Decrypt EnvironmentKeyArn",
        "lambda:InvokeFunction DeliverFunction",
        "lambda:InvokeFunction ReviewFunctionArn",
        "s3:DeleteObject FilesBucket/rooms/*",
        "s3:GetObject FilesBucket/rooms/*",
        "s3:PutObject FilesBucket/rooms/*",
        "logs:CreateLogStream FunctionLogs",
        "logs:PutLogEvents FunctionLogs",
        "xray:PutTelemetryRecords *",
        "xray:PutTraceSegments *",
    ];
    assert_eq!(allowed, rows.into_iter().flatten().chain(others.map(String::from)).collect());
    for (id, function) in template().functions {
        for right in function.rights {
            let (action, of) = right.split_once(' ').expect("an action");
            // A kind of rows is limited by a condition; a kind of objects is a part of the name.
            let of = if action.starts_with("s3:") { of.replacen(' ', "/", 1) } else { of.to_owned() };
            let of = of.split(' ').next().expect("a table");
            let within = |allowed: &String| match allowed.split_once(' ').expect("an action") {
                (verb, "${Stage}/*/@connections/*") => verb == action,
                (verb, resource) => verb == action && resource == of,
            };
            assert!(allowed.iter().any(within), "{id}: {right} is granted in vain");
        }
    }
}

/// A policy that no function refers to is a right in store for whoever may attach it.
#[test]
fn every_shared_policy_is_used_by_several_functions() {
    let document = document();
    let functions = functions(&document);
    for (id, _) in of_type(&document, "AWS::IAM::ManagedPolicy").filter(|(id, _)| *id != "FunctionBoundary") {
        let shared = json!({"Ref": id});
        let uses = |function: &&Value| {
            let policies = many(&function["Properties"]["Policies"]);
            policies.iter().any(|policy| *chosen(policy) == shared)
        };
        assert!(functions.values().filter(uses).count() > 1, "{id} could stand where it is used");
    }
}

/// A policy, or the one that a condition adds.
fn chosen(policy: &Value) -> &Value {
    policy["Fn::If"].get(1).unwrap_or(policy)
}

/// Whom a parameter names who reviews messages, those functions may ask that are told of it, and no others.
#[test]
fn a_reviewer_is_asked_by_whoever_stores_what_is_said_and_by_nobody_else() {
    let reviewer = "arn:aws:lambda:us-east-1:123456789012:function:review";
    let parameters =
        [("TokenSecret", "x".repeat(32)), ("ReviewFunctionArn", reviewer.into()), ("SocketIo", "on".into())];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value)).into();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).expect("a template");
    let template = chat_local::Template::parse(&text, &parameters).expect("it is understood");
    let mut asking = BTreeSet::new();
    for (id, function) in &template.functions {
        let may = function.rights.contains("lambda:InvokeFunction ReviewFunctionArn");
        assert_eq!(may, function.variables.get("REVIEW_FUNCTION").is_some_and(|arn| arn == reviewer), "{id}");
        asking.extend(may.then_some(function.name.as_str()));
    }
    assert_eq!(asking, ["change-message", "send-message", "socket-io"].into());
}

/// The id of the one connection that was opened since.
async fn only_connection_since(before: &[String], server: &Server) -> String {
    let keys = server.keys("ConnectionsTable").await;
    let new = keys.iter().filter(|key| !before.contains(key));
    let ids = new.filter_map(|key| key.strip_prefix("CONN#")?.strip_suffix(" CONN"));
    ids.map(String::from).next().expect("a connection")
}

/// The rights that the calls since took; and which kinds of keys single calls asked for at once.
fn taken(recorder: &Recorder, name: &'static str, together: &mut BTreeSet<(&'static str, String)>) -> Vec<String> {
    let calls = recorder.take();
    for call in &calls {
        let mut kinds: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for right in call.rights.iter().filter(|right| right.starts_with("dynamodb:")) {
            let (action, kind) = right.rsplit_once(' ').expect("a kind of keys");
            kinds.entry(action.to_owned()).or_default().insert(kind);
        }
        let several = kinds.into_iter().filter(|(_, kinds)| kinds.len() > 1);
        together
            .extend(several.map(|(action, kinds)| (name, format!("{action}: {}", Vec::from_iter(kinds).join(", ")))));
    }
    calls.into_iter().flat_map(|call| call.rights).collect()
}

/// What each statement allows by itself, by function: IAM compares all keys of a request with the list of one statement,
/// and adds no two together.
fn statements() -> BTreeMap<String, Vec<BTreeSet<String>>> {
    let document = document();
    let of = |policy: &Value| -> Vec<BTreeSet<String>> {
        let statements = many(&policy["Statement"]);
        let allowed = statements.iter().map(|statement| {
            let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            let rights = many(&statement["Action"]).into_iter().flat_map(|action| {
                let table = statement["Resource"]["Fn::GetAtt"][0].as_str().unwrap_or_default().to_owned();
                let action = action.as_str().expect("an action").to_owned();
                many(keys).into_iter().map(move |key| format!("{action} {table} {}", key.as_str().unwrap_or_default()))
            });
            rights.collect()
        });
        allowed.collect()
    };
    let policies = |function: &Value| {
        let policies = &function["Properties"]["Policies"];
        let policies = if policies.is_null() { Vec::new() } else { many(policies) };
        let of_one = |policy: &Value| match chosen(policy)["Ref"].as_str() {
            Some(shared) => of(&document["Resources"][shared]["Properties"]["PolicyDocument"]),
            None => of(policy),
        };
        policies.iter().flat_map(of_one).collect()
    };
    functions(&document).iter().map(|(id, function)| (id.clone(), policies(function))).collect()
}

/// The rights to tell a connection something, and to end it.
fn both_verbs() -> [String; 2] {
    ["POST", "DELETE"].map(|verb| format!("execute-api:ManageConnections {verb}/@connections/*"))
}

const SAID: &str = "rooms/MQ/Nw/said/cat.png";

/// A picture that somebody sent to room 1.
fn said(id: MessageId) -> Message {
    let content = Content::attached(MessageKind::Image, Attachment::stored(SAID.into()));
    let (room, sender, create_time) = (room("1"), user("7"), now());
    let (client_message_id, changed, reactions) = (None, None, Reactions::default());
    Message { id, room, sender, content, create_time, client_message_id, changed, reactions }
}

/// Runs every function down every path that calls AWS, and compares what it called with what it may.
#[tokio::test]
async fn every_function_may_do_what_it_does_and_nothing_else() {
    let server = Server::start_with_parameter("SocketIo", "on").await;
    let app = server.app();
    let mut vars = server.vars();
    vars.insert("TOKEN_SECRET", "sample-secret-for-the-events-folder-only".into());
    let recorder = Recorder::before(&vars["AWS_ENDPOINT_URL_DYNAMODB"]).await;
    vars.insert("AWS_ENDPOINT_URL_DYNAMODB", recorder.url().to_owned());
    recorder.aim_at_lambda(&vars["AWS_ENDPOINT_URL_LAMBDA"]);
    recorder.aim_at_s3(server.s3_url());
    vars.insert("AWS_ENDPOINT_URL_S3", recorder.url().to_owned());
    vars.insert("AWS_ENDPOINT_URL_LAMBDA", recorder.url().to_owned());
    vars.insert("AWS_LAMBDA_FUNCTION_NAME", "DeliverFunction".into());
    let crowd = vars.clone().into_iter().chain([("LARGE_ROOM", "0".into())]).collect();
    let narrow = vars.clone().into_iter().chain([("CONNECTIONS_PER_USER", "1".into())]).collect();
    let vars = Vars::from_iter(vars);
    let mut member = server.connect(1).await;
    member.join(1).await;
    let room = room("1");

    let mut named = text_message(1, "hi");
    named["clientMessageId"] = json!("a");
    let join = websocket_event(&json!({"action": "joinRoom", "chatroomId": 1}));
    // What is signed takes the rights of whoever signs it.
    let [get, put] = ["GetObject", "PutObject"].map(|action| format!("s3:{action} FilesBucket rooms/*"));
    let file = |key: &str| {
        let message = json!({"type": "image", "attachment": key});
        json!({"action": "sendMessage", "chatroomId": 1, "clientMessageId": "f", "message": message})
    };
    let signal = json!({"action": "signal", "chatroomId": 1, "kind": "typing"});
    let edit = |id: u64, name: &str| {
        let message = json!({"type": "text", "content": "hi there"});
        json!({"action": "editMessage", "chatroomId": 1, "id": id, "message": message, "clientMessageId": name})
    };
    // Of the member whose connection is gone.
    let bar = |bar: &str| json!({"action": "barUser", "chatroomId": 1, "targetId": 66, "bar": bar, "seconds": 60});
    let token = Tokens::signed_with("sample-secret-for-the-events-folder-only").expect("a secret");
    let claims = json!({"userId": 12, "rooms": ["*", "@mine"], "moderates": "*"});
    let token = token.issue(claims.as_object().expect("claims").clone()).expect("a token");
    let packet = |frame: &Value| format!("42{}", json!([frame["action"], frame]));
    // The room of users 7 and 1, and that of 12 and 1, who is told of both.
    let pair = |one| RoomId::of_pair(&user(one), &user("1")).to_string();
    let (mine, guests) = (pair("7"), pair("12"));
    let kept = |frame: &Value| with_kept_rooms(websocket_event(frame));
    let in_kept = |mut frame: Value, room: &str| {
        frame["chatroomId"] = json!(room);
        frame
    };
    let mut means = text_message(1, "hi");
    means["message"]["mentions"] = json!([1]);
    let group = RoomId::of_named_group(&user("7"), &serde_json::from_str("\"k\"").expect("a name")).to_string();
    let of_rooms = |user, route: &str, body: Value| ("chatrooms", room_event(user, route, &group, &body));
    let of_sample = |name| Some((name, websocket_event(&plain_frame(name)?)));
    let special = ["join-room", "send-message", "change-message", "moderate", "leave-room"];
    let others = FUNCTIONS.iter().filter(|(name, _)| !special.contains(name)).filter_map(|(name, _)| of_sample(*name));
    let others: Vec<_> = others.collect();
    let in_the_room: BTreeSet<_> = others.iter().map(|(name, _)| *name).chain(["leave-room", "disconnect"]).collect();
    let mut kept_page = sample("list-history");
    kept_page["rawQueryString"] = json!(format!("chatroomId={mine}"));
    kept_page["requestContext"]["authorizer"]["lambda"]["userId"] = json!("7");
    kept_page["requestContext"]["authorizer"]["lambda"]["mine"] = json!("true");
    let mut upload = sample("create-upload");
    let asked: Value = serde_json::from_str(upload["body"].as_str().expect("a body")).expect("JSON");
    upload["body"] = json!(in_kept(asked, &mine).to_string());
    upload["requestContext"]["authorizer"]["lambda"]["userId"] = json!("7");
    upload["requestContext"]["authorizer"]["lambda"]["mine"] = json!("true");
    let arrives = [
        ("authorize", sample("authorize")),
        ("default", sample("default-ping")),
        ("signal", websocket_event(&signal)), // the same
        ("join-room", join.clone()),          // before its connection: it enters nothing
        ("connect", websocket_event(&json!({}))),
        ("join-room", join.clone()),
        of_rooms(7, "GET /chatroom/create-one-to-one", json!({"friendId": 1})),
        of_rooms(12, "POST /chatroom/create-one-to-one", json!({"friendId": 1})),
        of_rooms(7, "POST /chatroom/create-group", json!({"name": "k", "clientRoomId": "k"})),
        of_rooms(7, "POST /chatroom/join/{id}", json!({"joinUserId": 1})),
        of_rooms(7, "GET /chatroom/list", json!({})),
        of_rooms(7, "GET /chatroom/info/{id}", json!({})),
        of_rooms(7, "GET /chatroom/members", json!({"chatroomId": group})),
        of_rooms(7, "GET /chatroom/findChatroom", json!({"userId1": 7, "userId2": 1})),
        of_rooms(7, "GET /chatroom/reads", json!({"chatroomId": group})),
        ("join-room", kept(&json!({"action": "joinRoom", "chatroomId": group}))),
        of_rooms(7, "POST /chatroom/quit/{id}", json!({})),
        ("join-room", kept(&json!({"action": "joinRoom", "chatroomId": mine}))),
        ("signal", kept(&in_kept(signal.clone(), &mine))),
        ("send-message", kept(&in_kept(means.clone(), &mine))),
        ("change-message", kept(&in_kept(edit(1, "a"), &mine))),
        ("mark-read", kept(&json!({"action": "markRead", "chatroomId": mine, "id": 1, "tell": true}))),
        ("mark-read", sample("mark-read-post")),
        ("list-history", kept_page),
        ("signal", websocket_event(&json!({"action": "listMembers", "chatroomId": 1}))),
        ("signal", websocket_event(&json!({"action": "listMembers", "chatroomId": 2}))), // where it is not
        ("signal", sample("signal-post")),
        ("send-message", sample("send-message-post")),
        ("send-message", websocket_event(&text_message(1, "hi"))),
        ("send-message", websocket_event(&named)),
        ("send-message", websocket_event(&named)),
        ("create-upload", upload),
        ("send-message", websocket_event(&file("rooms/MQ/Nw/f/cat.png"))),
        ("change-message", websocket_event(&edit(2, "a"))),
        ("change-message", websocket_event(&edit(3, "b"))),
        ("change-message", websocket_event(&edit(2, "c"))),
        ("change-message", websocket_event(&json!({"action": "deleteMessage", "chatroomId": 1, "id": 3}))),
        ("change-message", sample("change-message-post")),
        ("list-history", sample("list-history")),
        ("list-history", sample("list-history-changes")),
        ("change-message", websocket_event(&json!({"action": "deleteMessage", "chatroomId": 1, "id": 5}))),
        ("moderate", post_by_moderator("12", "barUser", &bar("ban"))),
        ("moderate", post_by_moderator("12", "barUser", &bar("none"))),
        ("moderate", post_by_moderator("12", "slowMode", &json!({"chatroomId": 1, "seconds": 0}))),
        ("moderate", post_by_moderator("12", "listBars", &json!({"chatroomId": 1}))),
        ("moderate", post_by_moderator("12", "reportMessage", &json!({"chatroomId": 1, "id": 2, "reason": "x"}))),
        ("moderate", post_by_moderator("12", "listReports", &json!({"chatroomId": 1}))),
        ("moderate", kept(&in_kept(bar("mute"), &mine))),
        ("socket-io", guest_event(&format!("40{}", json!({"token": token})))),
        ("socket-io", guest_event(r#"42["joinRoom",{"chatroomId":1}]"#)),
        ("socket-io", guest_event(&packet(&json!({"action": "joinRoom", "chatroomId": guests})))),
        ("socket-io", guest_event(&packet(&in_kept(means.clone(), &guests)))),
        ("socket-io", guest_event(&packet(&signal))),
        ("socket-io", guest_event(r#"42["listMembers",{"chatroomId":1}]"#)),
        ("socket-io", guest_event(&packet(&named))),
        ("socket-io", guest_event(&packet(&named))),
        ("socket-io", guest_event(&packet(&text_message(1, "hi")))),
        ("socket-io", guest_event(&packet(&edit(6, "d")))),
        ("socket-io", guest_event(&packet(&edit(8, "e")))),
        ("socket-io", guest_event(&packet(&edit(6, "f")))),
        ("socket-io", guest_event(&packet(&file("rooms/MQ/MTI/f/cat.png")))),
        ("socket-io", guest_event(&packet(&json!({"action": "deleteMessage", "chatroomId": 1, "id": 9})))),
        ("socket-io", guest_event(&packet(&bar("ban")))),
        ("socket-io", guest_event(&packet(&bar("none")))),
        ("socket-io", guest_event(&packet(&json!({"action": "listReports", "chatroomId": 1})))),
        (
            "socket-io",
            guest_event(&packet(&json!({"action": "reportMessage", "chatroomId": 1, "id": 6, "reason": "x"}))),
        ),
        ("socket-io", guest_event(r#"42["leaveRoom",{"chatroomId":1}]"#)),
    ];
    let leaves = [
        ("leave-room", websocket_event(&json!({"action": "leaveRoom", "chatroomId": 1}))),
        ("disconnect", websocket_event(&json!({}))),
        ("connect", websocket_event(&json!({}))), // its token is revoked by then
    ];
    // What single requests of a function ask for of one table.
    let mut together = BTreeSet::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> =
        FUNCTIONS.iter().map(|(name, _)| (*name, BTreeSet::new())).collect();
    for (name, event) in arrives.into_iter().chain(others).chain(leaves) {
        // Whatever was pushed before, there is a member whose connection is gone, and one to be told of a leave.
        enter(&app, &ghost("66"), &room).await;
        let mine = ConnectionId::new("YQAAAAAAAAAAAAA=");
        if in_the_room.contains(name) && app.connections.is_open(&mine).await.expect("an answer") {
            // The connection of the events, user 7's, is taken out by every push before.
            let me = Member { connection: mine, ..ghost("7") };
            enter(&app, &me, &room).await;
            app.connections.add_room(&me.connection, &room).await.expect("it is open");
        }
        if name == "connect" && used[name].len() > 1 {
            app.users.revoke(&user("7"), now()).await.expect("revoked");
        }
        if event["rawPath"] == "/chatroom/list" {
            // An id that nobody used: what was said before it is looked for.
            next_id(&app.messages, &RoomId::parse(&group).expect("an id")).await.expect("an id");
        }
        if event["rawPath"].as_str().is_some_and(|path| path.contains("/quit/")) {
            // Its join was pushed to nobody, and took it out.
            let me = Member { connection: ConnectionId::new("YQAAAAAAAAAAAAA="), ..ghost("7") };
            enter(&app, &me, &RoomId::parse(&group).expect("an id")).await;
        }
        let answer = invoke(name, &vars, event).await.to_string();
        let rights = used.get_mut(name).expect("a function");
        rights.extend(taken(&recorder, name, &mut together));
        let pushed = member.pushed().await;
        if pushed.iter().any(|frame| frame["type"] != "error") {
            rights.insert("execute-api:ManageConnections POST/@connections/*".into());
        }
        let said = format!("{answer}{}", json!(pushed));
        rights.extend(said.contains("X-Amz-Signature=").then(|| get.clone()));
        rights.extend(said.contains("x-amz-signature").then(|| put.clone()));
    }
    // A room in rounds: whoever stores something wakes its courier, and the courier delivers. It comes back when it is
    // quiet.
    let messages = &app.messages;
    let is_direct = async || {
        // Whoever is refused has woken nobody.
        server.call("deliver", &json!({"room": "1"})).await.expect("a run");
        !server.row("ChatTable", "pushed").await
    };
    let (mut again, mut with_cuts) = (named.clone(), Vec::new());
    again["clientMessageId"] = json!("b");
    for (name, event) in [
        ("send-message", websocket_event(&again)),
        ("send-message", websocket_event(&again)),
        ("change-message", websocket_event(&edit(2, "g"))),
        ("socket-io", guest_event(&packet(&again))),
        ("socket-io", guest_event(&packet(&edit(6, "h")))),
        ("deliver", json!({"room": "1"})),
        ("deliver", json!({"room": "1"})),
    ] {
        until("no courier is under way", is_direct).await;
        enter(&app, &ghost("66"), &room).await;
        assert!(matches!(messages.enter_rounds(&room, 100).await, Ok(Written::Done(_))));
        if name == "deliver" {
            // A message, a hole, a change; and the second time members that are cut into two parts.
            let last = next_id(messages, &room).await.expect("an id");
            messages.store(said(last)).await.expect("stored");
            next_id(messages, &room).await.expect("an id");
            messages.knock(&room, ChangeNumber::new(1)).await.expect("asked");
            let (me, now, up_to) = (Courier(5), now(), last.previous());
            messages.take(&room, me, None, now, now).await.expect("taken");
            let cuts = with_cuts.clone();
            let (after, known, carries) = (up_to, up_to, 100);
            let pushed = Pushed { after, up_to, known, carries, changes_up_to: None, people: 2, cuts, until: now };
            messages.step(&room, me, &pushed).await.expect("noted");
            with_cuts.push("m".to_owned());
        }
        invoke(name, &crowd, event).await;
        let rights = used.get_mut(name).expect("a function");
        rights.extend(taken(&recorder, name, &mut together));
        let is_said = |frame: &&Value| frame["message"]["attachment"] == SAID;
        let pushed = if name == "deliver" { member.pushed().await } else { Vec::new() };
        if let Some(frame) = pushed.iter().find(is_said) {
            rights.insert("execute-api:ManageConnections POST/@connections/*".into());
            rights.extend(frame.to_string().contains("X-Amz-Signature=").then(|| get.clone()));
        }
    }
    until("no courier is under way", is_direct).await;
    // Every function that answers frames ends a connection whose token is over.
    let routes =
        template().websocket.routes.into_iter().filter(|(key, _)| !["$connect", "$disconnect"].contains(&key.as_str()));
    for (key, route) in routes {
        let name = function_of(&template().functions[&route.function].name);
        let before = server.keys("ConnectionsTable").await;
        let mut client = server.connect(9).await;
        client.pushed().await;
        let id = only_connection_since(&before, &server).await;
        let mut event = websocket_event(&text_message(1, "hi"));
        event["requestContext"]["connectionId"] = json!(id);
        event["requestContext"]["routeKey"] = json!(key);
        event["requestContext"]["authorizer"]["goodUntil"] = json!("1741746160000");
        invoke(name, &vars, event).await;
        assert_eq!(client.next().await["code"], "gone", "{name}");
        client.closed().await;
        let gone = async || server.keys("ConnectionsTable").await.len() <= before.len();
        until("its rows go away", gone).await;
        assert!(recorder.take().is_empty(), "{name}: nothing is read for it, nor written");
        used.get_mut(name).expect("a function").extend(both_verbs());
    }
    // One connection too many: the older one is told, and ended.
    let mut client = server.connect(9).await;
    let mut event = websocket_event(&json!({}));
    event["requestContext"]["authorizer"]["userId"] = json!("9");
    invoke("connect", &narrow, event).await;
    assert_eq!(client.next().await["code"], "tooManyConnections");
    client.closed().await;
    used.get_mut("connect")
        .expect("a function")
        .extend(taken(&recorder, "connect", &mut together).into_iter().chain(both_verbs()));
    // One that says nothing.
    let mut silent = server.connect_socket_io(13).await;
    recorder.take();
    assert_eq!(invoke("keep-alive", &vars, sample("keep-alive")).await, Value::Null);
    assert_eq!(silent.text().await.as_deref(), Some("6"));
    let rights = used.get_mut("keep-alive").expect("a function");
    rights.extend(taken(&recorder, "keep-alive", &mut together));
    rights.insert("execute-api:ManageConnections POST/@connections/*".into());
    silent.close().await;
    // A user who is shut out.
    let mut client = server.connect(10).await;
    invoke("disconnect-user", &vars, json!({"userId": 10})).await;
    assert_eq!(client.rest().await.0, Vec::<Value>::new(), "it is ended without a word");
    // And one whose connection is not there: it is taken out of its room.
    let lost = lost_device();
    remember(&app, "11", lost.clone()).await;
    assert!(app.connections.open(&lost, &user("11"), Kept::default()).await.expect("an answer"));
    let join = app.connections.add_room(&lost.connection, &room).await.expect("it is open");
    let outcast = Member { connection: lost.connection, ..ghost("11") };
    assert!(app.connections.add_member(&outcast, join, &room, Timestamp::MAX).await.expect("an answer"));
    invoke("disconnect-user", &vars, json!({"userId": 11})).await;
    let ended = ["execute-api:ManageConnections DELETE/@connections/*".into()];
    let rights = used.get_mut("disconnect-user").expect("a function");
    rights.extend(taken(&recorder, "disconnect-user", &mut together).into_iter().chain(ended));

    let declared = template().functions;
    let statements = statements();
    for (name, request) in &together {
        let (action, kinds) = request.split_once(": ").expect("an action");
        let covers =
            |allowed: &BTreeSet<String>| kinds.split(", ").all(|kind| allowed.contains(&format!("{action} {kind}")));
        let of_function = &statements[&format!("{}Function", pascal(name))];
        assert!(of_function.iter().any(covers), "{name}: no one statement allows {request}");
    }
    assert!(together.iter().any(|(name, _)| *name == "chatrooms"), "some requests mix kinds: {together:?}");
    for (name, used) in used {
        assert_eq!(used, declared[&format!("{}Function", pascal(name))].rights, "{name}: used, granted");
    }
    server.stop().await;
}
