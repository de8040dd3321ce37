//! Every function, every AWS call that it makes, every fault: enumerated from what the functions do, so that a new call
//! is covered without a list to edit.

use super::cases::{HAND, Trouble, each, user_of};
use chat_aws::now;
use chat_tests::checker::{Delivery, History, Room};
use chat_tests::simulation::{Stage, Thresholds};
use chat_tests::{Device, Direction, Fault, Refusal, enter, ghost, plain_frame, until};
use functions::FUNCTIONS;
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// How often a backend asks again where it is told of a failure.
const TRIES: usize = 5;

/// Functions without an act, each with the reason.
const NO_ACT: [(&str, &str); 7] = [
    ("chatrooms", "answers requests and not frames; `kept` has its acts"),
    ("moderate", "serves moderators; `moderation` has its acts"),
    ("authorize", "calls no AWS service; what its identity provider does wrong is tried in its own tests"),
    (
        "create-upload",
        "asks only whether its caller was shut out, writes nothing, and is asked again by whoever hears no answer",
    ),
    ("keep-alive", "serves clients of Socket.IO alone, and `socket_io` of `faults` tries it over sockets"),
    ("socket-io", "the same"),
    ("default", "calls AWS only to end a connection whose token is over, and is asked again by the next frame"),
];

/// How many messages a round carries.
const A_ROUND: usize = 4;

/// Longer than the lease of a courier that died.
const LEASE_OVER: Duration = Duration::from_secs(11);

/// Shorter than a round, and longer than it takes to post one.
const AMID_ROUND: Duration = Duration::from_millis(120);

/// So that a second one displaces the first.
const ONE_CONNECTION: usize = 1;

/// Something that a user does, which one invocation of one function answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Connect,
    /// Another connection of the user makes place for it.
    Displace,
    Join,
    /// The connection is closed, and its `$disconnect` done, before the join begins.
    JoinTooLate,
    Send,
    SendUnnamed,
    /// By a connection that is not in the room.
    SendFromOutside,
    Edit,
    /// Of a message that was edited before, and not last in its room.
    EditAgain,
    Recall,
    /// Of a picture that was uploaded.
    RecallFile,
    React,
    Leave,
    Disconnect,
    /// Told what became of it.
    Signal,
    ListMembers,
    /// A backend shuts another user out.
    DisconnectUser,
    History,
    /// What changed in its absence.
    Changes,
    /// The room is a crowd, and goes over into rounds.
    Enter,
    /// In a room in rounds that sleeps.
    Wake,
    /// While the courier is awake.
    SendInRounds,
    /// What was sent before.
    SendAgain,
    /// More than the courier, who is dead, has place for.
    SendRefused,
    /// An edit in a room in rounds that sleeps.
    Knock,
    /// The courier's run for one message.
    Deliver,
    /// A number was counted before that one, and nobody stored anything under it.
    DeliverBehindHole,
    /// For an edit.
    DeliverChange,
    /// The room is small again: it leaves rounds.
    DeliverAndLeave,
    /// Each member is a part of its own.
    DeliverByHands,
    /// The run for the first of those parts.
    LendAHand,
    /// The sample frame of a function that has no act of its own, sent by somebody in the room until it is
    /// acknowledged.
    Plain(&'static str),
}

impl Act {
    const OF_THEIR_OWN: [Self; 31] = [
        Self::Connect,
        Self::Displace,
        Self::Join,
        Self::JoinTooLate,
        Self::Send,
        Self::SendUnnamed,
        Self::SendFromOutside,
        Self::Edit,
        Self::EditAgain,
        Self::Recall,
        Self::RecallFile,
        Self::React,
        Self::Leave,
        Self::Disconnect,
        Self::Signal,
        Self::ListMembers,
        Self::DisconnectUser,
        Self::History,
        Self::Changes,
        Self::Enter,
        Self::Wake,
        Self::SendInRounds,
        Self::SendAgain,
        Self::SendRefused,
        Self::Knock,
        Self::Deliver,
        Self::DeliverBehindHole,
        Self::DeliverChange,
        Self::DeliverAndLeave,
        Self::DeliverByHands,
        Self::LendAHand,
    ];

    /// The acts above, and one for each other function whose sample is a frame.
    fn all() -> Vec<Self> {
        let mut acts = Vec::from(Self::OF_THEIR_OWN);
        let known: BTreeSet<_> = acts.iter().map(|act| act.function()).collect();
        let excused: BTreeSet<_> = NO_ACT.iter().map(|(name, _)| *name).collect();
        let others =
            FUNCTIONS.iter().map(|(name, _)| *name).filter(|name| !known.contains(name) && !excused.contains(name));
        acts.extend(others.filter(|name| plain_frame(name).is_some()).map(Self::Plain));
        acts
    }

    fn function(self) -> &'static str {
        match self {
            Self::Plain(function) => function,
            Self::Connect | Self::Displace => "connect",
            Self::Join | Self::JoinTooLate => "join-room",
            Self::Send | Self::SendUnnamed | Self::SendFromOutside => "send-message",
            Self::Enter | Self::Wake | Self::SendInRounds | Self::SendAgain | Self::SendRefused => "send-message",
            Self::Edit | Self::EditAgain | Self::Recall | Self::RecallFile | Self::React | Self::Knock => {
                "change-message"
            }
            Self::Deliver | Self::DeliverBehindHole | Self::DeliverChange | Self::DeliverAndLeave => "deliver",
            Self::DeliverByHands | Self::LendAHand => "deliver",
            Self::Leave => "leave-room",
            Self::Disconnect => "disconnect",
            Self::Signal | Self::ListMembers => "signal",
            Self::DisconnectUser => "disconnect-user",
            Self::History | Self::Changes => "list-history",
        }
    }

    /// When rooms go over into rounds, if they do. Two listen, one acts, and one is there no more.
    fn rounds(self) -> Option<Thresholds> {
        let of = |large| Some(Thresholds { large, hot: 1_000, messages: A_ROUND, hand: None });
        let by_hands = of(1).map(|thresholds| Thresholds { hand: Some(1), ..thresholds });
        match self {
            Self::DeliverAndLeave => of(3),
            Self::Enter | Self::Wake | Self::SendInRounds | Self::SendAgain | Self::SendRefused | Self::Knock => of(1),
            Self::Deliver | Self::DeliverBehindHole | Self::DeliverChange => of(1),
            Self::DeliverByHands | Self::LendAHand => by_hands,
            _ => None,
        }
    }
}

/// An invocation of a function by a user.
type Whose = (String, u64);
/// Who is in for what, the next time; and what that invocation waits for before it starts.
type Armed = Arc<Mutex<HashMap<Whose, (Trouble, Option<Arc<Notify>>)>>>;
/// The numbers of those that began.
type Met = watch::Sender<HashMap<Whose, u64>>;

/// What came of a case.
struct Outcome {
    /// The calls that the invocation made.
    calls: Vec<String>,
    /// One of them met the fault.
    struck: bool,
}

/// One case, in a world of its own.
struct Case {
    stage: Stage,
    armed: Armed,
    met: Met,
}

impl Act {
    /// Does it, with this trouble.
    fn with(self, trouble: Trouble) -> Outcome {
        let (armed, met) = (Armed::default(), Met::default());
        let (in_for, was) = (Arc::clone(&armed), met.clone());
        let director = move |function: &str, event: &Value, number: u64| {
            let Some(user) = user_of(event) else { return Direction::default() };
            let whose = (function.to_owned(), user);
            let Some((trouble, gate)) = in_for.lock().expect("a list").remove(&whose) else {
                return Direction::default();
            };
            was.send_modify(|met| met.extend([(whose, number)]));
            let start = gate.map(|gate| async move { gate.notified().await }.boxed());
            Direction { start, ..trouble.direction() }
        };
        let play = async |stage| Case { stage, armed, met }.play(self, trouble).await;
        Stage::play_in_rounds(self.rounds(), ONE_CONNECTION, Box::new(director), play)
    }
}

impl Case {
    async fn play(&self, act: Act, trouble: Trouble) -> Outcome {
        let (room, witness_user, user, outcast_user) = (1, 1, 2, 3);
        let case = &self.stage;
        let mut witness = case.device(format!("w{witness_user}"), witness_user);
        let mut actor = case.device(format!("a{user}"), user);
        let mut others = Vec::new();
        // Whose event the invocation is of.
        let of = match act.function() {
            "disconnect-user" => outcast_user,
            "deliver" if act == Act::LendAHand => HAND,
            "deliver" => room,
            _ => user,
        };
        witness.connect().await;
        witness.join(room).await;
        if act == Act::DisconnectUser {
            let mut outcast = case.device(format!("o{of}"), of);
            outcast.connect().await;
            outcast.join(room).await;
            others.push(outcast);
        }
        if act == Act::Displace {
            // Nobody listens to it any more.
            let mut forgotten = case.device(format!("f{user}"), user);
            forgotten.connect().await;
            forgotten.join(room).await;
            others.push(forgotten);
        } else if act != Act::Connect {
            actor.connect().await;
        }
        if !matches!(act, Act::Connect | Act::Displace | Act::Join | Act::JoinTooLate | Act::SendFromOutside) {
            actor.join(room).await;
        }
        if act == Act::History {
            // What is said in its absence it reads when it is back.
            actor.cut();
            witness.send(room).await;
            witness.send(room).await;
        }
        if matches!(act, Act::Edit | Act::EditAgain | Act::Recall | Act::React) {
            actor.send(room).await;
        }
        if act == Act::RecallFile {
            let file = actor.send_file(room).await;
            case.keep_file(&file).await;
            assert_eq!(case.files(), [file]);
        }
        if act == Act::EditAgain {
            actor.edit(room).await;
            witness.send(room).await;
            witness.edit(room).await;
        }
        if act == Act::Changes {
            witness.send(room).await;
            actor.listen().await;
            actor.cut();
            witness.edit(room).await;
        }
        let mut listener = case.device("l6", 6);
        if act.rounds().is_some() {
            listener.connect().await;
            listener.join(room).await;
        }
        // A member whose connection is no more, so that the push meets a 410 and cleans up.
        let (app, ghost) = (case.app(), ghost("4"));
        case.behind(enter(&app, &ghost, &chat_tests::room(&room.to_string()))).await;

        if act.rounds().is_some() {
            self.before_rounds(act, room, &mut witness, &mut actor).await;
        }

        let gate = (act == Act::JoinTooLate).then(Arc::<Notify>::default);
        self.arm(act.function(), of, trouble, gate.clone());
        match act {
            Act::Connect | Act::Displace | Act::History | Act::Changes => actor.connect().await,
            Act::Edit | Act::EditAgain | Act::Knock | Act::DeliverChange => actor.edit(room).await,
            Act::Recall => actor.recall(room).await,
            Act::RecallFile => {
                actor.recall(room).await;
                assert_eq!(
                    case.files(),
                    Vec::<String>::new(),
                    "{trouble:?}: it is acknowledged, and the file is there"
                );
            }
            Act::React => actor.react(room).await,
            Act::Join => actor.join(room).await,
            Act::JoinTooLate => {
                self.arm("disconnect", user, Trouble::None, None);
                drop(actor.begin_join(room).await);
                let join = self.met(act.function(), user).await;
                actor.cut();
                case.ended(self.met("disconnect", user).await).await;
                gate.iter().for_each(|gate| gate.notify_one());
                case.ended(join).await;
            }
            Act::SendAgain => actor.repeat().await,
            Act::Send | Act::SendFromOutside | Act::Enter | Act::Wake | Act::SendInRounds | Act::SendRefused => {
                actor.send(room).await;
            }
            Act::Deliver | Act::DeliverBehindHole | Act::DeliverAndLeave | Act::DeliverByHands | Act::LendAHand => {
                actor.send(room).await;
            }
            Act::SendUnnamed => actor.send_unnamed(room).await,
            Act::Leave => actor.leave(room).await,
            Act::Signal | Act::ListMembers | Act::Plain(_) => {
                let sample = match act {
                    Act::ListMembers => "signal-list-members",
                    act => act.function(),
                };
                let mut frame = plain_frame(sample).expect("a frame");
                frame["chatroomId"] = json!(room);
                actor.insist(&frame).await;
            }
            Act::DisconnectUser => {
                let mut tries = 0;
                while case.call(act.function(), &json!({"userId": of})).await.is_none() {
                    tries += 1;
                    assert!(tries < TRIES, "{trouble:?}: done in the end");
                }
                let outcast = chat_tests::user(&of.to_string());
                let forgotten = async || case.behind(app.users.devices(&outcast)).await.expect("an answer").is_empty();
                until("the outcast's connection is forgotten", forgotten).await;
                let status = case.refused(&json!({"userId": of, "rooms": "*"})).await;
                assert_eq!(status, Some(403), "{trouble:?}");
            }
            Act::Disconnect => {
                actor.close().await;
                case.ended(self.met(act.function(), user).await).await;
            }
        }
        let number = self.met(act.function(), of).await;
        drop(others);
        let mut devices = vec![witness];
        if act.rounds().is_some() {
            devices.push(listener);
            self.after_rounds(act, trouble, number, &mut devices, &mut actor).await;
        }
        devices.push(rejoined(actor, room).await);
        let history = case.settle(devices).await;
        let violations: Vec<_> = history.check(Delivery::Lossy).iter().map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{act:?}, {trouble:?}:\n{}\n{}", violations.join("\n"), case.trace());
        let (calls, struck) = case.outcome_of(number);
        Outcome { calls, struck }
    }

    /// Lets the room go over into rounds, and prepares it.
    async fn before_rounds(&self, act: Act, room: Room, witness: &mut Device, actor: &mut Device) {
        let case = &self.stage;
        if act == Act::Enter {
            return;
        }
        witness.send(room).await;
        match act {
            Act::SendInRounds => {
                actor.send(room).await;
                sleep(AMID_ROUND).await;
            }
            Act::SendAgain | Act::Knock | Act::DeliverChange => {
                actor.send(room).await;
                case.has_no_events().await;
            }
            Act::SendRefused => {
                self.arm("deliver", room, Trouble::Call(0, Fault::KilledAfter), None);
                for _ in 0..A_ROUND {
                    witness.send(room).await;
                }
                sleep(LEASE_OVER).await;
            }
            Act::DeliverByHands | Act::LendAHand => {
                // The round that cuts the members into parts.
                actor.send(room).await;
                case.has_no_events().await;
                let (app, ghost) = (case.app(), ghost("5"));
                case.behind(enter(&app, &ghost, &chat_tests::room(&room.to_string()))).await;
            }
            Act::Deliver => {
                let (app, ghost) = (case.app(), ghost("5"));
                case.behind(enter(&app, &ghost, &chat_tests::room(&room.to_string()))).await;
            }
            Act::DeliverBehindHole => {
                let (app, room) = (case.app(), chat_tests::room(&room.to_string()));
                case.behind(app.messages.count(&room, &chat_tests::user("9"), now())).await.expect("a number");
            }
            _ => {}
        }
    }

    /// Once Lambda has brought all events, whoever listens knows what was acknowledged, or that there is more to know.
    /// And the room is not stuck: what is said then is pushed.
    async fn after_rounds(
        &self,
        act: Act,
        trouble: Trouble,
        number: u64,
        listening: &mut [Device],
        actor: &mut Device,
    ) {
        let (case, room) = (&self.stage, 1);
        case.has_no_events().await;
        for device in listening.iter_mut() {
            device.listen().await;
        }
        // A post that is not taken is not made again for ever, and by a sender not at all: the next one tells.
        let (calls, _) = case.outcome_of(number);
        let is_post = |call: usize| calls.get(call).is_some_and(|operation| operation == "POST");
        let is_lost = match trouble {
            Trouble::Call(call, Fault::Refused(_)) => is_post(call),
            Trouble::Call(call, Fault::RefusedOnce(Refusal::Throttled)) => is_post(call) && act.function() != "deliver",
            _ => false,
        };
        if !is_lost {
            let (acks, change_acks) = {
                let record = case.record.lock().expect("a record");
                (record.acks.clone(), record.change_acks.clone())
            };
            let views = listening.iter().flat_map(|device| device.views(&BTreeMap::from([(room, u64::MAX)]))).collect();
            let unlearned = History { acks, change_acks, views, ..History::default() }.unlearned();
            let unlearned: Vec<_> = unlearned.iter().map(ToString::to_string).collect();
            assert!(unlearned.is_empty(), "{act:?}, {trouble:?}:\n{}\n{}", unlearned.join("\n"), case.trace());
        }
        let later = actor.send(room).await;
        case.has_no_events().await;
        for device in listening.iter_mut() {
            device.listen().await;
            let views = device.views(&BTreeMap::from([(room, later)]));
            let is_pushed = views.iter().any(|view| view.room == room && view.pushed.contains(&later));
            assert!(is_pushed, "{act:?}, {trouble:?}: {} is not pushed {later}\n{}", device.name, case.trace());
        }
    }

    fn arm(&self, function: &str, user: u64, trouble: Trouble, gate: Option<Arc<Notify>>) {
        self.armed.lock().expect("a list").insert((function.into(), user), (trouble, gate));
    }

    /// The number of the invocation that was armed for a user, once it began.
    async fn met(&self, function: &str, user: u64) -> u64 {
        let whose = (function.to_owned(), user);
        let mut met = self.met.subscribe();
        let begins = met.wait_for(|met| met.contains_key(&whose));
        chat_tests::in_time(format!("{function} begins for {user}"), begins).await.expect("a list")[&whose]
    }
}

async fn rejoined(mut device: Device, room: Room) -> Device {
    device.connect().await;
    device.join(room).await;
    device
}

#[test]
fn every_function_has_an_act_or_a_reason() {
    let functions: BTreeSet<_> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    let tried: BTreeSet<_> = Act::all().into_iter().map(Act::function).collect();
    let excused = BTreeSet::from(NO_ACT.map(|(name, _)| name));
    assert_eq!(functions, &tried | &excused, "the functions there are, and those with an act or a reason");
    assert!(tried.is_disjoint(&excused), "what is tried needs no reason");
}

#[test]
#[allow(clippy::print_stdout, reason = "the table of what was tried is what it is read for")]
fn every_fault_at_every_call_of_every_function() {
    let mut cases = Vec::new();
    let mut calls_of = BTreeMap::new();
    for act in Act::all() {
        let calls = act.with(Trouble::None).calls;
        assert!(!calls.is_empty(), "{act:?} calls nobody");
        cases.extend((0..calls.len()).flat_map(|call| Fault::ALL.map(|fault| (act, Trouble::Call(call, fault)))));
        // Without a `clientMessageId` nothing tells that two events are one; API Gateway itself repeats none.
        if act != Act::SendUnnamed {
            cases.push((act, Trouble::Twice));
        }
        calls_of.insert(act, calls);
    }
    cases.push((Act::Disconnect, Trouble::Lost));
    each(&cases, |(act, trouble)| {
        let Outcome { calls, struck } = act.with(trouble);
        let tried = struck || !matches!(trouble, Trouble::Call(..));
        assert!(tried, "{act:?}, {trouble:?}: a fault that strikes nothing tries nothing; the calls were {calls:?}");
    });

    println!("{:13} {:12} {:>4} {:19} faults tried", "act", "function", "call", "");
    for (act, calls) in &calls_of {
        for (number, operation) in calls.iter().enumerate() {
            let of =
                |case: &&(Act, Trouble)| case.0 == *act && matches!(case.1, Trouble::Call(call, _) if call == number);
            let (name, function, tried) = (format!("{act:?}"), act.function(), cases.iter().filter(of).count());
            println!("{name:13} {function:12} {number:>4} {operation:19} {tried}");
        }
    }
    println!("every fault: {}", Fault::ALL.map(|fault| fault.to_string()).join(", "));
    println!("{} cases, among them each event delivered twice, and a $disconnect lost", cases.len());
}

/// Frames of one connection are handled side by side, so a later one may be done before an earlier one has begun.
#[test]
fn frames_may_be_handled_in_the_opposite_order() {
    let later_is_done = Arc::new(Notify::new());
    let wait = Arc::clone(&later_is_done);
    let first = Mutex::new(true);
    let director = move |function: &str, _: &Value, _: u64| {
        if function == "join-room" && std::mem::take(&mut *first.lock().expect("a flag")) {
            let wait = Arc::clone(&wait);
            return Direction { start: Some(async move { wait.notified().await }.boxed()), ..Direction::default() };
        }
        Direction::default()
    };
    Stage::play(ONE_CONNECTION, Box::new(director), async |stage| {
        let room = 1;
        let mut device = stage.device("d", 1);
        device.connect().await;
        let join = device.begin_join(room).await;
        // Sent after the join, and acknowledged before it.
        assert_eq!(device.send(room).await, 1);
        later_is_done.notify_one();
        let joined = device.reply_to(join).await;
        assert_eq!(joined["lastId"], 1, "whoever joined after it finds it in the history");
        assert_eq!(stage.history(room).await, [1]);
    });
}
