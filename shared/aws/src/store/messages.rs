use super::query::{Range, Rows};
use super::{Item, answer, key, keys, now_in_seconds, read, row, wait_before};
use crate::clock::monotonic;
use crate::limits::{CONFLICT_ATTEMPTS, RETRY_WINDOW, VOID_KEPT};
use crate::{Fault, now, telemetry};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use chat::rounds::Slot;
use chat::{
    Attachment, ChangeNumber, Changed, ClientMessageId, Content, Cursor, Emoji, Extras, HistoryPage, ListHistory,
    Message, MessageId, MessageKind, Metadata, SendMessage,
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
/// | `ROOM#<roomId>` | `HEAD` | `lastId`, an atomic counter, and [how messages come to the members](chat::rounds::Head) |
/// | `ROOM#<roomId>` | `MSG#<id>` | one message, or that there will never be one |
/// | `ROOM#<roomId>` | `SENT#<userId>#<clientMessageId>` | the id given to that send, for a day |
#[derive(Clone)]
pub struct Messages {
    pub(super) client: Client,
    pub(super) table: String,
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
    /// The key of a file that was uploaded; the content is empty then. A message that was recalled keeps it, so that the
    /// file can be deleted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment: Option<String>,
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

/// The attribute of a row that says that its id will never be a message's.
pub(super) const IS_VOID: &str = "isVoid";

/// Stands under an id that nobody used, so that nobody can: a row in the message's place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VoidRow {
    is_void: bool,
    expires_at: i64,
}

/// What the attributes begin with that hold who put an emoji to a message.
const REACTION_PREFIX: &str = "r#";

/// The attribute that holds who put an emoji to a message.
pub(super) fn emoji_attribute(emoji: &Emoji) -> String {
    format!("{REACTION_PREFIX}{emoji}")
}

/// What became of a message and the row that remembers its send.
enum Once {
    Stored,
    /// An earlier send was given this id.
    Before(MessageId),
    Sealed,
}

/// The condition of a row that is there for the first time.
const IS_FREE: &str = "attribute_not_exists(PK)";

pub(super) fn is_void(item: Option<&Item>) -> bool {
    item.is_some_and(|item| item.contains_key(IS_VOID))
}

fn slot(item: Item) -> Result<Slot, Fault> {
    if is_void(Some(&item)) {
        let id = item.get(keys::SORT).and_then(|sort| keys::parse_message(sort.as_s().ok()?));
        let id = id.ok_or_else(|| Fault::because("failed to read a void row", "its key is no message's"))?;
        return Ok((id, None));
    }
    message_of(item).map(|message| (message.id, Some(message)))
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
            content: erased.unwrap_or_else(|| {
                let file = row.attachment.map(Attachment::stored);
                Content::stored(row.kind, row.content).with(extras).with_file(file)
            }),
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

    /// Stores a message, unless an earlier send with the same `clientMessageId` did.
    pub async fn store(&self, message: Message) -> Result<Stored, Fault> {
        let stored = self.store_under(message, false).await?;
        stored.ok_or_else(|| Fault::because(STORING, "nobody seals the id of a message that its sender pushes"))
    }

    /// The same in a room in rounds, whose courier does not wait for ever: None if it sealed the id.
    pub async fn store_in_rounds(&self, message: Message) -> Result<Option<Stored>, Fault> {
        self.store_under(message, true).await
    }

    async fn store_under(&self, message: Message, may_be_sealed: bool) -> Result<Option<Stored>, Fault> {
        let began = monotonic();
        let stored = self.store_message(message, may_be_sealed).await?;
        if stored.as_ref().is_some_and(|stored| stored.unused.is_none()) {
            telemetry::stored_since(began);
        }
        Ok(stored)
    }

    async fn store_message(&self, message: Message, may_be_sealed: bool) -> Result<Option<Stored>, Fault> {
        let Some(client_message_id) = &message.client_message_id else {
            let request = self.client.put_item().table_name(&self.table).set_item(Some(self.row(&message)?));
            let request = match may_be_sealed {
                true => request
                    .condition_expression(IS_FREE)
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
                false => request,
            };
            return match answer(request.send()).await {
                Err(PutItemError::ConditionalCheckFailedException(refused)) if is_void(refused.item.as_ref()) => {
                    Ok(None)
                }
                // The SDK repeats a call whose answer was lost, and so may meet its own row.
                Ok(_) | Err(PutItemError::ConditionalCheckFailedException(_)) => {
                    Ok(Some(Stored { message, unused: None }))
                }
                Err(error) => Err(Fault::because(STORING, error)),
            };
        };
        Ok(match self.store_once(&message, client_message_id, may_be_sealed).await? {
            Once::Stored => Some(Stored { message, unused: None }),
            Once::Before(earlier) if earlier == message.id => Some(Stored { message, unused: None }),
            Once::Before(earlier) => {
                let unused = Some(message.id);
                Some(Stored { message: self.message(&message.room, earlier).await?, unused })
            }
            Once::Sealed => None,
        })
    }

    /// Puts the message and the row that remembers its send in one transaction.
    async fn store_once(&self, message: &Message, id: &ClientMessageId, may_be_sealed: bool) -> Result<Once, Fault> {
        let sent = SentRow { id: message.id, expires_at: now().after(RETRY_WINDOW).seconds() };
        let sent = row(&keys::room(&message.room), &keys::sent(&message.sender, id), sent)?;
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        let mut put_message = Put::builder().table_name(&self.table).set_item(Some(self.row(message)?));
        if may_be_sealed {
            put_message =
                put_message.condition_expression(IS_FREE).return_values_on_condition_check_failure(all_old.clone());
        }
        let put_sent = Put::builder()
            .table_name(&self.table)
            .set_item(Some(sent))
            .condition_expression("attribute_not_exists(PK) OR expiresAt <= :now")
            .expression_attribute_values(":now", now_in_seconds())
            .return_values_on_condition_check_failure(all_old);
        let puts =
            [put_message, put_sent].map(|put| put.build().map(|put| TransactWriteItem::builder().put(put).build()));
        let puts: Vec<_> = puts.into_iter().collect::<Result<_, _>>().map_err(Fault::doing("failed to build a put"))?;

        for attempt in 0..CONFLICT_ATTEMPTS {
            wait_before(attempt).await;
            let request = self.client.transact_write_items().set_transact_items(Some(puts.clone()));
            let Err(error) = request.send().await else { return Ok(Once::Stored) };
            let reasons = cancellation_reasons(error.as_service_error());
            // In the order of the puts. What an earlier send left goes before the id of this one.
            if let Some(old) = reasons.get(1).and_then(|reason| reason.item.clone()) {
                return read::<SentRow>(old).map(|sent| Once::Before(sent.id));
            }
            if is_void(reasons.first().and_then(|reason| reason.item.as_ref())) {
                return Ok(Once::Sealed);
            }
            // Two retries of one send at the same moment: one wins, the other meets its row on the next attempt.
            let conflict = reasons.iter().any(|reason| reason.code.as_deref() == Some("TransactionConflict"));
            if !conflict || attempt + 1 == CONFLICT_ATTEMPTS {
                return Err(Fault::because(STORING, error));
            }
        }
        Err(Fault::because(STORING, "nothing was tried"))
    }

    /// Sees to it that there will never be a message under an id, unless there is one.
    pub async fn seal(&self, room: &RoomId, id: MessageId) -> Result<(), Fault> {
        let void = VoidRow { is_void: true, expires_at: now().after(VOID_KEPT).seconds() };
        let request = self.client.put_item().table_name(&self.table);
        let request =
            request.set_item(Some(row(&keys::room(room), &keys::message(id), void)?)).condition_expression(IS_FREE);
        match answer(request.send()).await {
            Ok(_) | Err(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::because("failed to seal an id", error)),
        }
    }

    /// What stands under the ids after one, up to another, of so many ids at most.
    ///
    /// Rows that have expired stand there as well: a courier that did not see them would wait for them.
    pub async fn slots(
        &self,
        room: &RoomId,
        after: MessageId,
        up_to: MessageId,
        at_most: usize,
    ) -> Result<Vec<Slot>, Fault> {
        let Some((first, last)) = keys::messages_between(Some(after), Some(up_to.next())) else {
            return Ok(Vec::new());
        };
        let (partition, first, last) = (keys::room(room), first.as_str(), last.as_str());
        let range = Range {
            table: &self.table,
            partition: &partition,
            first,
            last,
            forward: true,
            wanted: at_most,
            rows: Rows::All,
        };
        let rows = range.read(&self.client, "failed to read what is to be pushed").await?;
        rows.into_iter().take(at_most).map(slot).collect()
    }

    /// The message that an earlier send of the user with the same `clientMessageId` stored, if there is one.
    pub async fn sent_before(&self, said: &SendMessage, user: &UserId) -> Result<Option<Message>, Fault> {
        let Some(id) = &said.client_message_id else { return Ok(None) };
        let Some(item) = self.get(&keys::room(&said.room), &keys::sent(user, id)).await? else { return Ok(None) };
        let sent: SentRow = read(item)?;
        if sent.expires_at <= now().seconds() {
            return Ok(None);
        }
        self.message(&said.room, sent.id).await.map(Some)
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
        let range = Range { table: &self.table, partition, first, last, forward, wanted, rows: Rows::Good };
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
        let (extras, file) = (message.content.extras().clone(), message.content.file());
        let attributes = MessageRow {
            id: message.id,
            room_id: message.room.clone(),
            sender_id: message.sender.clone(),
            kind: message.content.kind(),
            // An address of a file is good for a while only.
            content: if file.is_some() { String::new() } else { message.content.text().into() },
            attachment: file.map(|file| file.key().to_owned()),
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
