//! Several rows by one request. DynamoDB may leave part of a batch undone, when it throttles; that part is asked for
//! again.

use super::{Item, answer, wait_before};
use crate::Fault;
use crate::limits::CONFLICT_ATTEMPTS;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use std::collections::HashMap;

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
        let answer = answer(request.send()).await.map_err(Fault::doing(doing))?;
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
