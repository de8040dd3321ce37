use super::{Item, answer, batch, key, keys, now_in_seconds, number, read, row, text};
use crate::limits::{BATCH_GET_MAX, CONNECTION_LIFETIME};
use crate::{Failure, Fault, now};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure};
use chat::limits::ROOMS_PER_CONNECTION_MAX;
use chat::{Caller, ConnectionId, Device, Encoding, Rejection, RoomId, Timestamp, UserId};
use futures_util::{Stream, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Who is connected, and where: the Connections table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `CONN#<connectionId>` | `CONN` | that the connection is open or closed, its rooms, and how often it joined |
/// | `ROOM#<roomId>` | `CONN#<connectionId>` | a member to push to |
///
/// Frames of one connection are handled side by side. So each join has a number that only rises: it is written beside
/// the room in the connection's row and into the member's row, and an undo undoes its own join, never a later one.
#[derive(Clone)]
pub struct Connections {
    pub(super) client: Client,
    pub(super) table: String,
}

/// The number of a join: of two joins of one connection, the later one's is higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JoinNumber(pub(super) u64);

impl JoinNumber {
    /// Of a connection's first join.
    pub const FIRST: Self = Self(1);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OpenRow {
    user_id: UserId,
    connected_at: i64,
    expires_at: i64,
    room_numbers: BTreeMap<String, JoinNumber>,
    join_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    /// In which part of the index of those that are kept alive it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_alive: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<BTreeMap<&'static str, String>>,
}

/// What a connection's row says of its client beside who and since when. Of a client of JSON that is nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kept<'a> {
    pub encoding: Encoding,
    /// Who it is, if its context does not say so.
    pub caller: Option<&'a Caller>,
}

/// What is read of a connection.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionRow {
    /// Absent from rows of a version before.
    pub room_numbers: Option<BTreeMap<String, JoinNumber>>,
    /// What those have instead. They are gone two hours and ten minutes after the update.
    #[serde(default)]
    rooms: BTreeSet<String>,
    #[serde(default)]
    join_count: u64,
    pub closed_at: Option<i64>,
    user_id: Option<UserId>,
    encoding: Option<String>,
    caller: Option<HashMap<String, Value>>,
}

/// A connection that its `$disconnect` closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    pub user: Option<UserId>,
    pub rooms: BTreeSet<RoomId>,
}

/// A connection that was shut out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut {
    /// Since when, in seconds, it was closed already.
    pub closed_at: Option<i64>,
    pub rooms: BTreeSet<RoomId>,
    /// None where there was no row yet: then nobody knows how to write to it.
    pub encoding: Option<Encoding>,
}

impl Connections {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Notes that a connection is open. Answers false if it was closed while it was on its way in. Refused if it is
    /// another user's: whose it is, is written once.
    pub async fn open(&self, device: &Device, user: &UserId, kept: Kept<'_>) -> Result<bool, Failure> {
        let caller = kept.caller.map(Caller::to_context).transpose()?;
        let attributes = OpenRow {
            user_id: user.clone(),
            connected_at: device.connected_at.millis(),
            expires_at: now().after(CONNECTION_LIFETIME).seconds(),
            room_numbers: BTreeMap::new(),
            join_count: 0,
            encoding: written(kept.encoding),
            kept_alive: (kept.encoding == Encoding::Eio4).then_some(keys::KEPT_ALIVE),
            caller: caller.map(BTreeMap::from_iter),
        };
        let open = row(&keys::connection(&device.connection), keys::OPEN, &attributes)?;
        let request = self.client.put_item().table_name(&self.table).set_item(Some(open));
        let request = request
            .condition_expression("attribute_not_exists(PK)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match answer(request.send()).await {
            Ok(_) => Ok(true),
            // The SDK repeats a call whose answer was lost, and then meets its own row, which is open.
            Err(PutItemError::ConditionalCheckFailedException(refused)) => {
                let found: ConnectionRow = read(refused.item.unwrap_or_default())?;
                match found.user_id {
                    Some(other) if other != *user => Err(Rejection::AnothersConnection.into()),
                    of_it => Ok(of_it.is_some() && found.closed_at.is_none()),
                }
            }
            Err(error) => Err(Fault::because("failed to note a connection", error).into()),
        }
    }

    /// Who was let in on a connection that its context says nobody of. Refused if that is nobody yet, or if it is
    /// closed.
    pub async fn caller(&self, connection: &ConnectionId) -> Result<Caller, Failure> {
        let key = key(&keys::connection(connection), keys::OPEN);
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let request = request.projection_expression("PK, closedAt, #caller");
        let request = request.expression_attribute_names("#caller", "caller");
        let found = answer(request.send()).await.map_err(Fault::doing("failed to look who a connection is"))?;
        let Some(item) = found.item else { return Err(Rejection::NotAdmitted.into()) };
        let row: ConnectionRow = read(item)?;
        if row.closed_at.is_some() {
            return Err(Rejection::ConnectionGone.into());
        }
        let caller = row.caller.ok_or(Rejection::NotAdmitted)?;
        Ok(Caller::from_context(&caller)?)
    }

    /// The connections that are kept alive, one after another, page by page.
    pub fn kept_alive(&self) -> impl Stream<Item = Result<ConnectionId, Fault>> {
        let pages = stream::try_unfold(Some(None), |start: Option<Option<Item>>| async {
            let Some(start) = start else { return Ok(None) };
            let query = self.client.query().table_name(&self.table).index_name(keys::KEPT_ALIVE_INDEX);
            let query = query
                .key_condition_expression("keptAlive = :pk")
                .filter_expression("expiresAt > :now")
                .expression_attribute_values(":pk", text(keys::KEPT_ALIVE))
                .expression_attribute_values(":now", now_in_seconds())
                .set_exclusive_start_key(start);
            let page = answer(query.send()).await.map_err(Fault::doing("failed to list who is kept alive"))?;
            let found = page.items.unwrap_or_default().into_iter().map(connection_of);
            let next = page.last_evaluated_key.map(Some);
            Ok::<_, Fault>(Some((stream::iter(found), next)))
        });
        pages.try_flatten()
    }

    /// Notes that a connection is closed, and answers whose it was and the rooms it was in, each time it is asked until
    /// the connection is forgotten.
    pub async fn close(&self, connection: &ConnectionId) -> Result<Closed, Fault> {
        let doing = "failed to close a connection";
        let update = self.update(connection, "SET closedAt = if_not_exists(closedAt, :now)");
        let update = update
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":now", now_in_seconds())
            .return_values(ReturnValue::AllNew);
        let item = match answer(update.send()).await {
            Ok(closed) => closed.attributes.unwrap_or_default(),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Item::new(),
            Err(error) => return Err(Fault::because(doing, error)),
        };
        let row: ConnectionRow = read(item)?;
        Ok(Closed { user: row.user_id.clone(), rooms: rooms_in(row, doing)? })
    }

    /// Closes a connection that must end, even one whose handshake is not over: it finds itself closed when it
    /// [opens](Self::open).
    pub async fn shut_out(&self, connection: &ConnectionId, now: Timestamp) -> Result<Shut, Fault> {
        let doing = "failed to shut a connection out";
        let change = "SET closedAt = if_not_exists(closedAt, :now), expiresAt = if_not_exists(expiresAt, :later)";
        let update = self.update(connection, change);
        let update = update
            .expression_attribute_values(":now", number(now.seconds()))
            .expression_attribute_values(":later", number(now.after(CONNECTION_LIFETIME).seconds()))
            .return_values(ReturnValue::AllOld);
        let shut = answer(update.send()).await.map_err(Fault::doing(doing))?;
        let before: ConnectionRow = read(shut.attributes.unwrap_or_default())?;
        let encoding = before.user_id.is_some().then(|| named(before.encoding.as_deref()));
        Ok(Shut { closed_at: before.closed_at, encoding, rooms: rooms_in(before, doing)? })
    }

    /// Whether a connection is open, as its row says.
    pub async fn is_open(&self, connection: &ConnectionId) -> Result<bool, Fault> {
        let key = key(&keys::connection(connection), keys::OPEN);
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        let found = answer(request.projection_expression("PK, closedAt").send()).await;
        is_open(found.map_err(Fault::doing("failed to look at a connection"))?.item)
    }

    /// How each of these connections is written to, of those that are open.
    pub async fn encodings(
        &self,
        connections: impl IntoIterator<Item = ConnectionId>,
    ) -> Result<Vec<(ConnectionId, Encoding)>, Fault> {
        let doing = "failed to look at a user's connections";
        let connections: Vec<_> = connections.into_iter().collect();
        let mut open = Vec::new();
        for some in connections.chunks(BATCH_GET_MAX) {
            let wanted = some.iter().map(|connection| key(&keys::connection(connection), keys::OPEN)).collect();
            let wanted =
                KeysAndAttributes::builder().set_keys(Some(wanted)).projection_expression("PK, closedAt, encoding");
            let wanted = wanted.build().map_err(Fault::doing(doing))?;
            let mut found = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
            for item in found.remove(&self.table).unwrap_or_default() {
                let connection = connection_of(item.clone())?;
                let row: ConnectionRow = read(item)?;
                if row.closed_at.is_none() {
                    open.push((connection, named(row.encoding.as_deref())));
                }
            }
        }
        Ok(open)
    }

    /// Removes what says that there is, or was, a connection.
    pub async fn forget(&self, connection: &ConnectionId) -> Result<(), Fault> {
        let key = key(&keys::connection(connection), keys::OPEN);
        let request = self.client.delete_item().table_name(&self.table).set_key(Some(key));
        answer(request.send()).await.map(drop).map_err(Fault::doing("failed to forget a connection"))
    }

    /// Adds a room to those of a connection, so that its end leaves it. Answers the number of this join. Refused if the
    /// connection is closed, or in too many rooms.
    pub async fn add_room(&self, connection: &ConnectionId, room: &RoomId) -> Result<JoinNumber, Failure> {
        let doing = "failed to add a room to a connection";
        let change = "SET roomNumbers.#room = joinCount + :one, joinCount = joinCount + :one";
        let may_be_added = "attribute_exists(PK) AND attribute_not_exists(closedAt) \
                            AND (size(roomNumbers) < :most OR attribute_exists(roomNumbers.#room))";
        let update = self
            .update(connection, change)
            .condition_expression(may_be_added)
            .expression_attribute_names("#room", room.to_string())
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(ROOMS_PER_CONNECTION_MAX))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match answer(update.send()).await {
            Ok(added) => {
                let row: ConnectionRow = read(added.attributes.unwrap_or_default())?;
                Ok(JoinNumber(row.join_count))
            }
            Err(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let found = refused.item.map(read::<ConnectionRow>).transpose()?;
                // A row of an earlier version has no `roomNumbers`; its client reconnects and gets a new row.
                let is_open = found.is_some_and(|row| row.closed_at.is_none() && row.room_numbers.is_some());
                Err(if is_open { Rejection::TooManyRooms } else { Rejection::ConnectionGone }.into())
            }
            Err(error) => Err(Fault::because(doing, error).into()),
        }
    }

    /// Takes a room off a connection that it entered by this join. The room of a later join stays.
    pub async fn remove_room(&self, connection: &ConnectionId, room: &RoomId, join: JoinNumber) -> Result<(), Fault> {
        let update = self
            .update(connection, "REMOVE roomNumbers.#room")
            .condition_expression("roomNumbers.#room = :join")
            .expression_attribute_names("#room", room.to_string())
            .expression_attribute_values(":join", number(join.0));
        match answer(update.send()).await {
            // A connection that is forgotten is in no room.
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to remove a room from a connection", error)),
        }
    }

    /// A change of a connection's row.
    fn update(&self, connection: &ConnectionId, change: &str) -> UpdateItemFluentBuilder {
        let key = key(&keys::connection(connection), keys::OPEN);
        self.client.update_item().table_name(&self.table).set_key(Some(key)).update_expression(change)
    }
}

/// An encoding as a row has it: JSON is not written, so the rows of its clients are what they always were.
pub(super) fn written(encoding: Encoding) -> Option<&'static str> {
    encoding.is_socket_io().then_some(encoding.name())
}

pub(super) fn named(encoding: Option<&str>) -> Encoding {
    encoding.map(Encoding::named).unwrap_or_default()
}

/// The connection that a row is of, or an entry of the index.
fn connection_of(item: Item) -> Result<ConnectionId, Fault> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "PK")]
        partition: String,
    }
    let Entry { partition } = read(item)?;
    Ok(ConnectionId::new(partition.strip_prefix(keys::CONNECTION_PREFIX).unwrap_or(&partition)))
}

/// The rooms that a connection's row notes.
fn rooms_in(row: ConnectionRow, doing: &'static str) -> Result<BTreeSet<RoomId>, Fault> {
    let room = |id: String| {
        RoomId::parse(&id).ok_or_else(|| Fault::because(doing, format!("it is in {id:?}, which is no room")))
    };
    row.rooms.into_iter().chain(row.room_numbers.unwrap_or_default().into_keys()).map(room).collect()
}

/// Whether a connection's row, if there is one, says that it is open.
fn is_open(row: Option<Item>) -> Result<bool, Fault> {
    let row = row.map(read::<ConnectionRow>).transpose()?;
    Ok(row.is_some_and(|row| row.closed_at.is_none()))
}
