//! A room of many members, in which many people write: the functions, and what they meet, for one measurement.

use super::gateway::{Gateway, Post, connection_of};
use super::lambda::{Couriers, Heard, Senders};
use anyhow::{Context, Result, anyhow, ensure};
use chat::{ConnectionId, Content, Message, MessageKind, Reactions, RoomId, UserId};
use chat_aws::{Kept, now};
use chat_local::Throttle;
use chat_tests::{
    App, PATIENCE, Server, TYPICAL_TEXT, device_of, enter, ghost, next_id, room, text_message, user, websocket_event,
};
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, sleep_until, timeout};

/// People who write, one after the other. They are members as well.
const SENDERS: usize = 200;

/// Rows that are written at the same time.
const WRITES_AT_ONCE: usize = 16;

/// Numbers of messages that are sent before the measurement.
const FIRST: usize = 9_000_000;

/// How often a message is stored in a room of nobody meanwhile.
const STORE_EVERY: Duration = Duration::from_millis(100);

const POLL: Duration = Duration::from_millis(50);

/// What a deployment has, and a room of it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub members: usize,
    pub posts_per_second: f64,
    pub large_room: usize,
    pub hot_room: f64,
    /// What a whole account has is divided by this.
    pub divide_by: usize,
}

impl Setting {
    /// What API Gateway lets through, posts among it.
    pub fn account(&self) -> Throttle {
        let divide_by = self.divide_by as f64;
        Throttle { per_second: 10_000.0 / divide_by, burst: 5_000.0 / divide_by }
    }

    pub fn vars(&self, vars: &mut BTreeMap<&'static str, String>) {
        vars.insert("POSTS_PER_SECOND", self.posts_per_second.to_string());
        vars.insert("LARGE_ROOM", self.large_room.to_string());
        vars.insert("HOT_ROOM", self.hot_room.to_string());
    }
}

/// A message that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub at: Instant,
    pub took: Duration,
    pub heard: Heard,
}

pub struct Crowd {
    pub setting: Setting,
    server: Server,
    gateway: Gateway,
    couriers: Couriers,
    senders: Arc<Senders>,
}

/// What was seen of a measurement.
pub struct Seen {
    pub members: usize,
    pub began: Instant,
    /// The last id before it.
    pub before: u64,
    /// By the numbers of the messages.
    pub sent: Vec<Sent>,
    pub posts: Vec<Post>,
    /// How long a message takes to be counted and stored, and the members to be read, in a room of nobody.
    pub store: Vec<Duration>,
    /// CPU of the couriers, and the most memory that one had, in kB.
    pub cpu: Duration,
    pub memory: u64,
    pub failed: usize,
}

impl Crowd {
    pub async fn start(deliver: &Path, setting: Setting) -> Result<Self> {
        let server = Server::start().await;
        let gateway = Gateway::start(setting.account()).await;
        let mut vars = server.vars();
        vars.insert("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", gateway.url().to_owned());
        setting.vars(&mut vars);
        let couriers = Couriers::start(deliver, &mut vars).await;
        let senders = Arc::new(Senders::new(vars, setting.divide_by)?);
        enter_all(&server.app(), &room("1"), setting.members).await?;
        Ok(Self { setting, server, gateway, couriers, senders })
    }

    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// Sends two messages. The first is pushed by its sender, and has a crowd go over into rounds; the second starts a
    /// courier.
    pub async fn warm_up(&self) -> Result<u64> {
        let mut last = 0;
        for number in [FIRST, FIRST + 1] {
            let heard = self.senders.send(event(number)).await?;
            let Heard::Ack { id, .. } = heard else { return Err(anyhow!("the first messages: {heard:?}")) };
            last = id;
            self.couriers_rest().await?;
        }
        self.gateway.take();
        Ok(last)
    }

    /// Has messages come for so long, at random, on average at the rate of each moment. Waits until all that can be
    /// delivered is.
    pub async fn talk(&self, before: u64, lasts: Duration, rate: impl Fn(Duration) -> f64) -> Result<Seen> {
        let (cpu, ..) = self.couriers.used()?;
        let mut dice = StdRng::seed_from_u64(7);
        let mut under_way = JoinSet::new();
        let (mut at, mut number) = (Duration::ZERO, 0);
        let began = Instant::now();
        let talk = async {
            loop {
                at += Duration::from_secs_f64(-(1.0 - dice.random::<f64>()).ln() / rate(at));
                if at >= lasts {
                    return;
                }
                sleep_until((began + at).into()).await;
                let (senders, event) = (Arc::clone(&self.senders), event(number));
                under_way.spawn(async move {
                    let at = Instant::now();
                    let heard = senders.send(event).await;
                    heard.map(|heard| (number, Sent { at, took: at.elapsed(), heard }))
                });
                number += 1;
            }
        };
        let mut store = Vec::new();
        tokio::select! {
            () = talk => {}
            never = self.store(&mut store) => never?,
        }
        let mut sent = BTreeMap::new();
        while let Some(ended) = under_way.join_next().await {
            let (number, message) = ended??;
            sent.insert(number, message);
        }
        self.couriers_rest().await?;
        let (cpu_after, _, memory) = self.couriers.used()?;
        Ok(Seen {
            members: self.setting.members,
            began,
            before,
            sent: sent.into_values().collect(),
            posts: self.gateway.take(),
            store,
            cpu: cpu_after - cpu,
            memory,
            failed: self.couriers.failed(),
        })
    }

    async fn couriers_rest(&self) -> Result<()> {
        let rest = async {
            while !self.couriers.rest() {
                sleep(POLL).await;
            }
        };
        timeout(PATIENCE, rest).await.context("the couriers do not come to rest")
    }

    /// Stores messages in a room of nobody, and times it.
    async fn store(&self, times: &mut Vec<Duration>) -> Result<()> {
        let (app, empty) = (self.server.app(), room("2"));
        let mut ticks = interval(STORE_EVERY);
        for number in 0_usize.. {
            ticks.tick().await;
            let began = Instant::now();
            let content = Content::parse(MessageKind::Text, TYPICAL_TEXT)?;
            let stored = async {
                let message = Message {
                    id: next_id(&app.messages, &empty).await?,
                    room: empty.clone(),
                    sender: sender_of(number),
                    content,
                    create_time: now(),
                    client_message_id: serde_json::from_value(json!(name_of(number))).ok(),
                    changed: None,
                    reactions: Reactions::default(),
                };
                tokio::try_join!(app.messages.store(message), app.connections.members(&empty))
            };
            // A failure took its time as well: where too much is asked of it, DynamoDB does not answer.
            if let Err(fault) = stored.await {
                eprintln!("a store failed after {:?}: {}", began.elapsed(), fault.chain());
            }
            times.push(began.elapsed());
        }
        Ok(())
    }
}

/// Writes the rows of members that ask for rounds. Those who write have an open connection.
pub async fn enter_all(app: &App, room: &RoomId, members: usize) -> Result<()> {
    let enter_one = |number: usize| async move {
        let connection = ConnectionId::new(connection_of(number));
        let member = chat::Member { connection, user: sender_of(number), rounds: true, ..ghost("1") };
        enter(app, &member, room).await;
        if number < SENDERS {
            let opened = app.connections.open(&device_of(&member.connection), &member.user, Kept::default()).await;
            ensure!(opened?, "a new connection was closed");
        }
        Ok(())
    };
    let entered = stream::iter(0..members).map(enter_one).buffer_unordered(WRITES_AT_ONCE);
    entered.collect::<Vec<_>>().await.into_iter().collect()
}

fn sender_of(number: usize) -> UserId {
    user(&format!("{}", 100_000 + number % SENDERS))
}

/// The `clientMessageId` of a message.
fn name_of(number: usize) -> String {
    format!("0f8fad5b-d9cb-469f-a165-{number:012}")
}

/// What API Gateway sends `send-message`. The text begins with the message's number.
fn event(number: usize) -> Value {
    let text: String = format!("{number:07} {TYPICAL_TEXT}").chars().take(TYPICAL_TEXT.len()).collect();
    let mut frame = text_message(1, &text);
    frame["clientMessageId"] = json!(name_of(number));
    let mut event = websocket_event(&frame);
    let context = &mut event["requestContext"];
    context["connectionId"] = json!(connection_of(number % SENDERS));
    context["authorizer"]["userId"] = json!(sender_of(number).to_string());
    event
}
