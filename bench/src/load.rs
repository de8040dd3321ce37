//! A thousand clients stay connected for a while, and the gateway's memory must not grow.

use anyhow::{Context, Result, bail};
use chat_tests::{Deployment, Server, fresh};
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{interval, sleep};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// How long an ack or a last push may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two clients' arrivals.
const ARRIVAL: Duration = Duration::from_millis(10);

/// How often memory is read.
const READING_EVERY: Duration = Duration::from_secs(15);

/// How much the memory may grow from a quarter of the time to the end. An allocator keeps some freed memory; a leak of
/// the crowd's connections would be several times this.
const GROWTH_MAX: f64 = 1.25;

/// How often a client checks whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long after the last send a push may still be on its way to a client that stays.
const LAST_PUSHES: Duration = Duration::from_secs(2);

/// How many ids before its newest a client may lack when it vanishes. Pushes overtake each other by about as many ids
/// as there are simultaneous sends in the room.
const OVERTAKING_IDS: u64 = 50;

#[derive(Args)]
pub struct Load {
    /// Clients that are connected at once
    #[arg(long, default_value_t = 1_000)]
    clients: usize,
    #[arg(long, default_value_t = 50)]
    rooms: usize,
    /// Seconds that it goes on, after everybody is there
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Messages per second, of all together
    #[arg(long, default_value_t = 50)]
    rate: u64,
    /// Of a hundred clients, those that vanish now and then without a word, and come back
    #[arg(long, default_value_t = 20)]
    restless: u32,
}

/// A local run with its data on disk. It prints its addresses, and ends when its standard input does.
pub async fn serve() -> Result<()> {
    let data = tempfile::tempdir().context("failed to make a folder")?;
    let server = Server::start_in(data.path()).await;
    println!("{}", json!({"websocket": server.websocket_url(), "http": server.url(""), "secret": server.secret()}));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while lines.next_line().await?.is_some() {}
    server.stop().await;
    Ok(())
}

/// A local run in a process of its own.
pub struct Served {
    pub child: Child,
    pub deployment: Deployment,
}

impl Served {
    pub async fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("failed to start the local run")?;
        let stdout = child.stdout.take().context("no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.context("the local run ended")?;
        let about: Value = serde_json::from_str(&line)?;
        let text = |name: &str| about[name].as_str().unwrap_or_default().to_owned();
        let deployment = Deployment::at(text("websocket"), text("http"), &text("secret"));
        Ok(Self { child, deployment })
    }

    /// The process, as the system knows it.
    pub fn id(&self) -> Result<u32> {
        self.child.id().context("the local run ended")
    }
}

/// The counts of all clients.
#[derive(Default)]
struct Tally {
    connected: AtomicUsize,
    comings: AtomicUsize,
    sent: AtomicUsize,
    acked: AtomicUsize,
    delivered: AtomicUsize,
    /// Sends that were answered with an error and then repeated.
    repeated: AtomicUsize,
    /// Pushes that did not come, so that a client read the history.
    caught_up: AtomicUsize,
    /// Acknowledged ids by room.
    ids: Vec<Mutex<BTreeSet<u64>>>,
    over: AtomicBool,
}

impl Load {
    pub async fn run(self) -> Result<()> {
        let Served { mut child, deployment } = Served::start().await?;
        let deployment = Arc::new(deployment);
        let rooms: Vec<u64> = (0..self.rooms).map(|_| fresh()).collect();
        let tally = Arc::new(Tally { ids: rooms.iter().map(|_| Mutex::default()).collect(), ..Tally::default() });

        let started = Instant::now();
        let mut clients = Vec::new();
        for number in 0..self.clients {
            let client = Client {
                deployment: Arc::clone(&deployment),
                tally: Arc::clone(&tally),
                room: rooms[number % rooms.len()],
                index: number % rooms.len(),
                dice: StdRng::seed_from_u64(number as u64),
                every: Duration::from_secs_f64(self.clients as f64 / self.rate as f64),
                restless: (number as u32 * 37) % 100 < self.restless,
            };
            // API Gateway accepts 500 connections a second; a laptop accepts fewer.
            sleep(ARRIVAL).await;
            #[allow(clippy::disallowed_methods, reason = "joined below")]
            clients.push(tokio::spawn(client.live()));
        }
        while tally.connected.load(Ordering::Relaxed) < self.clients {
            if started.elapsed() > PATIENCE {
                bail!("only {} clients got in", tally.connected.load(Ordering::Relaxed));
            }
            sleep(Duration::from_millis(20)).await;
        }
        println!("{} clients in {} rooms, in after {:.1} s", self.clients, self.rooms, started.elapsed().as_secs_f64());
        println!("seconds  memory  connected  sent  acked  delivered");
        let readings = self.watch(&child, &tally).await?;
        tally.over.store(true, Ordering::Relaxed);

        let mut lost = 0;
        for client in clients {
            lost += client.await??;
        }
        let (sent, acked) = (tally.sent.load(Ordering::Relaxed), tally.acked.load(Ordering::Relaxed));
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (comings, repeated) = (count(&tally.comings), count(&tally.repeated));
        let (delivered, caught_up) = (count(&tally.delivered), count(&tally.caught_up));
        println!("{comings} comings back, {repeated} sends repeated after an error");
        println!("{delivered} deliveries by a push, {caught_up} by catching up, {lost} not at all");
        drop(child.stdin.take());
        tokio::time::timeout(PATIENCE, child.wait())
            .await
            .context("the local run does not end: a connection is stuck")??;
        println!("the local run ended by itself: no connection is stuck");

        // The first quarter is left out: the process is still filling its buffers.
        let (early, late) = (readings[readings.len() / 4], readings[readings.len() - 1]);
        let growth = late as f64 / early as f64;
        println!("memory {early} kB after a quarter of the time, {late} kB at the end: {growth:.2} times");
        if lost > 0 || acked != sent || acked == 0 {
            bail!("not everything arrived: {sent} sent, {acked} acknowledged");
        }
        if growth > GROWTH_MAX {
            bail!("the local run grows");
        }
        Ok(())
    }

    /// Reads the local run's memory, in kB, until the time is over.
    async fn watch(&self, child: &Child, tally: &Tally) -> Result<Vec<u64>> {
        let status = format!("/proc/{}/status", child.id().context("the local run ended")?);
        let (started, mut readings) = (Instant::now(), Vec::new());
        let mut ticks = interval(READING_EVERY);
        while started.elapsed().as_secs() <= self.seconds {
            ticks.tick().await;
            let status = std::fs::read_to_string(&status).context("memory is read from /proc, which is Linux's")?;
            let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kilobytes = resident.and_then(|text| text.split_whitespace().next()?.parse().ok());
            let kilobytes: u64 = kilobytes.context("no VmRSS")?;
            readings.push(kilobytes);
            let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
            println!(
                "{:>7} {kilobytes:>7} {:>10} {:>5} {:>6} {:>10}",
                started.elapsed().as_secs(),
                count(&tally.connected),
                count(&tally.sent),
                count(&tally.acked),
                count(&tally.delivered)
            );
        }
        Ok(readings)
    }
}

struct Client {
    deployment: Arc<Deployment>,
    tally: Arc<Tally>,
    room: u64,
    index: usize,
    dice: StdRng,
    /// The time between two sends.
    every: Duration,
    restless: bool,
}

/// What one connection received.
#[derive(Default)]
struct Heard {
    /// The join's `lastId`; none before it.
    since: Option<u64>,
    pushed: BTreeSet<u64>,
    /// Sends by their `clientMessageId`, until they are acknowledged.
    waiting: BTreeMap<String, String>,
}

/// How a connection ended.
enum End {
    Over,
    Vanished,
}

impl Client {
    /// Runs until the end. Returns how many messages came neither by a push nor in the history.
    async fn live(mut self) -> Result<usize> {
        let token = self.deployment.token_of(fresh());
        let mut lost = 0;
        loop {
            let (end, lacking) = self.connection(&token).await?;
            lost += lacking;
            match end {
                End::Over => return Ok(lost),
                End::Vanished => {
                    self.tally.comings.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(self.dice.random_range(100..3_000))).await;
                }
            }
        }
    }

    async fn connection(&mut self, token: &str) -> Result<(End, usize)> {
        let (socket, _) = connect_async(self.deployment.socket_url(token)).await.context("failed to connect")?;
        let (mut sink, mut frames) = socket.split();
        let join = json!({"action": "joinRoom", "chatroomId": self.room, "requestId": "join"});
        sink.send(Message::text(join.to_string())).await?;
        let mut heard = Heard::default();
        let first = Duration::from_secs_f64(self.dice.random_range(0.0..self.every.as_secs_f64()));
        let mut sends = tokio::time::interval_at(tokio::time::Instant::now() + first, self.every);
        let life = match self.restless {
            true => Duration::from_secs(self.dice.random_range(5..60)),
            false => Duration::from_secs(24 * 3_600),
        };
        let end = sleep(life);
        tokio::pin!(end);
        let mut look = interval(LOOK_EVERY);
        let mut over_since: Option<Instant> = None;
        let ended = loop {
            tokio::select! {
                frame = frames.next() => {
                    let Some(Ok(Message::Text(text))) = frame else { bail!("the server ended a connection: {frame:?}") };
                    for send in self.hear(&serde_json::from_str(&text)?, &mut heard)? {
                        sink.send(Message::text(send)).await?;
                    }
                }
                _ = sends.tick(), if heard.since.is_some() && over_since.is_none() => {
                    let (key, send) = self.new_send();
                    sink.send(Message::text(send.clone())).await?;
                    heard.waiting.insert(key, send);
                }
                _ = look.tick() => {
                    if self.tally.over.load(Ordering::Relaxed) && over_since.is_none() {
                        over_since = Some(Instant::now());
                    }
                    if over_since.is_some_and(|since| self.is_quiet(since)) {
                        break End::Over;
                    }
                }
                // A send under way might be acknowledged later, so it does not vanish with one.
                () = &mut end, if heard.waiting.is_empty() && over_since.is_none() => break End::Vanished,
            }
        };
        let lost = self.catch_up(token, self.missing(&heard, &ended)).await;
        match ended {
            End::Over => sink.send(Message::Close(None)).await?,
            End::Vanished => {
                self.tally.connected.fetch_sub(1, Ordering::Relaxed);
                drop(sink);
            }
        }
        Ok((ended, lost))
    }

    /// Reads a frame. Returns a message that must be sent again.
    fn hear(&self, frame: &Value, heard: &mut Heard) -> Result<Vec<String>> {
        match (frame["type"].as_str(), frame["requestId"].as_str()) {
            (Some("sendMessage"), _) => {
                self.tally.delivered.fetch_add(1, Ordering::Relaxed);
                heard.pushed.insert(frame["message"]["id"].as_u64().context("an id")?);
            }
            (Some("ack"), Some("join")) => {
                heard.since = frame["lastId"].as_u64();
                self.tally.connected.fetch_add(1, Ordering::Relaxed);
            }
            (Some("ack"), Some(key)) => {
                if heard.waiting.remove(key).is_some() {
                    self.tally.acked.fetch_add(1, Ordering::Relaxed);
                    self.ids().insert(frame["id"].as_u64().context("an id")?);
                }
            }
            (Some("joinRoom" | "leaveRoom"), _) => {}
            // API Gateway's own error names no request of ours.
            _ => {
                self.tally.repeated.fetch_add(heard.waiting.len(), Ordering::Relaxed);
                return Ok(heard.waiting.values().cloned().collect());
            }
        }
        Ok(Vec::new())
    }

    /// A message under its `clientMessageId`.
    fn new_send(&mut self) -> (String, String) {
        let message = json!({"type": "text", "content": "hello from a crowd"});
        let key = format!("{:016x}", self.dice.random::<u64>());
        let send = json!({"action": "sendMessage", "chatroomId": self.room, "message": message,
            "clientMessageId": key, "requestId": key});
        self.tally.sent.fetch_add(1, Ordering::Relaxed);
        (key, send.to_string())
    }

    /// Whether every send is acknowledged and the last pushes have had their time. A message's pushes go out before its
    /// ack.
    fn is_quiet(&self, since: Instant) -> bool {
        let all_acked = self.tally.acked.load(Ordering::Relaxed) >= self.tally.sent.load(Ordering::Relaxed);
        since.elapsed() > PATIENCE || (all_acked && since.elapsed() > LAST_PUSHES)
    }

    /// The messages that were acknowledged during the connection and not pushed to it.
    fn missing(&self, heard: &Heard, ended: &End) -> BTreeSet<u64> {
        let Some(since) = heard.since else { return BTreeSet::new() };
        let newest = heard.pushed.last().copied().unwrap_or(since);
        let until = match ended {
            End::Over => u64::MAX,
            End::Vanished => newest.saturating_sub(OVERTAKING_IDS),
        };
        let ids = self.ids();
        let expected = ids.range(since.saturating_add(1)..).take_while(|id| **id < until);
        expected.filter(|id| !heard.pushed.contains(id)).copied().collect()
    }

    /// Reads missing messages from the history, as a client does. Returns how many are missing there too.
    async fn catch_up(&self, token: &str, mut missing: BTreeSet<u64>) -> usize {
        self.tally.caught_up.fetch_add(missing.len(), Ordering::Relaxed);
        let mut after = missing.first().map_or(u64::MAX, |first| first - 1);
        while !missing.is_empty() {
            let query = format!("chatroomId={}&after={after}&limit=100", self.room);
            let page = self.deployment.history_as(token, &query).await.ids();
            let Some(newest) = page.last() else { break };
            after = *newest;
            missing.retain(|id| !page.contains(id));
        }
        missing.len()
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.tally.ids[self.index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
