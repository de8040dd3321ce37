//! Rooms that are kept: who makes them, who is let in and who is not, and what those hear who are taken out.

use chat::limits::{KEPT_ROOM_MEMBERS_MAX, KEPT_ROOMS_PER_USER_MAX};
use chat_tests::{Client, Server, room_event, text_message, user, with_kept_rooms};
use chat_tests::{invoke, websocket_event};
use serde_json::{Value, json};

const PAIR: &str = "POST /chatroom/create-one-to-one";
const GROUP: &str = "POST /chatroom/create-group";
const JOIN: &str = "POST /chatroom/join/{id}";
const QUIT: &str = "POST /chatroom/quit/{id}";
const INFO: &str = "GET /chatroom/info/{id}";
const MEMBERS: &str = "GET /chatroom/members";
const FIND: &str = "GET /chatroom/findChatroom";
const READS: &str = "GET /chatroom/reads";

fn refused(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["message"].as_str().unwrap_or_default())
}

const NOT_MINE: (u16, &str) = (403, "the token does not grant the room in chatroomId");

async fn enters(client: &mut Client, room: &str) -> Value {
    client.ask(json!({"action": "joinRoom", "chatroomId": room})).await
}

#[tokio::test]
async fn a_pair_has_one_room_whoever_asks_for_it_and_however() {
    let server = Server::start().await;
    let mut friend = server.connect_kept(2).await;
    let (status, id) = server.chatroom(1, PAIR, "", &json!({"friendId": 2})).await;
    assert_eq!(status, 200, "{id}");
    let added = friend.expect(json!({"type": "roomAdded"})).await;
    assert_eq!((&added["chatroomId"], &added["userId"]), (&id, &json!(1)));
    for (user, route, friend) in [(1, PAIR, 2), (2, PAIR, 1), (2, "GET /chatroom/create-one-to-one", 1)] {
        assert_eq!(server.chatroom(user, route, "", &json!({"friendId": friend})).await, (200, id.clone()));
    }
    assert!(friend.pushed().await.is_empty(), "it was there");
    for (user, one, other, found) in [(1, 1, 2, id.clone()), (2, 1, 2, id.clone()), (1, 3, 1, Value::Null)] {
        let asked = json!({"userId1": one, "userId2": other});
        assert_eq!(server.chatroom(user, FIND, "", &asked).await, (200, found));
    }
    let id = id.as_str().expect("an id");
    let (_, info) = server.chatroom(2, INFO, id, &json!({})).await;
    assert_eq!((&info["type"], &info["name"]), (&json!(false), &json!("1")), "it is called after the other one");
    // Two people, for good.
    for (route, asked) in [(JOIN, json!({"joinUserId": 3})), (QUIT, json!({}))] {
        let answer = server.chatroom(1, route, id, &asked).await;
        assert_eq!(refused(&answer), (400, "a pair takes nobody in, and lets nobody out"), "{route}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_group_is_made_once_and_its_members_take_others_in() {
    let server = Server::start().await;
    let mut dong = server.connect_kept(2).await;
    let asked = json!({"name": " Team\n光 ", "clientRoomId": "r-1"});
    let (_, id) = server.chatroom(1, GROUP, "", &asked).await;
    assert_eq!(server.chatroom(1, "GET /chatroom/create-group", "", &asked).await, (200, id.clone()));
    assert_ne!(server.chatroom(1, GROUP, "", &json!({"name": "Team"})).await.1, id, "another one");
    let id = id.as_str().expect("an id");
    // Whoever is not in it is refused as if there were none.
    assert_eq!(enters(&mut dong, id).await["code"], "notAllowed");
    for (route, asked) in [
        (INFO, json!({})),
        (MEMBERS, json!({"chatroomId": id})),
        (READS, json!({"chatroomId": id})),
        (JOIN, json!({"joinUserId": 2})),
    ] {
        assert_eq!(refused(&server.chatroom(2, route, id, &asked).await), NOT_MINE, "{route}");
    }
    assert_eq!(server.chatroom(1, JOIN, id, &json!({"joinUserId": 2})).await, (200, json!(id)));
    assert_eq!(dong.expect(json!({"type": "roomAdded"})).await["chatroomId"], json!(id));
    assert_eq!(enters(&mut dong, id).await["type"], "ack");
    assert_eq!(server.chatroom(2, "GET /chatroom/join/{id}", id, &json!({"joinUserId": "three"})).await.0, 200);

    let (_, info) = server.chatroom(2, INFO, id, &json!({})).await;
    assert_eq!((&info["name"], &info["type"], &info["owner"]), (&json!("Team 光"), &json!(true), &json!(1)));
    let users: Vec<_> = info["users"].as_array().expect("users").iter().map(|user| user["id"].clone()).collect();
    assert_eq!(users, [json!(1), json!(2), json!("three")]);
    let (_, members) = server.chatroom(2, MEMBERS, "", &json!({"chatroomId": id})).await;
    assert_eq!(members, info["users"]);
    // The course's page asks so for the members of no room.
    assert_eq!(server.chatroom(2, MEMBERS, "", &json!({"chatroomId": -1})).await, (200, json!([])));
    server.stop().await;
}

#[tokio::test]
async fn who_is_taken_out_hears_nothing_from_then_on() {
    let server = Server::start().await;
    let id = server.group(&[1, 2, 3]).await;
    let (mut guang, mut dong, mut other) =
        (server.connect_kept(1).await, server.connect_kept(2).await, server.connect_kept(2).await);
    for client in [&mut guang, &mut dong, &mut other] {
        assert_eq!(enters(client, &id).await["type"], "ack");
    }
    guang.pushed().await;
    // Members do not take each other out.
    let answer = server.chatroom(3, QUIT, &id, &json!({"quitUserId": 2})).await;
    assert_eq!(refused(&answer), (403, "only the group's owner takes others out"));
    assert_eq!(refused(&server.chatroom(4, QUIT, &id, &json!({"quitUserId": 2})).await), NOT_MINE);
    assert_eq!(server.chatroom(1, QUIT, &id, &json!({"quitUserId": 2})).await, (200, json!(id)));
    for client in [&mut dong, &mut other] {
        let removed = client.expect(json!({"type": "removed"})).await;
        assert_eq!((&removed["chatroomId"], &removed["reason"]), (&json!(id), &json!("quit")));
    }
    assert_eq!(guang.expect(json!({"type": "leaveRoom"})).await["userId"], 2);
    dong.pushed().await;
    other.pushed().await;
    guang.say(id.as_str(), "without them").await;
    assert!(dong.pushed().await.is_empty() && other.pushed().await.is_empty());
    // Neither device comes back, and nothing is read; the connection's place is free again.
    assert_eq!(enters(&mut dong, &id).await["code"], "notAllowed");
    let page = server.history_as(&server.token_of_kept(2), &format!("chatroomId={id}")).await;
    assert_eq!((page.status, &page.body["message"]), (403, &json!(NOT_MINE.1)));
    let rooms = server.keys("ConnectionsTable").await;
    assert_eq!(rooms.iter().filter(|key| key.contains(&id)).count(), 1, "{rooms:?}");

    // Whoever quits may repeat it, and an owner who left takes nobody out.
    for _ in 0..2 {
        assert_eq!(server.chatroom(1, QUIT, &id, &json!({})).await, (200, json!(id)));
    }
    assert_eq!(refused(&server.chatroom(1, QUIT, &id, &json!({"quitUserId": 3})).await), NOT_MINE);
    let (_, info) = server.chatroom(3, INFO, &id, &json!({})).await;
    assert_eq!((&info["owner"], info["users"].as_array().map(Vec::len)), (&Value::Null, Some(1)));
    // A moderator's token does.
    let moderator = server.token(json!({"userId": 9, "rooms": "@mine", "moderates": [id]}));
    assert_eq!(server.chatroom_as(&moderator, QUIT, &id, &json!({"quitUserId": 3})).await.0, 200);
    assert_eq!(refused(&server.chatroom(3, INFO, &id, &json!({})).await), NOT_MINE);
    server.stop().await;
}

/// A function instance remembers for half a minute who had a right; so it is asked of one that just started.
#[tokio::test]
async fn nothing_in_a_kept_room_is_done_without_a_right() {
    let server = Server::start().await;
    let id = server.group(&[1]).await;
    let mut guang = server.connect_kept(1).await;
    enters(&mut guang, &id).await;
    guang.say(id.as_str(), "among us").await;
    guang.pushed().await;
    let message = json!({"type": "text", "content": "let me in"});
    let frames = [
        json!({"action": "joinRoom", "chatroomId": id}),
        json!({"action": "sendMessage", "chatroomId": id, "message": message}),
        json!({"action": "editMessage", "chatroomId": id, "id": 1, "message": message, "clientMessageId": "a"}),
        json!({"action": "deleteMessage", "chatroomId": id, "id": 1}),
        json!({"action": "reactMessage", "chatroomId": id, "id": 1, "emoji": "👍", "on": true}),
        json!({"action": "signal", "chatroomId": id, "kind": "typing", "requestId": "r"}),
        json!({"action": "listMembers", "chatroomId": id}),
        json!({"action": "markRead", "chatroomId": id, "id": 1}),
    ];
    for (token, why) in [
        (server.token_of_kept(2), "who is not in it"),
        (server.token_of(2), "whose token grants every room, but no kept one"),
        (server.token(json!({"userId": 2, "rooms": [], "moderates": "*"})), "whose token grants none"),
    ] {
        let mut client = Client::connect(&server.socket_url(&token)).await;
        for frame in &frames {
            let reply = client.ask(frame.clone()).await;
            assert_eq!(
                (&reply["type"], &reply["code"]),
                (&json!("error"), &json!("notAllowed")),
                "{why}: {frame}: {reply}"
            );
        }
        for path in ["list", "changes"] {
            let path = format!("/chat-history/{path}");
            let page = server.page(&path, &token, &format!("chatroomId={id}&after=0")).await;
            assert_eq!(page.status, 403, "{why}: {path}");
        }
    }
    assert!(guang.pushed().await.is_empty(), "and nobody heard of it");
    let page = server.history_as(&server.token_of_kept(1), &format!("chatroomId={id}")).await;
    assert_eq!(page.ids(), [1]);
    server.stop().await;
}

/// The right is looked for before and after: whoever loses it between the two is taken out again.
#[tokio::test]
async fn a_right_that_ends_during_a_join_lets_nobody_in() {
    let server = Server::start().await;
    let id = server.group(&[1, 7]).await;
    let vars = chat_aws::Vars::from_iter(server.vars());
    invoke("connect", &vars, websocket_event(&json!({}))).await;
    let join = with_kept_rooms(websocket_event(&json!({"action": "joinRoom", "chatroomId": id})));
    let build = functions::FUNCTIONS.iter().find(|(name, _)| *name == "join-room").expect("a function").1;
    let function = build(&vars).expect("it starts");
    let joins = async |event: Value| {
        let mut event = event;
        event["requestContext"]["routeKey"] = json!("joinRoom");
        event["requestContext"]["eventType"] = json!("MESSAGE");
        let answer = function.invoke_as("r", event).await.expect("an answer");
        serde_json::from_str::<Value>(answer["body"].as_str().expect("a body")).expect("JSON")
    };
    assert_eq!(joins(join.clone()).await["type"], "ack");
    // It remembers that there was a right.
    let quit = room_event(1, QUIT, &id, &json!({"quitUserId": 7}));
    assert_eq!(invoke("chatrooms", &vars, quit).await["statusCode"], 200);
    assert_eq!(joins(join).await["code"], "notAllowed");
    let left = server.keys("ConnectionsTable").await;
    assert!(!left.iter().any(|key| key.contains(&id)), "{left:?}");
    server.stop().await;
}

/// Whoever made a group under a name and left it is not told that it is there.
#[tokio::test]
async fn what_somebody_left_is_not_made_again() {
    let server = Server::start().await;
    let named = json!({"name": "Team", "clientRoomId": "r-1"});
    let (_, id) = server.chatroom(1, GROUP, "", &named).await;
    assert_eq!(server.chatroom(1, QUIT, id.as_str().expect("an id"), &json!({})).await.0, 200);
    assert_eq!(refused(&server.chatroom(1, GROUP, "", &named).await), NOT_MINE);
    // But who was erased, and is let in again, is in a pair again once somebody asks for it.
    let (_, pair) = server.chatroom(2, PAIR, "", &json!({"friendId": 3})).await;
    server.app().kept.forget(&user("3")).await.expect("forgotten");
    assert_eq!(server.chatroom(3, PAIR, "", &json!({"friendId": 2})).await, (200, pair.clone()));
    let (_, info) = server.chatroom(2, INFO, pair.as_str().expect("an id"), &json!({})).await;
    assert_eq!((&info["name"], info["users"].as_array().map(Vec::len)), (&json!("3"), Some(2)));
    let mut back = server.connect_kept(3).await;
    assert_eq!(enters(&mut back, pair.as_str().expect("an id")).await["type"], "ack");
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_was_revoked_keeps_no_rooms() {
    let server = Server::start().await;
    let id = server.group(&[1, 2]).await;
    // However long the requests take.
    let until = chat_aws::now().after(std::time::Duration::from_secs(600));
    server.app().users.revoke(&user("2"), until).await.expect("revoked");
    for (route, asked) in [
        (PAIR, json!({"friendId": 3})),
        (GROUP, json!({"name": "Team"})),
        (JOIN, json!({"joinUserId": 3})),
        (QUIT, json!({})),
        (INFO, json!({})),
        (MEMBERS, json!({"chatroomId": id})),
        (FIND, json!({"userId1": 2, "userId2": 1})),
        (READS, json!({"chatroomId": id})),
        ("GET /chatroom/list", json!({})),
    ] {
        let answer = server.chatroom(2, route, &id, &asked).await;
        assert_eq!(refused(&answer), (403, "the token was revoked"), "{route}");
    }
    server.stop().await;
}

#[tokio::test]
async fn there_are_bounds_to_people_rooms_and_haste() {
    let server = Server::start().await;
    let app = server.app();
    let id = server.group(&[1]).await;
    let room = chat::RoomId::parse(&id).expect("an id");
    for number in 1..KEPT_ROOM_MEMBERS_MAX {
        app.kept.add(&room, &user("1"), &user(&format!("u{number}"))).await.expect("taken in");
    }
    let answer = server.chatroom(1, JOIN, &id, &json!({"joinUserId": 2})).await;
    assert_eq!(refused(&answer), (429, "a group has 200 members at most"));
    assert_eq!(server.chatroom(1, JOIN, &id, &json!({"joinUserId": "u1"})).await.0, 200, "it is in already");

    let of = |number: usize| user(&format!("v{number}"));
    for number in 0..KEPT_ROOMS_PER_USER_MAX {
        let pair = chat::KeptRoom::pair(&user("5"), &of(number), chat_aws::now());
        assert!(app.kept.create(&pair).await.expect("made"));
    }
    let many = (429, "a user has 200 kept rooms at most");
    for (by, route, asked) in
        [(5, GROUP, json!({"name": "Team"})), (5, PAIR, json!({"friendId": 6})), (6, PAIR, json!({"friendId": 5}))]
    {
        assert_eq!(refused(&server.chatroom(by, route, "", &asked).await), many, "{route}");
    }
    let group = server.group(&[7]).await;
    assert_eq!(refused(&server.chatroom(7, JOIN, &group, &json!({"joinUserId": 5})).await), many);
    let (status, list) = server.chatroom(5, "GET /chatroom/list", "", &json!({})).await;
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(KEPT_ROOMS_PER_USER_MAX)));

    let (hasty, mut answers) = (server.token_of_kept(8), Vec::new());
    for _ in 0..8 {
        answers.push(server.chatroom_as(&hasty, GROUP, "", &json!({"name": "Team"})).await.0);
    }
    assert!(answers.contains(&429) && answers[..4] == [200; 4], "{answers:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_message_in_a_kept_room_is_one_like_others() {
    let server = Server::start().await;
    let id = server.group(&[1, 2]).await;
    let (mut guang, mut dong) = (server.connect_kept(1).await, server.connect_kept(2).await);
    enters(&mut guang, &id).await;
    enters(&mut dong, &id).await;
    guang.say(id.as_str(), "hi").await;
    assert_eq!(dong.expect(json!({"type": "sendMessage"})).await["chatroomId"], json!(id));
    let request = server.http().post(server.url("/sendMessage")).bearer_auth(server.token_of_kept(2));
    let answer = request.body(text_message(id.as_str(), "by post").to_string()).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(guang.expect(json!({"type": "sendMessage", "userId": 2})).await["message"]["content"], "by post");
    server.stop().await;
}
