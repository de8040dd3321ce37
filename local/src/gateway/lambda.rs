//! Lambda's endpoint, where a backend invokes a function without a route: `POST
//! /2015-03-31/functions/<name>/invocations` (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).

use super::Gateway;
use super::management::{error, is_signed};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::timeout;

/// Answers whoever invokes a function, by its logical id in the template or its name.
pub async fn serve(State(gateway): State<Arc<Gateway>>, Path(name): Path<String>, request: Request) -> Response {
    if !is_signed(request.headers()) {
        return error(StatusCode::FORBIDDEN, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    let function = gateway.template.functions.iter().find(|(id, spec)| **id == name || spec.name == name);
    let Some((id, _)) = function else {
        return error(StatusCode::NOT_FOUND, "ResourceNotFoundException", "there is no such function");
    };
    let Ok(Ok(body)) = timeout(gateway.limits.request, Bytes::from_request(request, &())).await else {
        return error(StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException", "the payload did not come in time");
    };
    let Ok(payload) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "InvalidRequestContentException", "the payload is not JSON");
    };
    match gateway.functions.invoke(id, &gateway.ids.request(), payload).await {
        Ok(answer) => Json(answer).into_response(),
        Err(failed) => {
            let said = json!({"errorType": "Error", "errorMessage": failed.0});
            ([("x-amz-function-error", "Unhandled")], Json(said)).into_response()
        }
    }
}
