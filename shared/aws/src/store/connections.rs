use super::{Item, batch, key, keys, now_in_seconds, read, row, text};
use crate::limits::{CONNECTION_LIFETIME, MEMBERS_PER_PAGE};
use crate::{Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ReturnValue, WriteRequest};
use chat::{ConnectionId, Member, RoomId, Timestamp, UserId};
use futures_util::{Stream, StreamExt, TryStreamExt, future, stream};
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenRow {
    user_id: UserId,
    connected_at: i64,
    expires_at: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewMemberRow {
    user_id: UserId,
    joined_at: i64,
    expires_at: i64,
}

/// What is read of a member: the id of its connection is in its key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberRow {
    #[serde(rename = "SK")]
    sort: String,
    user_id: UserId,
    joined_at: i64,
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
        let (open, device) = (row(&id, keys::OPEN, &attributes)?, row(&keys::user(user), &id, &attributes)?);
        self.write([batch::put(open), batch::put(device)], "failed to note a connection").await
    }

    /// Notes that a connection is closed, then answers the rooms it was in.
    ///
    /// In this order, and `joinRoom` the other way round (it writes its rows, then reads its [`Arrival`](super::Arrival)),
    /// one of the two always sees the other: no row of a closed connection stays behind.
    pub async fn close(&self, connection: &ConnectionId, user: &UserId) -> Result<Vec<RoomId>, Fault> {
        self.forget(connection, user).await?;
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let pages = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .expression_attribute_values(":pk", text(keys::connection(connection)))
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

    /// Removes what says that a connection is open.
    pub async fn forget(&self, connection: &ConnectionId, user: &UserId) -> Result<(), Fault> {
        let id = keys::connection(connection);
        let (open, device) = (key(&id, keys::OPEN), key(&keys::user(user), &id));
        self.write([batch::delete(open), batch::delete(device)], "failed to close a connection").await
    }

    /// The connections that a user has open, expired ones included.
    pub async fn devices(&self, user: &UserId) -> Result<Vec<ConnectionId>, Fault> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let pages = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .expression_attribute_values(":pk", text(keys::user(user)))
            .expression_attribute_values(":prefix", text(keys::CONNECTION_PREFIX))
            .into_paginator()
            .items()
            .send();
        let rows: Vec<Item> = pages.try_collect().await.map_err(Fault::doing("failed to list a user's connections"))?;
        let device = |item| {
            let key: SortKey = read(item)?;
            Ok(ConnectionId::new(key.sort.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&key.sort)))
        };
        rows.into_iter().map(device).collect()
    }

    /// Makes a connection a member of a room, until its token is good no more: so nothing is pushed to it from then on, even
    /// if it is never heard of again.
    pub async fn enter(&self, member: &Member, room: &RoomId, good_until: Timestamp) -> Result<(), Fault> {
        let expires_at = expiry().min(good_until.seconds());
        let attributes =
            NewMemberRow { user_id: member.user.clone(), joined_at: member.joined_at.millis(), expires_at };
        let (connection, room) = (keys::connection(&member.connection), keys::room(room));
        let (back, member) = (row(&connection, &room, &attributes)?, row(&room, &connection, &attributes)?);
        self.write([batch::put(back), batch::put(member)], "failed to make a connection a member").await
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

    /// The members of a room, whoever's connection has not expired: a first page of them, and the way to the others.
    pub async fn members(&self, room: &RoomId) -> Result<Members, Fault> {
        let (page, next) = self.page_of_members(room, None).await?;
        Ok(Members { page, rest: next.map(|next| (self.clone(), room.clone(), next)) })
    }

    async fn page_of_members(&self, room: &RoomId, start: Option<Item>) -> Result<(Vec<Member>, Option<Item>), Fault> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":pk", text(keys::room(room)))
            .expression_attribute_values(":prefix", text(keys::CONNECTION_PREFIX))
            .expression_attribute_values(":now", now_in_seconds())
            .limit(MEMBERS_PER_PAGE)
            .set_exclusive_start_key(start);
        let answer = Box::pin(query.send()).await.map_err(Fault::doing("failed to list a room's members"))?;
        let page: Result<_, _> = answer.items.unwrap_or_default().into_iter().map(member).collect();
        Ok((page?, answer.last_evaluated_key))
    }

    async fn write<const N: usize>(&self, writes: [WriteRequest; N], doing: &'static str) -> Result<(), Fault> {
        batch::write(&self.client, &self.table, writes.into(), doing).await
    }

    async fn delete(&self, partition: &str, sort: &str) -> Result<(), Fault> {
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key(partition, sort)));
        // Boxed, here and elsewhere: two of the SDK's futures side by side are too large to be moved about.
        Box::pin(request.send()).await.map(drop).map_err(Fault::doing("failed to delete a connection's row"))
    }
}

/// The members of a room, as many at a time as one answer holds, so that a room of any size fits a small function.
pub struct Members {
    page: Vec<Member>,
    /// Where the next page begins, if there is one.
    rest: Option<(Connections, RoomId, Item)>,
}

impl Members {
    /// One after another. The next page is read when those before it have been taken.
    pub fn stream(self) -> impl Stream<Item = Result<Member, Fault>> {
        let pages = stream::try_unfold(Some(self), |members| async {
            let Some(Members { page, rest }) = members else { return Ok(None) };
            if !page.is_empty() {
                let rest = Members { page: Vec::new(), rest };
                return Ok(Some((stream::iter(page).map(Ok), Some(rest))));
            }
            let Some((connections, room, start)) = rest else { return Ok(None) };
            let (page, next) = connections.page_of_members(&room, Some(start)).await?;
            let rest = next.map(|next| Members { page: Vec::new(), rest: Some((connections, room, next)) });
            Ok(Some((stream::iter(page).map(Ok), rest)))
        });
        pages.try_flatten()
    }

    /// All of them.
    pub async fn all(self) -> Result<Vec<Member>, Fault> {
        self.stream().try_collect().await
    }
}

/// Members that are all known.
impl From<Vec<Member>> for Members {
    fn from(page: Vec<Member>) -> Self {
        Self { page, rest: None }
    }
}

fn member(item: Item) -> Result<Member, Fault> {
    let row: MemberRow = read(item)?;
    let connection = row.sort.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&row.sort);
    Ok(Member {
        connection: ConnectionId::new(connection),
        user: row.user_id,
        joined_at: Timestamp::from_millis(row.joined_at),
    })
}
