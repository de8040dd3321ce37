//! The functions that a schedule invokes.

use super::Reader;
use anyhow::{Context, Result};

/// A function that is invoked every so many minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Logical id.
    pub function: String,
    pub minutes: u32,
}

impl Reader<'_> {
    /// The events of type `ScheduleV2`, as far as they are `rate(n minutes)`.
    pub(super) fn schedules(&self) -> Result<Vec<Schedule>> {
        let mut schedules = Vec::new();
        for (function, resource) in self.of_type("AWS::Serverless::Function") {
            for (_, event) in resource["Properties"]["Events"].as_object().into_iter().flatten() {
                if event["Type"] == "ScheduleV2" {
                    let rate = self.resolver.text(&event["Properties"]["ScheduleExpression"])?;
                    let minutes = rate.strip_prefix("rate(").and_then(|rate| rate.strip_suffix(" minutes)"));
                    // One minute is `rate(1 minute)`.
                    let minutes = minutes.and_then(|minutes| minutes.parse().ok()).filter(|minutes| *minutes > 1);
                    let understood = || format!("{function}: the local run understands rate(n minutes), not {rate}");
                    schedules.push(Schedule { function: function.clone(), minutes: minutes.with_context(understood)? });
                }
            }
        }
        Ok(schedules)
    }
}
