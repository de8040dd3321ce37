//! What `exhaustive` of the simulation is for clients of JSON, over sockets and for clients of Socket.IO: every call that
//! a function makes for one, what comes after an answer included, and every fault. A client does what the libraries do:
//! it comes back when it is cut, or hears nothing.

use chat_local::Limits;
use chat_tests::packets::event;
use chat_tests::{Chaos, Client, Direction, Fault, PATIENCE, Refusal, Server, fresh, in_time, text_message, until};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// Cases that run at the same time.
const AT_ONCE: usize = 6;

/// How often a case is run whose fault strikes nothing: the machine was so busy that the function gave up before.
const TRIES: usize = 5;

/// How long a client waits for its greeting, or an answer, before it gives its connection up. The libraries wait 20 s.
const GIVES_UP: Duration = Duration::from_secs(5);

/// How long it waits before it comes back.
const BACKOFF: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    /// A handshake with its token, and the greeting after it.
    Connect,
    /// The same, and an older connection makes place.
    Displace,
    /// CONNECT with a token in `auth`.
    Admit,
    /// CONNECT with a bad one.
    Refuse,
    Join,
    Send,
    Leave,
    Disconnect,
    KeepAlive,
}

impl Act {
    const ALL: [Self; 9] = [
        Self::Connect,
        Self::Displace,
        Self::Admit,
        Self::Refuse,
        Self::Join,
        Self::Send,
        Self::Leave,
        Self::Disconnect,
        Self::KeepAlive,
    ];

    fn function(self) -> &'static str {
        match self {
            Self::Connect | Self::Displace => "connect",
            Self::Admit | Self::Refuse | Self::Join | Self::Send | Self::Leave => "socket-io",
            Self::Disconnect => "disconnect",
            Self::KeepAlive => "keep-alive",
        }
    }
}

/// An invocation, by its function, and by its user or, where the context has none, its connection.
type Whose = (String, String);
/// Which call of it meets which fault; none is only watched.
type Armed = Arc<Mutex<HashMap<Whose, Option<(usize, Fault)>>>>;

struct Bench {
    server: Server,
    chaos: Chaos,
    armed: Armed,
    met: watch::Sender<HashMap<Whose, u64>>,
}

impl Bench {
    async fn start() -> Self {
        let armed = Armed::default();
        let met = watch::Sender::<HashMap<Whose, u64>>::default();
        let (in_for, was) = (Arc::clone(&armed), met.clone());
        let director = move |function: &str, event: &Value, number: u64| {
            let context = &event["requestContext"];
            let whose = context["authorizer"]["userId"].as_str().or_else(|| context["connectionId"].as_str());
            let whose = (function.to_owned(), whose.unwrap_or_default().to_owned());
            let Some(fault) = in_for.lock().expect("a list").remove(&whose) else { return Direction::default() };
            was.send_modify(|met| met.extend([(whose, number)]));
            Direction { fault, watched: true, ..Direction::default() }
        };
        let chaos = Chaos::start(Box::new(director)).await;
        let parameters = [("SocketIo", "on"), ("ConnectionsPerUser", "1")];
        let server = Server::start_in_chaos(&chaos, Limits::default(), &parameters).await;
        Self { server, chaos, armed, met }
    }

    fn arm(&self, act: Act, whose: &str, fault: Option<(usize, Fault)>) -> Whose {
        let whose = (act.function().to_owned(), whose.to_owned());
        self.armed.lock().expect("a list").insert(whose.clone(), fault);
        whose
    }

    /// The number of an invocation that was armed, once it has ended, with what comes after its answer.
    async fn ended(&self, whose: &Whose) -> u64 {
        let mut met = self.met.subscribe();
        let begins = met.wait_for(|met| met.contains_key(whose));
        let number = in_time(format!("{whose:?} begins"), begins).await.expect("a list")[whose];
        self.chaos.ended(number).await;
        number
    }

    /// One case in a room of its own. Returns the number of its invocation.
    async fn case(&self, act: Act, fault: Option<(usize, Fault)>) -> u64 {
        let (room, user) = (fresh(), fresh());
        let mut witness = self.server.connect(fresh()).await;
        witness.join(room).await;
        let by_auth = matches!(act, Act::Admit | Act::Refuse | Act::Disconnect);
        let mut actor = Actor::new(&self.server, user, by_auth);
        let user = user.to_string();
        let whose = match act {
            Act::Connect => {
                let whose = self.arm(act, &user, fault);
                actor.connect().await;
                whose
            }
            Act::Displace => {
                let mut older = Actor::new(&self.server, user.parse().expect("a number"), false);
                older.connect().await;
                older.insist(&json!({"action": "joinRoom", "chatroomId": room})).await;
                let whose = self.arm(act, &user, fault);
                actor.connect().await;
                whose
            }
            Act::Admit | Act::Refuse => {
                let token = std::mem::take(&mut actor.token);
                let (mut client, sid) = actor.greeted().await;
                let whose = self.arm(act, &sid, fault);
                let brought = if act == Act::Admit { token.as_str() } else { "no.token" };
                client.send_raw(Message::text(format!("40{}", json!({"token": brought})))).await;
                // Whatever it is answered, it comes back for it.
                let answer = timeout(GIVES_UP, client.text()).await.ok().flatten().unwrap_or_default();
                assert!(act == Act::Admit || !answer.starts_with("40"), "a bad token does not come in: {answer}");
                actor.token = token;
                if answer.starts_with("40") {
                    actor.client = Some(client);
                }
                whose
            }
            Act::Join | Act::Send | Act::Leave | Act::Disconnect => {
                actor.connect().await;
                if act != Act::Join {
                    actor.insist(&json!({"action": "joinRoom", "chatroomId": room})).await;
                }
                let of = if by_auth { actor.sid.clone() } else { user.clone() };
                let whose = self.arm(act, &of, fault);
                match act {
                    Act::Join => drop(actor.insist(&json!({"action": "joinRoom", "chatroomId": room})).await),
                    Act::Send => drop(actor.insist(&named(room)).await),
                    Act::Leave => drop(actor.insist(&json!({"action": "leaveRoom", "chatroomId": room})).await),
                    _ => actor.client.take().expect("a connection").vanish(),
                }
                whose
            }
            Act::KeepAlive => {
                actor.connect().await;
                let whose = self.arm(act, "", fault);
                // A run that fails is not repeated; the next one is four minutes later.
                let _ = self.server.call("keep-alive", &json!({})).await;
                whose
            }
        };
        let number = self.ended(&whose).await;
        // Whatever happened: it gets in, what it says is kept once under its name, and nobody stays who has gone.
        actor.insist(&json!({"action": "joinRoom", "chatroomId": room})).await;
        let id = actor.insist(&named(room)).await["id"].clone();
        let page = self.server.history(&format!("chatroomId={room}")).await;
        let kept: Vec<_> = page.body.as_array().expect("messages").iter().filter(|one| one["id"] == id).collect();
        assert_eq!((kept.len(), page.ids().len()), (1, 1), "{act:?} {fault:?}: {:?}", page.body);
        assert_eq!(kept[0]["senderId"].to_string(), user, "{act:?} {fault:?}");
        if let Some(client) = actor.client.take() {
            client.vanish();
        }
        let alone = async || {
            witness.say(room, "is anybody there?").await;
            self.members(room).await == 1
        };
        until(format!("{act:?} {fault:?}: nobody stays who has gone"), alone).await;
        witness.close().await;
        number
    }

    async fn members(&self, room: u64) -> usize {
        let key = json!({":pk": {"S": format!("ROOM#{room}")}});
        let query = json!({"TableName": "ConnectionsTable", "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": key, "ConsistentRead": true});
        self.server.dynamodb("Query", query).await["Items"].as_array().map_or(0, Vec::len)
    }

    /// The calls that an act makes when nothing goes wrong: as many as twice in a row, and as few as in any of these.
    /// How often a greeting is repeated is the gateway's.
    async fn calls(&self, act: Act) -> Vec<String> {
        let mut fewest = self.chaos.calls(self.case(act, None).await);
        for _ in 0..TRIES {
            let again = self.chaos.calls(self.case(act, None).await);
            if again.len() < fewest.len() {
                fewest = again;
            }
        }
        fewest
    }

    async fn strike(&self, act: Act, call: usize, fault: Fault) {
        for _ in 0..TRIES {
            let number = self.case(act, Some((call, fault))).await;
            if self.chaos.has_struck(number) {
                return;
            }
        }
        panic!("{act:?}: {fault} at call {call} strikes nothing");
    }
}

/// A message with a name, the same whenever it is sent.
fn named(room: u64) -> Value {
    let mut message = text_message(room, "hello");
    message["clientMessageId"] = json!("the-one");
    message
}

/// A client as the libraries are: it comes back until it is in, and repeats what was not acknowledged.
struct Actor<'a> {
    server: &'a Server,
    token: String,
    by_auth: bool,
    client: Option<Client>,
    sid: String,
}

impl<'a> Actor<'a> {
    fn new(server: &'a Server, user: u64, by_auth: bool) -> Self {
        Self { server, token: server.token_of(user), by_auth, client: None, sid: String::new() }
    }

    /// A connection that was greeted, and its id.
    async fn greeted(&self) -> (Client, String) {
        let query = if self.by_auth { String::new() } else { format!("&token={}", self.token) };
        let url = format!("{}{query}", self.server.socket_io_url(4));
        let over = Instant::now() + PATIENCE;
        while Instant::now() < over {
            if let Some(mut client) = Client::try_connect(&url).await
                && let Ok(Some(greeting)) = timeout(GIVES_UP, client.text()).await
            {
                let greeting: Value = serde_json::from_str(&greeting[1..]).expect("a greeting");
                return (client, greeting["sid"].as_str().expect("an id").to_owned());
            }
            sleep(BACKOFF).await;
        }
        panic!("never greeted");
    }

    async fn connect(&mut self) {
        let over = Instant::now() + PATIENCE;
        while Instant::now() < over {
            let (mut client, sid) = self.greeted().await;
            let auth = if self.by_auth { json!({"token": self.token}).to_string() } else { String::new() };
            client.send_into_the_void(Message::text(format!("40{auth}"))).await;
            if let Ok(Some(answer)) = timeout(GIVES_UP, client.text()).await
                && answer.starts_with("40{")
            {
                (self.client, self.sid) = (Some(client), sid);
                return;
            }
            sleep(BACKOFF).await;
        }
        panic!("never let in");
    }

    /// Sends an event again and again until it is acknowledged.
    async fn insist(&mut self, frame: &Value) -> Value {
        let event = event(1, frame);
        let over = Instant::now() + PATIENCE;
        while Instant::now() < over {
            if self.client.is_none() {
                self.connect().await;
            }
            let client = self.client.as_mut().expect("a connection");
            client.send_into_the_void(Message::text(event.clone())).await;
            let acked = timeout(GIVES_UP, async {
                loop {
                    let text = client.text().await?;
                    if let Some(ack) = text.strip_prefix("431") {
                        return serde_json::from_str::<[Value; 1]>(ack).ok();
                    }
                }
            });
            match acked.await {
                Ok(Some([ack])) if ack["type"] == "ack" => return ack,
                Ok(Some(_)) => sleep(BACKOFF).await,
                _ => self.client = None,
            }
        }
        panic!("never acknowledged: {frame}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "the table of what was tried is what it is read for")]
async fn every_fault_at_every_call_that_is_made_for_a_client_of_socket_io() {
    let bench = Bench::start().await;
    let (mut cases, mut calls_of) = (Vec::new(), BTreeMap::new());
    for act in Act::ALL {
        let calls = bench.calls(act).await;
        assert!(!calls.is_empty(), "{act:?} calls nobody");
        cases.extend((0..calls.len()).flat_map(|call| Fault::ALL.map(|fault| (act, call, fault))));
        calls_of.insert(act, calls);
    }
    // What comes after the answer is among them.
    assert!(calls_of[&Act::Connect].last().is_some_and(|call| call == "POST @connections"), "{calls_of:?}");
    // A schedule runs for all at once.
    let (alone, together): (Vec<_>, Vec<_>) = cases.iter().partition(|(act, ..)| *act == Act::KeepAlive);
    let run = |(act, call, fault): (Act, usize, Fault)| {
        let bench = &bench;
        async move { bench.strike(act, call, fault).await }
    };
    stream::iter(together).map(run).buffer_unordered(AT_ONCE).collect::<()>().await;
    stream::iter(alone).map(run).buffer_unordered(1).collect::<()>().await;
    for (act, calls) in &calls_of {
        println!("{:10} {:10} {}", format!("{act:?}"), act.function(), calls.join(", "));
    }
    println!("{} cases", cases.len());
    bench.server.stop().await;
}

/// A client that hears the goodbye alone stays away, and does not know why.
#[tokio::test]
async fn a_goodbye_does_not_come_without_its_word() {
    let bench = Bench::start().await;
    let throttled = Some((0, Fault::Refused(Refusal::Throttled)));
    let texts = async |client: &mut Client| {
        let mut texts = Vec::new();
        while let Some(text) = client.text().await {
            texts.push(text);
        }
        texts
    };
    let (mut refused, sid) = Actor::new(&bench.server, 1, true).greeted().await;
    let whose = bench.arm(Act::Refuse, &sid, throttled);
    refused.send_raw(Message::text(r#"40{"token":"no.token"}"#)).await;
    let told = texts(&mut refused).await;
    assert!(bench.chaos.has_struck(bench.ended(&whose).await));
    assert_eq!(told, Vec::<String>::new(), "it is cut, comes back, and is told then");

    let post = bench.calls(Act::Displace).await.iter().position(|call| call == "POST @connections").expect("a word");
    let mut older = Actor::new(&bench.server, 2, false);
    older.connect().await;
    let whose = bench.arm(Act::Displace, "2", Some((post, Fault::Refused(Refusal::Throttled))));
    let newer = bench.server.connect_socket_io(2).await;
    let told = texts(older.client.as_mut().expect("a connection")).await;
    assert!(bench.chaos.has_struck(bench.ended(&whose).await));
    assert_eq!(told, Vec::<String>::new(), "the same");
    newer.close().await;
    bench.server.stop().await;
}
