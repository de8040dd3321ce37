mod list;
mod marks;

pub use list::Listed;

use super::messages::cancellation_reasons;
use super::{Item, answer, batch, key, keys, number, read, row, text, wait_before};
use crate::limits::CONFLICT_ATTEMPTS;
use crate::{Failure, Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, Select,
    TransactWriteItem, Update,
};
use chat::limits::{KEPT_ROOM_MEMBERS_MAX, KEPT_ROOMS_PER_USER_MAX};
use chat::{KeptKind, KeptRoom, Mark, MessageId, Rejection, RoomId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const CHANGING: &str = "failed to change who is in a room";
const LISTING: &str = "failed to list somebody's rooms";

/// The attribute whose presence is the right to enter.
pub(super) const SINCE: &str = "since";

/// Rooms that are kept, who is in them, and how far each has read: in the Chat table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `ROOM#<roomId>` | `INFO` | a kept room: its name, kind, owner, and the set of its members |
/// | `MINE#<userId>` | `ROOM#<roomId>` | `since`, the right to enter; `lastRead`; `mentioned` |
///
/// The list of members and the right are written in one transaction, both ways: two writes, of which others come between,
/// leave somebody with a right whom nobody sees. Marks are not in the room's partition: a thousand readers who mark one
/// message would turn the room's sends away.
#[derive(Clone)]
pub struct KeptRooms {
    client: Client,
    table: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoRow {
    kind: KeptKind,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<UserId>,
    create_time: i64,
}

/// A row of a user's. One without `since` is of a room that a token grants.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MineRow {
    since: Option<i64>,
    last_read: MessageId,
    mentioned: MessageId,
}

impl MineRow {
    fn mark(&self) -> Mark {
        Mark { last_read: self.last_read, mentioned: self.mentioned }
    }
}

impl KeptRooms {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Makes a room, with the rights of those who are in it, in one transaction. One that is there already stays as it is:
    /// the request was repeated, or the other one of a pair came first. But a pair has both in it again, if one of them was
    /// erased and came back. Refused if one of them has too many rooms, or the group's maker has left it. Answers whether
    /// it was made.
    pub async fn create(&self, room: &KeptRoom) -> Result<bool, Failure> {
        telemetry::room(&room.id);
        for user in &room.members {
            self.must_have_place(user).await?;
        }
        let mut info = row(
            &keys::room(&room.id),
            keys::INFO,
            InfoRow {
                kind: room.kind,
                name: room.name.clone(),
                owner: room.owner.clone(),
                create_time: room.create_time.millis(),
            },
        )?;
        info.insert("members".into(), AttributeValue::Ss(room.members.iter().map(ToString::to_string).collect()));
        let put = Put::builder().table_name(&self.table).set_item(Some(info));
        let put = put.condition_expression("attribute_not_exists(PK)");
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = put.build().map_err(Fault::doing(CHANGING))?;
        let mut writes = vec![TransactWriteItem::builder().put(put).build()];
        for user in &room.members {
            let right = self.right_of(user, &room.id, room.create_time);
            let right = right.update_expression("SET since = if_not_exists(since, :now) REMOVE expiresAt");
            writes.push(update(right)?);
        }
        let Some(there) = self.transact(writes).await? else { return Ok(true) };
        let there = kept(&room.id, there)?;
        if there.members.is_superset(&room.members) {
            return Ok(false);
        }
        match room.kind {
            KeptKind::Group => Err(Rejection::RoomNotGranted.into()),
            KeptKind::Pair => self.pair_again(room).await.map(|()| true).map_err(Failure::from),
        }
    }

    /// Lets both of a pair in that is there.
    async fn pair_again(&self, room: &KeptRoom) -> Result<(), Fault> {
        let members = room.members.iter().map(ToString::to_string).collect();
        let list = self
            .update(key(&keys::room(&room.id), keys::INFO))
            .update_expression("ADD members :members")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_values(":members", AttributeValue::Ss(members));
        let rights = room.members.iter().map(|user| {
            self.right_of(user, &room.id, room.create_time).update_expression("SET since = if_not_exists(since, :now)")
        });
        let writes = [list].into_iter().chain(rights).map(update).collect::<Result<_, _>>()?;
        self.transact(writes).await.map(drop)
    }

    /// Takes a user into a group, as a member asks it. The new one has read all that is there.
    pub async fn add(&self, room: &RoomId, by: &UserId, user: &UserId) -> Result<(), Failure> {
        telemetry::room(room);
        let (has_place, last_id) = tokio::join!(self.must_have_place(user), self.last_id(room));
        if let Err(full) = has_place
            && !self.is_in(user, room).await?
        {
            // Who may not ask is told so, and not how many rooms somebody else has.
            self.room(room, by).await?;
            return Err(full);
        }
        let (last_id, now) = (last_id?, now());
        let member = AttributeValue::Ss(vec![user.to_string()]);
        let list = self
            .update(key(&keys::room(room), keys::INFO))
            .update_expression("ADD members :member")
            .condition_expression(
                "contains(members, :by) AND #kind = :group AND (size(members) < :most OR contains(members, :user))",
            )
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":member", member)
            .expression_attribute_values(":by", text(by.to_string()))
            .expression_attribute_values(":user", text(user.to_string()))
            .expression_attribute_values(":group", text("group"))
            .expression_attribute_values(":most", number(KEPT_ROOM_MEMBERS_MAX))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let right = self
            .right_of(user, room, now)
            .update_expression(
                "SET since = if_not_exists(since, :now), lastRead = if_not_exists(lastRead, :lastId) REMOVE expiresAt",
            )
            .expression_attribute_values(":lastId", number(last_id.get()));
        let writes = vec![update(list)?, update(right)?];
        match self.transact(writes).await? {
            None => Ok(()),
            Some(found) => {
                let refused = Self::found(room, found)?.and_then(|room| room.refuses_to_add(by, user));
                Err(refused.unwrap_or(Rejection::RoomNotGranted).into())
            }
        }
    }

    /// Takes a user out of a group: itself, or as its owner asks it, or whoever `moderates` the room. Whoever quits need not
    /// be in it: the request may be repeated.
    pub async fn remove(&self, room: &RoomId, by: &UserId, user: &UserId, moderates: bool) -> Result<(), Failure> {
        telemetry::room(room);
        let list = self
            .update(key(&keys::room(room), keys::INFO))
            .update_expression("DELETE members :member")
            .expression_attribute_values(":member", AttributeValue::Ss(vec![user.to_string()]))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let list = if by == user || moderates {
            list.condition_expression("attribute_exists(PK)")
        } else {
            list.condition_expression("contains(members, :by) AND #owner = :owner")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_values(":by", text(by.to_string()))
                .expression_attribute_values(":owner", attribute(by)?)
        };
        let right = Delete::builder().table_name(&self.table);
        let right = right.set_key(Some(key(&keys::mine(user), &keys::room(room))));
        let right = TransactWriteItem::builder().delete(right.build().map_err(Fault::doing(CHANGING))?).build();
        let writes = vec![update(list)?, right];
        match self.transact(writes).await? {
            None => Ok(()),
            Some(_) if by == user => Ok(()),
            Some(found) => {
                let refused = Self::found(room, found)?.and_then(|room| room.refuses_to_remove(by));
                Err(refused.unwrap_or(Rejection::RoomNotGranted).into())
            }
        }
    }

    /// Whether a user has the right to enter a kept room.
    pub async fn is_in(&self, user: &UserId, room: &RoomId) -> Result<bool, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::mine(user), &keys::room(room)))).projection_expression(SINCE);
        let found = answer(request.send()).await.map_err(Fault::doing("failed to look for a right to enter"))?;
        Ok(found.item.is_some_and(|item| item.contains_key(SINCE)))
    }

    /// A room as one of its members may see it.
    pub async fn room(&self, id: &RoomId, me: &UserId) -> Result<KeptRoom, Failure> {
        let room = self.find(id).await?;
        Ok(room.filter(|room| room.members.contains(me)).ok_or(Rejection::RoomNotGranted)?)
    }

    /// A room, whoever asks.
    pub async fn find(&self, id: &RoomId) -> Result<Option<KeptRoom>, Fault> {
        telemetry::room(id);
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::room(id), keys::INFO)));
        let found = answer(request.send()).await.map_err(Fault::doing("failed to read a room"))?;
        found.item.map(|item| kept(id, item)).transpose()
    }

    /// Takes a user who is being erased out of all rooms, pairs too, and removes the marks. How many rooms there were.
    pub async fn forget(&self, user: &UserId) -> Result<usize, Fault> {
        let rooms = self.rights(user).await?;
        for room in rooms.keys() {
            match self.remove(room, user, user, false).await {
                Err(Failure::Fault(fault)) => return Err(fault),
                // Nobody is refused to leave.
                Ok(()) | Err(Failure::Rejected(_)) => {}
            }
        }
        for row in self.rows_of(user, "").await? {
            let sort = row.get(keys::SORT).and_then(|sort| sort.as_s().ok()).cloned().unwrap_or_default();
            let request = self.client.delete_item().table_name(&self.table);
            let request = request.set_key(Some(key(&keys::mine(user), &sort)));
            answer(request.send()).await.map_err(Fault::doing("failed to forget a mark"))?;
        }
        Ok(rooms.len())
    }

    /// The rooms that a user has a right to, with the marks.
    async fn rights(&self, user: &UserId) -> Result<BTreeMap<RoomId, Mark>, Fault> {
        let rows = self.rows_of(user, keys::ROOM_PREFIX).await?;
        let rights = rows.into_iter().filter(|row| row.contains_key(SINCE)).map(|row| {
            let room = row.get(keys::SORT).and_then(|sort| keys::parse_room(sort.as_s().ok()?));
            let room = room.ok_or_else(|| Fault::because(LISTING, "a row's key is no room's"))?;
            Ok((room, read::<MineRow>(row)?.mark()))
        });
        rights.collect()
    }

    /// A user's rows whose sort keys begin so.
    async fn rows_of(&self, user: &UserId, prefix: &str) -> Result<Vec<Item>, Fault> {
        let (mut rows, mut start) = (Vec::new(), None);
        loop {
            let query = self.client.query().table_name(&self.table).consistent_read(true);
            let query = match prefix {
                "" => query.key_condition_expression("PK = :pk"),
                prefix => query
                    .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
                    .expression_attribute_values(":prefix", text(prefix)),
            };
            let query = query.expression_attribute_values(":pk", text(keys::mine(user))).set_exclusive_start_key(start);
            let page = answer(query.send()).await.map_err(Fault::doing(LISTING))?;
            rows.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    async fn last_id(&self, room: &RoomId) -> Result<MessageId, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let request = request.set_key(Some(key(&keys::room(room), keys::HEAD))).projection_expression("lastId");
        let found = answer(request.send()).await.map_err(Fault::doing(CHANGING))?;
        Ok(found.item.and_then(|item| last_id(&item)).unwrap_or(MessageId::new(0)))
    }

    /// Two that come at the same time may both find a place, and so a list may be longer by a few.
    async fn must_have_place(&self, user: &UserId) -> Result<(), Failure> {
        let query = self.client.query().table_name(&self.table).select(Select::Count);
        let query = query
            .key_condition_expression("PK = :pk AND begins_with(SK, :rooms)")
            .filter_expression(format!("attribute_exists({SINCE})"))
            .expression_attribute_values(":rooms", text(keys::ROOM_PREFIX))
            .expression_attribute_values(":pk", text(keys::mine(user)));
        let found = answer(query.send()).await.map_err(Fault::doing("failed to count somebody's rooms"))?;
        let rooms = usize::try_from(found.count).unwrap_or_default();
        match rooms < KEPT_ROOMS_PER_USER_MAX {
            true => Ok(()),
            false => Err(Rejection::TooManyKeptRooms { limit: KEPT_ROOMS_PER_USER_MAX }.into()),
        }
    }

    /// Writes all or nothing. What stands in the first row's place, if its condition does not hold; empty where nothing is.
    async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Option<Item>, Fault> {
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let request = self.client.transact_write_items().set_transact_items(Some(writes.clone()));
            let Err(error) = request.send().await else { return Ok(None) };
            let reasons = cancellation_reasons(error.as_service_error());
            let is = |code: &'static str| move |reason: &CancellationReason| reason.code.as_deref() == Some(code);
            if let Some(first) = reasons.first().filter(|reason| is("ConditionalCheckFailed")(reason)) {
                return Ok(Some(first.item.clone().unwrap_or_default()));
            }
            if !reasons.iter().any(is("TransactionConflict")) || attempt + 1 == CONFLICT_ATTEMPTS {
                return Err(Fault::because(CHANGING, error));
            }
        }
        Err(Fault::because(CHANGING, "nothing was tried"))
    }

    /// The room whose row refused a write, if there is one.
    fn found(id: &RoomId, item: Item) -> Result<Option<KeptRoom>, Fault> {
        if item.is_empty() { Ok(None) } else { kept(id, item).map(Some) }
    }

    fn right_of(&self, user: &UserId, room: &RoomId, now: Timestamp) -> UpdateBuilder {
        self.update(key(&keys::mine(user), &keys::room(room))).expression_attribute_values(":now", number(now.millis()))
    }

    fn update(&self, key: Item) -> UpdateBuilder {
        Update::builder().table_name(&self.table).set_key(Some(key))
    }

    async fn batch(&self, wanted: Vec<Item>, consistent: bool, doing: &'static str) -> Result<Vec<Item>, Fault> {
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(consistent);
        let wanted = wanted.build().map_err(Fault::doing(doing))?;
        let mut found = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
        Ok(found.remove(&self.table).unwrap_or_default())
    }
}

fn update(write: UpdateBuilder) -> Result<TransactWriteItem, Fault> {
    let write = write.build().map_err(Fault::doing(CHANGING))?;
    Ok(TransactWriteItem::builder().update(write).build())
}

fn attribute(user: &UserId) -> Result<AttributeValue, Fault> {
    serde_dynamo::to_attribute_value(user).map_err(Fault::doing(CHANGING))
}

fn last_id(item: &Item) -> Option<MessageId> {
    item.get(super::heads::LAST_ID)?.as_n().ok()?.parse().ok().map(MessageId::new)
}

fn kept(id: &RoomId, mut item: Item) -> Result<KeptRoom, Fault> {
    // The last of them leaves no set behind.
    let members = item.remove("members").and_then(|members| members.as_ss().cloned().ok()).unwrap_or_default();
    let members: BTreeSet<_> = members.iter().filter_map(|user| UserId::parse(user)).collect();
    let row: InfoRow = read(item)?;
    let create_time = Timestamp::from_millis(row.create_time);
    Ok(KeptRoom { id: id.clone(), kind: row.kind, name: row.name, owner: row.owner, create_time, members })
}
