use super::query::Range;
use super::{Item, key, keys, now_in_seconds, number, read, row, wait_before};
use crate::clock::monotonic;
use crate::limits::{CONFLICT_ATTEMPTS, RETRY_WINDOW};
use crate::{Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use chat::{
    ChangeNumber, Changed, ClientMessageId, Content, Cursor, Emoji, Extras, HistoryPage, ListHistory, Message,
    MessageId, MessageKind, Metadata,
};
use chat::{Reactions, RoomId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

const STORING: &str = "failed to store a message";

/// The messages of the rooms: the room part of the Chat table.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `ROOM#<roomId>` | `HEAD` | `lastId`, an atomic counter |
/// | `ROOM#<roomId>` | `MSG#<id>` | one message |
/// | `ROOM#<roomId>` | `SENT#<userId>#<clientMessageId>` | the id given to that send, for a day |
#[derive(Clone)]
pub struct Messages {
    client: Client,
    table: String,
    /// None keeps messages for ever.
    retention: Option<Duration>,
}

/// What became of a message that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub message: Message,
    /// An earlier send with the same `clientMessageId` had stored it: `message` is that one, and this id is for ever
    /// unused.
    pub unused: Option<MessageId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageRow {
    id: MessageId,
    room_id: RoomId,
    sender_id: UserId,
    kind: MessageKind,
    content: String,
    create_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<ClientMessageId>,
    /// Only of a message that was [erased](super::Erasure), whose content is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    erase_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<UserId>,
    /// As text: DynamoDB would bound how deep it is, and write its numbers anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    /// The rest only of a message that was changed. `version` is the number of its latest change.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<ChangeNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit_time: Option<i64>,
    /// DynamoDB knows no empty set.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    edits: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_by: Option<UserId>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentRow {
    id: MessageId,
    expires_at: i64,
}

/// The attribute that counts a room's messages.
pub(super) const LAST_ID: &str = "lastId";

/// The room's counter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HeadRow {
    pub last_id: MessageId,
}

/// What the attributes begin with that hold who put an emoji to a message.
const REACTION_PREFIX: &str = "r#";

/// The attribute that holds who put an emoji to a message.
pub(super) fn emoji_attribute(emoji: &Emoji) -> String {
    format!("{REACTION_PREFIX}{emoji}")
}

/// Reads a message's row.
pub(super) fn message_of(item: Item) -> Result<Message, Fault> {
    let reactions = reactions_of(&item);
    let message = Message::from(read::<MessageRow>(item)?);
    // A reaction that came beside a recall is left in the row.
    Ok(if message.deleted_by().is_some() { message } else { Message { reactions, ..message } })
}

fn reactions_of(item: &Item) -> Reactions {
    let version = item.get("reactionVersion").and_then(|version| version.as_n().ok()?.parse().ok());
    let Some(version) = version else { return Reactions::default() };
    let by_emoji = item.iter().filter_map(|(name, users)| {
        let emoji = Emoji::parse(name.strip_prefix(REACTION_PREFIX)?)?;
        Some((emoji, users.as_ss().ok()?.iter().filter_map(|user| UserId::parse(user)).collect()))
    });
    Reactions { version: ChangeNumber::new(version), by_emoji: by_emoji.collect() }
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let erased = row.erase_time.map(|at| Content::erased(Timestamp::from_millis(at)));
        let time = row.deleted_at.or(row.edit_time).unwrap_or(row.create_time);
        let changed = row.version.map(|version| Changed {
            version,
            time: Timestamp::from_millis(time),
            deleted_by: row.deleted_by,
            edits: row.edits.into_iter().map(ClientMessageId::stored).collect(),
        });
        let extras =
            Extras { reply_to: row.reply_to, mentions: row.mentions, metadata: row.metadata.map(Metadata::stored) };
        Self {
            id: row.id,
            room: row.room_id,
            sender: row.sender_id,
            content: erased.unwrap_or_else(|| Content::stored(row.kind, row.content).with(extras)),
            create_time: Timestamp::from_millis(row.create_time),
            client_message_id: row.client_message_id,
            changed,
            reactions: Reactions::default(),
        }
    }
}

impl Messages {
    pub(crate) fn new(client: Client, table: &str, retention_days: u64) -> Self {
        let retention = (retention_days > 0).then(|| Duration::from_secs(retention_days.saturating_mul(24 * 3_600)));
        Self { client, table: table.to_owned(), retention }
    }

    /// Takes the room's next id. An id that is taken and not used stays a hole for ever.
    pub async fn next_id(&self, room: &RoomId) -> Result<MessageId, Fault> {
        telemetry::room(room);
        let request =
            self.client.update_item().table_name(&self.table).set_key(Some(key(&keys::room(room), keys::HEAD)));
        let request = request
            .update_expression("ADD lastId :one")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew);
        let counted = request.send().await.map_err(Fault::doing("failed to count a message"))?;
        let head: HeadRow = read(counted.attributes.unwrap_or_default())?;
        Ok(head.last_id)
    }

    /// Stores a message, unless an earlier send with the same `clientMessageId` did.
    pub async fn store(&self, message: Message) -> Result<Stored, Fault> {
        let began = monotonic();
        let stored = self.store_message(message).await?;
        if stored.unused.is_none() {
            telemetry::stored_since(began);
        }
        Ok(stored)
    }

    async fn store_message(&self, message: Message) -> Result<Stored, Fault> {
        let Some(client_message_id) = &message.client_message_id else {
            let request = self.client.put_item().table_name(&self.table).set_item(Some(self.row(&message)?));
            request.send().await.map_err(Fault::doing(STORING))?;
            return Ok(Stored { message, unused: None });
        };
        match self.store_once(&message, client_message_id).await? {
            // The SDK repeats a call whose answer was lost, and so may meet its own row.
            Some(earlier) if earlier != message.id => {
                let unused = Some(message.id);
                Ok(Stored { message: self.message(&message.room, earlier).await?, unused })
            }
            _ => Ok(Stored { message, unused: None }),
        }
    }

    /// Puts the message and the row that remembers its send in one transaction. Answers the id that an earlier send
    /// was given, if that row is there already.
    async fn store_once(&self, message: &Message, id: &ClientMessageId) -> Result<Option<MessageId>, Fault> {
        let sent = SentRow { id: message.id, expires_at: now().after(RETRY_WINDOW).seconds() };
        let sent = row(&keys::room(&message.room), &keys::sent(&message.sender, id), sent)?;
        let put_message = Put::builder().table_name(&self.table).set_item(Some(self.row(message)?));
        let put_sent = Put::builder()
            .table_name(&self.table)
            .set_item(Some(sent))
            .condition_expression("attribute_not_exists(PK) OR expiresAt <= :now")
            .expression_attribute_values(":now", now_in_seconds())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let puts =
            [put_message, put_sent].map(|put| put.build().map(|put| TransactWriteItem::builder().put(put).build()));
        let puts: Vec<_> = puts.into_iter().collect::<Result<_, _>>().map_err(Fault::doing("failed to build a put"))?;

        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let request = self.client.transact_write_items().set_transact_items(Some(puts.clone()));
            let Err(error) = request.send().await else { return Ok(None) };
            let reasons = cancellation_reasons(error.as_service_error());
            if let Some(old) = reasons.iter().find_map(|reason| reason.item.clone()) {
                return read::<SentRow>(old).map(|sent| Some(sent.id));
            }
            // Two retries of one send at the same moment: one wins, the other meets its row on the next attempt.
            let conflict = reasons.iter().any(|reason| reason.code.as_deref() == Some("TransactionConflict"));
            if !conflict || attempt + 1 == CONFLICT_ATTEMPTS {
                return Err(Fault::because(STORING, error));
            }
        }
        Err(Fault::because(STORING, "nothing was tried"))
    }

    async fn message(&self, room: &RoomId, id: MessageId) -> Result<Message, Fault> {
        let item = self.get(&keys::room(room), &keys::message(id)).await?;
        let missing = || Fault::because("failed to find the message of a retry", format!("message {id} is not there"));
        message_of(item.ok_or_else(missing)?)
    }

    /// A page of a room's history: one query, unless expired rows or DynamoDB's 1 MB per answer cut it short.
    ///
    /// Strongly consistent, since a client that joined catches up from here to `lastId`.
    pub async fn page(&self, request: &ListHistory) -> Result<HistoryPage, Fault> {
        telemetry::room(&request.room);
        let (after, before) = match request.cursor {
            Cursor::Newest => (None, None),
            Cursor::Before(id) => (None, Some(id)),
            Cursor::After(id) => (Some(id), None),
        };
        let Some((first, last)) = keys::messages_between(after, before) else {
            return Ok(HistoryPage { messages: Vec::new(), more: false });
        };
        // One row beyond the page tells whether more lie there.
        let (partition, wanted, forward) = (keys::room(&request.room), request.limit + 1, after.is_some());
        let (partition, first, last) = (partition.as_str(), first.as_str(), last.as_str());
        let range = Range { table: &self.table, partition, first, last, forward, wanted };
        let rows = range.read(&self.client, "failed to read a room's history").await?;
        let mut rows: Vec<_> = rows.into_iter().map(message_of).collect::<Result<_, _>>()?;
        let more = rows.len() > request.limit;
        rows.truncate(request.limit);
        if after.is_none() {
            rows.reverse();
        }
        Ok(HistoryPage { messages: rows, more })
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Item>, Fault> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let found = request.set_key(Some(key(partition, sort))).send().await;
        Ok(found.map_err(Fault::doing("failed to read a room"))?.item)
    }

    fn row(&self, message: &Message) -> Result<Item, Fault> {
        let extras = message.content.extras().clone();
        let attributes = MessageRow {
            id: message.id,
            room_id: message.room.clone(),
            sender_id: message.sender.clone(),
            kind: message.content.kind(),
            content: message.content.text().into(),
            create_time: message.create_time.millis(),
            client_message_id: message.client_message_id.clone(),
            erase_time: None,
            version: None,
            edit_time: None,
            edits: BTreeSet::new(),
            deleted_at: None,
            deleted_by: None,
            reply_to: extras.reply_to,
            mentions: extras.mentions,
            metadata: extras.metadata.map(|metadata| metadata.text().to_owned()),
            expires_at: self.retention.map(|retention| message.create_time.after(retention).seconds()),
        };
        row(&keys::room(&message.room), &keys::message(message.id), attributes)
    }
}

pub(super) fn cancellation_reasons(error: Option<&TransactWriteItemsError>) -> &[CancellationReason] {
    match error {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        _ => &[],
    }
}
