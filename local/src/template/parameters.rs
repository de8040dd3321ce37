//! Values for a template's parameters, held to the constraints that CloudFormation checks before it deploys.

use anyhow::{Context, Result, bail};
use regex_lite::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The given values, and the defaults of the others.
pub fn values(declared: &Map<String, Value>, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, Value>> {
    if let Some(unknown) = given.keys().find(|name| !declared.contains_key(*name)) {
        bail!("parameter {unknown} does not exist");
    }
    let value = |(name, declaration): (&String, &Value)| {
        let value = given.get(name).map(|value| json!(value)).or_else(|| declaration.get("Default").cloned());
        let value = value.with_context(|| format!("parameter {name} has no value"))?;
        if !allows(declaration, &text(&value)).with_context(|| format!("parameter {name} cannot be checked"))? {
            let wanted =
                declaration["ConstraintDescription"].as_str().map_or_else(|| constraints(declaration), Into::into);
            bail!("parameter {name} {wanted}"); // never its value, which may be a secret
        }
        Ok((name.clone(), value))
    };
    declared.iter().map(value).collect()
}

fn allows(declaration: &Value, value: &str) -> Result<bool> {
    let listed = declaration["AllowedValues"].as_array();
    if listed.is_some_and(|values| !values.iter().any(|allowed| text(allowed) == value)) {
        return Ok(false);
    }
    if let Some(pattern) = declaration["AllowedPattern"].as_str() {
        // CloudFormation matches a pattern against the whole value.
        if !Regex::new(&format!("^(?:{pattern})$"))?.is_match(value) {
            return Ok(false);
        }
    }
    let length = value.chars().count() as f64;
    let (number, unit) = match declaration["Type"].as_str() {
        Some("Number") => (value.parse::<f64>().ok(), "Value"),
        _ => (Some(length), "Length"),
    };
    let bound = |side: &str| declaration[format!("{side}{unit}")].as_f64();
    Ok(number.is_some_and(|number| {
        bound("Min").is_none_or(|least| number >= least) && bound("Max").is_none_or(|most| number <= most)
    }))
}

/// A declaration's constraints, if it has no description of them.
fn constraints(declaration: &Value) -> String {
    let names = ["AllowedValues", "AllowedPattern", "MinValue", "MaxValue", "MinLength", "MaxLength", "Type"];
    let set = names.iter().filter_map(|name| Some(format!("{name} {}", declaration.get(*name)?)));
    format!("must fit {}", set.collect::<Vec<_>>().join(", "))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}
