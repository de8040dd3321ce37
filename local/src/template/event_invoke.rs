//! How Lambda runs functions for events that it keeps.

use super::Reader;
use super::rights::{fields, object};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Runs after the first, and what a function may be given
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>).
const RETRIES: RangeInclusive<u64> = 0..=2;

/// Seconds that an event is kept, at most six hours.
const SECONDS_KEPT: RangeInclusive<u64> = 60..=21_600;

/// `EventInvokeConfig`. What a function does not say is the most that there may be, as on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventInvokeConfig {
    /// How often a function that failed is run again.
    pub retries: u64,
    /// After which an event is given up.
    pub kept: Duration,
}

impl Reader<'_> {
    pub(super) fn event_invoke_config(&self, function: &Value) -> Result<EventInvokeConfig> {
        let config = &function["EventInvokeConfig"];
        if !config.is_null() {
            fields(object(config)?, &["MaximumEventAgeInSeconds", "MaximumRetryAttempts"])?;
        }
        let number = |name: &str, range: RangeInclusive<u64>| -> Result<u64> {
            if config[name].is_null() {
                return Ok(*range.end());
            }
            let number = self.resolver.text(&config[name])?.parse();
            let number = number.with_context(|| format!("{name} must be a number"))?;
            ensure!(range.contains(&number), "{name} must be a number from {} to {}", range.start(), range.end());
            Ok(number)
        };
        Ok(EventInvokeConfig {
            retries: number("MaximumRetryAttempts", RETRIES)?,
            kept: Duration::from_secs(number("MaximumEventAgeInSeconds", SECONDS_KEPT)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TEMPLATE, parse};
    use super::*;

    /// A function of the project's template, with this line among its properties.
    fn of(config: &str) -> Result<EventInvokeConfig> {
        let handler = "      Handler: disconnect-user\n";
        assert!(TEMPLATE.contains(handler));
        let template = parse(&TEMPLATE.replace(handler, &format!("{handler}      {config}\n")))?;
        let mut functions = template.functions.values();
        Ok(functions.find(|spec| spec.name == "disconnect-user").expect("a function").event_invoke)
    }

    #[test]
    fn a_function_says_how_it_is_run_for_events() {
        let (most, minute) = (Duration::from_secs(21_600), Duration::from_secs(60));
        for (config, retries, kept) in [
            ("", 2, most),
            ("EventInvokeConfig: { MaximumRetryAttempts: 0 }", 0, most),
            ("EventInvokeConfig: { MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 60 }", 1, minute),
        ] {
            assert_eq!(of(config).expect(config), EventInvokeConfig { retries, kept });
        }
    }

    #[test]
    fn what_is_out_of_range_or_not_understood_is_refused() {
        for (config, said) in [
            ("{ MaximumRetryAttempts: 3 }", "MaximumRetryAttempts must be a number from 0 to 2"),
            ("{ MaximumRetryAttempts: some }", "MaximumRetryAttempts must be a number"),
            ("{ MaximumEventAgeInSeconds: 59 }", "MaximumEventAgeInSeconds must be a number from 60 to 21600"),
            ("{ DestinationConfig: { OnFailure: {} } }", "DestinationConfig is more than the local run understands"),
            ("often", "\"often\" is more than the local run understands"),
        ] {
            let error = format!("{:#}", of(&format!("EventInvokeConfig: {config}")).expect_err(said));
            assert!(error.contains("DisconnectUserFunction: EventInvokeConfig: ") && error.contains(said), "{error}");
        }
    }
}
