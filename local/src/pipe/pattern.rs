//! EventBridge's event patterns, as far as the template and the recipes use them.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an event must have to be let through.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(BTreeMap<String, Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Inner(Pattern),
    /// One of them must hold.
    Leaf(Vec<Test>),
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Equals(Value),
    Prefix(String),
    /// Only of a leaf: an object does not count as being there.
    Exists(bool),
}

impl Pattern {
    /// Reads a pattern. One with an operator that is not understood here is refused.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(&serde_json::from_str(text).context("a pattern must be JSON")?)
    }

    /// The same of a pattern that is no text, as a rule has it.
    pub fn read(pattern: &Value) -> Result<Self> {
        let fields = pattern.as_object().filter(|fields| !fields.is_empty());
        let fields = fields.with_context(|| format!("{pattern} must be an object with something in it"))?;
        let part = |(name, part): (&String, &Value)| {
            let part = match part {
                Value::Array(tests) => {
                    ensure!(!tests.is_empty(), "{name}: nothing is one of none");
                    Part::Leaf(tests.iter().map(Test::read).collect::<Result<_>>().with_context(|| name.clone())?)
                }
                inner => Part::Inner(Self::read(inner).with_context(|| name.clone())?),
            };
            Ok((name.clone(), part))
        };
        Ok(Self(fields.iter().map(part).collect::<Result<_>>()?))
    }

    /// Whether an event is let through.
    pub fn matches(&self, event: &Value) -> bool {
        self.0.iter().all(|(name, part)| {
            let value = event.get(name);
            match part {
                Part::Inner(pattern) => pattern.matches(value.unwrap_or(&Value::Null)),
                Part::Leaf(tests) => tests.iter().any(|test| test.holds(value)),
            }
        })
    }
}

impl Test {
    fn read(test: &Value) -> Result<Self> {
        let Value::Object(operator) = test else {
            ensure!(!test.is_array(), "{test} is no value");
            return Ok(Self::Equals(test.clone()));
        };
        match one(operator) {
            Some(("prefix", Value::String(prefix))) => Ok(Self::Prefix(prefix.clone())),
            Some(("exists", Value::Bool(exists))) => Ok(Self::Exists(*exists)),
            _ => bail!("{test} is more than the local run understands"),
        }
    }

    /// Of a list, one of its values is enough.
    fn holds(&self, value: Option<&Value>) -> bool {
        if let Self::Exists(exists) = self {
            return *exists == value.is_some_and(|value| !value.is_object());
        }
        match value {
            Some(Value::Array(values)) => values.iter().any(|value| self.is_so(value)),
            Some(value) => self.is_so(value),
            None => false,
        }
    }

    fn is_so(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Exists(_) => false,
        }
    }
}

fn one(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, value) = object.iter().next().filter(|_| object.len() == 1)?;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_fields_must_fit_and_one_of_a_list_is_enough() {
        let pattern = json!({"source": ["chat", "other"], "detail": {"key": [{"prefix": "MSG#"}], "v": [1]}});
        let pattern = Pattern::read(&pattern).expect("a pattern");
        let event = json!({"source": "chat", "detail": {"key": "MSG#1", "v": 1, "more": true}});
        assert!(pattern.matches(&event));
        for (pointer, value) in [
            ("/source", json!("chats")),
            ("/source", json!(1)),
            ("/detail/key", json!("REPORT#1")),
            ("/detail/v", json!("1")),
            ("/detail", json!(null)),
            ("/detail", json!("chat")),
        ] {
            let mut other = event.clone();
            *other.pointer_mut(pointer).expect("it is there") = value;
            assert!(!pattern.matches(&other), "{other}");
        }
        let listed = json!({"source": ["x", "chat"], "detail": {"key": "MSG#1", "v": 1}});
        assert!(pattern.matches(&listed), "of a list in an event, one is enough as well");
    }

    #[test]
    fn what_exists_is_a_leaf() {
        let of = |exists: bool| Pattern::read(&json!({"a": {"b": [{"exists": exists}]}})).expect("a pattern");
        for (event, is_there) in [
            (json!({"a": {"b": 1}}), true),
            (json!({"a": {"b": null}}), true),
            (json!({"a": {"b": {"c": 1}}}), false),
            (json!({"a": {}}), false),
            (json!({}), false),
        ] {
            assert_eq!((of(true).matches(&event), of(false).matches(&event)), (is_there, !is_there), "{event}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (pattern, said) in [
            ("{", "a pattern must be JSON"),
            ("{}", "must be an object with something in it"),
            (r#"{"a": "b"}"#, "must be an object with something in it"),
            (r#"{"a": []}"#, "nothing is one of none"),
            (r#"{"a": [["b"]]}"#, "is no value"),
            (r#"{"a": [{"suffix": "b"}]}"#, "is more than the local run understands"),
            (r#"{"a": [{"prefix": 1}]}"#, "is more than the local run understands"),
            (r#"{"a": [{"prefix": "b", "exists": true}]}"#, "is more than the local run understands"),
        ] {
            let error = Pattern::parse(pattern).expect_err(pattern);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
