//! Every sample event goes through its function with the variables of `.env.example`, and is answered as the table in
//! `events/README.md` says: in this process, or with `CHAT_INVOKE=cargo-lambda` as the README says it is done with cargo-lambda.

use chat_aws::Vars;
use chat_tests::{CargoLambda, Server, conversation, invoke, sample, sample_names};
use functions::FUNCTIONS;
use std::collections::BTreeSet;

const ENV_EXAMPLE: &str = include_str!("../../../.env.example");

/// `.env.example`, with the addresses of a run that is not on the default ports.
fn env_file(server: &Server) -> String {
    let vars = server.vars();
    let mut text = ENV_EXAMPLE.to_owned();
    for (variable, default) in [
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
        ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "http://127.0.0.1:3000/dev"),
        ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:3000"),
    ] {
        let line = format!("{variable}={default}\n");
        assert!(text.contains(&line), "{line}");
        text = text.replace(&line, &format!("{variable}={}\n", vars[variable]));
    }
    text
}

#[tokio::test]
async fn every_sample_goes_through_its_function() {
    let server = Server::start_with_parameter("SocketIo", "on").await;
    let env = env_file(&server);
    let samples = conversation();
    match Vars::from_env().optional("CHAT_INVOKE") {
        None => {
            let lines = env.lines().filter(|line| !line.starts_with('#'));
            // What a function is called is said by Lambda, and by cargo-lambda.
            let name = ("AWS_LAMBDA_FUNCTION_NAME", "DeliverFunction");
            let vars: Vars = lines.map(|line| line.split_once('=').expect("NAME=VALUE")).chain([name]).collect();
            for one in samples {
                one.check(&invoke(one.function, &vars, sample(&one.name)).await);
            }
        }
        Some("cargo-lambda") => {
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join(".env");
            std::fs::write(&file, env).expect("written");
            // The samples of one function follow one another.
            for group in samples.chunk_by(|one, other| one.function == other.function) {
                let function = CargoLambda::watch(group[0].function, &file).await;
                for one in group {
                    one.check(&function.invoke(&one.name, &sample(&one.name)).await);
                }
                function.stop().await;
            }
        }
        Some(other) => panic!("CHAT_INVOKE is {other:?}; it can be cargo-lambda"),
    }
    server.stop().await;
}

#[test]
fn every_sample_is_sent_once() {
    let sent: Vec<_> = conversation().into_iter().map(|sample| sample.name).collect();
    assert_eq!(sent.iter().cloned().collect::<BTreeSet<_>>(), sample_names());
    assert_eq!(sent.len(), sample_names().len(), "{sent:?}");
}

#[test]
fn every_function_has_a_sample() {
    let names = sample_names();
    for (name, _) in FUNCTIONS {
        assert!(
            names.contains(name),
            "events/{name}.json is missing, or an example of its frame in docs/asyncapi.yaml"
        );
    }
}
