//! Rows of one partition, in the order of their sort keys.

use super::{Item, answer, now_in_seconds, text};
use crate::Fault;
use aws_sdk_dynamodb::Client;

/// Which rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Those that have not expired, and stand for something.
    Good,
    All,
}

/// Rows between two sort keys, both included: so many, or all there are. By one query, unless rows that are not wanted or
/// DynamoDB's 1 MB per answer cut it short.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    pub table: &'a str,
    pub partition: &'a str,
    pub first: &'a str,
    pub last: &'a str,
    /// From the first to the last, or the other way.
    pub forward: bool,
    pub wanted: usize,
    pub rows: Rows,
}

const IS_GOOD: &str = "(attribute_not_exists(expiresAt) OR expiresAt > :now) AND attribute_not_exists(isVoid)";

impl Range<'_> {
    /// Strongly consistent: a client that joined catches up from here.
    pub async fn read(self, client: &Client, doing: &'static str) -> Result<Vec<Item>, Fault> {
        let mut rows = Vec::with_capacity(self.wanted);
        let mut start: Option<Item> = None;
        loop {
            let query = client.query().table_name(self.table).consistent_read(true);
            let query = query
                .key_condition_expression("PK = :pk AND SK BETWEEN :first AND :last")
                .expression_attribute_values(":pk", text(self.partition))
                .expression_attribute_values(":first", text(self.first))
                .expression_attribute_values(":last", text(self.last))
                .scan_index_forward(self.forward)
                // A first answer that came short stood among other rows; then as much as an answer holds is read.
                .set_limit(start.is_none().then(|| i32::try_from(self.wanted).unwrap_or(i32::MAX)))
                .set_exclusive_start_key(start);
            let query = match self.rows {
                Rows::Good => query.filter_expression(IS_GOOD).expression_attribute_values(":now", now_in_seconds()),
                Rows::All => query,
            };
            let page = answer(query.send()).await.map_err(Fault::doing(doing))?;
            rows.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if rows.len() >= self.wanted || start.is_none() {
                return Ok(rows);
            }
        }
    }
}
