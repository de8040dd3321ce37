//! What must hold of rooms in rounds: at rest, and of members that ask for nothing but what they were told of.

use super::life::Stay;
use super::rest::scan;
use super::world::World;
use crate::chaos::lock;
use crate::checker::{Ack, ChangeAck, History, Room, View};
use crate::{Device, Record};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long members listen for what is pushed, and how often: after each time they ask for what they lack.
const LISTENS: Duration = Duration::from_secs(5);
const TIMES: usize = 3;

/// Looks at rooms at rest; then one more message is said in each, and changed. Answers what those know who were there all
/// the time, and were told of nothing but by pushes.
pub async fn listen(world: &Arc<World>, record: &Mutex<Record>, stays: &[Stay], devices: &mut [Device]) -> Vec<View> {
    join_all(devices.iter_mut().map(|device| device.hear(Duration::from_secs(1)))).await;
    look_at_heads(world, record);
    let mut newest: BTreeMap<Room, u64> = BTreeMap::new();
    for room in devices.iter().flat_map(Device::known_rooms) {
        newest.insert(room, u64::MAX);
    }
    if !world.lost_posts() {
        let (acks, change_acks) = acked(record);
        let views = sure(stays, devices, &newest);
        let found = History { acks, change_acks, views, ..History::default() }.unlearned();
        found
            .into_iter()
            .filter(|_| !gave_any_up(world, &newest))
            .for_each(|violation| world.find(violation.to_string()));
    }
    for device in devices.iter_mut() {
        for room in device.known_rooms() {
            if newest[&room] == u64::MAX {
                newest.insert(room, device.send(room).await);
                device.edit(room).await;
            }
        }
    }
    for _ in 0..TIMES {
        join_all(devices.iter_mut().map(|device| device.hear(LISTENS))).await;
    }
    let views = sure(stays, devices, &newest);
    for view in views.iter().filter(|view| !view.pushed.contains(&newest[&view.room])) {
        world.find(format!("{} was not pushed {} in room {}, the last", view.device, newest[&view.room], view.room));
    }
    views
}

/// What was acknowledged until now.
fn acked(record: &Mutex<Record>) -> (Vec<Ack>, Vec<ChangeAck>) {
    let record = lock(record);
    (record.acks.clone(), record.change_acks.clone())
}

fn gave_any_up(world: &World, rooms: &BTreeMap<Room, u64>) -> bool {
    rooms.keys().any(|room| world.gave_up(&room.to_string()))
}

/// What those know who were in a room all the time.
fn sure(stays: &[Stay], devices: &[Device], newest: &BTreeMap<Room, u64>) -> Vec<View> {
    let of_one = |(stay, device): (&Stay, &Device)| {
        let rooms: BTreeSet<_> = stay.rooms_all_the_time(device).into_iter().map(|(_, room)| room).collect();
        let views = device.views(newest).into_iter();
        views.filter(move |view| rooms.contains(&view.room)).collect::<Vec<_>>()
    };
    stays.iter().zip(devices).flat_map(of_one).collect()
}

/// Rows of rooms at rest: what was acked is pushed, unless Lambda gave the room's wake up.
fn look_at_heads(world: &World, record: &Mutex<Record>) {
    let (acks, changes) = acked(record);
    for head in scan(world, "ChatTable").iter().filter(|row| row["SK"]["S"] == "HEAD" && row["pushed"].is_object()) {
        let number = |name: &str| head[name]["N"].as_str().and_then(|number| number.parse::<u64>().ok());
        let name = head["PK"]["S"].as_str().unwrap_or_default().trim_start_matches("ROOM#");
        let room: Room = name.parse().expect("a number");
        if world.gave_up(name) {
            continue;
        }
        let pushed = number("pushed").expect("it is there");
        for ack in acks.iter().filter(|ack| ack.room == room && ack.id > pushed) {
            world.find(format!("message {} in room {room} was acked, and nobody pushes it", ack.id));
        }
        let (asked, changed) = (number("changes").unwrap_or_default(), number("changed").unwrap_or_default());
        let due = |version: u64| (changed + 1..=asked).contains(&version);
        for ack in changes.iter().filter(|ack| ack.room == room && due(ack.version)) {
            world.find(format!("change {} in room {room} was acked, and nobody pushes it", ack.version));
        }
    }
}
