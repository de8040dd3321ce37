//! A local run with faults, its devices, and what is left at the end.

use crate::chaos::{Chaos, Director, lock};
use crate::checker::{Delivery, History, Leftover, Room, Seen, User};
use crate::device::{BACKOFF, Device, Record, seen, tries};
use crate::reach::Reach;
use crate::{PATIENCE, POLL, Page, Server, fresh, schema};
use chat_local::Limits;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long nothing must happen before the run counts as settled: no `$disconnect` is later than that.
const QUIET: Duration = Duration::from_secs(5);

/// The user who reads the whole history of every room at the end.
const READER: &str = "reader";

/// One run of the system with its proxy.
#[derive(Clone)]
pub struct Trial {
    pub server: Arc<Server>,
    pub chaos: Chaos,
    pub record: Arc<Mutex<Record>>,
}

/// All devices come back, one more message is sent to every room, and all catch up, once everything is `delivered` that is
/// to be. Returns what they saw.
pub(crate) async fn come_to_rest(
    reach: &dyn Reach,
    record: &Mutex<Record>,
    devices: &mut [Device],
    grants: BTreeMap<User, BTreeSet<Room>>,
    delivered: impl Future<Output = ()>,
) -> History {
    join_all(devices.iter_mut().map(Device::connect)).await;
    let mut newest = BTreeMap::new();
    for device in devices.iter_mut() {
        for room in device.known_rooms() {
            if let std::collections::btree_map::Entry::Vacant(entry) = newest.entry(room) {
                entry.insert(device.send(room).await);
            }
        }
    }
    let reader = reach.token(&json!({"userId": READER, "rooms": "*"}));
    let mut changes = BTreeMap::new();
    for room in newest.keys() {
        changes.insert(*room, last_change(reach, &reader, *room).await);
    }
    delivered.await;
    join_all(devices.iter_mut().map(|device| device.settle(&newest, &changes))).await;
    let views = devices.iter().flat_map(|device| device.views(&newest)).collect();
    let mut stored = BTreeMap::new();
    let history = recorded(record);
    let spoken_in: BTreeSet<Room> = newest.into_keys().chain(history.sends.iter().map(|send| send.room)).collect();
    for room in spoken_in {
        stored.insert(room, whole_history(reach, &reader, room).await);
    }
    History { views, stored, grants, ..history }
}

/// What devices did until now.
pub(crate) fn recorded(record: &Mutex<Record>) -> History {
    let record = lock(record);
    History {
        sends: record.sends.clone(),
        attempts: record.attempts.clone(),
        acks: record.acks.clone(),
        changes: record.changes.clone(),
        change_acks: record.change_acks.clone(),
        ..History::default()
    }
}

/// The whole history of a room, oldest first.
async fn whole_history(reach: &dyn Reach, token: &str, room: Room) -> Vec<Seen> {
    let mut messages: Vec<Seen> = Vec::new();
    let mut query = Some(format!("chatroomId={room}&after=0&limit=100"));
    while let Some(next) = query {
        let page = page(reach, schema::LIST, token, next).await;
        messages.extend(page.body.as_array().expect("a list").iter().map(seen));
        query = page.link("next");
    }
    messages
}

/// The number of a room's newest change; 0 if there is none.
async fn last_change(reach: &dyn Reach, token: &str, room: Room) -> u64 {
    let (mut last, mut query) = (0, Some(format!("chatroomId={room}&after=0&limit=100")));
    while let Some(next) = query {
        let page = page(reach, schema::LIST_CHANGES, token, next).await;
        let changes = page.body.as_array().expect("a list");
        last = changes.last().and_then(|newest| newest["change"].as_u64()).unwrap_or(last);
        query = page.link("next");
    }
    last
}

/// A row of the table of connections. Of members only those in these rooms count as such: other rooms may be in use.
pub(crate) fn leftover(item: &Value, rooms: &BTreeSet<Room>) -> Leftover {
    let key = |name: &str| item[name]["S"].as_str().expect("a key").to_owned();
    let (partition, sort) = (key("PK"), key("SK"));
    let room = partition.strip_prefix("ROOM#");
    let member = room.is_some_and(|room| room.parse().is_ok_and(|room| rooms.contains(&room)));
    // The couriers' one row is of no connection.
    let expires = item["expiresAt"]["N"].is_string() || partition == "BUDGET";
    Leftover { row: format!("{partition} {sort}"), member, expires }
}

/// A page. It is tried again, since a function may give up on a busy machine.
async fn page(reach: &dyn Reach, path: &'static str, token: &str, query: String) -> Page {
    for () in tries() {
        let page = reach.page(path, token, query.clone()).await;
        if page.status == 200 {
            return page;
        }
        sleep(BACKOFF).await;
    }
    panic!("never given {path}?{query}");
}

impl Trial {
    pub async fn start(director: Director, limits: Limits, parameters: &[(&str, &str)]) -> Self {
        let chaos = Chaos::start(director).await;
        let server = Arc::new(Server::start_in_chaos(&chaos, limits, parameters).await);
        Self { server, chaos, record: Arc::default() }
    }

    /// A device that is not connected yet. Its user may enter these rooms, or all.
    pub fn device(&self, name: impl Into<String>, user: User, rooms: Option<&BTreeSet<Room>>) -> Device {
        Device::new(Arc::clone(&self.server) as Arc<dyn Reach>, &self.record, name.into(), user, rooms)
    }

    /// Ends a run without faults: all devices come back, one more message is sent to every room, all catch up, and all
    /// leave. Returns what they saw and what is left.
    pub async fn settle(
        &self,
        mut devices: Vec<Device>,
        grants: BTreeMap<User, BTreeSet<Room>>,
        delivery: Delivery,
    ) -> History {
        // On a fast machine a room is hot. Its courier pushes what was acknowledged before, and what was lost nobody waits for.
        let delivered = async {
            if delivery == Delivery::Reliable {
                self.server.has_no_events().await;
            }
        };
        let mut history = come_to_rest(&*self.server, &self.record, &mut devices, grants, delivered).await;
        join_all(devices.iter_mut().map(Device::close)).await;
        history.leftovers = self.sweep(history.stored.keys().copied().collect()).await;
        history
    }

    /// Sends to every room, which removes members that are gone. Returns the rows that are left of connections when
    /// nobody is connected any more.
    async fn sweep(&self, rooms: BTreeSet<Room>) -> Vec<Leftover> {
        let mut sweeper = self.device("sweeper", fresh(), None);
        sweeper.connect().await;
        for room in &rooms {
            sweeper.send(*room).await;
        }
        sweeper.close().await;
        // `$disconnect` is asynchronous, and until it has run there are rows. Rows that stay for good are reported as a
        // violation.
        let until = Instant::now() + PATIENCE;
        loop {
            let settled = self.chaos.quiet_for() > QUIET || Instant::now() > until;
            let leftovers = self.leftovers(&rooms).await;
            if settled || !leftovers.iter().any(|leftover| leftover.member) {
                return leftovers;
            }
            sleep(POLL).await;
        }
    }

    /// Rows of connections.
    async fn leftovers(&self, rooms: &BTreeSet<Room>) -> Vec<Leftover> {
        let mut leftovers = Vec::new();
        let mut start = Value::Null;
        loop {
            let mut scan = json!({"TableName": "ConnectionsTable", "ConsistentRead": true});
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let mut page = self.server.dynamodb("Scan", scan).await;
            for item in page["Items"].as_array().expect("items") {
                leftovers.push(leftover(item, rooms));
            }
            start = page["LastEvaluatedKey"].take();
            if start.is_null() {
                return leftovers;
            }
        }
    }

    pub async fn stop(self) {
        let server = Arc::into_inner(self.server).expect("no device is left");
        server.stop().await;
    }
}
