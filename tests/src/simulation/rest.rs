//! What must hold when nothing happens any more. At any moment every row may be read here, as no client can.

use super::world::World;
use crate::checker::{Room, User};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of connections and of users' connections.
#[derive(Default)]
pub struct Rows {
    /// By connection and room.
    members: BTreeSet<(String, String)>,
    /// The users of connections.
    users: BTreeMap<String, String>,
    /// The rooms that each connection's row lists, and whether it is closed. A handshake that was refused for a later one
    /// leaves a row that says no more than that; it expires.
    connections: BTreeMap<String, (BTreeSet<String>, bool)>,
    /// The connections that are counted, by user.
    counted: BTreeMap<String, BTreeSet<String>>,
    /// Messages, how many reactions they count, and how many they have. A recall leaves none that are counted.
    reactions: Vec<(String, usize, usize)>,
}

impl Rows {
    pub fn read(world: &World) -> Self {
        let mut rows = Self::default();
        for item in scan(world, "ConnectionsTable").iter().chain(&scan(world, "ChatTable")) {
            let key = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
            let (partition, sort) = (key("PK"), key("SK"));
            match (partition.split_once('#'), sort.split_once('#')) {
                (Some(("ROOM", room)), Some(("CONN", connection))) => {
                    rows.members.insert((connection.to_owned(), room.to_owned()));
                }
                (Some(("CONN", connection)), None) if item["userId"].is_object() => {
                    rows.users.insert(connection.to_owned(), key("userId"));
                    let rooms = item["roomNumbers"]["M"].as_object();
                    let rooms = rooms.map(|rooms| rooms.keys().cloned().collect()).unwrap_or_default();
                    rows.connections.insert(connection.to_owned(), (rooms, item["closedAt"].is_object()));
                }
                (Some(("ROOM", _)), Some(("MSG", _))) if item["reacted"].is_object() && item["deletedAt"].is_null() => {
                    let counted =
                        item["reacted"]["N"].as_str().and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
                    let sets = item.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("r#"));
                    let there = sets.map(|(_, users)| users["SS"].as_array().map_or(0, Vec::len)).sum();
                    rows.reactions.push((format!("{partition} {sort}"), counted, there));
                }
                (Some(("USER", user)), _) => {
                    let devices = item["devices"]["SS"].as_array().into_iter().flatten().filter_map(Value::as_str);
                    let ids = devices.map(|device| device.split_once('#').map_or(device, |(_, id)| id).to_owned());
                    rows.counted.insert(user.to_owned(), ids.collect());
                }
                _ => {}
            }
        }
        rows
    }

    /// What cannot be whatever went wrong.
    pub fn faults(&self) -> Vec<String> {
        let wrong = self.reactions.iter().filter(|(_, counted, there)| counted != there);
        let said = |(message, counted, there): &(String, usize, usize)| {
            format!("{message} has {there} reactions, and counts {counted}")
        };
        wrong.map(said).collect()
    }

    /// What cannot be where nothing went wrong.
    pub fn faults_where_nothing_went_wrong(&self, open: &BTreeSet<String>, per_user: usize) -> Vec<String> {
        let mut found = self.members_of_closed(open);
        for (connection, room) in &self.members {
            if !self.connections.get(connection).is_some_and(|(rooms, _)| rooms.contains(room)) {
                found.push(format!("{connection} is a member of room {room}, which its own row does not list"));
            }
        }
        for (connection, (rooms, closed)) in &self.connections {
            for room in rooms.iter().filter(|room| !self.members.contains(&(connection.clone(), (*room).clone()))) {
                found.push(format!("the row of {connection} lists room {room}, where it is no member"));
            }
            if !open.contains(connection) {
                found.push(format!("the row of {connection} is left, though the connection has ended"));
            }
            if *closed && !rooms.is_empty() {
                found.push(format!("{connection} is closed, and in rooms"));
            }
        }
        let counted: BTreeSet<_> = self.counted.values().flatten().collect();
        for (connection, _) in self.connections.iter().filter(|(id, (_, closed))| !closed && !counted.contains(id)) {
            found.push(format!("{connection} is open, and counted for nobody"));
        }
        for (user, devices) in &self.counted {
            if devices.len() > per_user {
                found.push(format!("user {user} has {} connections, and may have {per_user}", devices.len()));
            }
            found.extend(
                devices
                    .iter()
                    .filter(|device| !open.contains(*device))
                    .map(|device| format!("{device} is counted for user {user}, though it has ended")),
            );
        }
        found
    }

    /// Members who are banned. A join that died on its way may leave one.
    pub fn members_who_are_banned(&self, banned: &BTreeSet<(User, Room)>) -> Vec<String> {
        let of = |connection: &String, room: &String| {
            let user = self.users.get(connection)?.parse().ok()?;
            Some((user, room.parse().ok()?)).filter(|key| banned.contains(key))
        };
        let found = self.members.iter().filter_map(|(connection, room)| Some((connection, of(connection, room)?)));
        found
            .map(|(connection, (user, room))| {
                format!("{connection} is in room {room}, from which user {user} is banned")
            })
            .collect()
    }

    /// Members whose connection has ended.
    pub fn members_of_closed(&self, open: &BTreeSet<String>) -> Vec<String> {
        let closed = self.members.iter().filter(|(connection, _)| !open.contains(connection));
        closed
            .map(|(connection, room)| format!("{connection} is a member of room {room}, though it has ended"))
            .collect()
    }
}

/// All rows of a table.
pub fn scan(world: &World, table: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut start = Value::Null;
    loop {
        let mut scan = json!({"TableName": table, "ConsistentRead": true});
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start;
        }
        let mut page = world.ask("Scan", &scan).body;
        rows.append(page["Items"].as_array_mut().expect("items"));
        start = page["LastEvaluatedKey"].take();
        if start.is_null() {
            return rows;
        }
    }
}
