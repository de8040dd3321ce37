//! Lambda's endpoint, where a backend invokes a function without a route: `POST
//! /2015-03-31/functions/<name>/invocations` (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).

use super::limits::{EVENT_BYTES_MAX, PAYLOAD_BYTES_MAX};
use super::management::{error, is_signed};
use super::{Gateway, Reviewer};
use crate::template::{ACCOUNT, REGION};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::timeout;

/// How a function is invoked, and the largest payload.
const KINDS: [(&str, usize); 2] = [("RequestResponse", PAYLOAD_BYTES_MAX), ("Event", EVENT_BYTES_MAX)];

/// Answers whoever invokes a function, by its logical id in the template, its ARN or its name.
pub async fn serve(State(gateway): State<Arc<Gateway>>, Path(name): Path<String>, mut request: Request) -> Response {
    if !is_signed(request.headers()) {
        return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    let of_arn = name.strip_prefix(&format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:"));
    let name = of_arn.unwrap_or(&name);
    let function = gateway.template.functions.iter().find(|(id, spec)| *id == name || spec.name == name);
    let reviewer = gateway.reviewer.as_ref().filter(|_| Reviewer::is(name));
    if function.is_none() && reviewer.is_none() {
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", "there is no such function");
    }
    let asked =
        request.headers().get("x-amz-invocation-type").map_or(b"RequestResponse".as_slice(), |kind| kind.as_bytes());
    let Some((kind, most)) = KINDS.into_iter().find(|(kind, _)| kind.as_bytes() == asked) else {
        let known = "the invocation type must be Event or RequestResponse here";
        return error(StatusCode::BAD_REQUEST, "InvalidParameterValueException", known);
    };
    DefaultBodyLimit::max(most).apply(&mut request);
    let Ok(body) = timeout(gateway.limits.request, Bytes::from_request(request, &())).await else {
        return error(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "the payload did not come in time");
    };
    let Ok(body) = body else {
        let said = format!("the payload of {kind} is larger than {most} bytes");
        return error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException", &said);
    };
    let Ok(payload) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", "the payload is not JSON");
    };
    let answered = match (function, reviewer) {
        (Some((id, _)), _) if kind == "Event" => {
            gateway.keep(id.clone(), payload);
            return StatusCode::ACCEPTED.into_response();
        }
        (Some((id, _)), _) => {
            let answered = gateway.functions.invoke(id, &gateway.ids.request(), payload).await;
            answered.map_err(|failed| failed.0)
        }
        (None, Some(reviewer)) => reviewer.invoke(&payload).await,
        (None, None) => Err("there is no such function".into()),
    };
    match answered {
        Ok(answer) => Json(answer).into_response(),
        Err(failed) => {
            let said = json!({"errorType": "Error", "errorMessage": failed});
            ([("x-amz-function-error", "Unhandled")], Json(said)).into_response()
        }
    }
}
