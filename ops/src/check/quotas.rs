//! Whether the account lets the functions run.

use super::{Found, Subject};
use crate::account::{Account, LAMBDA};
use crate::limits::CONCURRENCY_MIN;
use anyhow::Context;

/// How many functions may run at once (<https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html>). A
/// new account has ten for all its applications.
pub async fn concurrency(subject: &Subject) -> Found {
    let looked = async {
        let settings = Account::new(&subject.vars)?.get(LAMBDA, "account-settings/").await?;
        let limit = &settings["AccountLimit"]["UnreservedConcurrentExecutions"];
        limit.as_f64().map(|limit| limit as u64).context("the answer has no limit")
    };
    match looked.await {
        Ok(limit) if limit >= CONCURRENCY_MIN => Found::Ok(format!("{limit} functions may run at once")),
        Ok(limit) => Found::NotOk(format!(
            "{limit} functions may run at once, in the whole account: ask AWS for {CONCURRENCY_MIN} or more (Service Quotas, \
             Lambda, Concurrent executions)"
        )),
        Err(error) => Found::unknown(error, "may you lambda:GetAccountSettings?"),
    }
}
