//! What the documents tell an operator to type fits the template.

use chat_local::Template;
use serde_json::Value;
use std::collections::BTreeSet;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(name: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}/{name}")).expect("a text")
}

fn template() -> Value {
    Template::document(&text("template.yaml")).expect("parses")
}

fn resources<'a>(template: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let resources = template["Resources"].as_object().expect("resources").values();
    resources.filter(move |resource| resource["Type"] == kind).map(|resource| &resource["Properties"])
}

/// The documents that tell how to deploy.
fn deploy_pages() -> String {
    ["README.md", "docs/deploy.md", "docs/operate.md", "docs/tokens.md"].map(text).join("\n")
}

/// The blocks of commands, with every command on one line.
fn blocks(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| block.replace("\\\n", " ")).collect()
}

/// What a command sets: `NAME=` after `--parameter-overrides`.
fn set_by(command: &str) -> Vec<&str> {
    let overrides = command.split("--parameter-overrides ").nth(1).unwrap_or_default();
    overrides.split_whitespace().filter(|word| word.contains('=')).collect()
}

#[test]
fn every_parameter_is_explained_and_no_other_is_set() {
    let (template, page) = (template(), text("docs/deploy.md"));
    let parameters: BTreeSet<_> = template["Parameters"].as_object().expect("parameters").keys().cloned().collect();
    let rows = page.lines().skip_while(|line| !line.starts_with("| parameter |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let explained: BTreeSet<_> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .map(String::from)
        .collect();
    assert_eq!(explained, parameters);
    let shown = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].to_string();
    for parameter in &parameters {
        assert!(shown.contains(&format!("\"{parameter}\"")), "{parameter} is in no group");
    }
    let deploys: Vec<_> = blocks(&deploy_pages()).into_iter().filter(|block| block.contains("sam deploy")).collect();
    assert!(deploys.len() > 4, "the blocks were found");
    for command in deploys.iter().flat_map(|block| block.lines()).filter(|line| line.starts_with("sam ")) {
        for set in set_by(command) {
            let name = set.split('=').next().unwrap_or_default();
            assert!(parameters.contains(name), "{name} in {command}");
        }
    }
}

/// `sam build` compiles, `sam deploy` says for what, and neither asks the other.
#[test]
fn what_is_deployed_for_an_architecture_was_built_for_it() {
    let mut told = 0;
    for block in blocks(&deploy_pages()) {
        let of = |program: &str| {
            let commands = block.lines().filter(|line| line.starts_with(program)).flat_map(set_by);
            commands.filter(|set| set.starts_with("Architecture=")).collect::<Vec<_>>()
        };
        let deployed = of("sam deploy");
        assert_eq!(deployed, of("sam build"), "{block}");
        told += deployed.len();
    }
    assert!(told > 0, "one of them says how");
}

/// By the name of a stack, `sam logs` asks a WebSocket API for a stage `$default`, which it cannot have.
#[test]
fn logs_are_asked_for_by_their_group() {
    let pages = deploy_pages();
    assert!(pages.contains("sam logs --cw-log-group "));
    assert_eq!(pages.matches("sam logs ").count(), pages.matches("sam logs --cw-log-group ").count());
    assert_eq!(template()["Outputs"]["FunctionLogsName"]["Value"]["Ref"], "FunctionLogs");
}

#[test]
fn what_stands_still_costs_what_is_said() {
    let (template, costs) = (template(), text("docs/costs.md").replace('\n', " "));
    let always = template["Resources"].as_object().expect("resources").values();
    let alarms =
        always.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm" && resource["Condition"].is_null());
    let alarms = alarms.map(|alarm| &alarm["Properties"]).map(|alarm| {
        let metrics =
            alarm["Metrics"].as_array().map(|metrics| metrics.iter().filter(|one| !one["MetricStat"].is_null()));
        metrics.map_or(1, Iterator::count)
    });
    // List prices: $0.10 for a metric under alarm, $0.30 for one of one's own, $3 for a dashboard; free are ten, ten
    // and three.
    let (alarms, counted) = (alarms.sum::<usize>(), resources(&template, "AWS::Logs::MetricFilter").count());
    for said in [
        format!("{alarms} metrics under alarm are ${:.2}", alarms as f64 * 0.1),
        format!("{counted} that are counted from the log ${:.2}", counted as f64 * 0.3),
        format!("takes all but ${:.2}", alarms.saturating_sub(10) as f64 * 0.1),
    ] {
        assert!(costs.contains(&said), "{said}");
    }
}

/// DynamoDB restores rows, keys and the way of billing.
#[test]
fn a_restored_table_is_given_every_setting_that_the_template_gives() {
    let (template, restore) = (template(), text("docs/restore.md"));
    let table = template["Resources"]["ChatTable"]["Properties"].as_object().expect("a table");
    for (setting, value) in table {
        let command = match setting.as_str() {
            "AttributeDefinitions" | "BillingMode" | "KeySchema" => continue,
            "DeletionProtectionEnabled" => "--deletion-protection-enabled".into(),
            "PointInTimeRecoverySpecification" => {
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true".into()
            }
            "StreamSpecification" => {
                let view = value["Fn::If"][1]["StreamViewType"].as_str().expect("a view");
                format!("--stream-specification StreamEnabled=true,StreamViewType={view}")
            }
            "TimeToLiveSpecification" => {
                let attribute = value["AttributeName"].as_str().expect("a name");
                format!("--time-to-live-specification Enabled=true,AttributeName={attribute}")
            }
            other => panic!("docs/restore.md does not say how {other} is set again"),
        };
        let (_, after) = restore.split_once("restore-table-from-backup").expect("the restore");
        assert!(after.contains(&command), "{setting}: {command}");
    }
}
