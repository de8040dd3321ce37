use super::{Item, key, keys, now_in_seconds, read, row, text};
use crate::limits::CONNECTION_LIFETIME;
use crate::{Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValue;
use chat::{ConnectionId, Member, RoomId, Timestamp, UserId};
use futures_util::future;
use serde::{Deserialize, Serialize};

/// Who is connected, and where: the Connections table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `CONN#<connectionId>` | `CONN` | that the connection is open |
/// | `CONN#<connectionId>` | `ROOM#<roomId>` | a room it is in, for `$disconnect` |
/// | `ROOM#<roomId>` | `CONN#<connectionId>` | a member to push to |
/// | `USER#<userId>` | `CONN#<connectionId>` | a device of the user |
#[derive(Clone)]
pub struct Connections {
    client: Client,
    table: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenRow {
    user_id: UserId,
    connected_at: i64,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberRow {
    user_id: UserId,
    joined_at: i64,
    expires_at: i64,
}

/// The sort key alone, of which the id behind the prefix is read.
#[derive(Deserialize)]
struct SortKey {
    #[serde(rename = "SK")]
    sort: String,
}

fn expiry() -> i64 {
    now().after(CONNECTION_LIFETIME).seconds()
}

impl Connections {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Notes that a connection is open.
    pub async fn open(&self, connection: &ConnectionId, user: &UserId, connected_at: Timestamp) -> Result<(), Fault> {
        let attributes = OpenRow { user_id: user.clone(), connected_at: connected_at.millis(), expires_at: expiry() };
        let id = keys::connection(connection);
        let device = self.put(row(&keys::user(user), &id, &attributes)?);
        let open = self.put(row(&id, keys::OPEN, &attributes)?);
        both(device, open).await
    }

    /// Whether a connection is open: `$connect` noted it and `$disconnect` did not yet.
    pub async fn is_open(&self, connection: &ConnectionId) -> Result<bool, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::connection(connection), keys::OPEN)));
        let found = request.send().await.map_err(Fault::doing("failed to look up a connection"))?;
        Ok(found.item.is_some())
    }

    /// Notes that a connection is closed, then answers the rooms it was in.
    ///
    /// In this order, and `joinRoom` the other way round (it writes its rows, then asks [`Connections::is_open`]),
    /// one of the two always sees the other: no row of a closed connection stays behind.
    pub async fn close(&self, connection: &ConnectionId, user: &UserId) -> Result<Vec<RoomId>, Fault> {
        let id = keys::connection(connection);
        both(self.delete(&id, keys::OPEN), self.delete(&keys::user(user), &id)).await?;
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let pages = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .expression_attribute_values(":pk", text(id))
            .expression_attribute_values(":prefix", text(keys::ROOM_PREFIX))
            .into_paginator()
            .items()
            .send();
        let rows: Vec<Item> = pages.try_collect().await.map_err(Fault::doing("failed to list a connection's rooms"))?;
        let room = |item| {
            let key: SortKey = read(item)?;
            let id = key.sort.strip_prefix(keys::ROOM_PREFIX).and_then(RoomId::parse);
            id.ok_or_else(|| Fault::because("failed to read a room", format!("{:?} is no room's key", key.sort)))
        };
        rows.into_iter().map(room).collect()
    }

    /// Makes a connection a member of a room.
    pub async fn enter(&self, member: &Member, room: &RoomId) -> Result<(), Fault> {
        let attributes =
            MemberRow { user_id: member.user.clone(), joined_at: member.joined_at.millis(), expires_at: expiry() };
        let (connection, room) = (keys::connection(&member.connection), keys::room(room));
        let back = self.put(row(&connection, &room, &attributes)?);
        let member = self.put(row(&room, &connection, &attributes)?);
        both(back, member).await
    }

    /// Takes a connection out of a room. Answers whether it was in.
    pub async fn leave(&self, connection: &ConnectionId, room: &RoomId) -> Result<bool, Fault> {
        let (connection, room) = (keys::connection(connection), keys::room(room));
        let request = self.client.delete_item().table_name(&self.table).return_values(ReturnValue::AllOld);
        let member = async {
            let request = request.set_key(Some(key(&room, &connection)));
            Box::pin(request.send()).await.map_err(Fault::doing("failed to remove a member"))
        };
        let (member, back) = future::join(member, self.delete(&connection, &room)).await;
        // Whether it was a member decides what the room is told; a row that stayed behind goes with the connection.
        back.unwrap_or_else(|fault| telemetry::survived(&fault));
        Ok(member?.attributes.is_some())
    }

    /// The members of a room, whoever's connection has not expired.
    pub async fn members(&self, room: &RoomId) -> Result<Vec<Member>, Fault> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let pages = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":pk", text(keys::room(room)))
            .expression_attribute_values(":prefix", text(keys::CONNECTION_PREFIX))
            .expression_attribute_values(":now", now_in_seconds())
            .into_paginator()
            .items()
            .send();
        let rows: Vec<Item> = pages.try_collect().await.map_err(Fault::doing("failed to list a room's members"))?;
        rows.into_iter().map(member).collect()
    }

    async fn put(&self, item: Item) -> Result<(), Fault> {
        let request = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // Boxed, here and below: two of the SDK's futures side by side are too large to be moved about.
        Box::pin(request.send()).await.map(drop).map_err(Fault::doing("failed to write a connection's row"))
    }

    async fn delete(&self, partition: &str, sort: &str) -> Result<(), Fault> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(partition, sort)));
        Box::pin(request.send()).await.map(drop).map_err(Fault::doing("failed to delete a connection's row"))
    }
}

/// Waits for both, whatever becomes of either: nothing is left half under way when a handler answers.
async fn both(
    a: impl Future<Output = Result<(), Fault>>,
    b: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    let (a, b) = future::join(a, b).await;
    a.and(b)
}

fn member(item: Item) -> Result<Member, Fault> {
    let key: SortKey = read(item.clone())?;
    let row: MemberRow = read(item)?;
    let connection = key.sort.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&key.sort);
    Ok(Member {
        connection: ConnectionId::new(connection),
        user: row.user_id,
        joined_at: Timestamp::from_millis(row.joined_at),
    })
}
