//! A local run that cannot start says why, and harms no other.

use chat_local::Limits;
use chat_tests::Server;

#[tokio::test]
async fn two_runs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_in(folder.path()).await;
    let error = Server::try_start_in(folder.path()).await.expect_err("the folder is taken");
    assert!(error.contains("is in use by another run"), "{error}");
    server.stop().await;
    Server::start_in(folder.path()).await.stop().await;
}

#[tokio::test]
async fn what_cannot_start_says_so_in_one_line() {
    let server = Server::start().await;
    let taken: u16 = server.url("").rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let template = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"));
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.yaml");
    std::fs::write(&broken, "Resources: [").expect("written");
    let options = |port, template| chat_local::Options {
        s3_port: 0,
        port,
        dynamodb_port: 0,
        data: None,
        events: None,
        template,
        parameters: Default::default(),
        limits: Limits::default(),
        review: None,
        interference: None,
    };
    for (options, said) in [
        (options(taken, template), format!("failed to listen on 127.0.0.1:{taken}; --port chooses another port")),
        (options(0, broken), "broken.yaml cannot be run".into()),
        (options(0, folder.path().join("none.yaml")), "none.yaml".into()),
    ] {
        let Err(error) = chat_local::Local::start(options).await else { panic!("it started") };
        let line = format!("{error:#}");
        assert!(line.contains(&said) && !line.contains('\n'), "{line}");
    }
    server.stop().await;
}
