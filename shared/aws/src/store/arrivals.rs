use super::messages::HeadRow;
use super::{Item, batch, key, keys, read};
use crate::Fault;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use chat::{ConnectionId, MessageId, RoomId};
use std::collections::HashMap;

/// What a join must know of both tables; one batch reads them.
#[derive(Clone)]
pub struct Arrivals {
    client: Client,
    connections_table: String,
    chat_table: String,
}

/// What a connection finds when it has entered a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Whether it is open: `$connect` noted it and `$disconnect` did not yet.
    pub open: bool,
    /// The id of the room's newest message, 0 before the first.
    pub last_id: MessageId,
}

impl Arrivals {
    pub(crate) fn new(client: Client, connections_table: &str, chat_table: &str) -> Self {
        Self { client, connections_table: connections_table.to_owned(), chat_table: chat_table.to_owned() }
    }

    /// Looks at both, strongly consistent. Each is read by itself, as it is at some moment of this call.
    pub async fn read(&self, connection: &ConnectionId, room: &RoomId) -> Result<Arrival, Fault> {
        let wanted = HashMap::from([
            (self.connections_table.clone(), one(key(&keys::connection(connection), keys::OPEN))?),
            (self.chat_table.clone(), one(key(&keys::room(room), keys::HEAD))?),
        ]);
        let mut found = batch::get(&self.client, wanted, DOING).await?;
        let mut row = |table: &str| found.remove(table).and_then(|mut rows| rows.pop());
        let open = row(&self.connections_table).is_some();
        let head = row(&self.chat_table).map(read::<HeadRow>).transpose()?;
        Ok(Arrival { open, last_id: head.map_or(MessageId::new(0), |head| head.last_id) })
    }
}

const DOING: &str = "failed to look up a connection and its room";

fn one(key: Item) -> Result<KeysAndAttributes, Fault> {
    KeysAndAttributes::builder().keys(key).consistent_read(true).build().map_err(Fault::doing(DOING))
}
