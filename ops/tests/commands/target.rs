//! Which deployment a command is about: the one that was named, and never another one beside it.

use crate::account::{Account, SESSION};
use crate::{local, ops, rows};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use chat_tests::{Server, proxy};
use std::sync::{Arc, Mutex, PoisonError};

/// The environment names a deployment that is there; the stack is something else.
#[tokio::test]
async fn a_stack_that_is_no_chat_room_is_not_replaced_by_the_environment() {
    let server = Server::start().await;
    let mut seven = server.connect(7).await;
    seven.join(1).await;
    seven.say(1, "hi").await;
    let before = [rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await];
    for output in ["ConnectionsTableName", "ChatTableName", "FilesBucketName", "ManagementUrl"] {
        let account = Account::of(&server).await;
        account.change("DescribeStacks", output, "SomethingElse");
        let why = format!("stack chat has no output {output}: is it this chat room?");
        let typed = |arguments: &[&str]| {
            let typed = ops(&[&["--stack", "chat"], arguments].concat()).to(&server);
            typed.with("AWS_ENDPOINT_URL", account.url()).with("AWS_SESSION_TOKEN", SESSION)
        };
        for arguments in [&["disconnect-user", "7"][..], &["erase-user", "7", "--yes"], &["export-room", "1"]] {
            let said = typed(arguments).run().await;
            let expected = (1, "", format!("error: {why}\n"));
            assert_eq!((said.code, said.out.as_str(), said.err), expected, "{arguments:?}");
        }
        let said = typed(&["check"]).with("TOKEN_SECRET", server.secret()).run().await;
        assert!(said.code == 1 && said.out.starts_with("not ok   stack       chat is UPDATE_COMPLETE: "), "{said:?}");
        assert!(said.out.contains(&why), "{said:?}");
        for what in ["http", "websocket", "clock", "message"] {
            assert!(said.out.contains(&format!("unknown  {what:<11}")), "{what} is of another deployment: {said:?}");
        }
    }
    assert_eq!([rows(&server, "ChatTable").await, rows(&server, "ConnectionsTable").await], before);
    server.stop().await;
}

/// Whoever names a port and forgets `--local` would speak to what the environment names.
#[tokio::test]
async fn a_port_is_of_the_local_run() {
    for arguments in [
        &["--port", "3001", "erase-user", "7"][..],
        &["check", "--dynamodb-port", "8001"],
        &["export-room", "1", "--stage", "prod"],
        &["--stack", "chat", "--port", "3001", "check"],
    ] {
        let said = ops(arguments).run().await;
        assert!(said.code == 2 && said.err.contains("--local"), "{arguments:?}: {said:?}");
    }
    // Wherever on the command line they stand.
    let said = ops(&["--stack", "chat", "check", "--local"]).run().await;
    assert!(said.code == 2 && said.err.contains("cannot be used with"), "{said:?}");
    let server = Server::start().await;
    server.connect(7).await.close().await;
    let local = local(&server);
    let (name, ports) = local.split_first().expect("arguments");
    let ports: Vec<_> = ports.iter().map(String::as_str).collect();
    for arguments in
        [[&[name.as_str(), "erase-user", "7"], &ports[..]].concat(), [&ports[..], &["erase-user", "7", name]].concat()]
    {
        ops(&arguments).succeeds().await;
    }
    server.stop().await;
}

/// The local run's DynamoDB, and whoever listens at that port, need not see the session of somebody's account.
#[tokio::test]
async fn a_session_of_an_account_does_not_go_to_the_local_run() {
    let seen = Arc::<Mutex<Vec<HeaderMap>>>::default();
    let kept = Arc::clone(&seen);
    let answer = async move |headers: HeaderMap| {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(headers);
        StatusCode::BAD_REQUEST
    };
    let url = proxy::serve(Router::new().fallback(answer)).await;
    let port = url.rsplit(':').next().expect("a port");
    ops(&["--local", "--dynamodb-port", port, "export-room", "1"]).with("AWS_SESSION_TOKEN", SESSION).fails().await;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(!seen.is_empty() && !format!("{seen:?}").contains(SESSION), "{seen:?}");
}
