//! The history: of a room that the stores filled, with origins of a deployment's own, and after a restart.

use chat::{Content, Cursor, ListHistory, Message, MessageKind};
use chat_aws::now;
use chat_tests::App;
use chat_tests::{Server, next_id, room, user};
use futures_util::{StreamExt, stream};

async fn fill(app: &App, room: &str, count: usize) {
    let room = chat_tests::room(room);
    let store = |n: usize| {
        let (app, room) = (app.clone(), room.clone());
        async move {
            let id = next_id(&app.messages, &room).await.expect("an id");
            let sender = user(&(n % 7).to_string());
            let content = Content::parse(MessageKind::Text, &format!("message {n}")).expect("content");
            let message = Message {
                id,
                room,
                sender,
                content,
                create_time: now(),
                client_message_id: None,
                changed: None,
                reactions: chat::Reactions::default(),
            };
            app.messages.store(message).await.expect("stored");
        }
    };
    stream::iter(0..count).map(store).buffer_unordered(16).for_each(|()| async {}).await;
}

/// Whatever the limit and the cursor, a page is the slice next to the cursor, and `more` says whether there is more.
#[tokio::test]
async fn every_page_is_the_slice_next_to_its_cursor() {
    const COUNT: usize = 9;
    let server = Server::start().await;
    let app = server.app();
    fill(&app, "1", COUNT).await;
    let all: Vec<u64> = (1..=COUNT as u64).collect();
    for limit in 1..=COUNT + 1 {
        for at in 0..=COUNT as u64 + 1 {
            let before: Vec<u64> = all.iter().copied().filter(|id| *id < at).collect();
            let after: Vec<u64> = all.iter().copied().filter(|id| *id > at).collect();
            let id = chat::MessageId::new(at);
            for (cursor, slice, more) in [
                (Cursor::Newest, &all[COUNT.saturating_sub(limit)..], limit < COUNT),
                (Cursor::Before(id), &before[before.len().saturating_sub(limit)..], limit < before.len()),
                (Cursor::After(id), &after[..limit.min(after.len())], limit < after.len()),
            ] {
                let request = ListHistory { room: room("1"), cursor, limit };
                let page = app.messages.page(&request).await.expect("a page");
                let ids: Vec<_> = page.messages.iter().map(|message| message.id.get()).collect();
                assert_eq!((ids.as_slice(), page.more), (slice, more), "{request:?}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn pages_of_the_chosen_origins_may_read_it_and_no_others() {
    let server = Server::start_with_parameter("AllowedOrigins", "https://chat.example.com,https://example.org").await;
    let url = server.url("/chat-history/list?chatroomId=1");
    let ask = |origin: &'static str| {
        let request = server.http().request(reqwest::Method::OPTIONS, &url).header("origin", origin);
        request.header("access-control-request-method", "GET").header("access-control-request-headers", "authorization")
    };
    let allowed = ask("https://example.org").send().await.expect("an answer");
    assert_eq!(allowed.status().as_u16(), 204);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://example.org");
    assert_eq!(allowed.headers()["access-control-allow-headers"], "authorization,content-type");
    let foreign = ask("https://evil.example").send().await.expect("an answer");
    assert_eq!(foreign.headers().get("access-control-allow-origin"), None);

    let read = server.http().get(&url).bearer_auth(server.token_of(1)).header("origin", "https://chat.example.com");
    let read = read.send().await.expect("an answer");
    assert_eq!(read.headers()["access-control-expose-headers"], "link,date");
    assert_eq!(read.status().as_u16(), 200);
    server.stop().await;
}

#[tokio::test]
async fn the_history_survives_a_restart_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_in(folder.path()).await;
    let mut client = server.connect(1).await;
    client.join(1).await;
    client.say(1, "before").await;
    server.stop().await;

    let server = Server::start_in(folder.path()).await;
    assert!(server.keys("ConnectionsTable").await.is_empty(), "no connection outlives its gateway");
    let mut client = server.connect(1).await;
    assert_eq!(client.join(1).await["lastId"], 1);
    assert_eq!(client.say(1, "after").await["id"], 2);
    let page = server.history("chatroomId=1").await;
    let said: Vec<_> = page.body.as_array().expect("a list").iter().map(|item| item["content"].clone()).collect();
    assert_eq!(said, ["before", "after"]);
    assert_eq!(page.body[0]["sender"]["createTime"], page.body[1]["sender"]["createTime"]);
    server.stop().await;
}
