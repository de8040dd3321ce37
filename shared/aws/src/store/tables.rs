use super::keys::{self, Table};
use super::time::ServerTime;
use super::{Item, PARTITION_AND_SORT, answer, key};
use crate::Fault;
use aws_sdk_dynamodb::Client;
use chat::Timestamp;

const RECOGNISING: &str = "failed to recognise the tables";

/// The two tables. Operators type their names, so the rows tell whether they were swapped.
#[derive(Clone)]
pub struct Tables {
    client: Client,
    connections: Option<String>,
    chat: String,
}

impl Tables {
    pub(crate) fn new(client: Client, connections: Option<&str>, chat: &str) -> Self {
        Self { client, connections: connections.map(String::from), chat: chat.to_owned() }
    }

    /// Looks at a row of each table.
    ///
    /// # Errors
    /// Where one of them holds rows of the other, and where the chat table holds none: every user who ever connected is in it. The table of
    /// connections is empty while nobody is connected.
    pub async fn recognise(&self) -> Result<(), Fault> {
        self.recognise_chat().await?;
        let unnamed = || Fault::because(RECOGNISING, "CONNECTIONS_TABLE is not set");
        let connections = self.connections.as_deref().ok_or_else(unnamed)?;
        match self.kind(connections).await? {
            Some(Table::Connections) | None => Ok(()),
            Some(_) => Err(Fault::because(RECOGNISING, format!("{connections} is not the table of connections"))),
        }
    }

    /// The same of the chat table alone, for a command that asks for nothing else.
    pub async fn recognise_chat(&self) -> Result<(), Fault> {
        match self.kind(&self.chat).await? {
            Some(Table::Chat) => Ok(()),
            Some(_) => Err(Fault::because(RECOGNISING, format!("{} is not the chat table", self.chat))),
            None => Err(Fault::because(RECOGNISING, format!("{} is empty: nobody ever connected", self.chat))),
        }
    }

    /// What time it is for DynamoDB, in whole seconds: the caller's clock may be wrong.
    pub async fn time(&self) -> Result<Timestamp, Fault> {
        let doing = "failed to ask DynamoDB for the time";
        let time = ServerTime::default();
        let request = self.client.get_item().table_name(&self.chat).projection_expression(keys::PARTITION);
        // No row has this key; the answer says the time all the same.
        let request = request.set_key(Some(key(keys::PROFILE, keys::PROFILE)));
        answer(request.customize().interceptor(time.clone()).send()).await.map_err(Fault::doing(doing))?;
        time.get().ok_or_else(|| Fault::because(doing, "the answer does not say what time it is"))
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
