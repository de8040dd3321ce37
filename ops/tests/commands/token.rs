//! `token`: what it signs is taken, and the secret is nowhere but in the signature.

use crate::ops;
use chat_tests::{Client, Server};
use serde_json::json;

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
