//! CloudFormation's functions, as far as a template's routes, tables, environment and rights need them.

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The Region and account that the local run pretends to be in, and its stack.
pub const REGION: &str = "us-east-1";
pub const ACCOUNT: &str = "123456789012";
pub const STACK: &str = "local";

/// Resolves references against parameters, conditions and resources.
pub struct Resolver<'a> {
    parameters: BTreeMap<String, Value>,
    conditions: &'a Map<String, Value>,
    resources: &'a Map<String, Value>,
}

impl<'a> Resolver<'a> {
    pub fn new(
        parameters: BTreeMap<String, Value>,
        conditions: &'a Map<String, Value>,
        resources: &'a Map<String, Value>,
    ) -> Self {
        Self { parameters, conditions, resources }
    }

    /// Checks the template's assertions about its parameters. The error is the description of the assertion that fails.
    pub fn check(&self, rules: &Map<String, Value>) -> Result<()> {
        for (name, rule) in rules {
            let applies = match rule.get("RuleCondition") {
                Some(condition) => self.holds(condition).with_context(|| format!("rule {name}"))?,
                None => true,
            };
            for assertion in rule["Assertions"].as_array().filter(|_| applies).into_iter().flatten() {
                if !self.holds(&assertion["Assert"]).with_context(|| format!("rule {name}"))? {
                    bail!("{}", assertion["AssertDescription"].as_str().unwrap_or(name));
                }
            }
        }
        Ok(())
    }

    /// The value with every function in it replaced by what it stands for.
    pub fn resolve(&self, value: &Value) -> Result<Value> {
        match value {
            Value::Object(object) => match function(object) {
                Some((name, argument)) => self.call(name, argument),
                None => {
                    let entries = object.iter().map(|(key, value)| Ok((key.clone(), self.resolve(value)?)));
                    Ok(Value::Object(entries.collect::<Result<_>>()?))
                }
            },
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| self.resolve(item)).collect::<Result<_>>()?;
                // An item that is `AWS::NoValue` is none.
                Ok(items.into_iter().filter(|item| !item.is_null()).collect())
            }
            plain => Ok(plain.clone()),
        }
    }

    /// The parameter that has this value.
    pub fn parameter_of(&self, value: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters.find(|(_, given)| given.as_str() == Some(value)).map(|(name, _)| name.as_str())
    }

    /// The value as text, the way an environment variable takes it.
    pub fn text(&self, value: &Value) -> Result<String> {
        match self.resolve(value)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            other => bail!("{other} is not text"),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Result<Value> {
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, arguments) {
            ("Ref", _) => self.reference(argument.as_str().context("Ref takes a name")?),
            ("Fn::GetAtt", [resource, attribute]) => {
                let (resource, attribute) = (self.text(resource)?, self.text(attribute)?);
                self.attribute(&resource, &attribute)
            }
            ("Fn::Sub", []) => self.substitute(argument.as_str().context("Fn::Sub takes a text")?),
            ("Fn::Split", [separator, text]) => {
                let (separator, text) = (self.text(separator)?, self.text(text)?);
                Ok(text.split(separator.as_str()).map(|part| json!(part)).collect())
            }
            ("Fn::If", [condition, yes, no]) => {
                let condition = condition.as_str().context("Fn::If takes a condition's name")?;
                self.resolve(if self.condition(condition)? { yes } else { no })
            }
            _ => bail!("{name} in this form is more than the local run understands"),
        }
    }

    fn reference(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        Ok(match name {
            "AWS::Region" => json!(REGION),
            "AWS::AccountId" => json!(ACCOUNT),
            "AWS::Partition" => json!("aws"),
            "AWS::URLSuffix" => json!("amazonaws.com"),
            "AWS::StackName" => json!(STACK),
            "AWS::NoValue" => Value::Null,
            // CloudFormation invents a name; here a resource's name is its logical id.
            resource if self.resources.contains_key(resource) => json!(resource),
            unknown => bail!("{unknown} is referred to, but is neither a parameter nor a resource"),
        })
    }

    fn attribute(&self, resource: &str, attribute: &str) -> Result<Value> {
        let declared = self.resources.get(resource).with_context(|| format!("there is no resource {resource}"))?;
        match (declared["Type"].as_str(), attribute) {
            (Some("AWS::Serverless::Function"), "Arn") => {
                Ok(json!(format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{resource}")))
            }
            (Some("AWS::DynamoDB::Table"), "Arn") => {
                Ok(json!(format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{resource}")))
            }
            (Some("AWS::S3::Bucket"), "Arn") => Ok(json!(format!("arn:aws:s3:::{resource}"))),
            _ => bail!("the local run does not know {attribute} of {resource}"),
        }
    }

    fn substitute(&self, text: &str) -> Result<Value> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let (name, after) = after.split_once('}').ok_or_else(|| anyhow!("a ${{ is not closed in {text:?}"))?;
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute)?,
                None => self.reference(name)?,
            };
            result.push_str(&self.text(&value)?);
            rest = after;
        }
        result.push_str(rest);
        Ok(json!(result))
    }

    pub fn condition(&self, name: &str) -> Result<bool> {
        let condition = self.conditions.get(name).with_context(|| format!("there is no condition {name}"))?;
        self.holds(condition)
    }

    fn holds(&self, condition: &Value) -> Result<bool> {
        let object = condition.as_object().context("a condition must be a function")?;
        let (name, argument) = function(object).context("a condition must be a function")?;
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (name, arguments) {
            ("Condition", _) => self.condition(argument.as_str().context("Condition takes a name")?),
            ("Fn::Equals", [left, right]) => Ok(self.text(left)? == self.text(right)?),
            ("Fn::Not", [inner]) => Ok(!self.holds(inner)?),
            ("Fn::And", all) => all.iter().try_fold(true, |held, one| Ok(held && self.holds(one)?)),
            ("Fn::Or", any) => any.iter().try_fold(false, |held, one| Ok(held || self.holds(one)?)),
            _ => bail!("{name} is no condition that the local run understands"),
        }
    }
}

fn function(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = object.iter().next().filter(|_| object.len() == 1)?;
    (name == "Ref" || name == "Condition" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(value: Value) -> Result<Value> {
        let object = |value: Value| value.as_object().expect("an object").clone();
        let parameters = BTreeMap::from([("Stage".into(), json!("dev")), ("Days".into(), json!(0))]);
        let conditions = object(json!({"Keeps": {"Fn::Equals": [{"Ref": "Days"}, "0"]}}));
        let resources =
            object(json!({"F": {"Type": "AWS::Serverless::Function"}, "T": {"Type": "AWS::DynamoDB::Table"}}));
        Resolver::new(parameters, &conditions, &resources).resolve(&value)
    }

    #[test]
    fn functions_stand_for_their_values() {
        for (value, resolved) in [
            (json!({"Ref": "Stage"}), json!("dev")),
            (json!({"Ref": "T"}), json!("T")),
            (json!({"Fn::Sub": "wss://${T}.x.${AWS::Region}/${Stage}"}), json!("wss://T.x.us-east-1/dev")),
            (json!({"Fn::GetAtt": ["F", "Arn"]}), json!("arn:aws:lambda:us-east-1:123456789012:function:F")),
            (json!({"Fn::Split": [",", "a, b"]}), json!(["a", " b"])),
            (json!({"Fn::If": ["Keeps", "yes", "no"]}), json!("yes")),
            (json!({"A": [{"Ref": "Days"}]}), json!({"A": [0]})),
            (json!([1, {"Fn::If": ["Keeps", {"Ref": "AWS::NoValue"}, 2]}, 3]), json!([1, 3])),
        ] {
            assert_eq!(resolve(value.clone()).expect("resolves"), resolved, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (value, said) in [
            (json!({"Ref": "Nobody"}), "Nobody is referred to, but is neither a parameter nor a resource"),
            (json!({"Fn::Cidr": []}), "Fn::Cidr in this form is more than the local run understands"),
            (json!({"Fn::Sub": "${Stage"}), "a ${ is not closed in \"${Stage\""),
        ] {
            assert_eq!(resolve(value).expect_err(said).to_string(), said);
        }
    }
}
