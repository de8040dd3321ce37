//! The template, the folders, the samples and the code say the same: names, routes, and what is watched.

use chat_local::Template;
use functions::FUNCTIONS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Functions without a route, which are invoked by name by whoever the account lets, or the template's own functions.
const INVOKED_WITH_IAM: &[&str] = &["DeliverFunction", "DisconnectUserFunction"];

pub(super) fn document() -> Value {
    let text = std::fs::read_to_string(format!("{ROOT}/template.yaml")).expect("the template");
    Template::document(&text).expect("parses")
}

/// The template as the local run reads it, which refuses a right that it does not understand.
pub(super) fn template() -> Template {
    let text = std::fs::read_to_string(format!("{ROOT}/template.yaml")).expect("the template");
    // With all that there can be.
    let on = ["SocketIo", "Events"].map(|name| (name.into(), "on".into()));
    let parameters = BTreeMap::from_iter(on.into_iter().chain([("TokenSecret".into(), "x".repeat(32))]));
    Template::parse(&text, &parameters).expect("understood")
}

/// `send-message` becomes `SendMessage`.
pub(super) fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

/// Logical id and properties of every function in the template.
pub(super) fn functions(document: &Value) -> BTreeMap<String, Value> {
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
        let (code, handler) = (&function["Properties"]["CodeUri"], &function["Properties"]["Handler"]);
        assert_eq!((code, handler), (&json!("functions"), &json!(name)));
        let build = json!({"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": "functions"}});
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
            "barUser" | "slowMode" | "listBars" | "reportMessage" | "listReports" => {
                assert_eq!(route["FunctionArn"], arn("ModerateFunction"));
                routed.insert("ModerateFunction".into());
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

pub(super) fn of_type<'a>(document: &'a Value, kind: &'static str) -> impl Iterator<Item = (&'a String, &'a Value)> {
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
        // What waits to be invoked is told of one function alone, and of all only with other applications' functions.
        if watcher["Properties"]["MetricName"].as_str().is_some_and(|name| name.starts_with("AsyncEvent")) {
            continue;
        }
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
    // With what is there only where events go out.
    let body = &document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let of_events = body[1]["OfEvents"]["Fn::If"][1]["Fn::Sub"].as_str().expect("a text");
    let dashboard = &body[0].as_str().expect("a text").replace("${OfEvents}", of_events);
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

/// Whoever invokes it does not wait for it: what becomes of such an event is told by Lambda alone.
#[test]
fn events_that_wait_for_their_function_or_are_dropped_raise_an_alarm() {
    let document = document();
    let invoked: BTreeSet<_> = functions(&document)
        .into_iter()
        .filter(|(_, function)| !function["Properties"]["EventInvokeConfig"].is_null())
        .map(|(id, _)| id)
        .collect();
    assert_eq!(invoked, BTreeSet::from(["DeliverFunction".to_owned()]));
    // How late it is, and that it is lost: metric, statistic, and above what.
    for (metric, statistic, threshold) in [("AsyncEventAge", "Maximum", 60_000), ("AsyncEventsDropped", "Sum", 0)] {
        let alarms = of_type(&document, "AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]);
        let watched: Vec<_> = alarms.filter(|alarm| alarm["MetricName"] == metric).collect();
        assert_eq!(watched.len(), invoked.len(), "{metric}");
        for alarm in watched {
            let of = alarm["Dimensions"][0]["Value"]["Ref"].as_str().expect("a function");
            assert!(invoked.contains(of), "{metric}: {of}");
            assert_eq!((&alarm["Namespace"], &alarm["Statistic"]), (&json!("AWS/Lambda"), &json!(statistic)));
            assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
            assert_eq!(alarm["Threshold"], threshold, "{metric}");
        }
    }
}

/// A function that nobody waits for is repeated by Lambda, and whoever has a right to start it knows its name.
#[test]
fn who_stores_in_a_room_may_wake_its_courier_and_knows_it() {
    let template = template();
    let may: BTreeSet<_> = template
        .functions
        .iter()
        .filter(|(_, function)| function.rights.contains("lambda:InvokeFunction DeliverFunction"))
        .map(|(id, _)| id.as_str())
        .collect();
    let wakers = ["ChangeMessageFunction", "SendMessageFunction", "SocketIoFunction"];
    assert_eq!(may, wakers.into_iter().chain(["DeliverFunction"]).collect());
    let variable = |id: &str, name: &str| template.functions[id].variables.get(name).map(String::as_str);
    for (id, function) in &template.functions {
        let told = wakers.contains(&id.as_str()).then_some("DeliverFunction");
        assert_eq!(variable(id, "DELIVER_FUNCTION"), told, "{id}");
        let limits = ["POSTS_PER_SECOND", "LARGE_ROOM", "HOT_ROOM"].map(|name| variable(id, name));
        let expected = may.contains(id.as_str()).then_some(["5000", "1100", "1000"]);
        assert_eq!(limits, expected.map_or([None; 3], |expected| expected.map(Some)), "{id}");
        assert!(function.timeout.as_secs() <= 900, "{id}: Lambda's longest");
    }
    let courier = &functions(&document())["DeliverFunction"]["Properties"];
    let repeated = json!({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 300});
    assert_eq!(courier["EventInvokeConfig"], repeated);
    assert_eq!((&courier["MemorySize"], &courier["Timeout"]), (&json!(1_769), &json!(900)));
    assert!(courier["Events"].is_null() && courier["FunctionUrlConfig"].is_null(), "it is not reached from outside");
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

pub(super) fn many(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
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
    for folder in ["functions", "local", "ops", "shared", "tests", "web/tests", "recipes/push/tests"] {
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
