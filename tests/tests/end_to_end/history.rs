//! The history: complete, in order, page by page, and only for those who may read it.

use chat_tests::{Deployment, fresh};
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_several_people_said_is_paged_both_ways_without_repeat_or_hole() {
    const SENDERS: u64 = 5;
    const SENDS: u64 = 50;
    let deployment = Deployment::start().await;
    let room = fresh();
    let senders = join_all((0..SENDERS).map(|_| deployment.connect(fresh()))).await;
    join_all(senders.into_iter().map(|mut sender| async move {
        for n in 0..SENDS {
            sender.say(room, &format!("message {n}")).await;
        }
    }))
    .await;
    let all: Vec<u64> = (1..=SENDERS * SENDS).collect();
    for limit in [100, 37, 50] {
        let mut backward = deployment.history_along("prev", &format!("chatroomId={room}&limit={limit}")).await;
        backward.reverse();
        assert_eq!(backward.concat(), all, "newest to oldest, {limit} at a time");
        let forward = deployment.history_along("next", &format!("chatroomId={room}&limit={limit}&after=0")).await;
        assert_eq!(forward.concat(), all, "oldest to newest, {limit} at a time");
    }
    deployment.stop().await;
}

#[tokio::test]
async fn a_page_lies_where_its_cursor_says() {
    let deployment = Deployment::start().await;
    let room = fresh();
    let mut client = deployment.connect(fresh()).await;
    for n in 0..10 {
        client.say(room, &format!("message {n}")).await;
    }
    for (query, ids) in [
        ("limit=3", vec![8, 9, 10]),
        ("limit=3&before=8", vec![5, 6, 7]),
        ("limit=3&before=2", vec![1]),
        ("limit=3&before=1", vec![]),
        ("limit=3&before=0", vec![]),
        ("limit=3&after=0", vec![1, 2, 3]),
        ("limit=3&after=9", vec![10]),
        ("limit=3&after=10", vec![]),
        ("limit=3&after=9007199254740991", vec![]),
        ("before=9007199254740991&limit=1", vec![10]),
    ] {
        let page = deployment.history(&format!("chatroomId={room}&{query}")).await;
        assert_eq!((page.status, page.ids()), (200, ids), "{query}");
    }
    let silent = deployment.history(&format!("chatroomId={}", fresh())).await;
    assert_eq!(silent.body, json!([]), "a room that nobody spoke in");
    deployment.stop().await;
}

/// One refusal of each kind. The tests of `shared/chat` have all of them.
#[tokio::test]
async fn a_request_that_makes_no_sense_is_answered_in_the_courses_shape() {
    let deployment = Deployment::start().await;
    let room = format!("chatroomId={}", fresh());
    for (query, said) in [
        (String::new(), "chatroomId is missing"),
        (format!("{room}&limit=101"), "limit must be a whole number from 1 to 100"),
        (format!("{room}&before=5&after=5"), "before and after exclude each other"),
        (format!("{room}&{room}"), "chatroomId must be given once"),
    ] {
        let page = deployment.history(&query).await;
        let body = json!({"statusCode": 400, "message": said, "error": "Bad Request"});
        assert_eq!((page.status, page.body), (400, body), "{query}");
    }
    deployment.stop().await;
}

#[tokio::test]
async fn nobody_reads_without_a_token_of_ours() {
    let deployment = Deployment::start().await;
    let query = format!("chatroomId={}", fresh());
    let plain = deployment.http().get(deployment.url(&format!("/chat-history/list?{query}")));
    assert_eq!(plain.send().await.expect("an answer").status().as_u16(), 401);
    let user = fresh();
    let expired = deployment.token(json!({"sub": user, "rooms": "*", "exp": 1_700_000_000}));
    for token in ["", "rubbish", &expired, &format!("{}x", deployment.token_of(user))] {
        assert_eq!(deployment.history_as(token, &query).await.status, 403, "{token}");
    }
    deployment.stop().await;
}

#[tokio::test]
async fn no_cache_keeps_what_was_said() {
    let deployment = Deployment::start().await;
    for (query, status) in [(format!("chatroomId={}", fresh()), 200), (String::new(), 400)] {
        let page = deployment.history(&query).await;
        assert_eq!((page.status, &page.headers["cache-control"]), (status, &"no-store".parse().expect("a header")));
    }
    deployment.stop().await;
}
