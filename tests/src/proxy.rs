//! HTTP servers of the tests' own, and the way on for those that stand before another server.

use crate::{http_client, signed_for_s3};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use tokio::net::TcpListener;

/// An answer on its way back.
pub type Answer = (StatusCode, HeaderMap, Bytes);

/// Serves on a free port of this machine, as long as the test lasts. Returns the URL.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    #[allow(clippy::disallowed_methods, reason = "it lasts as long as its test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Sends calls on to the server that a proxy stands before.
#[derive(Debug, Clone)]
pub struct Passage(reqwest::Client);

impl Passage {
    pub fn new() -> Self {
        Self(http_client())
    }

    /// Sends a call on. Both bodies are whole, and may be other ones than came, so their lengths are set anew.
    pub async fn pass_on(&self, method: Method, url: &str, mut headers: HeaderMap, body: impl Into<Bytes>) -> Answer {
        for name in ["host", "content-length"] {
            headers.remove(name);
        }
        let request = self.0.request(method, url).headers(headers).body(body.into());
        // A local run that is stopping no longer answers.
        let Ok(answer) = request.send().await else {
            return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Bytes::new());
        };
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        for name in ["transfer-encoding", "content-length"] {
            headers.remove(name);
        }
        (status, headers, answer.bytes().await.unwrap_or_default())
    }
}

impl Passage {
    /// Sends a request without a body on to S3. A signature says the host and the path that it is for, so it is signed
    /// anew.
    pub async fn pass_on_to_s3(&self, method: &Method, s3: &str, path: &str) -> Answer {
        let headers = signed_for_s3(method.as_str(), &format!("{s3}{path}"));
        self.pass_on(method.clone(), &format!("{s3}{path}"), headers, Bytes::new()).await
    }
}

impl Default for Passage {
    fn default() -> Self {
        Self::new()
    }
}

/// The one operation of Lambda.
pub const INVOKE: &str = "Invoke";

/// The function that a call of Lambda's path invokes. Nothing for another service.
pub fn invoked(path: &str) -> Option<&str> {
    path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")
}

/// What a request of S3 does to an object, by its method.
pub fn of_object(method: &Method) -> String {
    let name = method.as_str();
    format!("{}{}Object", &name[..1], name[1..].to_lowercase())
}

/// The operation of a call of DynamoDB, such as `PutItem`. Empty for another service.
pub fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    target.and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}
