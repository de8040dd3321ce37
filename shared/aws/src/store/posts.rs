use super::{answer, key, number};
use crate::Fault;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use chat::Timestamp;
use std::time::Duration;

const PLANNING: &str = "failed to plan posts";

/// The row by which all couriers share what they may post.
///
/// | PK | SK | holds |
/// |---|---|---|
/// | `BUDGET` | `POSTS` | `busyUntil`, when the posts end that were planned, in µs |
#[derive(Clone)]
pub struct Posts {
    client: Client,
    table: String,
}

impl Posts {
    pub(crate) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// Plans posts that take so long, from now on. Answers false if there are others before them.
    pub async fn begin(&self, now: Timestamp, cost: Duration) -> Result<bool, Fault> {
        let request = self
            .update("SET busyUntil = :until")
            .condition_expression("attribute_not_exists(busyUntil) OR busyUntil <= :now")
            .expression_attribute_values(":now", number(micros(now)))
            .expression_attribute_values(":until", number(micros(now) + length(cost)));
        Ok(plan(request).await?.is_some())
    }

    /// Plans posts that take so long, after those before them. Answers how long that is from now, or nothing if there
    /// are none.
    pub async fn queue(&self, now: Timestamp, cost: Duration) -> Result<Option<Duration>, Fault> {
        let request = self
            .update("SET busyUntil = busyUntil + :cost")
            .condition_expression("busyUntil > :now")
            .expression_attribute_values(":now", number(micros(now)))
            .expression_attribute_values(":cost", number(length(cost)));
        let Some(until) = plan(request).await? else { return Ok(None) };
        let ahead = until - length(cost) - micros(now);
        Ok(Some(Duration::from_micros(u64::try_from(ahead).unwrap_or_default())))
    }

    fn update(&self, change: &str) -> UpdateItemFluentBuilder {
        let request = self.client.update_item().table_name(&self.table).set_key(Some(key("BUDGET", "POSTS")));
        request.update_expression(change).return_values(ReturnValue::UpdatedNew)
    }
}

/// When the planned posts end, in µs; nothing if the condition refused it.
async fn plan(request: UpdateItemFluentBuilder) -> Result<Option<i64>, Fault> {
    match answer(request.send()).await {
        Ok(planned) => {
            let until = planned.attributes.as_ref().and_then(|row| row.get("busyUntil"));
            let until = until.and_then(|until| AttributeValue::as_n(until).ok()?.parse().ok());
            until.map(Some).ok_or_else(|| Fault::because(PLANNING, "the answer has no time"))
        }
        Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
        Err(error) => Err(Fault::because(PLANNING, error)),
    }
}

fn micros(time: Timestamp) -> i64 {
    time.millis().saturating_mul(1_000)
}

fn length(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 2)
}
