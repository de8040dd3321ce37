use super::keys::{self, Table};
use super::{Item, PARTITION_AND_SORT};
use crate::Fault;
use aws_sdk_dynamodb::Client;

/// The two tables. Operators type their names, so the rows tell whether they were swapped.
#[derive(Clone)]
pub struct Tables {
    client: Client,
    connections: String,
    chat: String,
}

impl Tables {
    pub(crate) fn new(client: Client, connections: &str, chat: &str) -> Self {
        Self { client, connections: connections.to_owned(), chat: chat.to_owned() }
    }

    /// Looks at a row of each table.
    ///
    /// # Errors
    /// Where one of them holds rows of the other, and where the chat table holds none: every user who ever connected is in it. The table of
    /// connections is empty while nobody is connected.
    pub async fn recognise(&self) -> Result<(), Fault> {
        let doing = "failed to recognise the tables";
        match self.kind(&self.chat).await? {
            Some(Table::Chat) => {}
            Some(_) => return Err(Fault::because(doing, format!("{} is not the chat table", self.chat))),
            None => return Err(Fault::because(doing, format!("{} is empty: nobody ever connected", self.chat))),
        }
        match self.kind(&self.connections).await? {
            Some(Table::Connections) | None => Ok(()),
            Some(_) => Err(Fault::because(doing, format!("{} is not the table of connections", self.connections))),
        }
    }

    /// What a table is, by one of its rows.
    async fn kind(&self, table: &str) -> Result<Option<Table>, Fault> {
        let scan = self.client.scan().table_name(table).limit(1).consistent_read(true);
        let found = scan.projection_expression(PARTITION_AND_SORT).send().await;
        let found = found.map_err(Fault::doing("failed to look at a table"))?;
        let text = |item: &Item, name: &str| item.get(name).and_then(|value| value.as_s().ok().cloned());
        let row = found.items().first().map(|item| (text(item, keys::PARTITION), text(item, keys::SORT)));
        Ok(row.map(|(partition, sort)| keys::table(&partition.unwrap_or_default(), &sort.unwrap_or_default())))
    }
}
