use super::changes::{ChangedRow, LAST_CHANGE};
use super::connections::ConnectionRow;
use super::heads::{LAST_ID, head_of};
use super::kept::SINCE;
use super::{Item, JoinNumber, batch, key, keys, read};
use crate::{Fault, now};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use aws_sdk_dynamodb::types::builders::KeysAndAttributesBuilder;
use chat::rounds::Head;
use chat::{Bar, Barred, ConnectionId, LastChange, MessageId, Newest, RoomId, Standing, UserId};
use std::collections::HashMap;
use std::time::Duration;

/// What a join finds once it is written: rows of both tables, by one request.
///
/// A join writes first, then reads everything that may forbid it. A check before the write would not be enough: what
/// forbids the join may come between the two.
#[derive(Clone)]
pub struct Arrivals {
    client: Client,
    connections_table: String,
    chat_table: String,
}

/// What stands against a join, or for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    In(Newest, Standing),
    /// The connection was closed meanwhile.
    Closed,
    /// The user is not in a kept room any more.
    NoRight,
    /// The user is banned.
    Barred(Barred),
    /// Another frame of the connection left the room meanwhile, or joined it later.
    Overtaken,
}

impl Arrivals {
    pub(crate) fn new(client: Client, connections_table: &str, chat_table: &str) -> Self {
        Self { client, connections_table: connections_table.to_owned(), chat_table: chat_table.to_owned() }
    }

    /// Whether a join stands that was added to the connection's rooms, and then entered the room. The room's `changes`
    /// are read for a client that asks for them alone, and the user's right only where it `needs` one: others pay nothing
    /// for them. Whether the user is banned stands in the row that has the newest id.
    pub async fn verify(
        &self,
        (connection, user): (&ConnectionId, &UserId),
        room: &RoomId,
        join: JoinNumber,
        changes: bool,
        needs_right: bool,
    ) -> Result<Arrival, Fault> {
        let doing = "failed to verify a join";
        let row_of_connection = wanted(key(&keys::connection(connection), keys::OPEN))
            .projection_expression("PK, closedAt, roomNumbers.#room")
            .expression_attribute_names("#room", room.to_string());
        let mut of_room = wanted(key(&keys::room(room), keys::HEAD));
        if changes {
            of_room = of_room.keys(key(&keys::room(room), keys::CHANGED));
        }
        if needs_right {
            of_room = of_room.keys(key(&keys::mine(user), &keys::room(room)));
        }
        let wanted = [(&self.connections_table, row_of_connection), (&self.chat_table, of_room)];
        let wanted = wanted
            .into_iter()
            .map(|(table, keys)| keys.build().map(|keys| (table.clone(), keys)).map_err(Fault::doing(doing)));
        let mut found = batch::get(&self.client, wanted.collect::<Result<HashMap<_, _>, _>>()?, doing).await?;
        let mut rows = |table: &str| found.remove(table).unwrap_or_default().into_iter();
        let (connection, of_room) = (rows(&self.connections_table).next(), rows(&self.chat_table));

        let Some(connection) = connection else { return Ok(Arrival::Closed) };
        let connection: ConnectionRow = read(connection)?;
        if connection.closed_at.is_some() {
            return Ok(Arrival::Closed);
        }
        let newest = connection.room_numbers.and_then(|rooms| rooms.get(&room.to_string()).copied());
        if newest != Some(join) {
            return Ok(Arrival::Overtaken);
        }
        let mut newest = Newest { id: MessageId::new(0), change: changes.then(LastChange::default) };
        let (mut head, mut has_right, now) = (Head::default(), !needs_right, now());
        for row in of_room {
            if row.contains_key(SINCE) {
                has_right = true;
                continue;
            }
            // Only the counter of messages has a `lastId`.
            if row.contains_key(LAST_ID) {
                head = head_of(row)?;
                newest.id = head.last_id;
            } else if changes && row.contains_key(LAST_CHANGE) {
                newest.change = Some(read::<ChangedRow>(row)?.as_of(now));
            }
        }
        let barred = head.bars.of(user, now);
        Ok(match barred {
            _ if !has_right => Arrival::NoRight,
            Some(barred) if barred.bar == Bar::Ban => Arrival::Barred(barred),
            muted => {
                let slow = (head.slow > 0).then(|| Duration::from_secs(head.slow));
                Arrival::In(newest, Standing { muted: muted.map(|muted| muted.until), slow })
            }
        })
    }
}

fn wanted(key: Item) -> KeysAndAttributesBuilder {
    KeysAndAttributes::builder().keys(key).consistent_read(true)
}
