//! Kept rooms: everything that is done with them, and every fault at every AWS call of it.

use super::cases::{self, Armed, Trouble};
use chat::{KeptRoom, MessageId, RoomId, UserId};
use chat_aws::now;
use chat_tests::simulation::Stage;
use chat_tests::{App, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// How often a client asks again where it is told of a failure.
const TRIES: usize = 5;

/// Longer than the pace of changes lets somebody wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who acts; the others are in the group, or will be.
const ME: u64 = 2;
const OWNER: u64 = 1;
const OTHER: u64 = 3;
const STRANGER: u64 = 4;

/// Something that a user does, which one invocation answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Pair,
    /// It is there already.
    PairAgain,
    Group,
    TakeIn,
    Quit,
    /// While one of the user's devices is in the room.
    QuitWhileListening,
    TakeOut,
    List,
    Info,
    Reads,
    Find,
    Enter,
    Mean,
    Mark,
}

impl Act {
    const ALL: [Self; 14] = [
        Self::Pair,
        Self::PairAgain,
        Self::Group,
        Self::TakeIn,
        Self::Quit,
        Self::QuitWhileListening,
        Self::TakeOut,
        Self::List,
        Self::Info,
        Self::Reads,
        Self::Find,
        Self::Enter,
        Self::Mean,
        Self::Mark,
    ];

    fn function(self) -> &'static str {
        match self {
            Self::Enter => "join-room",
            Self::Mean => "send-message",
            Self::Mark => "mark-read",
            _ => "chatrooms",
        }
    }

    fn by(self) -> u64 {
        if self == Self::TakeOut { OWNER } else { ME }
    }

    /// The route and what is asked, of what is done over HTTP.
    fn request(self) -> Option<(&'static str, Value)> {
        Some(match self {
            Self::Pair | Self::PairAgain => ("POST /chatroom/create-one-to-one", json!({"friendId": STRANGER})),
            Self::Group => ("POST /chatroom/create-group", json!({"name": "Team", "clientRoomId": "r"})),
            Self::TakeIn => ("POST /chatroom/join/{id}", json!({"joinUserId": STRANGER})),
            Self::Quit | Self::QuitWhileListening => ("POST /chatroom/quit/{id}", json!({})),
            Self::TakeOut => ("POST /chatroom/quit/{id}", json!({"quitUserId": OTHER})),
            Self::List => ("GET /chatroom/list", json!({})),
            Self::Info => ("GET /chatroom/info/{id}", json!({})),
            Self::Reads => ("GET /chatroom/reads", json!({"chatroomId": group()})),
            Self::Find => ("GET /chatroom/findChatroom", json!({"userId1": ME, "userId2": STRANGER})),
            Self::Enter | Self::Mean | Self::Mark => return None,
        })
    }

    /// Does it, with this trouble; the calls of the invocation that met it.
    fn with(self, trouble: Trouble) -> Vec<String> {
        cases::with(trouble, &self, async |stage, armed| self.play(stage, armed).await)
    }

    async fn play(self, stage: &Stage, armed: &Armed) {
        let (app, room) = (stage.app(), RoomId::parse(&group()).expect("an id"));
        let people = [OWNER, ME, OTHER].map(|id| user(&id.to_string()));
        stage.behind(prepared(&app, &room, &people)).await;
        let mut device = stage.device(format!("d{ME}"), ME);
        let mut other = stage.device(format!("d{OTHER}"), OTHER);
        let enter = json!({"action": "joinRoom", "chatroomId": room});
        if matches!(self, Self::QuitWhileListening | Self::Mean | Self::TakeOut) {
            device.insist(&enter).await;
            other.insist(&enter).await;
        }
        if self == Self::PairAgain {
            let pair = KeptRoom::pair(&people[1], &user(&STRANGER.to_string()), now());
            assert!(stage.behind(app.kept.create(&pair)).await.expect("made"));
        }
        if matches!(self, Self::Enter | Self::Mark) {
            device.connect().await;
        }
        *armed.lock().expect("who is armed") = Some((self.function(), self.by()));
        match self {
            Self::Enter => drop(device.insist(&enter).await),
            Self::Mean => {
                let message = json!({"type": "text", "content": "you", "mentions": [OTHER]});
                let said =
                    json!({"action": "sendMessage", "chatroomId": room, "message": message, "clientMessageId": "m"});
                device.insist(&said).await;
            }
            Self::Mark => {
                device.insist(&json!({"action": "markRead", "chatroomId": room, "id": 1, "tell": true})).await;
            }
            _ => self.ask(stage).await,
        }
        self.check(stage, &app, &room, &people).await;
    }

    /// Asks until it is done, as a client does.
    async fn ask(self, stage: &Stage) {
        let (route, asked) = self.request().expect("it is a request");
        for _ in 0..TRIES {
            let (status, _) = stage.chatroom(self.by(), route, &group(), &asked).await;
            if status == 200 {
                return;
            }
            assert!([429, 500, 503].contains(&status), "{self:?} is refused with {status}");
            sleep(PATIENCE).await;
        }
        panic!("{self:?} is never done");
    }

    /// Whoever has a right is in the list, and nobody else; what was asked for is so; and nobody listens without a right.
    async fn check(self, stage: &Stage, app: &App, room: &RoomId, people: &[UserId; 3]) {
        let me = user(&self.by().to_string());
        let (stranger, other) = (user(&STRANGER.to_string()), &people[2]);
        let mut expected: BTreeSet<UserId> = people.iter().cloned().collect();
        match self {
            Self::TakeIn => drop(expected.insert(stranger.clone())),
            Self::Quit | Self::QuitWhileListening => drop(expected.remove(&me)),
            Self::TakeOut => drop(expected.remove(other)),
            _ => {}
        }
        let found = stage.behind(app.kept.room(room, &people[0])).await.expect("the owner's");
        assert_eq!(found.members, expected, "{self:?}");
        for user in people.iter().chain([&stranger]) {
            let has_right = stage.behind(app.kept.is_in(user, room)).await.expect("an answer");
            assert_eq!(has_right, expected.contains(user), "{self:?}: {user}");
        }
        let listening = stage.behind(async { app.delivery.members(room).await?.all().await }).await.expect("members");
        let outsider = listening.iter().find(|member| !expected.contains(&member.user));
        assert!(outsider.is_none(), "{self:?}: {outsider:?} hears what it may not");
        let pair = KeptRoom::pair(&me, &stranger, now()).id;
        if matches!(self, Self::Pair | Self::PairAgain) {
            for user in [&me, &stranger] {
                assert!(stage.behind(app.kept.is_in(user, &pair)).await.expect("an answer"), "{self:?}: {user}");
            }
        }
        if self == Self::Group {
            let id = RoomId::of_named_group(&me, &serde_json::from_str("\"r\"").expect("a name"));
            assert!(stage.behind(app.kept.is_in(&me, &id)).await.expect("an answer"), "{self:?}");
        }
        if self == Self::Enter {
            assert!(listening.iter().any(|member| member.user == me), "{self:?}");
        }
        if self == Self::Mark {
            let reads = stage.behind(app.kept.reads(&found)).await.expect("marks");
            assert_eq!(reads.iter().map(|read| read.last_read).collect::<Vec<_>>(), [MessageId::new(1)], "{self:?}");
        }
        if self == Self::Mean {
            // A mention that fails is lost, and the message is not.
            assert_eq!(
                stage.behind(app.messages.page(&page(room))).await.expect("a page").messages.len(),
                1,
                "{self:?}"
            );
        }
    }
}

fn page(room: &RoomId) -> chat::ListHistory {
    chat::ListHistory { room: room.clone(), cursor: chat::Cursor::Newest, limit: 10 }
}

fn group() -> String {
    RoomId::of_group([7; chat::GROUP_ID_BYTES]).to_string()
}

/// A group of these people, the first of whom made it.
async fn prepared(app: &App, room: &RoomId, people: &[UserId]) {
    let group = KeptRoom::group(room.clone(), "Team".into(), &people[0], now());
    assert!(app.kept.create(&group).await.expect("made"));
    for user in &people[1..] {
        app.kept.add(room, &people[0], user).await.expect("taken in");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "how many there were is what it is read for")]
fn every_fault_at_every_call_that_kept_rooms_make() {
    let cases = cases::every_fault(&Act::ALL, Act::with);
    println!("{cases} cases of kept rooms");
}
