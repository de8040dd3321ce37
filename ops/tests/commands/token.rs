//! `token`: what it signs is taken, and the secret is nowhere but in the signature.

use crate::ops;
use chat_tests::{Client, Server};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

#[tokio::test]
async fn a_token_of_the_command_opens_the_rooms_that_it_names() {
    let server = Server::start().await;
    let typed = || ops(&["token", "7", "--name", "光", "--rooms", "1, lobby", "--minutes", "5"]);
    let by_variable = typed().with("TOKEN_SECRET", server.secret()).succeeds().await;
    // As a file holds it, with a line break.
    let by_input = typed().input(&format!("{}\n", server.secret())).succeeds().await;
    for token in [by_variable, by_input] {
        assert!(!token.contains(server.secret()));
        let mut client = Client::connect(&server.socket_url(token.trim_end())).await;
        client.join("lobby").await;
        client.say(1, "hi").await;
        let refused = client.ask(json!({"action": "joinRoom", "chatroomId": 2})).await;
        assert_eq!(refused["code"], "notAllowed", "{refused}");
        let page = server.history("chatroomId=1").await;
        assert_eq!(page.body[0]["sender"]["nickName"], "光");
        client.close().await;
    }
    let over = ops(&["token", "7", "--minutes", "0"]).with("TOKEN_SECRET", server.secret()).succeeds().await;
    assert!(over.len() > 50, "good for the minute that clocks may differ by");
    server.stop().await;
}

/// By the Node that `CHAT_NODE` names, or the one that is there. Only where it is named does it fail to be there.
#[tokio::test]
#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "whoever has no Node reads why nothing was tried")]
async fn the_one_for_node_signs_the_same() {
    let server = Server::start().await;
    let named = std::env::var("CHAT_NODE").ok();
    let sign = |arguments: &[&str], secret: &str| {
        let mut command = Command::new(named.as_deref().unwrap_or("node"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/token.mjs")).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        process.stdin.take().expect("standard input").write_all(secret.as_bytes())?;
        process.wait_with_output()
    };
    let signed = match sign(&["7", "1,, lobby,"], &format!("{}\n", server.secret())) {
        Ok(signed) => signed,
        Err(error) if named.is_none() => return println!("not tried, without Node: {error}"),
        Err(error) => panic!("CHAT_NODE: {error}"),
    };
    let token = String::from_utf8(signed.stdout).expect("a text");
    assert!(!token.contains(server.secret()));
    let mut client = Client::connect(&server.socket_url(token.trim_end())).await;
    client.join("lobby").await;
    let refused = client.ask(json!({"action": "joinRoom", "chatroomId": 2})).await;
    assert_eq!(refused["code"], "notAllowed", "{refused}");
    for (arguments, secret, said) in [
        (&["7"][..], "short", "the secret on standard input is shorter than 32 bytes"),
        (&[], server.secret(), "usage:"),
    ] {
        let refused = sign(arguments, secret).expect("it runs");
        let said_so = String::from_utf8_lossy(&refused.stderr).contains(said);
        assert!(!refused.status.success() && refused.stdout.is_empty() && said_so, "{refused:?}");
    }
    client.close().await;
    server.stop().await;
}

#[tokio::test]
async fn what_the_authorizer_would_refuse_is_refused_here() {
    let secret = "a secret of this test, 32 bytes or more";
    for (arguments, secret, said) in [
        (&["token", "7"][..], "tiny", "TOKEN_SECRET is shorter than 32 bytes"),
        (&["token", ""], secret, "user \"\" gets no token"),
        (&["token", "7", "--name", " "], secret, "the name cannot be shown as it is"),
        (&["token", "7", "--name", "gu\u{202e}ang"], secret, "the name cannot be shown as it is"),
        (&["token", "7", "--rooms", "\u{1}"], secret, "rooms must be"),
    ] {
        let error = ops(arguments).with("TOKEN_SECRET", secret).fails().await;
        assert!(error.contains(said) && !error.contains(secret), "{arguments:?}: {error}");
    }
    // Half of a secret signs what nobody takes.
    let long = "a".repeat(4_099);
    let error = ops(&["token", "7"]).input(&long).fails().await;
    assert!(error.contains("the secret on standard input is longer than 4096 bytes"), "{error}");
    ops(&["token", "7"]).input(&format!("{}\r\n", &long[3..])).succeeds().await;
    let error = ops(&["token", "7"]).input("short\n").fails().await;
    assert!(error.contains("the secret on standard input is shorter than 32 bytes"), "{error}");
}

/// An argument stands in the list of processes, and in the shell's history.
#[tokio::test]
async fn no_command_takes_a_secret_as_an_argument() {
    for command in ["disconnect-user", "token", "export-room", "erase-user", "check"] {
        let help = ops(&[command, "--help"]).succeeds().await;
        let options = help.lines().filter(|line| line.trim_start().starts_with('-'));
        for option in options {
            let name = option.trim_start().to_lowercase();
            assert!(
                !["secret", "token", "key", "password"].iter().any(|word| name.starts_with(&format!("--{word}"))),
                "{option}"
            );
        }
        assert!(ops(&[command, "--secret", "x"]).run().await.code == 2, "{command}");
    }
}
