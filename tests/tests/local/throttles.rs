//! How much a stage and an account let through, and what is said of the rest.

use super::gateway::{only_connection, post};
use chat_local::{Limits, Throttle};
use chat_tests::{Client, Server, in_time, until};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;

fn is_too_many(frame: &Value) -> bool {
    frame["message"] == "Too Many Requests" && frame["connectionId"].is_string() && frame["requestId"].is_string()
}

/// Sends many pings at once. Returns the number of pongs and of the gateway's refusals.
async fn ping_at_once(client: &mut Client, count: usize) -> (usize, usize) {
    for _ in 0..count {
        client.send(json!({"action": "ping"})).await;
    }
    let (mut pongs, mut refusals) = (0, 0);
    for _ in 0..count {
        let frame = client.next().await;
        pongs += usize::from(frame["type"] == "pong");
        refusals += usize::from(is_too_many(&frame));
    }
    assert_eq!(pongs + refusals, count);
    (pongs, refusals)
}

/// Reads the history until it is refused. Returns the refusal.
async fn read_until_refused(server: &Server) -> (u16, Value) {
    let refused = async {
        loop {
            let read = || server.history("chatroomId=1");
            let pages: [_; 3] = tokio::join!(read(), read(), read()).into();
            if let Some(refused) = pages.into_iter().find(|page| page.status != 200) {
                break (refused.status, refused.body);
            }
        }
    };
    in_time("it is refused", refused).await
}

#[tokio::test]
async fn each_route_lets_through_what_its_stage_is_set_to() {
    let server = Server::start_with_parameter("RequestsPerSecond", "1").await;
    let mut client = server.connect(1).await;
    let refused = async {
        loop {
            let url = server.socket_url(&server.token_of(2));
            let shake = || async { Client::shake(ClientRequestBuilder::new(url.parse().expect("a URL"))).await };
            let (one, two, three) = tokio::join!(shake(), shake(), shake());
            if let Some(Err(refused)) = [one, two, three].into_iter().find(Result::is_err) {
                break refused;
            }
        }
    };
    let refused = in_time("one of them is refused", Box::pin(refused)).await;
    let tungstenite::Error::Http(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused.status().as_u16(), 429);

    let (pongs, refusals) = ping_at_once(&mut client, 50).await;
    assert!(pongs > 0 && refusals > 0, "{pongs} pongs, {refusals} refusals");
    // Other routes have their own buckets, and this one fills again.
    client.join(1).await;
    until("it fills", async || ping_at_once(&mut client, 1).await.0 > 0).await;
    assert_eq!(read_until_refused(&server).await, (429, json!({"message": "Too Many Requests"})));
    server.stop().await;
}

#[tokio::test]
async fn an_account_lets_through_so_much_of_all_apis_and_posts_together() {
    let limits = Limits { account: Throttle { per_second: 1.0, burst: 10.0 }, ..Limits::default() };
    let server = Server::start_with_limits(limits).await;
    let mut client = server.connect(1).await;
    let id = only_connection(&server).await;
    let full = async {
        loop {
            let answer = post(&server, id.clone(), json!({"type": "pong"}).to_string()).await;
            if answer.0 != 200 {
                break answer;
            }
            client.next().await;
        }
    };
    let full = in_time("it is refused", full).await;
    assert_eq!(full, (429, Some("LimitExceededException".into())));
    assert!(ping_at_once(&mut client, 50).await.1 > 0);
    assert_eq!(read_until_refused(&server).await.0, 429);
    // `$disconnect` runs whatever the throttle.
    client.close().await;
    server.forgets_connections().await;
    server.stop().await;
}
