//! What pages of other origins may do, as a bucket's rules say it
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>).

use super::answer::{Refusal, refuse};
use crate::template::CorsRule;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The answer to a browser that asks first. S3 says no aloud.
pub fn preflight(rules: &[CorsRule], method: &Method, headers: &HeaderMap) -> Option<Response> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if method != Method::OPTIONS {
        return None;
    }
    let (origin, asked) = (text(&header::ORIGIN), text(&header::ACCESS_CONTROL_REQUEST_METHOD));
    let (Some(origin), Some(asked)) = (origin, asked) else {
        return Some(refuse(Refusal::bad("BadRequest", "Insufficient information. Origin request header needed.")));
    };
    let wanted = text(&header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    let wanted: Vec<_> = wanted.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let allows = |rule: &&CorsRule| {
        let named = |name: &&str| rule.headers.iter().any(|of| of == "*" || of.eq_ignore_ascii_case(name));
        rule_for(rule, origin, asked) && wanted.iter().all(named)
    };
    let Some(rule) = rules.iter().find(allows) else {
        return Some(refuse(Refusal::new(
            StatusCode::FORBIDDEN,
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed.",
        )));
    };
    let mut response = StatusCode::OK.into_response();
    set(&mut response, &header::ACCESS_CONTROL_ALLOW_METHODS, &rule.methods.join(", "));
    set(&mut response, &header::ACCESS_CONTROL_ALLOW_HEADERS, &wanted.join(", "));
    if let Some(seconds) = rule.max_age {
        set(&mut response, &header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    Some(allow(rule, origin, response))
}

/// Lets a page of an allowed origin read an answer.
pub fn with_headers(rules: &[CorsRule], method: &Method, headers: &HeaderMap, response: Response) -> Response {
    let Some(origin) = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return response };
    match rules.iter().find(|rule| rule_for(rule, origin, method.as_str())) {
        Some(rule) => allow(rule, origin, response),
        None => response,
    }
}

fn rule_for(rule: &CorsRule, origin: &str, method: &str) -> bool {
    rule.origins.iter().any(|of| of == "*" || of == origin) && rule.methods.iter().any(|of| of == method)
}

fn allow(rule: &CorsRule, origin: &str, mut response: Response) -> Response {
    let any = rule.origins.iter().any(|of| of == "*");
    set(&mut response, &header::ACCESS_CONTROL_ALLOW_ORIGIN, if any { "*" } else { origin });
    set(&mut response, &header::VARY, "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    set(&mut response, &header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed.join(", "));
    response
}

fn set(response: &mut Response, name: &HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}
