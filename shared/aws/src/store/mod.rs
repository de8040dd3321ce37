//! The two tables. Every key string is built in [`keys`]; every read that decides something is strongly consistent.

mod arrivals;
mod bars;
mod batch;
mod changes;
mod connections;
mod erasure;
mod heads;
mod kept;
pub(crate) mod keys;
mod members;
mod messages;
mod posts;
mod query;
mod reactions;
mod reports;
mod tables;
mod time;
mod users;

pub use arrivals::{Arrival, Arrivals};
pub use bars::RoomBars;
pub use changes::{Changes, Committed};
pub use connections::{Closed, Connections, JoinNumber, Kept, Shut};
pub use erasure::{Erasure, Position, Size, Step, Where};
pub use heads::{Counted, Written};
pub use kept::{KeptRooms, Listed};
pub use members::{Found, Members, Part, Removal};
pub use messages::{Messages, Stored};
pub use posts::Posts;
pub use reactions::{Reacted, Reactions};
pub use reports::Reports;
pub use tables::Tables;
pub(crate) use users::Reader;
pub use users::Users;

use crate::limits::CONFLICT_BACKOFF;
use crate::{Fault, now};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::result::CreateUnhandledError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A row, or a key, as the SDK takes it.
type Item = HashMap<String, AttributeValue>;

/// Both parts of a row's key, as a projection.
const PARTITION_AND_SORT: &str = "PK, SK";

/// Waits for the answer to a request that is sent. Boxed: two of the SDK's futures side by side are too large to be
/// moved about.
fn answer<T, E, R>(
    sent: impl Future<Output = Result<T, SdkError<E, R>>> + Send,
) -> impl Future<Output = Result<T, E>> + Send
where
    E: std::error::Error + Send + Sync + CreateUnhandledError + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let sent = Box::pin(sent);
    async { sent.await.map_err(SdkError::into_service_error) }
}

/// Waits before an attempt that is not the first, each time twice as long.
pub(crate) async fn wait_before(attempt: u32) {
    if let Some(repeat) = attempt.checked_sub(1) {
        tokio::time::sleep(CONFLICT_BACKOFF * 2_u32.pow(repeat)).await;
    }
}

fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([
        (keys::PARTITION.to_owned(), AttributeValue::S(partition.to_owned())),
        (keys::SORT.to_owned(), AttributeValue::S(sort.to_owned())),
    ])
}

fn row(partition: &str, sort: &str, attributes: impl Serialize) -> Result<Item, Fault> {
    let mut item: Item = serde_dynamo::to_item(attributes).map_err(Fault::doing("failed to write a row"))?;
    item.extend(key(partition, sort));
    Ok(item)
}

fn read<'a, T: Deserialize<'a>>(item: Item) -> Result<T, Fault> {
    serde_dynamo::from_item(item).map_err(Fault::doing("failed to read a row"))
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// DynamoDB removes expired rows within days, so a read leaves them out by itself: `expiresAt > :now`.
fn now_in_seconds() -> AttributeValue {
    number(now().seconds())
}
