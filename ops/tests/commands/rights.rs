//! The table of rights in README.md is what the commands ask for.

use crate::account::{Account, SESSION};
use crate::{ops, upload};
use chat_aws::Kept;
use chat_tests::{Management, Recorder, Server, enter, ghost, lost_device, remember, room, user};
use std::collections::BTreeSet;

const README: &str = include_str!("../../README.md");

/// What the table says: `ChatTable Scan`, `ConnectionsTable Scan`, `sns:ListSubscriptionsByTopic`.
fn documented(command: &str) -> BTreeSet<String> {
    let row = README.lines().find(|line| line.starts_with(&format!("| `{command}` |")) && line.split('|').count() == 6);
    let row = row.unwrap_or_else(|| panic!("{command} is not in the table"));
    let columns = row.split('|').skip(2).zip(["ChatTable ", "ConnectionsTable ", ""]);
    let rights = columns
        .flat_map(|(column, table)| column.split('`').skip(1).step_by(2).map(move |right| format!("{table}{right}")));
    rights.collect()
}

/// What a command asks of DynamoDB, of the management API, and of the account. It is run for a user with a connection
/// that is there no more, and with another's rows beside.
async fn used(arguments: &[&[&str]]) -> BTreeSet<String> {
    let (server, management) = (Server::start().await, Management::start().await);
    let (recorder, account) = (Recorder::before(server.dynamodb_url()).await, Account::of(&server).await);
    let app = server.app();
    let lost = lost_device();
    remember(&app, "7", lost.clone()).await;
    assert!(app.connections.open(&lost, &user("7"), Kept::default()).await.expect("an answer"));
    app.connections.add_room(&lost.connection, &room("1")).await.expect("it is open");
    enter(&app, &ghost("7"), &room("1")).await;
    management.refuse(&lost.connection, 410);
    let mut seven = server.connect(8).await;
    seven.join(1).await;
    seven.say(1, "hi").await;
    server
        .dynamodb(
            "UpdateItem",
            serde_json::json!({"TableName": "ChatTable",
        "Key": {"PK": {"S": "ROOM#1"}, "SK": {"S": "MSG#0000000000000001"}},
        "UpdateExpression": "SET senderId = :seven", "ExpressionAttributeValues": {":seven": {"N": "7"}}}),
        )
        .await;
    recorder.aim_at_s3(server.s3_url());
    upload(&server, "rooms/MQ/Nw/a/cat.png").await;
    for arguments in arguments {
        let typed = ops(arguments).to(&server).with("AWS_ENDPOINT_URL_DYNAMODB", recorder.url());
        let typed = typed.with("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", management.url());
        let typed = typed.with("AWS_ENDPOINT_URL_S3", recorder.url());
        let typed = typed.with("TOKEN_SECRET", server.secret()).with("AWS_ENDPOINT_URL", account.url());
        let said = typed.with("AWS_SESSION_TOKEN", SESSION).run().await;
        // It is said that the connection was not there.
        assert!(said.code == 0 || said.err.contains("more were known"), "{said:?}");
    }
    let of_table = |call: chat_tests::Call| {
        let of_s3 = call.rights.iter().filter(|right| right.starts_with("s3:"));
        let of_s3 = of_s3.map(|right| right.split(' ').next().expect("an action").to_owned());
        let tables = call.partitions.iter().map(|of| of.split(' ').next().expect("a table").to_owned());
        tables.map(|table| format!("{table} {}", call.operation)).chain(of_s3).collect::<Vec<_>>()
    };
    let mut used: BTreeSet<_> = recorder.take().into_iter().flat_map(of_table).collect();
    if management.attempts(&lost.connection) > 0 {
        used.insert("execute-api:ManageConnections".into());
    }
    used.extend(account.take().into_iter().filter_map(|action| match action.as_str() {
        // Said apart: every command takes it with --stack.
        "DescribeStacks" => None,
        "ListStackResources" | "ListStackResources-2" => Some("cloudformation:ListStackResources".to_owned()),
        "DescribeAlarms" => Some("cloudwatch:DescribeAlarms".into()),
        "ListSubscriptionsByTopic" => Some("sns:ListSubscriptionsByTopic".into()),
        "GetAccountSettings" => Some("lambda:GetAccountSettings".into()),
        other => panic!("{other} is in no table"),
    }));
    server.stop().await;
    used
}

#[tokio::test]
async fn the_documented_rights_are_those_that_are_used() {
    for (command, arguments) in [
        ("disconnect-user", &[&["disconnect-user", "7"][..]][..]),
        ("token", &[&["token", "7"]]),
        ("export-room", &[&["export-room", "1"]]),
        (
            "erase-user",
            // The whole table is only described here; that it is scanned to the end takes no other right.
            &[&["erase-user", "7"], &["erase-user", "7", "--room", "1", "--yes"]],
        ),
        ("check", &[&["--stack", "chat", "check"]]),
    ] {
        assert_eq!(used(arguments).await, documented(command), "{command}: used, documented");
    }
}
