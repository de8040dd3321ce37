//! Calls of AWS that only operators make.
//!
//! They are HTTP requests that `aws-sigv4` signs: four more SDKs, of CloudFormation, CloudWatch, SNS and Lambda, would
//! take longer to build than all the rest.

use crate::limits::CALL_TIMEOUT;
use crate::told;
use anyhow::{Context, Result, anyhow, bail};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use chat_aws::{Vars, now};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use roxmltree::Document;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};
use url::form_urlencoded;

/// A service, as its endpoint and its signatures call it.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    name: &'static str,
    /// What the service's own endpoint variable ends with, as in every AWS SDK.
    variable: &'static str,
    /// The version of its API.
    version: &'static str,
}

pub const CLOUDFORMATION: Service =
    Service { name: "cloudformation", variable: "AWS_ENDPOINT_URL_CLOUDFORMATION", version: "2010-05-15" };
pub const CLOUDWATCH: Service =
    Service { name: "monitoring", variable: "AWS_ENDPOINT_URL_CLOUDWATCH", version: "2010-08-01" };
pub const SNS: Service = Service { name: "sns", variable: "AWS_ENDPOINT_URL_SNS", version: "2010-03-31" };
pub const S3: Service = Service { name: "s3", variable: "AWS_ENDPOINT_URL_S3", version: "2006-03-01" };
pub const LAMBDA: Service = Service { name: "lambda", variable: "AWS_ENDPOINT_URL_LAMBDA", version: "2016-08-19" };

/// Signs as the credentials in the environment.
pub struct Account {
    vars: Vars,
    region: String,
    credentials: Credentials,
    http: reqwest::Client,
}

impl Account {
    pub fn new(vars: &Vars) -> Result<Self> {
        let required = |name| vars.required(name).map(String::from).map_err(told);
        let token = vars.optional("AWS_SESSION_TOKEN").map(String::from);
        let (id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
        Ok(Self {
            vars: vars.clone(),
            region: required("AWS_REGION")?,
            credentials: Credentials::new(id, secret, token, None, "environment"),
            http: http()?,
        })
    }

    /// Calls an API of the Query kind, which answers XML.
    pub async fn query(&self, service: Service, action: &str, parameters: &[(String, &str)]) -> Result<String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", service.version).extend_pairs(parameters);
        let called = self.call(service, Method::POST, "/", form.finish()).await;
        let (is_good, body) = called.with_context(|| format!("failed to call {action}"))?;
        if is_good { Ok(body) } else { Err(refusal(&body)).with_context(|| format!("{action} was refused")) }
    }

    /// Reads from an API of the REST kind, which answers JSON.
    pub async fn get(&self, service: Service, path: &str) -> Result<Value> {
        let path = format!("/{}/{path}", service.version);
        let called = self.call(service, Method::GET, &path, String::new()).await;
        let (is_good, body) = called.with_context(|| format!("failed to read {path}"))?;
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        let said = || value["Message"].as_str().or(value["message"].as_str()).unwrap_or("it does not say why");
        if is_good { Ok(value) } else { Err(anyhow!("{}", said())).with_context(|| format!("{path} was refused")) }
    }

    /// The keys of a bucket that begin so, after one, as many as one answer holds; and whether there are more
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>).
    pub async fn keys(&self, bucket: &str, prefix: &str, after: Option<&str>) -> Result<(Vec<String>, bool)> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("list-type", "2").append_pair("prefix", prefix);
        if let Some(after) = after {
            query.append_pair("start-after", after);
        }
        let path = format!("/{bucket}?{}", query.finish());
        let called = self.call(S3, Method::GET, &path, String::new()).await;
        let (is_good, body) = called.with_context(|| format!("failed to list {bucket}"))?;
        if !is_good {
            return Err(refusal(&body)).with_context(|| format!("to list {bucket} was refused"));
        }
        let document = Document::parse(&body).context("the list is not XML")?;
        let keys = document.descendants().filter(|node| node.has_tag_name_of("Key"));
        let keys = keys.filter_map(|key| key.text().map(String::from)).collect();
        Ok((keys, text(&body, "IsTruncated").as_deref() == Some("true")))
    }

    /// Deletes an object, if it is there.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<()> {
        let called = self.call(S3, Method::DELETE, &format!("/{bucket}/{key}"), String::new()).await;
        let (is_good, body) = called.with_context(|| format!("failed to delete {key}"))?;
        if is_good { Ok(()) } else { Err(refusal(&body)).with_context(|| format!("to delete {key} was refused")) }
    }

    async fn call(&self, service: Service, method: Method, path: &str, body: String) -> Result<(bool, String)> {
        let url = format!("{}{path}", self.endpoint(service));
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        let headers: &[_] = if body.is_empty() { &[] } else { &[(CONTENT_TYPE.as_str(), form)] };
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name)
            .time(UNIX_EPOCH + Duration::from_millis(u64::try_from(now().millis())?))
            .settings(settings(service))
            .build()?
            .into();
        let signable = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new(method.as_str(), &url, headers.iter().copied(), signable)?;
        let (instructions, _) = sign(signable, &params)?.into_parts();
        let mut request = self.http.request(method, &url);
        for (name, value) in headers.iter().copied().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await?;
        Ok((answer.status().is_success(), answer.text().await?))
    }

    fn endpoint(&self, service: Service) -> String {
        let given = self.vars.optional(service.variable).or_else(|| self.vars.optional("AWS_ENDPOINT_URL"));
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = || format!("https://{}.{}.{suffix}", service.name, self.region);
        given.map_or_else(own, |url| url.trim_end_matches('/').to_owned())
    }
}

/// How a service's requests are signed: of S3's nothing is encoded twice.
fn settings(service: Service) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service.name == S3.name {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// A client that gives up in time, and trusts whom the system trusts.
pub fn http() -> Result<reqwest::Client> {
    reqwest::Client::builder().timeout(CALL_TIMEOUT).build().context("failed to set up HTTP")
}

/// Why AWS refused: `<ErrorResponse><Error><Code>…</Code><Message>…</Message></Error></ErrorResponse>`.
fn refusal(body: &str) -> anyhow::Error {
    let parsed = Document::parse(body).ok();
    let text = |name| {
        let node = parsed.as_ref()?.descendants().find(|node| node.has_tag_name_of(name))?;
        node.text().map(String::from)
    };
    match (text("Code"), text("Message")) {
        (Some(code), Some(message)) => anyhow!("{code}: {message}"),
        (Some(code), None) => anyhow!("{code}"),
        _ => anyhow!("it does not say why"),
    }
}

/// Elements by their local name: which namespace an answer is in depends on the service.
pub trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for roxmltree::Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// The members of a list in an answer, each by the texts of its own children.
pub fn members(answer: &str, list: &str) -> Result<Vec<Vec<(String, String)>>> {
    let Ok(document) = Document::parse(answer) else { bail!("the answer is not XML") };
    let lists = document.descendants().filter(|node| node.has_tag_name_of(list));
    let members = lists.flat_map(|list| list.children().filter(|node| node.has_tag_name_of("member")));
    // A child may be a list of its own: then its texts are joined.
    let whole = |node: roxmltree::Node<'_, '_>| {
        let texts = node.descendants().filter(roxmltree::Node::is_text).filter_map(|text| text.text());
        texts.map(str::trim).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let texts = |node: roxmltree::Node<'_, '_>| {
        let children = node.children().filter(roxmltree::Node::is_element);
        children.map(|child| (child.tag_name().name().to_owned(), whole(child))).collect()
    };
    Ok(members.map(texts).collect())
}

/// The text of the first element of this name.
pub fn text(answer: &str, name: &str) -> Option<String> {
    let document = Document::parse(answer).ok()?;
    let node = document.descendants().find(|node| node.has_tag_name_of(name))?;
    node.text().map(|text| text.trim().to_owned())
}
