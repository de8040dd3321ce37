//! The `InputTemplate` of a pipe, JSON with `<$.path>` where something of the record is put, and that of a rule, which has
//! names for paths: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html> and
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq)]
pub struct InputTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    /// The names on the way to a value, which is written as JSON: a text gets its quotes here.
    Path(Vec<String>),
}

impl InputTemplate {
    /// Reads a template. One that does not make JSON of every record, or is not understood here, is refused.
    pub fn parse(text: &str) -> Result<Self> {
        Self::with_paths(text, Some)
    }

    /// The same of a rule, by its `InputPathsMap`.
    pub fn of_rule(text: &str, paths: &BTreeMap<&str, &str>) -> Result<Self> {
        Self::with_paths(text, |name| paths.get(name).copied())
    }

    fn with_paths<'a>(text: &'a str, path_of: impl Fn(&'a str) -> Option<&'a str>) -> Result<Self> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('<') {
            let (name, after) = after.split_once('>').context("a < is not closed")?;
            let path = path_of(name).unwrap_or_default();
            let names: Vec<_> = path.strip_prefix("$.").unwrap_or_default().split('.').map(String::from).collect();
            let named = |name: &String| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            };
            ensure!(names.iter().all(named), "<{name}> is more than the local run understands");
            parts.extend([Part::Text(before.to_owned()), Part::Path(names)]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self(parts);
        // In quotes, what stands for a value would be no JSON, or a text with quotes of its own.
        let [text, object] = ["\"\"", "{}"].map(|value| template.written(|_| Ok(value.to_owned())));
        for example in [text?, object?] {
            let example = serde_json::from_str::<Value>(&example);
            ensure!(example.is_ok_and(|example| example.is_object()), "it must make an object of every record");
        }
        Ok(template)
    }

    /// What the template makes of a record. An error says which value is not there.
    pub fn apply(&self, record: &Value) -> Result<Value> {
        let written = self.written(|path| {
            let value = path.iter().try_fold(record, |value, name| value.get(name));
            Ok(value.with_context(|| format!("the record has no {}", path.join(".")))?.to_string())
        })?;
        serde_json::from_str(&written).context("failed to read what a pipe wrote")
    }

    fn written(&self, value: impl Fn(&[String]) -> Result<String>) -> Result<String> {
        let part = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Path(path) => value(path),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_put_in_as_json() {
        let template = InputTemplate::parse(r#"{"v": 1, "name": <$.name>, "row": <$.a.b-c>}"#).expect("a template");
        let record = json!({"name": "a \"b\" <$.a>", "a": {"b-c": {"id": {"N": "42"}, "tags": ["x"]}}});
        let made = template.apply(&record).expect("an object");
        assert_eq!(made, json!({"v": 1, "name": "a \"b\" <$.a>", "row": {"id": {"N": "42"}, "tags": ["x"]}}));
        let error = template.apply(&json!({"name": "x"})).expect_err("a row is missing");
        assert_eq!(error.to_string(), "the record has no a.b-c");
    }

    #[test]
    fn a_rule_has_names_for_paths() {
        let paths = BTreeMap::from([("id", "$.id"), ("row", "$.detail.row")]);
        let template = InputTemplate::of_rule(r#"{"id": <id>, "row": <row>}"#, &paths).expect("a template");
        let made = template.apply(&json!({"id": "a", "detail": {"row": {"x": 1}}})).expect("an object");
        assert_eq!(made, json!({"id": "a", "row": {"x": 1}}));
        assert!(InputTemplate::of_rule(r#"{"id": <ID>}"#, &paths).is_err());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (template, said) in [
            (r#"{"a": <$.b}"#, "a < is not closed"),
            (r#"{"a": <aws.pipes.pipe-name>}"#, "is more than the local run understands"),
            (r#"{"a": <$.b[0]>}"#, "is more than the local run understands"),
            (r#"{"a": <$>}"#, "is more than the local run understands"),
            (r#"{"a": "<$.b>"}"#, "it must make an object of every record"),
            (r#"{"a": <$.b>"#, "it must make an object of every record"),
            ("<$.b>", "it must make an object of every record"),
            ("hello", "it must make an object of every record"),
        ] {
            let error = InputTemplate::parse(template).expect_err(template);
            assert!(format!("{error:#}").contains(said), "{error:#}");
        }
    }
}
