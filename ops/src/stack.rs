//! A deployed stack, as CloudFormation knows it.

use crate::account::{Account, CLOUDFORMATION, members, text};
use anyhow::{Context, Result};
use chat_aws::Vars;
use std::collections::BTreeMap;

/// A stack's state and outputs.
#[derive(Debug, Clone)]
pub struct Stack {
    pub status: String,
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
        Ok(Self { status, outputs: outputs.collect() })
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

    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// What the outputs say goes before the environment, which may be about another deployment. Only where all of AWS
    /// is elsewhere, as on an emulator, its management API is where the environment says.
    pub fn vars(&self, vars: Vars) -> Vars {
        const MANAGEMENT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";
        let is_elsewhere = vars.optional("AWS_ENDPOINT_URL").is_some() && vars.optional(MANAGEMENT).is_some();
        let known = [
            ("CONNECTIONS_TABLE", self.output("ConnectionsTableName")),
            ("CHAT_TABLE", self.output("ChatTableName")),
            (MANAGEMENT, self.output("ManagementUrl").filter(|_| !is_elsewhere)),
        ];
        vars.with(known.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}
