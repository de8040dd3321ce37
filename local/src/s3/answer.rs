//! What S3 answers: its errors in XML (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>), and lists.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A request that is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A form that its policy does not allow.
    pub fn by_policy(why: impl std::fmt::Display) -> Self {
        Self::denied(format!("Invalid according to Policy: {why}"))
    }

    pub fn internal(error: &std::io::Error) -> Self {
        tracing::warn!(%error, "failed to keep files");
        let message = "We encountered an internal error. Please try again.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    #[cfg(test)]
    pub fn code(&self) -> &'static str {
        self.code
    }
}

pub fn refuse(refusal: Refusal) -> Response {
    let Refusal { status, code, message } = refusal;
    let message = escaped(&message);
    xml(status, &format!("<Error><Code>{code}</Code><Message>{message}</Message><RequestId>local</RequestId></Error>"))
}

/// What a form is answered that asked for a 201.
pub fn created(location: &str, bucket: &str, key: &str, etag: &str) -> Response {
    let (location, key, etag) = (escaped(location), escaped(key), escaped(etag));
    xml(
        StatusCode::CREATED,
        &format!(
            "<PostResponse><Location>{location}</Location><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{etag}</ETag>\
             </PostResponse>"
        ),
    )
}

/// A list of objects. There are never more here than one answer holds.
pub fn list(bucket: &str, prefix: &str, keys: &[(String, usize)]) -> Response {
    let contents: String = keys
        .iter()
        .map(|(key, size)| format!("<Contents><Key>{}</Key><Size>{size}</Size></Contents>", escaped(key)))
        .collect();
    xml(
        StatusCode::OK,
        &format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name><Prefix>{}</Prefix>\
             <KeyCount>{}</KeyCount><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>",
            escaped(prefix),
            keys.len()
        ),
    )
}

fn xml(status: StatusCode, body: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
