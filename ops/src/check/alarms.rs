//! Whether somebody is told when something goes wrong.

use super::{Found, Subject};
use crate::account::{Account, CLOUDWATCH, SNS, members};
use crate::stack::{Resource, Stack};
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// What the stack made: its alarms are those that it has, whatever they are called.
pub async fn resources(subject: &Subject) -> Result<Vec<Resource>, String> {
    let looked = async {
        let name = subject.stack.as_deref().context("name the stack with --stack")?;
        Stack::resources(&Account::new(&subject.vars)?, name).await
    };
    looked.await.map_err(|error| format!("{error:#}"))
}

fn of<'a>(resources: &'a [Resource], kind: &str) -> Vec<&'a Resource> {
    resources.iter().filter(|resource| resource.kind == kind).collect()
}

/// Whether all of them are there, and quiet
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>).
pub async fn exist(subject: &Subject, resources: &Result<Vec<Resource>, String>) -> Found {
    let resources = match resources {
        Ok(resources) => resources,
        Err(why) => return Found::unknown(why, "may you cloudformation:ListStackResources?"),
    };
    let expected = of(resources, "AWS::CloudWatch::Alarm");
    if expected.is_empty() {
        return Found::NotOk("the stack has no alarms: deploy the template as it is".into());
    }
    let described = async {
        let named = expected.iter().enumerate();
        let named = named.map(|(at, alarm)| (format!("AlarmNames.member.{}", at + 1), alarm.physical.as_str()));
        let parameters: Vec<_> = named.chain([("MaxRecords".to_owned(), "100")]).collect();
        let answer = Account::new(&subject.vars)?.query(CLOUDWATCH, "DescribeAlarms", &parameters).await?;
        members(&answer, "MetricAlarms")
    };
    let described = match described.await {
        Ok(described) => described,
        Err(error) => return Found::unknown(error, "may you cloudwatch:DescribeAlarms?"),
    };
    let described: Vec<BTreeMap<_, _>> = described.into_iter().map(|alarm| alarm.into_iter().collect()).collect();
    let mut wrong = BTreeMap::new();
    for alarm in &expected {
        let found = described.iter().find(|found| found.get("AlarmName") == Some(&alarm.physical));
        let text = |name: &str| found.and_then(|found| found.get(name)).map(String::as_str).unwrap_or_default();
        let (state, what_to_do) = match found {
            None => ("gone", "deploy again"),
            Some(_) if text("StateValue") == "ALARM" => ("ringing", "look at the stack's output DashboardUrl"),
            Some(_) if text("ActionsEnabled") == "false" => ("switched off", "enable their actions"),
            Some(_) if text("AlarmActions").is_empty() => ("sent to nobody", "deploy with AlarmEmail"),
            Some(_) => continue,
        };
        wrong.entry((state, what_to_do)).or_insert_with(Vec::new).push(alarm.logical.as_str());
    }
    if wrong.is_empty() {
        return Found::Ok(format!("{} alarms are there, and none rings", expected.len()));
    }
    let wrong =
        wrong.into_iter().map(|((state, what_to_do), alarms)| format!("{state}: {}; {what_to_do}", alarms.join(", ")));
    Found::NotOk(wrong.collect::<Vec<_>>().join(". "))
}

/// Whether whoever gets the mails said yes to them
/// (<https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html>).
pub async fn reach_somebody(subject: &Subject, resources: &Result<Vec<Resource>, String>) -> Found {
    let resources = match resources {
        Ok(resources) => resources,
        Err(why) => return Found::unknown(why, "may you cloudformation:ListStackResources?"),
    };
    let Some(topic) = of(resources, "AWS::SNS::Topic").first().map(|topic| topic.physical.clone()) else {
        return Found::NotOk("alarms are sent to nobody: deploy with AlarmEmail".into());
    };
    let listed = async {
        let parameters = [("TopicArn".to_owned(), topic.as_str())];
        let answer = Account::new(&subject.vars)?.query(SNS, "ListSubscriptionsByTopic", &parameters).await?;
        members(&answer, "Subscriptions")
    };
    let subscriptions = match listed.await {
        Ok(subscriptions) => subscriptions,
        Err(error) => return Found::unknown(error, "may you sns:ListSubscriptionsByTopic?"),
    };
    // Until it is confirmed, or once it is deleted, there is a word instead of an ARN.
    let arn = |subscription: &&Vec<(String, String)>| {
        subscription.iter().any(|(name, value)| name == "SubscriptionArn" && value.starts_with("arn:"))
    };
    let (all, confirmed) = (subscriptions.len(), subscriptions.iter().filter(arn).count());
    match all {
        0 => Found::NotOk("nobody subscribed to the alarms: deploy with AlarmEmail".into()),
        _ if confirmed == 0 => Found::NotOk("nobody confirmed the alarms: open the link in AWS's mail".into()),
        _ if confirmed < all => {
            Found::NotOk(format!("{confirmed} of {all} confirmed the alarms: open the link in AWS's mail"))
        }
        _ => Found::Ok(format!("alarms are sent to {all}, confirmed")),
    }
}
