//! The page and the example beside it, out of the binary (a debug build reads `web/` afresh, so that a reload shows a
//! change).

use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "../web/"]
#[include = "index.html"]
#[include = "chat-client.js"]
#[include = "page/*"]
#[include = "examples/plain.html"]
struct Files;

/// Forbids other pages to frame this one, which its own HTML cannot do. The rest of its policy is in its HTML head.
const POLICY: &str = "frame-ancestors 'none'";

/// The page's file of this path, if it has one.
pub(crate) fn file(uri: &Uri) -> Option<Response> {
    let path = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let file = Files::get(path)?;
    let kind = file.metadata.mimetype().to_owned();
    let headers = [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Some((headers, file.data.into_owned()).into_response())
}
