//! The recipes' templates, applied to events of a real local run. The search index has tests of its own.

use chat_local::{InputTemplate, Pattern, Template};
use chat_tests::{Server, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn template(recipe: &str) -> Value {
    let text = std::fs::read_to_string(format!("{ROOT}/recipes/{recipe}/template.yaml")).expect("a template");
    Template::document(&text).expect("parses")
}

/// The properties of the one resource of a type.
fn only<'a>(template: &'a Value, kind: &str) -> &'a Value {
    let resources = template["Resources"].as_object().expect("resources").values();
    let mut found = resources.filter(|resource| resource["Type"] == kind);
    let resource = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "there is one {kind}");
    &resource["Properties"]
}

/// The events of a room in which somebody writes, edits and recalls, and somebody else reports.
async fn events() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    let server = Server::start_with_events(&file).await;
    let mut client = server.connect(7).await;
    client.say("a \"room\"", "one \"two\"\n<id>").await;
    let room = json!("a \"room\"");
    client
        .ask(json!({"action": "editMessage", "chatroomId": room, "id": 1, "clientMessageId": "e",
        "message": {"type": "text", "content": "three"}}))
        .await;
    client.ask(json!({"action": "deleteMessage", "chatroomId": room, "id": 1})).await;
    let report = json!({"PK": {"S": "ROOM#1"}, "SK": {"S": "REPORT#0000000000000001#8"}, "id": {"N": "1"}, "reporterId": {"N": "8"},
        "reason": {"S": "spam"}, "createTime": {"N": "1741746165123"}});
    server.dynamodb("PutItem", json!({"TableName": "ChatTable", "Item": report})).await;
    let read = || std::fs::read_to_string(&file).expect("a text");
    until("four events come", async || read().lines().count() == 4).await;
    server.stop().await;
    read().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn the_webhook_posts_messages_and_changes_as_it_says() {
    let template = template("webhook");
    let rule = only(&template, "AWS::Events::Rule");
    let pattern = Pattern::read(&rule["EventPattern"]).expect("a pattern");
    let target = &rule["Targets"][0];
    let paths = target["InputTransformer"]["InputPathsMap"].as_object().expect("paths");
    let paths: BTreeMap<_, _> =
        paths.iter().map(|(name, path)| (name.as_str(), path.as_str().expect("a path"))).collect();
    let input = target["InputTransformer"]["InputTemplate"].as_str().expect("a template");
    let input = InputTemplate::of_rule(input, &paths).expect("understood");

    let events = events().await;
    let posted: Vec<_> = events.iter().filter(|event| pattern.matches(event)).collect();
    assert_eq!(posted.len(), 3, "the report is none of them");
    let posts: Vec<_> = posted.iter().map(|event| input.apply(event).expect("a post")).collect();
    for (post, event) in posts.iter().zip(&posted) {
        assert_eq!(*post, json!({"id": event["id"], "event": event["detail"]["event"], "row": event["detail"]["row"]}));
    }
    let contents: Vec<_> = posts.iter().map(|post| &post["row"]["content"]["S"]).collect();
    assert_eq!(contents, [&json!("one \"two\"\n<id>"), &json!("three"), &json!("")]);
    // What the page shows is what is posted.
    let page = std::fs::read_to_string(format!("{ROOT}/recipes/webhook/README.md")).expect("a page");
    let shown = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let shown: Value = serde_json::from_str(shown).expect("JSON");
    let fields = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!((fields(&shown), fields(&shown["row"])), (fields(&posts[0]), fields(&posts[0]["row"])));

    // No event of somebody else's, wherever it comes from.
    let mut foreign = events[0].clone();
    foreign["source"] = json!("aws.s3");
    assert!(!pattern.matches(&foreign));
}

/// EventBridge may do with each recipe's targets what the recipe is for, and drops nothing without a word.
#[test]
fn a_recipe_tells_of_what_it_could_not_deliver() {
    for recipe in ["webhook", "search", "push"] {
        let template = template(recipe);
        let rule = only(&template, "AWS::Events::Rule");
        assert_eq!(rule["EventBusName"], json!({"Ref": "EventBusName"}), "{recipe}");
        let targets = rule["Targets"].as_array().expect("targets");
        for target in targets {
            let letters = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0].as_str().expect("a queue");
            assert_eq!(template["Resources"][letters]["Type"], "AWS::SQS::Queue", "{recipe}");
        }
        let resources = template["Resources"].as_object().expect("resources");
        let queues = resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::SQS::Queue");
        for (id, queue) in queues {
            assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{recipe}: {id} is encrypted");
            let redriven = !queue["Properties"]["RedrivePolicy"].is_null();
            let watched = resources.values().any(|resource| {
                resource["Type"] == "AWS::CloudWatch::Alarm"
                    && resource["Properties"]["Dimensions"][0]["Value"] == json!({"Fn::GetAtt": [id, "QueueName"]})
            });
            assert!(redriven || watched, "{recipe}: nobody hears of what is in {id}");
        }
        let roles = resources.values().filter(|resource| resource["Type"] == "AWS::IAM::Role");
        for role in roles {
            let statements = role["Properties"]["Policies"].to_string();
            assert!(!statements.contains("\"*\""), "{recipe}: {statements}");
        }
    }
}
