//! What the template says of buckets.

use super::Reader;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// `AWS::S3::Bucket`.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketSpec {
    /// Logical id, which is the bucket's name here.
    pub name: String,
    pub cors: Vec<CorsRule>,
}

/// What pages of which origins may do.
#[derive(Debug, Clone, PartialEq)]
pub struct CorsRule {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub exposed: Vec<String>,
    /// In seconds.
    pub max_age: Option<u64>,
}

impl Reader<'_> {
    pub(super) fn buckets(&self) -> Result<Vec<BucketSpec>> {
        let mut buckets = Vec::new();
        for (id, resource) in self.of_type("AWS::S3::Bucket") {
            let properties = &resource["Properties"];
            self.check_private(properties).with_context(|| id.clone())?;
            let rules = properties["CorsConfiguration"]["CorsRules"].as_array().map(Vec::as_slice).unwrap_or_default();
            let rule = |rule: &Value| {
                Ok(CorsRule {
                    origins: self.texts(&rule["AllowedOrigins"])?,
                    methods: self.texts(&rule["AllowedMethods"])?,
                    headers: self.texts(&rule["AllowedHeaders"])?,
                    exposed: self.texts(&rule["ExposedHeaders"])?,
                    max_age: rule["MaxAge"].as_u64(),
                })
            };
            let cors = rules.iter().map(rule).collect::<Result<_>>().with_context(|| format!("{id}: CORS"))?;
            buckets.push(BucketSpec { name: id.clone(), cors });
        }
        Ok(buckets)
    }

    /// Fails unless nobody but the account may do anything with the bucket, as it is here.
    fn check_private(&self, properties: &Value) -> Result<()> {
        let public = &properties["PublicAccessBlockConfiguration"];
        let blocked = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"];
        ensure!(blocked.iter().all(|name| public[name] == true), "the local run knows private buckets alone");
        let owner = &properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
        ensure!(*owner == "BucketOwnerEnforced", "the local run knows no access lists");
        Ok(())
    }
}
