//! What the template says of the pipe that puts rows onto a bus.

use super::Reader;
use super::resolve::{ACCOUNT, REGION};
use super::rights::{fields, object};
use crate::pipe::{InputTemplate, Pattern};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// `AWS::Pipes::Pipe`, from a table's stream to a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct PipeSpec {
    /// Logical id of the table.
    pub table: String,
    /// A record that one of them matches becomes an event.
    pub filters: Vec<Pattern>,
    pub input: InputTemplate,
    pub detail_type: String,
    pub source: String,
}

/// What a pipe may have here. An enrichment would be a function that this run knows nothing of.
const PROPERTIES: [&str; 6] = ["RoleArn", "Description", "Source", "SourceParameters", "Target", "TargetParameters"];

impl Reader<'_> {
    /// The one pipe, or none.
    pub(super) fn pipe(&self) -> Result<Option<PipeSpec>> {
        match self.of_type("AWS::Pipes::Pipe").next() {
            None => Ok(None),
            Some((id, _)) => {
                let (_, pipe) = self.only("AWS::Pipes::Pipe")?;
                self.read_pipe(pipe).map(Some).with_context(|| id.clone())
            }
        }
    }

    fn read_pipe(&self, pipe: &Value) -> Result<PipeSpec> {
        fields(object(pipe)?, &PROPERTIES)?;
        let stream = self.resolver.text(&pipe["Source"]).context("Source")?;
        let table = stream.strip_prefix(&format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"));
        let table = table.and_then(|path| path.split_once("/stream/")).map(|(table, _)| table);
        let table = table.with_context(|| format!("{stream} is no stream of a table of this template"))?;
        let bus = self.resolver.text(&pipe["Target"]).context("Target")?;
        let is_bus = bus.starts_with(&format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/"));
        ensure!(is_bus, "{bus} is no bus of this template");

        let from = fields(object(&pipe["SourceParameters"])?, &["DynamoDBStreamParameters", "FilterCriteria"])?;
        let factor = &from["DynamoDBStreamParameters"]["ParallelizationFactor"];
        ensure!(
            factor.is_null() || *factor == 1,
            "the local run keeps a room's order, with a ParallelizationFactor of 1"
        );
        let filters = from["FilterCriteria"]["Filters"].as_array().context("there are no Filters")?;
        let filter = |filter: &Value| Pattern::parse(&self.resolver.text(&filter["Pattern"])?);
        let filters = filters.iter().map(filter).collect::<Result<_>>().context("Filters")?;

        let to = fields(object(&pipe["TargetParameters"])?, &["EventBridgeEventBusParameters", "InputTemplate"])?;
        let part = |name: &str| to.get(name).unwrap_or(&Value::Null);
        let bus = fields(object(part("EventBridgeEventBusParameters"))?, &["DetailType", "Source"])?;
        let text =
            |name: &str| self.resolver.text(bus.get(name).unwrap_or(&Value::Null)).with_context(|| name.to_owned());
        let input = self.resolver.text(part("InputTemplate")).context("InputTemplate")?;
        Ok(PipeSpec {
            table: table.to_owned(),
            filters,
            input: InputTemplate::parse(&input).context("InputTemplate")?,
            detail_type: text("DetailType")?,
            source: text("Source")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::super::tests::TEMPLATE;
    use super::*;
    use std::collections::BTreeMap;

    fn with_events(template: &str) -> Result<Template> {
        let parameters = [("TokenSecret", "x".repeat(32)), ("Events", "on".to_owned())];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        Template::parse(template, &BTreeMap::from(parameters))
    }

    #[test]
    fn the_projects_pipe_is_understood() {
        let template = with_events(TEMPLATE).expect("parses");
        let pipe = template.pipe.expect("a pipe");
        assert_eq!((pipe.table.as_str(), pipe.filters.len()), ("ChatTable", 4));
        assert_eq!((pipe.detail_type.as_str(), pipe.source.as_str()), ("chat", "chat"));
        let streamed = template.tables.iter().filter(|table| table.stream.is_some()).map(|table| table.name.as_str());
        assert_eq!(streamed.collect::<Vec<_>>(), ["ChatTable"]);
    }

    #[test]
    fn a_pipe_that_is_not_understood_is_refused() {
        for (from, to, said) in [
            ("Source: !GetAtt ChatTable.StreamArn", "Source: !GetAtt ChatTable.Arn", "is no stream of a table"),
            ("Target: !GetAtt EventBus.Arn", "Target: !GetAtt SendMessageFunction.Arn", "is no bus of this template"),
            ("ParallelizationFactor: 1", "ParallelizationFactor: 2", "keeps a room's order"),
            (
                "      Target: !GetAtt EventBus.Arn",
                "      Target: !GetAtt EventBus.Arn\n      Enrichment: x",
                "Enrichment is more",
            ),
            ("[{\"prefix\": \"REPORT#\"}]", "[{\"wildcard\": \"REPORT#*\"}]", "is more than the local run understands"),
            ("\"row\": <$.dynamodb.NewImage>", "\"row\": \"<$.dynamodb.NewImage>\"", "must make an object"),
            ("DetailType: chat, Source: chat", "DetailType: chat, Source: chat, Time: $.x", "Time is more"),
        ] {
            assert!(TEMPLATE.contains(from), "{from}");
            let error = with_events(&TEMPLATE.replacen(from, to, 1)).expect_err(said);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
