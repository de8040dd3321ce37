//! `disconnect-user`: whoever is shut out is gone, and a mistyped name shuts out nobody.

use crate::{local, ops, rows};
use chat_tests::{Client, Server, until};

/// What is typed beside a local run that is up.
#[tokio::test]
async fn the_command_speaks_to_the_run_that_is_up() {
    let server = Server::start().await;
    let mut device = server.connect(7).await;
    device.join(1).await;
    let local = local(&server);
    let typed = |more: &[&str]| {
        let arguments: Vec<_> = local.iter().map(String::as_str).chain(["disconnect-user"]).collect();
        ops(&[&arguments, more].concat())
    };
    // Who mistypes an id is told, and nothing is done.
    let before = rows(&server, "ChatTable").await;
    for mistyped in ["7 ", "07", "8"] {
        let said = typed(&[mistyped]).fails().await;
        assert!(said.contains("was never seen"), "{mistyped}: {said}");
    }
    let said = typed(&["", "--unseen"]).fails().await;
    assert!(said.contains("is no user's id"), "{said}");
    assert_eq!(rows(&server, "ChatTable").await, before);
    let done = |user: u32, ended: u32| {
        format!("user {user}: connections ended: {ended}; no token that was issued until a minute from now connects\n")
    };
    assert_eq!(typed(&["8", "--unseen"]).succeeds().await, done(8, 0));
    assert_eq!(typed(&["7"]).succeeds().await, done(7, 1));
    device.closed().await;
    for user in [7, 8] {
        assert_eq!(Client::refused(&server.socket_url(&server.token_of(user))).await, 403);
    }
    server.stop().await;
}

/// The names of the tables are typed, too.
#[tokio::test]
async fn the_command_writes_nothing_where_the_tables_are_not_those() {
    let server = Server::start().await;
    let mut device = server.connect(7).await;
    let (connections, chat) = ("ConnectionsTable", "ChatTable");
    let typed = |connections: &str, chat: &str| {
        let typed = ops(&["disconnect-user", "7", "--unseen"]).to(&server);
        typed.with("CONNECTIONS_TABLE", connections).with("CHAT_TABLE", chat)
    };
    let all = async || [rows(&server, connections).await, rows(&server, chat).await];
    let before = all().await;
    for (connections_given, chat_given, said) in [
        (chat, connections, "ConnectionsTable is not the chat table\n"),
        (chat, chat, "ChatTable is not the table of connections\n"),
        (connections, connections, "ConnectionsTable is not the chat table\n"),
    ] {
        let error = typed(connections_given, chat_given).fails().await;
        assert!(error.ends_with(said), "{error}");
    }
    assert_eq!(all().await, before);
    typed(connections, chat).succeeds().await;
    device.closed().await;
    // Nobody is connected: the chat table still says what it is.
    until("its rows go away", async || server.keys(connections).await.is_empty()).await;
    typed(connections, chat).succeeds().await;
    let error = typed(chat, connections).fails().await;
    assert!(error.ends_with("ConnectionsTable is empty: nobody ever connected\n"), "{error}");
    server.stop().await;
}

/// What the functions of the local run had in `cargo run` says where it went.
#[tokio::test]
async fn without_credentials_it_says_what_it_needs() {
    let said = ops(&["disconnect-user", "7"]).fails().await;
    assert_eq!(said, "error: failed to start: AWS_REGION is not set\n");
}
