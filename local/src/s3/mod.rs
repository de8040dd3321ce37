//! A strict S3, as far as the deployment uses one: forms that browsers upload by, addresses that they read by, and what
//! functions and operators ask. It shares no code with what signs: a mistake in one is not met by the same in the other.
//!
//! Nobody may do anything without a good signature. Which function may do what is not looked at here, but tested
//! elsewhere; what is told apart for whoever may not list the bucket, as no function may, is what AWS tells apart.

mod answer;
mod cors;
mod form;
mod objects;
mod signature;

use crate::template::BucketSpec;
use answer::{Refusal, list, refuse};
use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chat_aws::now;
use objects::{Object, Objects};
use signature::{Signed, decoded};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Who may sign here: the functions of the run, with a token as they have one on Lambda, and operators without.
#[derive(Clone)]
pub(crate) struct Key {
    pub id: &'static str,
    pub secret: &'static str,
    pub token: String,
}

/// The buckets of a run.
pub(crate) struct S3 {
    buckets: BTreeMap<String, (BucketSpec, Objects)>,
    key: Key,
    /// How long a request's body may take.
    patience: Duration,
}

/// A run's S3, which is served.
pub(crate) struct Serving {
    pub url: String,
    server: JoinHandle<()>,
    stop: CancellationToken,
}

impl S3 {
    /// With its objects in a folder, or in memory.
    pub fn new(specs: &[BucketSpec], folder: Option<&Path>, key: Key, patience: Duration) -> Result<Arc<Self>> {
        let bucket = |spec: &BucketSpec| {
            let objects = match folder {
                Some(folder) => Objects::in_folder(&folder.join("files").join(&spec.name))?,
                None => Objects::default(),
            };
            Ok((spec.name.clone(), (spec.clone(), objects)))
        };
        let buckets = specs.iter().map(bucket).collect::<Result<_>>()?;
        Ok(Arc::new(Self { buckets, key, patience }))
    }

    /// Puts a file into the first bucket.
    pub async fn keep(&self, key: &str) -> Result<()> {
        let (_, objects) = self.buckets.values().next().context("there is no bucket")?;
        let object = Object {
            key: key.to_owned(),
            content_type: "image/png".into(),
            content_disposition: "inline".into(),
            cache_control: String::new(),
            etag: "\"0\"".into(),
            size: 0,
        };
        objects.put(object, Bytes::new()).await.map_err(|refusal| anyhow!("{refusal:?}"))
    }

    /// The keys of all objects.
    pub fn keys(&self) -> Vec<String> {
        self.buckets.values().flat_map(|(_, objects)| objects.keys("")).map(|(key, _)| key).collect()
    }

    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(Arc::clone(self))
    }
}

impl Serving {
    #[allow(clippy::disallowed_methods, reason = "the server lasts as long as the run")]
    pub fn start(listener: TcpListener, s3: &Arc<S3>) -> Result<Self> {
        let url = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let serve = crate::server::serve(listener, s3.router(), s3.patience, stop.clone());
        Ok(Self { url, server: tokio::spawn(serve), stop })
    }

    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by itself, within its grace.
        let _ = self.server.await;
    }
}

/// A request, as its path says what it is about: `/<bucket>/<key>`.
async fn serve(State(s3): State<Arc<S3>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let Some((spec, objects)) = s3.buckets.get(bucket) else {
        return refuse(Refusal::new(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist"));
    };
    if let Some(preflight) = cors::preflight(&spec.cors, &head.method, &head.headers) {
        return preflight;
    }
    let about = About { s3: &s3, bucket: spec, objects, key: decoded(key) };
    let answer = about.answer(&head.method, &head.uri, &head.headers, body).await;
    cors::with_headers(&spec.cors, &head.method, &head.headers, answer.unwrap_or_else(refuse))
}

struct About<'a> {
    s3: &'a S3,
    bucket: &'a BucketSpec,
    objects: &'a Objects,
    key: String,
}

impl About<'_> {
    async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: Body) -> Result<Response, Refusal> {
        if *method == Method::POST && self.key.is_empty() {
            return form::upload(self.s3, &self.bucket.name, self.objects, headers, body).await;
        }
        let signed = Signed { method, uri, headers };
        signed.check(&self.s3.key, now())?;
        match (method.as_str(), self.key.as_str()) {
            ("GET", "") if signed.asks("list-type", "2") => {
                let prefix = signed.asked("prefix").unwrap_or_default();
                Ok(list(&self.bucket.name, &prefix, &self.objects.keys(&prefix)))
            }
            ("GET" | "HEAD", key) if !key.is_empty() => self.get(key, headers).await,
            ("DELETE", key) if !key.is_empty() => {
                self.objects.delete(key).await?;
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            _ => Err(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )),
        }
    }

    async fn get(&self, key: &str, headers: &HeaderMap) -> Result<Response, Refusal> {
        let Some((object, body)) = self.objects.get(key).await? else {
            // Whoever may not list a bucket, as no function may, is not told what is not in it.
            return Err(Refusal::denied("Access Denied"));
        };
        let described = [
            (header::ETAG, &object.etag),
            (header::CONTENT_TYPE, &object.content_type),
            (header::CONTENT_DISPOSITION, &object.content_disposition),
            (header::CACHE_CONTROL, &object.cache_control),
        ];
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == object.etag.as_bytes());
        let mut response =
            if known { StatusCode::NOT_MODIFIED.into_response() } else { Body::from(body).into_response() };
        for (name, value) in described {
            if let (false, Ok(value)) = (value.is_empty(), value.parse()) {
                response.headers_mut().insert(name, value);
            }
        }
        Ok(response)
    }
}
