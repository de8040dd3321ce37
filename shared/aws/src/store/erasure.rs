//! What a user leaves behind, found and emptied. It is an operator's work: no function comes here.

use super::heads::HeadRow;
use super::{Item, PARTITION_AND_SORT, answer, key, keys, number, read, text};
use crate::Fault;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ConsumedCapacity, ReturnConsumedCapacity};
use chat::{Profile, RoomId, Timestamp, UserId};
use std::collections::HashMap;

/// Empties what a user wrote, and removes what says who the user is.
///
/// There is no index by sender, so whoever looks for a user's messages reads every row, or every row of some rooms. A
/// message keeps its id, its time and its sender: an id that is missing would be a hole to every client.
#[derive(Clone)]
pub struct Erasure {
    client: Client,
    connections_table: String,
    chat_table: String,
}

/// A row's key, and so a place on the way through a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub partition: String,
    pub sort: String,
}

/// Where a user's messages are looked for.
#[derive(Debug, Clone, Copy)]
pub enum Where<'a> {
    Everywhere,
    Room(&'a RoomId),
}

/// One answer of DynamoDB on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How many rows were read.
    pub rows: usize,
    pub units: f64,
    /// Where those of the user are that are still to be emptied, or removed.
    pub found: Vec<Position>,
    /// Where to go on; none at the end.
    pub next: Option<Position>,
}

/// How large the chat table is. DynamoDB counts about every six hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u64,
    pub bytes: u64,
}

impl Position {
    fn of(item: &Item) -> Option<Self> {
        let part = |name| item.get(name).and_then(|value| value.as_s().ok().cloned());
        Some(Self { partition: part(keys::PARTITION)?, sort: part(keys::SORT)? })
    }

    /// Right before the first message of a room.
    pub fn before(room: &RoomId) -> Self {
        Self { partition: keys::room(room), sort: keys::MESSAGE_PREFIX.into() }
    }

    fn key(&self) -> Item {
        key(&self.partition, &self.sort)
    }

    /// Whether it is a place among the messages of a room.
    pub fn is_in(&self, room: &RoomId) -> bool {
        self.partition == keys::room(room)
    }
}

impl Erasure {
    pub(crate) fn new(client: Client, connections_table: &str, chat_table: &str) -> Self {
        Self { client, connections_table: connections_table.to_owned(), chat_table: chat_table.to_owned() }
    }

    pub async fn size(&self) -> Result<Size, Fault> {
        let request = self.client.describe_table().table_name(&self.chat_table);
        let table = answer(request.send()).await.map_err(Fault::doing("failed to describe a table"))?.table;
        let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
        let (rows, bytes) = table.map_or((None, None), |table| (table.item_count, table.table_size_bytes));
        Ok(Size { rows: count(rows), bytes: count(bytes) })
    }

    /// The newest id of a room, which is the most messages that it can have; 0 before the first.
    pub async fn last_id(&self, room: &RoomId) -> Result<u64, Fault> {
        let request = self.client.get_item().table_name(&self.chat_table);
        let request = request.set_key(Some(key(&keys::room(room), keys::HEAD)));
        let found = answer(request.send()).await.map_err(Fault::doing("failed to look at a room"))?;
        let head = found.item.map(read::<HeadRow>).transpose()?;
        Ok(head.map_or(0, |head| head.last_id.get()))
    }

    /// Reduces a user's row to what a user who was never seen but shut out has: the id, and until when tokens are
    /// revoked; and the connections, which [`Users::forget`](super::Users::forget) removes. Does nothing where there is
    /// no row.
    pub async fn profile(&self, user: &UserId, now: Timestamp) -> Result<(), Fault> {
        let unknown = Profile::unknown(user.clone());
        let request = self.client.update_item().table_name(&self.chat_table);
        let request = request
            .set_key(Some(key(&keys::user(user), keys::PROFILE)))
            .update_expression("SET username = :name, nickName = :nickName, createTime = :now REMOVE email, headPic")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":name", text(unknown.username))
            .expression_attribute_values(":nickName", text(unknown.nick_name))
            .expression_attribute_values(":now", number(now.millis()));
        match answer(request.send()).await {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to empty a profile", error)),
        }
    }

    /// Reads so many rows of the table of connections for those of a user's that are older than a moment.
    pub async fn memberships(
        &self,
        user: &UserId,
        until: Timestamp,
        from: Option<&Position>,
        rows: i32,
    ) -> Result<Step, Fault> {
        let scan = self.client.scan().table_name(&self.connections_table).consistent_read(true).limit(rows);
        let scan = scan
            .filter_expression(OLD_MEMBERSHIP)
            .set_expression_attribute_values(Some(old_membership(user, until)?))
            .projection_expression(PARTITION_AND_SORT)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .set_exclusive_start_key(from.map(Position::key));
        let page = answer(scan.send()).await.map_err(Fault::doing("failed to look for a user's connections"))?;
        Ok(step(page.scanned_count, page.consumed_capacity.as_ref(), page.items, page.last_evaluated_key.as_ref()))
    }

    /// Removes what [`memberships`](Self::memberships) found, unless it is another's by now, or younger. Answers the
    /// units it took.
    pub async fn remove_membership(&self, user: &UserId, until: Timestamp, at: &Position) -> Result<f64, Fault> {
        let request = self.client.delete_item().table_name(&self.connections_table);
        let request = request
            .set_key(Some(at.key()))
            .condition_expression(OLD_MEMBERSHIP)
            .set_expression_attribute_values(Some(old_membership(user, until)?))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match answer(request.send()).await {
            Ok(removed) => Ok(units(removed.consumed_capacity.as_ref())),
            // It went by itself meanwhile; DynamoDB asks a unit for the look.
            Err(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(1.0),
            Err(error) => Err(Fault::because("failed to remove a user's connection", error)),
        }
    }

    /// Reads so many rows for messages of a user that are not empty yet.
    ///
    /// The rows that remember sends are left alone. There is no text in them, they expire within a day, and until then
    /// they are what keeps a repeated send from bringing its text back.
    pub async fn messages(
        &self,
        user: &UserId,
        place: Where<'_>,
        from: Option<&Position>,
        rows: i32,
    ) -> Result<Step, Fault> {
        let doing = "failed to look for a user's messages";
        let values = HashMap::from([(":user".to_owned(), id(user)?)]);
        let from = from.map(Position::key);
        match place {
            Where::Everywhere => {
                let scan = self.client.scan().table_name(&self.chat_table).consistent_read(true).limit(rows);
                let scan = scan
                    .filter_expression(format!("{UNERASED_MESSAGE} AND begins_with(SK, :messages)"))
                    .set_expression_attribute_values(Some(values))
                    .expression_attribute_values(":messages", text(keys::MESSAGE_PREFIX))
                    .projection_expression(PARTITION_AND_SORT)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .set_exclusive_start_key(from);
                let page = answer(scan.send()).await.map_err(Fault::doing(doing))?;
                Ok(step(
                    page.scanned_count,
                    page.consumed_capacity.as_ref(),
                    page.items,
                    page.last_evaluated_key.as_ref(),
                ))
            }
            Where::Room(room) => {
                let query = self.client.query().table_name(&self.chat_table).consistent_read(true).limit(rows);
                let query = query
                    .key_condition_expression("PK = :pk AND begins_with(SK, :messages)")
                    .filter_expression(UNERASED_MESSAGE)
                    .set_expression_attribute_values(Some(values))
                    .expression_attribute_values(":pk", text(keys::room(room)))
                    .expression_attribute_values(":messages", text(keys::MESSAGE_PREFIX))
                    .projection_expression(PARTITION_AND_SORT)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .set_exclusive_start_key(from);
                let page = answer(query.send()).await.map_err(Fault::doing(doing))?;
                Ok(step(
                    page.scanned_count,
                    page.consumed_capacity.as_ref(),
                    page.items,
                    page.last_evaluated_key.as_ref(),
                ))
            }
        }
    }

    /// Empties a message that [`messages`](Self::messages) found, unless that is done. It becomes a text, since every
    /// client can show an empty one. Answers whether there was something to empty, and the units it took.
    pub async fn empty(&self, user: &UserId, at: &Position, now: Timestamp) -> Result<(bool, f64), Fault> {
        let request = self.client.update_item().table_name(&self.chat_table);
        let request = request
            .set_key(Some(at.key()))
            .update_expression(EMPTIED)
            .condition_expression(UNERASED_MESSAGE)
            .expression_attribute_values(":user", id(user)?)
            .expression_attribute_values(":nothing", text(""))
            .expression_attribute_values(":text", text("text"))
            .expression_attribute_values(":now", number(now.millis()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        match answer(request.send()).await {
            Ok(emptied) => Ok((true, units(emptied.consumed_capacity.as_ref()))),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok((false, 1.0)),
            Err(error) => Err(Fault::because("failed to empty a message", error)),
        }
    }
}

/// What is left of a message: its id, its time and its sender.
const EMPTIED: &str = "SET content = :nothing, kind = :text, eraseTime = :now \
                       REMOVE clientMessageId, attachment, replyTo, mentions, metadata, edits";

const UNERASED_MESSAGE: &str = "senderId = :user AND attribute_not_exists(eraseTime)";

/// Both kinds of rows of the table of connections. One that was made since belongs to somebody who was let in again.
const OLD_MEMBERSHIP: &str = "userId = :user AND (connectedAt <= :until OR joinedAt <= :until)";

fn old_membership(user: &UserId, until: Timestamp) -> Result<HashMap<String, AttributeValue>, Fault> {
    Ok(HashMap::from([(":user".to_owned(), id(user)?), (":until".to_owned(), number(until.millis()))]))
}

fn id(user: &UserId) -> Result<AttributeValue, Fault> {
    serde_dynamo::to_attribute_value(user).map_err(Fault::doing("failed to name a user"))
}

fn step(rows: i32, consumed: Option<&ConsumedCapacity>, items: Option<Vec<Item>>, last: Option<&Item>) -> Step {
    let found = items.unwrap_or_default().iter().filter_map(Position::of).collect();
    Step {
        rows: usize::try_from(rows).unwrap_or_default(),
        units: units(consumed),
        found,
        next: last.and_then(Position::of),
    }
}

fn units(consumed: Option<&ConsumedCapacity>) -> f64 {
    consumed.and_then(ConsumedCapacity::capacity_units).unwrap_or_default()
}
