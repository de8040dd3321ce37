//! What moderators do, and every fault at every AWS call of it. Whoever gets no answer asks again.

use super::cases::{self, Armed, Trouble};
use chat::{Bar, BarChange, Barred, RoomId};
use chat_aws::now;
use chat_tests::simulation::Stage;
use chat_tests::{App, Device, user};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// How often a moderator asks again where it is told of a failure.
const TRIES: usize = 5;

/// Longer than the pace of moderators lets one wait.
const PATIENCE: Duration = Duration::from_secs(2);

const MODERATOR: u64 = 1;
/// Who is barred, or reports.
const TARGET: u64 = 2;

/// Something that is asked of `moderate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Mute,
    Ban,
    Kick,
    /// Of somebody who is banned.
    Lift,
    Slow,
    ListBars,
    Report,
    ListReports,
}

impl Act {
    const ALL: [Self; 8] =
        [Self::Mute, Self::Ban, Self::Kick, Self::Lift, Self::Slow, Self::ListBars, Self::Report, Self::ListReports];

    fn request(self) -> (&'static str, Value) {
        let bar = |bar: &str| json!({"chatroomId": 1, "targetId": TARGET, "bar": bar, "seconds": 1_000});
        match self {
            Self::Mute => ("/barUser", bar("mute")),
            Self::Ban => ("/barUser", bar("ban")),
            Self::Kick => ("/barUser", bar("kick")),
            Self::Lift => ("/barUser", bar("none")),
            Self::Slow => ("/slowMode", json!({"chatroomId": 1, "seconds": 10})),
            Self::ListBars => ("/listBars", json!({"chatroomId": 1})),
            Self::Report => ("/reportMessage", json!({"chatroomId": 1, "id": 1, "reason": "spam"})),
            Self::ListReports => ("/listReports", json!({"chatroomId": 1})),
        }
    }

    fn by(self) -> u64 {
        if self == Self::Report { TARGET } else { MODERATOR }
    }

    /// Does it, with this trouble; the calls of the invocation that met it.
    fn with(self, trouble: Trouble) -> Vec<String> {
        cases::with(trouble, &self, async |stage, armed| self.play(stage, armed).await)
    }

    async fn play(self, stage: &Stage, armed: &Armed) {
        let (app, room) = (stage.app(), RoomId::parse("1").expect("an id"));
        let mut witness = stage.device("w", 3);
        let mut target = stage.device("t", TARGET);
        for device in [&mut witness, &mut target] {
            device.connect().await;
            device.join(1).await;
        }
        target.send(1).await;
        if self == Self::Lift {
            let ban = BarChange::Set(Barred { bar: Bar::Ban, until: now().after(Duration::from_secs(1_000)) });
            stage.behind(app.bars.change(&room, &user("2"), ban, now())).await.expect("banned");
        }
        *armed.lock().expect("who is armed") = Some(("moderate", self.by()));
        self.ask(stage).await;
        self.check(stage, &app, &room, &mut witness).await;
    }

    /// Asks until it is done, as a moderator does.
    async fn ask(self, stage: &Stage) {
        let (path, asked) = self.request();
        for _ in 0..TRIES {
            let (status, _) = stage.post(&claims(self.by()), path, &asked).await;
            if status == 200 {
                return;
            }
            assert!([429, 500, 503].contains(&status), "{self:?} is refused with {status}");
            sleep(PATIENCE).await;
        }
        panic!("{self:?} is never done");
    }

    /// What was acknowledged holds on every way, and what was not asked for does not.
    async fn check(self, stage: &Stage, app: &App, room: &RoomId, witness: &mut Device) {
        let text = json!({"type": "text", "content": "x"});
        let edit = json!({"chatroomId": 1, "id": 1, "message": text, "clientMessageId": "e-1"});
        let said = stage.post(&claims(TARGET), "/sendMessage", &json!({"chatroomId": 1, "message": text})).await.0;
        let edited = stage.post(&claims(TARGET), "/editMessage", &edit).await.0;
        let reads = stage.page(&claims(TARGET), 1).await;
        let members = stage.behind(async { app.delivery.members(room).await?.all().await }).await.expect("members");
        let listens = members.iter().any(|member| member.user == user("2"));
        let expected = match self {
            Self::Mute => (403, 403, 200, true),
            Self::Ban => (403, 403, 403, false),
            Self::Kick => (200, 200, 200, false),
            _ => (200, 200, 200, true),
        };
        assert_eq!((said, edited, reads, listens), expected, "{self:?}: says, edits, reads, hears");
        // Nobody else is any the worse for it.
        witness.send(1).await;
        let head = stage.behind(app.bars.head(room)).await.expect("an answer").expect("a row");
        assert_eq!(head.slow, if self == Self::Slow { 10 } else { 0 }, "{self:?}");
        let (reports, _) = stage.behind(app.reports.list(room, None)).await.expect("reports");
        assert_eq!(reports.len(), usize::from(self == Self::Report), "{self:?}");
    }
}

fn claims(user: u64) -> Value {
    let moderates = if user == MODERATOR { json!("*") } else { json!([]) };
    json!({"userId": user, "rooms": "*", "moderates": moderates})
}

#[test]
#[allow(clippy::print_stdout, reason = "how many there were is what it is read for")]
fn every_fault_at_every_call_that_moderators_make() {
    let cases = cases::every_fault(&Act::ALL, Act::with);
    println!("{cases} cases of moderators");
}
