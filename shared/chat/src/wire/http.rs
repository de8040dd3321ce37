use super::reply::internal_message;
use serde_json::{Value, json};

/// The body of an HTTP refusal, in the shape that the course's frontend reads.
pub fn http_refusal(status: u16, error: &str, message: &str) -> Value {
    json!({"statusCode": status, "message": message, "error": error})
}

/// The body of an HTTP fault.
pub fn http_internal(request_id: &str) -> Value {
    http_refusal(500, "Internal Server Error", &internal_message(request_id))
}
