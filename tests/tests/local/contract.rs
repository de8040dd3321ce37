//! The template, the folders, the samples and the code say the same: names, routes, and the rights that are used.

use chat::{ConnectionId, Member, Timestamp};
use chat_aws::{Kept, Vars, now};
use chat_local::{Template, Tokens};
use chat_tests::{
    Recorder, Server, enter, function_of, ghost, guest_event, invoke, lost_device, plain_frame, remember, room, sample,
    text_message, until, user, websocket_event,
};
use functions::FUNCTIONS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Functions without a route, which are invoked by name by whoever the account lets.
const INVOKED_WITH_IAM: &[&str] = &["DisconnectUserFunction"];

fn document() -> Value {
    let text = std::fs::read_to_string(format!("{ROOT}/template.yaml")).expect("the template");
    Template::document(&text).expect("parses")
}

/// The template as the local run reads it, which refuses a right that it does not understand.
fn template() -> Template {
    let text = std::fs::read_to_string(format!("{ROOT}/template.yaml")).expect("the template");
    // With all that there can be.
    let parameters = BTreeMap::from([("TokenSecret".into(), "x".repeat(32)), ("SocketIo".into(), "on".into())]);
    Template::parse(&text, &parameters).expect("understood")
}

/// `send-message` becomes `SendMessage`.
fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

/// Logical id and properties of every function in the template.
fn functions(document: &Value) -> BTreeMap<String, Value> {
    let resources = document["Resources"].as_object().expect("resources");
    let functions = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions.map(|(id, resource)| (id.clone(), resource.clone())).collect()
}

#[test]
fn binary_module_and_resource_have_one_name() {
    let files = std::fs::read_dir(format!("{ROOT}/functions/src/bin")).expect("the binaries");
    let files = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let binaries: BTreeSet<_> = files.map(|file| file.strip_suffix(".rs").expect("Rust").to_owned()).collect();
    let listed: BTreeSet<_> = FUNCTIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(binaries, listed);
    let declared = functions(&document());
    let expected: BTreeSet<_> = binaries.iter().map(|name| format!("{}Function", pascal(name))).collect();
    assert_eq!(declared.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for name in &binaries {
        let function = &declared[&format!("{}Function", pascal(name))];
        assert_eq!(function["Properties"]["CodeUri"], "functions", "{name}");
        let build = json!({"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": name}});
        assert_eq!(function["Metadata"], build, "{name}");
        let main = std::fs::read_to_string(format!("{ROOT}/functions/src/bin/{name}.rs")).expect("a binary");
        assert!(main.contains(&format!("functions::{}::function", name.replace('-', "_"))), "{name}: {main}");
    }
}

#[test]
fn routes_lead_to_the_functions_of_their_name() {
    let document = document();
    let routes = document["Resources"]["ChatApi"]["Properties"]["Routes"].as_object().expect("routes");
    let mut routed = BTreeSet::new();
    for (key, route) in routes {
        let name = key.trim_start_matches('$');
        let function = format!("{}{}Function", name[..1].to_uppercase(), &name[1..]);
        let arn = |function: &str| json!({"Fn::GetAtt": [function, "Arn"]});
        match key.as_str() {
            // Packets of Socket.IO name no action, and pings of other clients go where they went.
            "$default" => {
                let either = json!({"Fn::If": ["HasSocketIo", arn("SocketIoFunction"), arn(&function)]});
                assert_eq!(route["FunctionArn"], either);
                routed.insert("SocketIoFunction".into());
            }
            "ping" => assert_eq!(route["FunctionArn"], arn("DefaultFunction")),
            // What touches the same has one function.
            "listMembers" => {
                assert_eq!(route["FunctionArn"], arn("SignalFunction"));
                continue;
            }
            "editMessage" | "deleteMessage" | "reactMessage" => {
                assert_eq!(route["FunctionArn"], arn("ChangeMessageFunction"));
                continue;
            }
            _ => assert_eq!(route["FunctionArn"], arn(&function), "{key}"),
        }
        routed.insert(function);
    }
    let answered = routes.iter().filter(|(_, route)| route["RouteResponseSelectionExpression"] == "$default");
    // SAM's names: `joinRoom` becomes `ChatApiJoinroomRoute`.
    let answered =
        answered.map(|(key, _)| format!("ChatApi{}Route", pascal(&key.trim_start_matches('$').to_lowercase())));
    let resources = document["Resources"].as_object().expect("resources").values();
    let responses = resources.filter(|resource| resource["Type"] == "AWS::ApiGatewayV2::RouteResponse");
    let responses =
        responses.map(|response| response["Properties"]["RouteId"]["Ref"].as_str().expect("a route").into());
    let responses: Vec<String> = responses.collect();
    assert_eq!(BTreeSet::from_iter(responses), answered.collect(), "every route that replies has its route response");
    // The rest is reached otherwise: it decides about the routes, belongs to the HTTP API, or is invoked with IAM.
    let authorizer = &document["Resources"]["ChatApi"]["Properties"]["Auth"]["AuthArn"];
    for (id, function) in functions(&document).into_iter().filter(|(id, _)| !routed.contains(id)) {
        let events = function["Properties"]["Events"].as_object().into_iter().flatten();
        let reached = *authorizer == json!({"Fn::GetAtt": [id, "Arn"]})
            || events.map(|(_, event)| &event["Type"]).any(|kind| kind == "HttpApi" || kind == "ScheduleV2")
            || INVOKED_WITH_IAM.contains(&id.as_str());
        assert!(reached, "nothing leads to {id}");
    }
}

fn of_type<'a>(document: &'a Value, kind: &'static str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = document["Resources"].as_object().expect("resources");
    resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
}

/// A list of functions in an alarm or a widget would be quiet about the next function, and an alarm takes ten metrics.
#[test]
fn a_new_function_is_watched_without_being_named() {
    let document = document();
    let functions = functions(&document);
    let watchers = ["AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::MetricFilter"];
    for (id, watcher) in watchers.into_iter().flat_map(|kind| of_type(&document, kind)) {
        let watcher = watcher.to_string();
        assert!(!functions.keys().any(|function| watcher.contains(function.as_str())), "{id} names a function");
    }
    // What the filters count, all functions log into one group: WARN is the level of Lambda's word about a failure.
    let logging = &document["Globals"]["Function"]["LoggingConfig"];
    assert_eq!((&logging["LogGroup"], &logging["LogFormat"]), (&json!({"Ref": "FunctionLogs"}), &json!("JSON")));
    assert_eq!(logging["SystemLogLevel"], "WARN");
    for (id, function) in &functions {
        assert!(function["Properties"]["LoggingConfig"].is_null(), "{id} logs elsewhere");
    }
    for (id, filter) in of_type(&document, "AWS::Logs::MetricFilter") {
        assert_eq!(filter["Properties"]["LogGroupName"], json!({"Ref": "FunctionLogs"}), "{id}");
    }
    let dashboard =
        document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().expect("a text");
    let widgets: Value = serde_json::from_str(dashboard).expect("the dashboard is JSON");
    let widgets = widgets.to_string();
    for metric in ["Duration", "Errors", "ConcurrentExecutions"] {
        let search =
            format!(r#"SEARCH('{{AWS/Lambda,FunctionName}} MetricName=\"{metric}\" FunctionName=${{AWS::StackName}}'"#);
        assert!(widgets.contains(&search), "{search}");
    }
    for (alarm, _) in of_type(&document, "AWS::CloudWatch::Alarm") {
        assert!(dashboard.contains(&format!("${{{alarm}.Arn}}")), "{alarm}");
    }
}

/// CloudWatch keeps the state of an alarm while a metric of DynamoDB is missing, and it is missing while nothing is
/// wrong.
#[test]
fn an_alarm_on_dynamodb_is_over_when_nothing_is_wrong_any_more() {
    let document = document();
    let mut filled = 0;
    for (id, alarm) in of_type(&document, "AWS::CloudWatch::Alarm") {
        assert_ne!(alarm["Properties"]["Namespace"], "AWS/DynamoDB", "{id} cannot fill what is missing");
        let metrics = alarm["Properties"]["Metrics"].as_array().cloned().unwrap_or_default();
        assert!(metrics.len() <= 10, "{id}: as many as an alarm takes");
        let expression = metrics.iter().find_map(|metric| metric["Expression"].as_str()).unwrap_or_default();
        for metric in metrics.iter().filter(|metric| metric["MetricStat"]["Metric"]["Namespace"] == "AWS/DynamoDB") {
            let name = metric["Id"].as_str().expect("an id");
            assert!(expression.contains(&format!("FILL({name}, 0)")), "{id}: {name}");
            filled += 1;
        }
    }
    assert_eq!(filled, 2 * of_type(&document, "AWS::DynamoDB::Table").count(), "each table's reads and writes");
}

/// In an account that never had an API the setting fails, and a WebSocket stage that logs fails without the setting.
#[test]
fn the_role_for_request_logs_is_set_after_the_api_and_before_its_stage() {
    let document = document();
    let resources = &document["Resources"];
    assert_eq!(resources["LogRoleSetting"]["DependsOn"], "ChatApiConnectRoute");
    assert!(!resources["ChatApi"]["Properties"]["Routes"]["$connect"].is_null(), "SAM makes that route");
    assert!(resources["RequestLogs"]["Properties"]["Tags"].to_string().contains(r#"{"Ref":"LogRoleSetting"}"#));
    assert!(resources["ChatApi"]["Properties"]["AccessLogSettings"].to_string().contains(r#"["RequestLogs","Arn"]"#));
}

/// The log lines that the filters count are asserted where they are written, in `faults`.
#[test]
fn faults_failed_pushes_and_failed_functions_are_counted_from_the_log() {
    let document = document();
    let filter = |name: &str| document["Resources"][name]["Properties"].clone();
    assert_eq!(filter("FaultsFilter")["FilterPattern"], r#"{ $.level = "ERROR" }"#);
    let pushes = filter("FailedPushesFilter");
    assert_eq!(pushes["FilterPattern"], "{ $.failedPushes > 0 }");
    assert_eq!(pushes["MetricTransformations"][0]["MetricValue"], "$.failedPushes");
    // As Lambda writes it: {"time":"…","type":"platform.report","record":{"requestId":"…","status":"timeout",…}}
    let failed = r#"{ $.type = "platform.report" && $.record.status != "success" }"#;
    assert_eq!(filter("FunctionErrorsFilter")["FilterPattern"], failed);
    for (filter, alarm) in [
        ("FaultsFilter", "FaultsAlarm"),
        ("FailedPushesFilter", "FailedPushesAlarm"),
        ("FunctionErrorsFilter", "FunctionErrorsAlarm"),
    ] {
        let counted = &document["Resources"][filter]["Properties"]["MetricTransformations"][0];
        let alarm = &document["Resources"][alarm]["Properties"];
        assert_eq!(
            (&counted["MetricNamespace"], &counted["MetricName"]),
            (&alarm["Namespace"], &alarm["MetricName"]),
            "{filter}"
        );
    }
}

fn many(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// SAM gives every role two managed policies of AWS. They count as far as the boundary has what they allow.
#[test]
fn no_function_may_do_more_than_the_boundary_has() {
    let document = document();
    assert_eq!(document["Globals"]["Function"]["PermissionsBoundary"], json!({"Ref": "FunctionBoundary"}));
    let named = |resource: &Value| {
        let id = resource["Fn::GetAtt"][0].as_str().or(resource["Ref"].as_str()).or(resource.as_str());
        let sub = resource["Fn::Sub"].as_str().unwrap_or_default();
        let of_the_api = || sub.split(":${ChatApi}/").nth(1);
        let index = || sub.strip_prefix("${ConnectionsTable.Arn}");
        match index() {
            Some(index) => format!("ConnectionsTable{index}"),
            None => id.or_else(of_the_api).expect("a resource").to_owned(),
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
        "logs:CreateLogStream FunctionLogs",
        "logs:PutLogEvents FunctionLogs",
        "xray:PutTelemetryRecords *",
        "xray:PutTraceSegments *",
    ];
    assert_eq!(allowed, rows.into_iter().flatten().chain(others.map(String::from)).collect());
    for (id, function) in template().functions {
        for right in function.rights {
            let (action, of) = right.split_once(' ').expect("an action");
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
        let uses = |function: &&Value| many(&function["Properties"]["Policies"]).contains(&shared);
        assert!(functions.values().filter(uses).count() > 1, "{id} could stand where it is used");
    }
}

/// The id of the one connection that was opened since.
async fn only_connection_since(before: &[String], server: &Server) -> String {
    let keys = server.keys("ConnectionsTable").await;
    let new = keys.iter().filter(|key| !before.contains(key));
    let ids = new.filter_map(|key| key.strip_prefix("CONN#")?.strip_suffix(" CONN"));
    ids.map(String::from).next().expect("a connection")
}

/// The rights to tell a connection something, and to end it.
fn both_verbs() -> [String; 2] {
    ["POST", "DELETE"].map(|verb| format!("execute-api:ManageConnections {verb}/@connections/*"))
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
    let narrow = vars.clone().into_iter().chain([("CONNECTIONS_PER_USER", "1".into())]).collect();
    let vars = Vars::from_iter(vars);
    let mut member = server.connect(1).await;
    member.join(1).await;
    let room = room("1");

    let mut named = text_message(1, "hi");
    named["clientMessageId"] = json!("a");
    let join = websocket_event(&json!({"action": "joinRoom", "chatroomId": 1}));
    let signal = json!({"action": "signal", "chatroomId": 1, "kind": "typing"});
    let edit = |id: u64, name: &str| {
        let message = json!({"type": "text", "content": "hi there"});
        json!({"action": "editMessage", "chatroomId": 1, "id": id, "message": message, "clientMessageId": name})
    };
    let token = Tokens::signed_with("sample-secret-for-the-events-folder-only").expect("a secret");
    let token = token.issue(json!({"userId": 12, "rooms": "*"}).as_object().expect("claims").clone()).expect("a token");
    let packet = |frame: &Value| format!("42{}", json!([frame["action"], frame]));
    let of_sample = |name| Some((name, websocket_event(&plain_frame(name)?)));
    let special = ["join-room", "send-message", "change-message", "leave-room"];
    let others = FUNCTIONS.iter().filter(|(name, _)| !special.contains(name)).filter_map(|(name, _)| of_sample(*name));
    let others: Vec<_> = others.collect();
    let in_the_room: BTreeSet<_> = others.iter().map(|(name, _)| *name).chain(["leave-room", "disconnect"]).collect();
    let arrives = [
        ("authorize", sample("authorize")),
        ("default", sample("default-ping")),
        ("signal", websocket_event(&signal)), // the same
        ("join-room", join.clone()),          // before its connection: it enters nothing
        ("connect", websocket_event(&json!({}))),
        ("join-room", join),
        ("signal", websocket_event(&json!({"action": "listMembers", "chatroomId": 1}))),
        ("signal", sample("signal-post")),
        ("send-message", sample("send-message-post")),
        ("send-message", websocket_event(&text_message(1, "hi"))),
        ("send-message", websocket_event(&named)),
        ("send-message", websocket_event(&named)),
        ("change-message", websocket_event(&edit(2, "a"))),
        ("change-message", websocket_event(&edit(3, "b"))),
        ("change-message", websocket_event(&edit(2, "c"))),
        ("change-message", websocket_event(&json!({"action": "deleteMessage", "chatroomId": 1, "id": 3}))),
        ("change-message", sample("change-message-post")),
        ("list-history", sample("list-history")),
        ("list-history", sample("list-history-changes")),
        ("socket-io", guest_event(&format!("40{}", json!({"token": token})))),
        ("socket-io", guest_event(r#"42["joinRoom",{"chatroomId":1}]"#)),
        ("socket-io", guest_event(&packet(&signal))),
        ("socket-io", guest_event(r#"42["listMembers",{"chatroomId":1}]"#)),
        ("socket-io", guest_event(&packet(&named))),
        ("socket-io", guest_event(&packet(&named))),
        ("socket-io", guest_event(&packet(&text_message(1, "hi")))),
        ("socket-io", guest_event(&packet(&edit(5, "d")))),
        ("socket-io", guest_event(&packet(&edit(7, "e")))),
        ("socket-io", guest_event(&packet(&edit(5, "f")))),
        ("socket-io", guest_event(r#"42["leaveRoom",{"chatroomId":1}]"#)),
    ];
    let leaves = [
        ("leave-room", websocket_event(&json!({"action": "leaveRoom", "chatroomId": 1}))),
        ("disconnect", websocket_event(&json!({}))),
        ("connect", websocket_event(&json!({}))), // its token is revoked by then
    ];
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
        invoke(name, &vars, event).await;
        let rights = used.get_mut(name).expect("a function");
        rights.extend(recorder.take().iter().flat_map(|call| call.rights.clone()));
        if member.pushed().await.iter().any(|frame| frame["type"] != "error") {
            rights.insert("execute-api:ManageConnections POST/@connections/*".into());
        }
    }
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
        .extend(recorder.take().iter().flat_map(|call| call.rights.clone()).chain(both_verbs()));
    // One that says nothing.
    let mut silent = server.connect_socket_io(13).await;
    recorder.take();
    assert_eq!(invoke("keep-alive", &vars, sample("keep-alive")).await, Value::Null);
    assert_eq!(silent.text().await.as_deref(), Some("6"));
    let rights = used.get_mut("keep-alive").expect("a function");
    rights.extend(recorder.take().iter().flat_map(|call| call.rights.clone()));
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
    rights.extend(recorder.take().iter().flat_map(|call| call.rights.clone()).chain(ended));

    let declared = template().functions;
    for (name, used) in used {
        assert_eq!(used, declared[&format!("{}Function", pascal(name))].rights, "{name}: used, granted");
    }
    server.stop().await;
}

/// Each of these once cost a cold start tens of milliseconds or a binary megabytes, and one careless feature brings it
/// back.
#[test]
fn no_function_links_what_makes_it_start_slowly() {
    let linked = cargo_tree(&["--edges", "normal", "--package", "functions"]);
    let named = |name: &str| linked.iter().filter(|krate| krate.split(' ').next() == Some(name)).count();
    assert!(named("tokio") == 1 && named("lambda_runtime") == 1, "the tree was read: {linked:?}");
    for name in ["aws-config", "aws-lc-rs", "aws-lc-sys", "aws-smithy-http-client", "h2", "native-tls", "openssl"] {
        assert_eq!(named(name), 0, "{name} is linked");
    }
    for name in ["http", "hyper", "hyper-util", "ring", "rustls", "tokio-rustls"] {
        assert!(named(name) <= 1, "{name} is linked twice");
    }
    let hyper = linked.iter().find(|krate| krate.starts_with("hyper v")).expect("hyper");
    assert!(hyper.starts_with("hyper v1."), "{hyper} is linked");
}

/// Every crate that is built, as `cargo tree` says it with these arguments.
fn cargo_tree(arguments: &[&str]) -> BTreeSet<String> {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix", "none"])
        .args(arguments)
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    tree.lines().map(|line| line.strip_suffix(" (*)").unwrap_or(line).to_owned()).collect()
}

/// The README's two commands, `cargo run` and `cargo test --workspace`, share what they build: a crate with other
/// features is built again, and whatever stands on it, such as the AWS SDK, with it.
#[test]
fn the_first_build_serves_the_tests_too() {
    let features = ["--format", "{p} [{f}]"];
    let run = cargo_tree(&[&["--edges", "normal,build"], &features[..]].concat());
    let tests = cargo_tree(&[&["--edges", "normal,build,dev", "--workspace"], &features[..]].concat());
    assert!(run.iter().any(|krate| krate.starts_with("aws-sdk-dynamodb v")), "the tree was read: {run:?}");
    let other: Vec<_> = run.difference(&tests).collect();
    assert!(other.is_empty(), "to be said in local/Cargo.toml: the tests build these with other features: {other:#?}");
}

/// What stands between backticks in the last column of a row of SECURITY.md.
#[test]
fn what_security_says_is_tested_is_tested() {
    let security = std::fs::read_to_string(format!("{ROOT}/SECURITY.md")).expect("the document");
    let rows = security.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| who "));
    let named: Vec<_> = rows
        .flat_map(|row| {
            let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
            let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "no test: {row}");
            names
        })
        .collect();
    assert!(named.len() > 20, "the table was found");
    let mut sources = String::new();
    for folder in ["functions", "local", "ops", "shared", "tests", "web/tests"] {
        read_all(format!("{ROOT}/{folder}").as_ref(), &mut sources);
    }
    for name in named {
        let found = sources.contains(&format!("fn {name}(")) || sources.contains(&format!("it(\"{name}\""));
        assert!(found, "SECURITY.md names a test that is not there: {name}");
    }
}

/// A test that waits for ever says nothing: what it waits for stands in `in_time` or `until`, which give up and say it.
#[test]
fn every_wait_has_a_limit_and_a_name() {
    let mut sources = String::new();
    for folder in ["tests/src", "tests/tests", "functions", "ops/tests"] {
        read_all(format!("{ROOT}/{folder}").as_ref(), &mut sources);
    }
    // A time-out that does not say of what, an HTTP client without any, and a loop that does nothing but ask again.
    let unlimited = |line: &str| {
        let nameless = [
            concat!(" timeout", "(PATIENCE"),
            concat!(" timeout", "(chat_tests::PATIENCE"),
            concat!("Client", "::new()"),
        ];
        let asks_again = line.contains(concat!("while", " ")) && !line.contains("while let ") && line.contains(" {}");
        asks_again || nameless.iter().any(|wait| line.contains(wait) && !line.contains("{what}"))
    };
    let found: Vec<_> = sources.lines().filter(|line| unlimited(line)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

fn read_all(folder: &std::path::Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "js") {
            text.push_str(&std::fs::read_to_string(&path).expect("a text"));
        }
    }
}
