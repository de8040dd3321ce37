//! A deployed stack, as CloudFormation knows it.

use crate::account::{Account, CLOUDFORMATION, members, text};
use anyhow::{Context, Result};
use chat_aws::Vars;
use std::collections::BTreeMap;

const CONNECTIONS_TABLE: &str = "CONNECTIONS_TABLE";
const CHAT_TABLE: &str = "CHAT_TABLE";
const FILES_BUCKET: &str = "FILES_BUCKET";
const MANAGEMENT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";

/// A stack's state and outputs.
#[derive(Debug, Clone)]
pub struct Stack {
    pub status: String,
    name: String,
    outputs: BTreeMap<String, String>,
}

/// What a stack made: its kind, its name in the template, and its own name.
#[derive(Debug, Clone)]
pub struct Resource {
    pub kind: String,
    pub logical: String,
    pub physical: String,
}

impl Stack {
    pub async fn outputs_of(name: &str, vars: &Vars) -> Result<Self> {
        Self::read(&Account::new(vars)?, name).await.with_context(|| format!("failed to look at stack {name}"))
    }

    /// Reads it (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>).
    pub async fn read(aws: &Account, name: &str) -> Result<Self> {
        let answer = aws.query(CLOUDFORMATION, "DescribeStacks", &[("StackName".into(), name)]).await?;
        let status = text(&answer, "StackStatus").context("the answer names no stack")?;
        let outputs = members(&answer, "Outputs")?.into_iter().filter_map(|output| {
            let mut output: BTreeMap<_, _> = output.into_iter().collect();
            Some((output.remove("OutputKey")?, output.remove("OutputValue")?))
        });
        Ok(Self { status, name: name.to_owned(), outputs: outputs.collect() })
    }

    /// Everything that the stack made, in as many answers as it takes
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>).
    pub async fn resources(aws: &Account, name: &str) -> Result<Vec<Resource>> {
        let mut resources = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut parameters = vec![("StackName".to_owned(), name)];
            parameters.extend(next.as_deref().map(|next| ("NextToken".to_owned(), next)));
            let answer = aws.query(CLOUDFORMATION, "ListStackResources", &parameters).await?;
            for resource in members(&answer, "StackResourceSummaries")? {
                let mut resource: BTreeMap<_, _> = resource.into_iter().collect();
                let mut take = |name: &str| resource.remove(name).unwrap_or_default();
                let (kind, logical, physical) =
                    (take("ResourceType"), take("LogicalResourceId"), take("PhysicalResourceId"));
                resources.push(Resource { kind, logical, physical });
            }
            next = text(&answer, "NextToken").filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(resources);
            }
        }
    }

    /// An output that every chat room's stack has.
    pub fn output(&self, name: &str) -> Result<&str> {
        let output = self.outputs.get(name).map(String::as_str).filter(|value| !value.is_empty());
        output.with_context(|| format!("stack {} has no output {name}: is it this chat room?", self.name))
    }

    /// What the outputs say instead of the environment, which may be about another deployment. Only where all of AWS is
    /// elsewhere, as on an emulator, its management API is where the environment says.
    ///
    /// # Errors
    /// Where an output is missing: what the environment says in its place is about something else.
    pub fn vars(&self, vars: Vars) -> Result<Vars> {
        let is_elsewhere = vars.optional("AWS_ENDPOINT_URL").is_some() && vars.optional(MANAGEMENT).is_some();
        let connections = self.output("ConnectionsTableName")?;
        let (chat, management) = (self.output("ChatTableName")?, self.output("ManagementUrl")?);
        let files = self.output("FilesBucketName")?;
        let vars = vars.with([(CONNECTIONS_TABLE, connections), (CHAT_TABLE, chat), (FILES_BUCKET, files)]);
        Ok(if is_elsewhere { vars } else { vars.with([(MANAGEMENT, management)]) })
    }
}

/// Variables that name no deployment: where a stack was named, and is not known, no other one takes its place.
pub fn unnamed(vars: Vars) -> Vars {
    vars.with([(CONNECTIONS_TABLE, ""), (CHAT_TABLE, ""), (FILES_BUCKET, ""), (MANAGEMENT, "")])
}
