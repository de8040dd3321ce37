//! CloudFormation's YAML as JSON: `!Ref X` becomes `{"Ref": "X"}`, `!Sub "…"` becomes `{"Fn::Sub": "…"}`, and so on.

use anyhow::{Result, bail};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

pub fn parse(text: &str) -> Result<Value> {
    let documents = Yaml::load_from_str(text)?;
    match documents.as_slice() {
        [document] => convert(document),
        _ => bail!("it must hold one YAML document"),
    }
}

fn convert(node: &Yaml<'_>) -> Result<Value> {
    Ok(match node {
        Yaml::Value(scalar) => convert_scalar(scalar),
        Yaml::Sequence(items) => Value::Array(items.iter().map(convert).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let Some(key) = key.as_str() else { bail!("a key is not a string: {key:?}") };
                object.insert(key.to_owned(), convert(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tag, inner) => {
            let argument = convert(inner)?;
            match (tag.suffix.as_str(), argument) {
                ("Ref", argument) => json!({"Ref": argument}),
                ("Condition", argument) => json!({"Condition": argument}),
                ("GetAtt", Value::String(path)) => {
                    let (resource, attribute) = path.split_once('.').unwrap_or((&path, ""));
                    json!({"Fn::GetAtt": [resource, attribute]})
                }
                (name, argument) => json!({format!("Fn::{name}"): argument}),
            }
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => bail!("a value cannot be read: {node:?}"),
    })
}

fn convert_scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => json!(value),
        Scalar::Integer(value) => json!(value),
        Scalar::FloatingPoint(value) => json!(value.into_inner()),
        Scalar::String(text) => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_ones() {
        let parsed =
            parse("A: !Ref B\nC: !GetAtt D.Arn\nE: !Sub \"x-${Y}\"\nF: !Split [\",\", !Ref G]").expect("parses");
        assert_eq!(
            parsed,
            json!({
                "A": {"Ref": "B"}, "C": {"Fn::GetAtt": ["D", "Arn"]}, "E": {"Fn::Sub": "x-${Y}"},
                "F": {"Fn::Split": [",", {"Ref": "G"}]},
            })
        );
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(parse("a: on\nb: \"12\"\nc: 012\nd: 2012-10-17").expect("parses")["a"], "on");
    }

    #[test]
    fn broken_yaml_says_where() {
        assert!(parse("a: [1,\nb: 2").expect_err("broken").to_string().contains("line"));
    }
}
