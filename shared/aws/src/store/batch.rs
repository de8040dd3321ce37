//! Several rows by one request. DynamoDB may leave part of a batch undone, when it throttles; that part is asked for again.

use super::Item;
use crate::Fault;
use crate::limits::{CONFLICT_ATTEMPTS, CONFLICT_BACKOFF};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use std::collections::HashMap;

/// The write of a whole row.
pub fn put(item: Item) -> WriteRequest {
    // It builds always: a row is all that it needs.
    WriteRequest::builder().set_put_request(PutRequest::builder().set_item(Some(item)).build().ok()).build()
}

/// The removal of a row, whether it is there or not.
pub fn delete(key: Item) -> WriteRequest {
    WriteRequest::builder().set_delete_request(DeleteRequest::builder().set_key(Some(key)).build().ok()).build()
}

/// Writes rows of one table, at most 25, in no order. When it fails, some of them may be written.
pub async fn write(client: &Client, table: &str, writes: Vec<WriteRequest>, doing: &'static str) -> Result<(), Fault> {
    let mut wanted = HashMap::from([(table.to_owned(), writes)]);
    for attempt in 0..CONFLICT_ATTEMPTS {
        wait_before(attempt).await;
        let request = client.batch_write_item().set_request_items(Some(wanted));
        let answer = Box::pin(request.send()).await.map_err(Fault::doing(doing))?;
        wanted = answer.unprocessed_items.unwrap_or_default();
        if wanted.is_empty() {
            return Ok(());
        }
    }
    Err(Fault::because(doing, "DynamoDB left rows over each time"))
}

/// Reads rows by their keys, at most 100, from several tables. A row that is not there is not in the answer.
pub async fn get(
    client: &Client,
    mut wanted: HashMap<String, KeysAndAttributes>,
    doing: &'static str,
) -> Result<HashMap<String, Vec<Item>>, Fault> {
    let mut found: HashMap<String, Vec<Item>> = HashMap::new();
    for attempt in 0..CONFLICT_ATTEMPTS {
        wait_before(attempt).await;
        let request = client.batch_get_item().set_request_items(Some(wanted));
        let answer = Box::pin(request.send()).await.map_err(Fault::doing(doing))?;
        for (table, items) in answer.responses.unwrap_or_default() {
            found.entry(table).or_default().extend(items);
        }
        wanted = answer.unprocessed_keys.unwrap_or_default();
        if wanted.is_empty() {
            return Ok(found);
        }
    }
    Err(Fault::because(doing, "DynamoDB left keys over each time"))
}

/// Waits before an attempt that is not the first, each time twice as long.
async fn wait_before(attempt: u32) {
    if let Some(repeat) = attempt.checked_sub(1) {
        tokio::time::sleep(CONFLICT_BACKOFF * 2_u32.pow(repeat)).await;
    }
}
