use super::bars::{IS_NOT_BARRED, bars_of};
use super::messages::{cancellation_reasons, emoji_attribute, is_void, message_of};
use super::query::{Range, Rows};
use super::{Item, answer, batch, key, keys, number, read, row, text, wait_before};
use crate::limits::{CHANGE_SETTLES, CONFLICT_ATTEMPTS};
use crate::{Failure, Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};
use chat::{Bars, Caller, Change, ChangeNumber, ChangesPage, LastChange, ListChanges, Message, MessageId, Rejection};
use chat::{RoomId, Timestamp, UserId, Verdict, Windows};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The attribute that only the counter of changes has.
pub(super) const LAST_CHANGE: &str = "lastChange";

const CHANGING: &str = "failed to change a message";

/// How messages change: a second sequence in the room part of the Chat table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `ROOM#<roomId>` | `CHANGED` | `lastChange`, a counter without holes, when it was written, and what is settled |
/// | `ROOM#<roomId>` | `CHG#<number>` | which message has this version |
/// | `ROOM#<roomId>` | `MSG#<id>` | the message as it is now, and its `version` |
///
/// A change is one transaction on all three, so no number is ever unused. The feed is the rows `CHG#`: each changed
/// message once, at its latest number.
#[derive(Clone)]
pub struct Changes {
    client: Client,
    table: String,
    windows: Windows,
}

/// A change that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// As it is now.
    pub message: Message,
    /// It was so before: this is a repeat.
    pub duplicate: bool,
    /// Who is banned from the room, and is not told of it.
    pub banned: BTreeSet<UserId>,
    /// A repeat by somebody who is barred by now: nobody is told again.
    pub silent: bool,
}

/// A room's counter of changes.
/// A room may have the row for its bars alone, before the first change.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ChangedRow {
    last_change: ChangeNumber,
    /// When that was, in ms.
    change_time: i64,
    /// The highest that was older than [`CHANGE_SETTLES`] then.
    settled: ChangeNumber,
}

impl ChangedRow {
    /// What a client is told of it.
    pub fn as_of(&self, now: Timestamp) -> LastChange {
        LastChange { number: self.last_change, settled: (!self.is_settled(now)).then_some(self.settled) }
    }

    fn is_settled(&self, now: Timestamp) -> bool {
        Timestamp::from_millis(self.change_time).after(CHANGE_SETTLES) <= now
    }

    /// What is settled when the next change is written.
    fn settles(&self, now: Timestamp) -> ChangeNumber {
        if self.is_settled(now) { self.last_change } else { self.settled }
    }
}

/// A place in the feed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeRow {
    id: MessageId,
    /// With its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

/// What a change starts from.
struct Seen {
    changed: ChangedRow,
    bars: Bars,
    message: Message,
    expires_at: Option<i64>,
}

impl Changes {
    pub(crate) fn new(client: Client, table: &str, windows: Windows) -> Self {
        Self { client, table: table.to_owned(), windows }
    }

    /// Changes a message of a room as the rules allow it. A change that is met half-way, or that another one comes
    /// before, is tried again from what it left.
    pub async fn change(
        &self,
        room: &RoomId,
        id: MessageId,
        change: &Change,
        caller: &Caller,
    ) -> Result<Committed, Failure> {
        telemetry::room(room);
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let now = now();
            let Some(seen) = self.look(room, id, now).await? else { return Err(Rejection::NotFound.into()) };
            if seen.message.version() > seen.changed.last_change {
                continue; // its commit is just becoming visible
            }
            let banned = seen.bars.banned(now);
            match change.of(&seen.message, caller, self.windows, now)? {
                Verdict::Done => {
                    let silent = seen.bars.of(caller.user(), now).is_some();
                    return Ok(Committed { message: seen.message, duplicate: true, banned, silent });
                }
                Verdict::Apply => {
                    // What is stored already is answered as a repeat, whatever came since.
                    if let Some(barred) = seen.bars.of(caller.user(), now).filter(|_| change.speaks()) {
                        return Err(barred.refusal(now).into());
                    }
                    if let Some(message) = self.commit(seen, change, caller, now).await? {
                        return Ok(Committed { message, duplicate: false, banned, silent: false });
                    }
                }
            }
        }
        Err(Fault::because(CHANGING, "another change came before each time").into())
    }

    /// Whether a change is stored already.
    pub async fn is_done(&self, room: &RoomId, id: MessageId, change: &Change, caller: &Caller) -> Result<bool, Fault> {
        let now = now();
        let seen = self.look(room, id, now).await?;
        Ok(seen.is_some_and(|seen| change.of(&seen.message, caller, self.windows, now) == Ok(Verdict::Done)))
    }

    /// A room's counter of changes, and a message of it, unless that is not there or expired.
    async fn look(&self, room: &RoomId, id: MessageId, now: Timestamp) -> Result<Option<Seen>, Fault> {
        let room = keys::room(room);
        let wanted = [key(&room, keys::CHANGED), key(&room, &keys::message(id))];
        let (mut changed, mut bars, mut message) = (ChangedRow::default(), Bars::default(), None);
        for item in self.batch(wanted.into()).await? {
            if item.get(keys::SORT).is_some_and(|sort| sort.as_s().is_ok_and(|sort| sort == keys::CHANGED)) {
                bars = bars_of(&item);
                changed = read(item)?;
            } else if !is_void(Some(&item)) {
                let expires_at = item.get("expiresAt").and_then(|at| at.as_n().ok()?.parse().ok());
                message = Some((message_of(item)?, expires_at));
            }
        }
        let is_there = |(_, expires_at): &(_, Option<i64>)| expires_at.is_none_or(|at| at > now.seconds());
        let message = message.filter(is_there);
        Ok(message.map(|(message, expires_at)| Seen { changed, bars, expires_at, message }))
    }

    /// Writes a change over what was seen. Nothing if that is not so any more.
    ///
    /// The room's number goes up only from the one that was seen, so each is given once. The message's version is looked
    /// at too: two rows that are read together are no snapshot, and a recall between them would be undone. And the row of
    /// the room's previous change is locked: so when this one can be seen in the feed, those before it can be as well.
    async fn commit(
        &self,
        seen: Seen,
        change: &Change,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Option<Message>, Fault> {
        let Seen { changed, message, expires_at, .. } = seen;
        let (last, old, version) = (changed.last_change, message.version(), changed.last_change.next());
        let emoji: Vec<_> = message.reactions.by_emoji.keys().map(emoji_attribute).collect();
        let message = change.apply(message, caller.user(), version, now);
        let room = keys::room(&message.room);
        let none = ChangeNumber::default();
        // A bar that comes meanwhile is not overtaken.
        let and_free = if change.speaks() { format!(" AND {IS_NOT_BARRED}") } else { String::new() };

        let count = self
            .update(key(&room, keys::CHANGED))
            .update_expression("SET lastChange = :version, changeTime = :now, settled = :settled")
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":settled", number(changed.settles(now)));
        let count = if last == none {
            count.condition_expression(format!("attribute_not_exists(lastChange){and_free}"))
        } else {
            let is_as_seen = format!("lastChange = :seen{and_free}");
            count.condition_expression(is_as_seen).expression_attribute_values(":seen", number(last))
        };
        let count = match change.speaks() {
            false => count,
            true => count
                .expression_attribute_names("#me", caller.user().to_string())
                .expression_attribute_values(":second", number(now.seconds())),
        };
        let place = row(&room, &keys::change(version), ChangeRow { id: message.id, expires_at })?;
        let place = Put::builder().table_name(&self.table).set_item(Some(place));
        let mut writes = vec![
            count.build().map(|count| TransactWriteItem::builder().update(count).build()),
            self.message(&message, old, &emoji)?
                .build()
                .map(|message| TransactWriteItem::builder().update(message).build()),
            place.build().map(|place| TransactWriteItem::builder().put(place).build()),
        ];
        if old != none {
            let superseded = Delete::builder().table_name(&self.table).set_key(Some(key(&room, &keys::change(old))));
            writes.push(superseded.build().map(|old| TransactWriteItem::builder().delete(old).build()));
        }
        if last != none && last != old {
            let previous = self.locked(key(&room, &keys::change(last)));
            writes
                .push(previous.build().map(|previous| TransactWriteItem::builder().condition_check(previous).build()));
        }
        let writes = writes.into_iter().collect::<Result<Vec<_>, _>>().map_err(Fault::doing(CHANGING))?;
        match answer(self.client.transact_write_items().set_transact_items(Some(writes)).send()).await {
            Ok(_) => Ok(Some(message)),
            Err(error) if is_overtaken(&error) => Ok(None),
            Err(error) => Err(Fault::because(CHANGING, error)),
        }
    }

    /// What makes a message's row say what it says now. A recall takes its reactions along, which are in these attributes.
    fn message(&self, message: &Message, old: ChangeNumber, emoji: &[String]) -> Result<UpdateBuilder, Fault> {
        let room = keys::room(&message.room);
        let update = self
            .update(key(&room, &keys::message(message.id)))
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(message.version()))
            .expression_attribute_values(":content", text(message.content.text()))
            .expression_attribute_values(":now", number(message.update_time().millis()));
        let update = match message.deleted_by() {
            None => {
                let edits = message.changed.iter().flat_map(|changed| &changed.edits).map(ToString::to_string);
                update
                    .update_expression("SET content = :content, editTime = :now, edits = :edits, #version = :version")
                    .expression_attribute_values(":edits", AttributeValue::Ss(edits.collect()))
            }
            Some(by) => {
                let by = serde_dynamo::to_attribute_value(by).map_err(Fault::doing(CHANGING))?;
                let mut change = String::from(
                    "SET content = :content, kind = :text, deletedAt = :now, deletedBy = :by, #version = :version \
                     REMOVE edits, editTime, reacted, reactionVersion, replyTo, mentions, metadata",
                );
                let mut update = update;
                for (number, attribute) in emoji.iter().enumerate() {
                    change.push_str(&format!(", #emoji{number}"));
                    update = update.expression_attribute_names(format!("#emoji{number}"), attribute);
                }
                update
                    .update_expression(change)
                    .expression_attribute_values(":text", text("text"))
                    .expression_attribute_values(":by", by)
            }
        };
        Ok(if old == ChangeNumber::default() {
            update.condition_expression("attribute_exists(PK) AND attribute_not_exists(#version)")
        } else {
            update
                .condition_expression("attribute_exists(PK) AND #version = :old")
                .expression_attribute_values(":old", number(old))
        })
    }

    fn update(&self, key: Item) -> UpdateBuilder {
        Update::builder().table_name(&self.table).set_key(Some(key))
    }

    /// A condition that always holds. It is there for its lock: while an earlier transaction is not done with the row,
    /// this one is turned away.
    fn locked(&self, key: Item) -> ConditionCheckBuilder {
        let check = ConditionCheck::builder().table_name(&self.table).set_key(Some(key));
        check.condition_expression("attribute_not_exists(#none)").expression_attribute_names("#none", "none")
    }

    /// A page of the feed: one query for places, and one batch read for their messages.
    ///
    /// A place whose message is older than it is half of a change that is just becoming visible. The page ends before it:
    /// what comes after it would let the reader pass it.
    pub async fn page(&self, asked: &ListChanges) -> Result<ChangesPage, Fault> {
        Ok(self.visible_page(asked).await?.0)
    }

    /// The same, without halves: it waits until such a change can be seen.
    pub async fn whole_page(&self, asked: &ListChanges) -> Result<ChangesPage, Fault> {
        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            if let (page, true) = self.visible_page(asked).await? {
                return Ok(page);
            }
        }
        Err(Fault::because("failed to read a room's changes", "half of one was to be seen each time"))
    }

    /// A page, and whether it ended where it should.
    async fn visible_page(&self, asked: &ListChanges) -> Result<(ChangesPage, bool), Fault> {
        telemetry::room(&asked.room);
        let (places, more) = self.places(asked).await?;
        let room = keys::room(&asked.room);
        let ids: BTreeSet<_> = places.values().copied().collect();
        let mut messages: HashMap<MessageId, Message> = HashMap::new();
        if !ids.is_empty() {
            let wanted = ids.iter().map(|id| key(&room, &keys::message(*id))).collect();
            for item in self.batch(wanted).await? {
                let message = message_of(item)?;
                messages.insert(message.id, message);
            }
        }
        let mut changes = Vec::new();
        for (number, id) in places {
            match messages.get(&id) {
                Some(message) if message.version() < number => {
                    return Ok((ChangesPage { changes, more: false }, false));
                }
                Some(message) => changes.push((number, message.clone())),
                // It expired.
                None => {}
            }
        }
        Ok((ChangesPage { changes, more }, true))
    }

    /// The places of the feed after the reader's position, as many as are asked for, and whether there are more.
    async fn places(&self, asked: &ListChanges) -> Result<(BTreeMap<ChangeNumber, MessageId>, bool), Fault> {
        let mut places = BTreeMap::new();
        let Some((first, last)) = keys::changes_after(asked.after) else { return Ok((places, false)) };
        let (partition, wanted) = (keys::room(&asked.room), asked.limit + 1);
        let (partition, first, last) = (partition.as_str(), first.as_str(), last.as_str());
        let range = Range { table: &self.table, partition, first, last, forward: true, wanted, rows: Rows::Good };
        let rows = range.read(&self.client, "failed to read a room's changes").await?;
        let more = rows.len() > asked.limit;
        for item in rows.into_iter().take(asked.limit) {
            let sort = item.get(keys::SORT).and_then(|sort| sort.as_s().ok());
            if let Some(number) = sort.and_then(|sort| keys::parse_change(sort)) {
                places.insert(number, read::<ChangeRow>(item)?.id);
            }
        }
        Ok((places, more))
    }

    /// Reads rows, strongly consistent.
    async fn batch(&self, wanted: Vec<Item>) -> Result<Vec<Item>, Fault> {
        let doing = "failed to read changed messages";
        let wanted = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
        let wanted = wanted.build().map_err(Fault::doing(doing))?;
        let mut found = batch::get(&self.client, HashMap::from([(self.table.clone(), wanted)]), doing).await?;
        Ok(found.remove(&self.table).unwrap_or_default())
    }
}

/// Whether something that was seen is no longer so, or another transaction is on one of the rows.
fn is_overtaken(error: &TransactWriteItemsError) -> bool {
    let codes = cancellation_reasons(Some(error)).iter().filter_map(|reason| reason.code.as_deref());
    let mut codes = codes.filter(|code| *code != "None").peekable();
    codes.peek().is_some() && codes.all(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(&code))
}
