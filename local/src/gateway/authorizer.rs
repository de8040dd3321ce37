//! Asks the authorizer. Its policy must allow this very call, and its context must hold only flat values.

use super::Gateway;
use super::limits::CONTEXT_BYTES_MAX;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

/// An API's authorizer.
pub struct Authorizer<'a> {
    /// Logical id.
    pub function: &'a str,
    /// Without these headers a call is refused before the function is asked.
    pub identity_headers: &'a [String],
}

impl Gateway {
    /// Asks about a call. Returns the context for later events, or the status of the refusal.
    pub(super) async fn authorize(
        &self,
        authorizer: &Authorizer<'_>,
        headers: &HeaderMap,
        event: Value,
        method_arn: &str,
    ) -> Result<Map<String, Value>, StatusCode> {
        if authorizer.identity_headers.iter().any(|name| !headers.contains_key(name.as_str())) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        let answer = self.functions.invoke(authorizer.function, &self.ids.request(), event).await;
        match answer.map(|answer| judge(&answer, method_arn)) {
            Ok(Judged::Allowed(context)) => Ok(context),
            Ok(Judged::Denied) => Err(StatusCode::FORBIDDEN),
            Ok(Judged::Broken(reason)) => {
                tracing::error!(reason, "the authorizer's answer was not taken");
                Err(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// The authorizer's decision.
#[derive(Debug, PartialEq)]
enum Judged {
    /// The call may pass. Later events carry this as `requestContext.authorizer`.
    Allowed(Map<String, Value>),
    Denied,
    /// The answer breaks API Gateway's rules, so the client gets 500.
    Broken(&'static str),
}

/// Reads an authorizer's policy as API Gateway does: a matching Deny wins, and no match is a Deny.
fn judge(answer: &Value, method_arn: &str) -> Judged {
    let Some(principal) = answer["principalId"].as_str() else { return Judged::Broken("principalId is missing") };
    let Some(statements) = answer["policyDocument"]["Statement"].as_array() else {
        return Judged::Broken("policyDocument.Statement is missing");
    };
    let applies = |statement: &Value| {
        one_or_many(&statement["Action"]).any(|action| matches(action, "execute-api:Invoke"))
            && one_or_many(&statement["Resource"]).any(|resource| matches(resource, method_arn))
    };
    let effects: Vec<_> = statements.iter().filter(|one| applies(one)).map(|one| &one["Effect"]).collect();
    if effects.iter().any(|effect| *effect == "Deny") || !effects.iter().any(|effect| *effect == "Allow") {
        return Judged::Denied;
    }
    let mut context = match &answer["context"] {
        Value::Null => Map::new(),
        Value::Object(context) => context.clone(),
        _ => return Judged::Broken("context is not an object"),
    };
    if context.values().any(|value| value.is_array() || value.is_object() || value.is_null()) {
        return Judged::Broken("context holds something else than strings, numbers and booleans");
    }
    if answer.to_string().len() > CONTEXT_BYTES_MAX {
        return Judged::Broken("the answer is larger than 8 KB");
    }
    context.insert("principalId".into(), principal.into());
    Judged::Allowed(context)
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(many)
}

/// IAM's wildcards: `*` for any text, `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            matches(&pattern[1..], text) || text.chars().next().is_some_and(|c| matches(pattern, &text[c.len_utf8()..]))
        }
        (Some(p), Some(t)) if p == '?' || p == t => matches(&pattern[p.len_utf8()..], &text[t.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:r:1:api/dev/$connect";

    fn answer(effect: &str, resource: &str, context: Value) -> Value {
        let statement = json!({"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource});
        json!({"principalId": "1", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, "context": context})
    }

    #[test]
    fn only_an_allow_for_this_call_lets_it_through() {
        for resource in [ARN, "*", "arn:aws:execute-api:*/dev/*"] {
            assert!(
                matches!(judge(&answer("Allow", resource, json!({"a": "b"})), ARN), Judged::Allowed(_)),
                "{resource}"
            );
        }
        for (effect, resource) in [("Deny", ARN), ("Allow", "arn:aws:execute-api:r:1:api/prod/*"), ("allow", ARN)] {
            assert_eq!(judge(&answer(effect, resource, json!({})), ARN), Judged::Denied, "{effect} {resource}");
        }
    }

    #[test]
    fn what_api_gateway_would_not_take_is_not_taken() {
        let long = "x".repeat(CONTEXT_BYTES_MAX);
        for context in [json!({"rooms": [1]}), json!({"a": null}), json!([]), json!({"a": long})] {
            assert!(matches!(judge(&answer("Allow", ARN, context), ARN), Judged::Broken(_)));
        }
        assert!(matches!(judge(&json!({"isAuthorized": true}), ARN), Judged::Broken(_)));
    }
}
