//! Uploads by a form (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>): a policy that somebody signed
//! who may upload, and a file that is as the policy says.

use super::S3;
use super::answer::{Refusal, created};
use super::objects::{Object, Objects};
use super::signature::{Scope, read_date, read_iso_date, sha256};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chat::Timestamp;
use chat_aws::now;
use multer::{Field, Multipart};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::timeout;

/// Most bytes of fields before the file.
const FIELDS_BYTES_MAX: usize = 20_000;

/// Largest object of a form, in bytes.
const OBJECT_BYTES_MAX: u64 = 5 * 1_024 * 1_024 * 1_024;

/// The fields of a form, by their names in lower case: S3 takes them in any.
type Fields = BTreeMap<String, String>;

/// How large a file may be, in bytes.
type Range = std::ops::RangeInclusive<u64>;

pub async fn upload(
    s3: &S3,
    bucket: &str,
    objects: &Objects,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(kind).map_err(|_| {
        let message = "Bucket POST must be of the enclosure-type multipart/form-data";
        Refusal::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    })?;
    let read = read(s3, bucket, Multipart::new(body.into_data_stream(), boundary));
    let (fields, file) = timeout(s3.patience, read).await.map_err(|_| {
        let message = "Your socket connection to the server was not read from or written to within the timeout period.";
        Refusal::bad("RequestTimeout", message)
    })??;
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let key = field("key");
    let etag = format!("\"{}\"", &sha256(&file)[..32]);
    let object = Object {
        key: key.clone(),
        content_type: Some(field("content-type"))
            .filter(|kind| !kind.is_empty())
            .unwrap_or("binary/octet-stream".into()),
        content_disposition: field("content-disposition"),
        cache_control: field("cache-control"),
        etag: etag.clone(),
        size: file.len(),
    };
    objects.put(object, file).await?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Ok(match field("success_action_status").as_str() {
        "201" => created(&format!("http://{host}/{bucket}/{key}"), bucket, &key, &etag),
        "200" => StatusCode::OK.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
}

/// The fields before the file, and the file if they allow it. Nothing more of a file is read than is allowed.
async fn read(s3: &S3, bucket: &str, mut form: Multipart<'_>) -> Result<(Fields, Bytes), Refusal> {
    let malformed = |_| {
        Refusal::bad("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
    };
    let (mut fields, mut bytes) = (Fields::new(), 0);
    while let Some(mut field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_ascii_lowercase();
        if name == "file" {
            let file_name = field.file_name().unwrap_or_default().to_owned();
            let range = check(s3, bucket, &fields, now())?;
            if let Some(key) = fields.get_mut("key") {
                *key = key.replace("${filename}", &file_name);
            }
            return Ok((fields, file(&mut field, &range).await?));
        }
        let mut value = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(malformed)? {
            bytes += chunk.len();
            if bytes > FIELDS_BYTES_MAX {
                let message = "Your POST request fields preceding the upload file were too large.";
                return Err(Refusal::bad("MaxPostPreDataLengthExceededError", message));
            }
            value.extend_from_slice(&chunk);
        }
        let value = String::from_utf8(value).map_err(|_| Refusal::bad("InvalidArgument", "a field is not UTF-8"))?;
        if fields.insert(name.clone(), value).is_some() {
            return Err(Refusal::bad("InvalidArgument", format!("POST requires exactly one {name}")));
        }
    }
    Err(Refusal::bad("InvalidArgument", "POST requires exactly one file upload per request."))
}

async fn file(field: &mut Field<'_>, range: &Range) -> Result<Bytes, Refusal> {
    let mut file = Vec::new();
    let broken = |_| Refusal::bad("IncompleteBody", "You did not provide the number of bytes specified.");
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        file.extend_from_slice(&chunk);
        if file.len() as u64 > *range.end() {
            return Err(Refusal::bad("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"));
        }
    }
    if (file.len() as u64) < *range.start() {
        return Err(Refusal::bad("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"));
    }
    Ok(file.into())
}

/// Whether a policy allows these fields, and how large a file.
fn check(s3: &S3, bucket: &str, fields: &Fields, now: Timestamp) -> Result<Range, Refusal> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let required = |name: &str| {
        field(name)
            .ok_or_else(|| Refusal::bad("InvalidArgument", format!("Bucket POST must contain a field named '{name}'.")))
    };
    required("key")?;
    // Nobody may upload who is nobody.
    let Some(policy) = field("policy") else { return Err(Refusal::denied("Access Denied")) };
    if required("x-amz-algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(Refusal::bad("InvalidArgument", "x-amz-algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let (credential, date) = (required("x-amz-credential")?, required("x-amz-date")?);
    if read_date(date).is_none() || credential.split('/').nth(1) != date.get(..8) {
        return Err(Refusal::bad(
            "InvalidArgument",
            "x-amz-date must be in ISO 8601 basic format, and of the credential's day",
        ));
    }
    Scope::read(credential)?.check(&s3.key, policy, required("x-amz-signature")?, field("x-amz-security-token"))?;
    for unknown in ["acl", "success_action_redirect", "tagging"] {
        if field(unknown).is_some() {
            return Err(Refusal::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                format!("{unknown} is more than the local run has"),
            ));
        }
    }
    Policy::read(policy)?.allows(bucket, fields, now)
}

/// What somebody allowed
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>).
struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

enum Condition {
    /// A field is this to the letter.
    Equals(String, String),
    StartsWith(String, String),
    Length(u64, u64),
}

impl Policy {
    fn read(policy: &str) -> Result<Self, Refusal> {
        let invalid = |why: &str| Refusal::bad("InvalidPolicyDocument", format!("Invalid Policy: {why}"));
        let document = BASE64_STANDARD.decode(policy).map_err(|_| invalid("not Base64"))?;
        let document: Value = serde_json::from_slice(&document).map_err(|_| invalid("Invalid JSON."))?;
        let expiration = document["expiration"].as_str().and_then(read_iso_date);
        let conditions = document["conditions"].as_array().ok_or_else(|| invalid("Missing conditions"))?;
        let conditions = conditions.iter().map(Condition::read).collect::<Option<Vec<_>>>();
        Ok(Self {
            expiration: expiration.ok_or_else(|| invalid("Invalid 'expiration' value"))?,
            conditions: conditions.ok_or_else(|| invalid("Invalid Condition"))?,
        })
    }

    fn allows(&self, bucket: &str, fields: &Fields, now: Timestamp) -> Result<Range, Refusal> {
        if self.expiration < now {
            return Err(Refusal::by_policy("Policy expired."));
        }
        let value = |name: &str| match name {
            "bucket" => Some(bucket),
            name => fields.get(name).map(String::as_str),
        };
        let (mut covered, mut length) = (Vec::new(), 0..=OBJECT_BYTES_MAX);
        for condition in &self.conditions {
            let (holds, said) = match condition {
                Condition::Equals(name, wanted) => {
                    covered.push(name.as_str());
                    (value(name) == Some(wanted), format!(r#"["eq", "${name}", "{wanted}"]"#))
                }
                Condition::StartsWith(name, begins) => {
                    covered.push(name.as_str());
                    let starts = value(name).is_some_and(|value| value.starts_with(begins.as_str()));
                    (starts, format!(r#"["starts-with", "${name}", "{begins}"]"#))
                }
                Condition::Length(least, most) => {
                    length = *least..=(*most).min(OBJECT_BYTES_MAX);
                    (true, String::new())
                }
            };
            if !holds {
                return Err(Refusal::by_policy(format!("Policy Condition failed: {said}")));
            }
        }
        // Every field must be allowed, but for those that say who allows, and those that nobody reads.
        let is_free = |name: &str| matches!(name, "policy" | "x-amz-signature") || name.starts_with("x-ignore-");
        let extra = fields.keys().find(|name| !is_free(name) && !covered.contains(&name.as_str()));
        match extra {
            Some(extra) => Err(Refusal::by_policy(format!("Extra input fields: {extra}"))),
            None => Ok(length),
        }
    }
}

impl Condition {
    /// `{"key": "a"}`, `["eq", "$key", "a"]`, `["starts-with", "$key", "a/"]`, `["content-length-range", 1, 1024]`.
    fn read(condition: &Value) -> Option<Self> {
        let name = |name: &str| name.strip_prefix('$').map(str::to_ascii_lowercase);
        if let Some(object) = condition.as_object() {
            let (name, value) = object.iter().next().filter(|_| object.len() == 1)?;
            return Some(Self::Equals(name.to_ascii_lowercase(), value.as_str()?.to_owned()));
        }
        let parts = condition.as_array().filter(|parts| parts.len() == 3)?;
        let (kind, second, third) = (parts[0].as_str()?, &parts[1], &parts[2]);
        match kind.to_ascii_lowercase().as_str() {
            "eq" => Some(Self::Equals(name(second.as_str()?)?, third.as_str()?.to_owned())),
            "starts-with" => Some(Self::StartsWith(name(second.as_str()?)?, third.as_str()?.to_owned())),
            "content-length-range" => {
                let bytes = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
                Some(Self::Length(bytes(second)?, bytes(third)?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Key;
    use super::*;
    use std::time::Duration;

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>
    const EXAMPLE: &str = include_str!("../../../shared/aws/src/clients/policy-example.txt");
    const SIGNATURE: &str = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";

    fn example() -> (Fields, Timestamp) {
        let fields = [
            ("key", "user/user1/${filename}"),
            ("acl", "public-read"),
            ("success_action_redirect", "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"),
            ("content-type", "image/jpeg"),
            ("x-amz-meta-uuid", "14365123651274"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-date", "20151229T000000Z"),
            ("x-amz-meta-tag", ""),
            ("policy", EXAMPLE.trim_end()),
            ("x-amz-signature", SIGNATURE),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        (Fields::from(fields), read_date("20151229T120000Z").expect("a date"))
    }

    fn said(fields: &Fields, at: Timestamp) -> String {
        let policy = Policy::read(EXAMPLE.trim_end()).expect("a policy");
        policy.allows("sigv4examplebucket", fields, at).err().map_or(String::new(), |refusal| format!("{refusal:?}"))
    }

    #[test]
    fn the_form_that_aws_shows_is_signed_and_allowed() {
        let (fields, at) = example();
        assert_eq!(said(&fields, at), "");
        let key = Key {
            id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            token: String::new(),
        };
        let scope = Scope::read(&fields["x-amz-credential"]).expect("a scope");
        assert_eq!(scope.check(&key, EXAMPLE.trim_end(), SIGNATURE, None), Ok(()));
        let wrong = SIGNATURE.replace("8af", "8ae");
        let refused = scope.check(&key, EXAMPLE.trim_end(), &wrong, None).expect_err("another signature");
        assert_eq!(refused.code(), "SignatureDoesNotMatch");
    }

    #[test]
    fn what_a_policy_does_not_say_is_not_allowed() {
        let (fields, at) = example();
        for (name, value, why) in [
            ("key", "user/user2/a", r#"Condition failed: [\"starts-with\", \"$key\", \"user/user1/\"]"#),
            ("content-type", "text/html", r#"[\"starts-with\", \"$content-type\", \"image/\"]"#),
            ("acl", "private", r#"Condition failed: [\"eq\", \"$acl\", \"public-read\"]"#),
            ("content-disposition", "inline", "Extra input fields: content-disposition"),
            ("x-ignore-submit", "Upload", ""),
        ] {
            let mut fields = fields.clone();
            fields.insert(name.into(), value.into());
            let said = said(&fields, at);
            assert!(said.contains(why) && said.is_empty() == why.is_empty(), "{name}: {said}");
        }
        let mut without = fields.clone();
        without.remove("x-amz-meta-tag");
        assert!(said(&without, at).contains("x-amz-meta-tag"));
        let late = at.after(Duration::from_secs(24 * 3_600 + 1));
        assert!(said(&fields, late).contains("Policy expired"));
        let elsewhere = Policy::read(EXAMPLE.trim_end()).expect("a policy").allows("another", &fields, at);
        assert!(elsewhere.is_err());
    }

    #[test]
    fn a_policy_that_cannot_be_read_allows_nothing() {
        let read = |document: &str| Policy::read(&BASE64_STANDARD.encode(document)).err().map(|refusal| refusal.code());
        let good = r#"{"expiration":"2015-12-30T12:00:00.000Z","conditions":[["content-length-range",1,"10"]]}"#;
        assert_eq!(read(good), None);
        for bad in [
            "",
            "{}",
            r#"{"conditions":[]}"#,
            r#"{"expiration":"soon","conditions":[]}"#,
            r#"{"expiration":"2015-12-30T12:00:00.000Z"}"#,
            &good.replace("content-length-range", "matches"),
            &good.replace("\"10\"", "-1"),
            &good.replace(r#"["content-length-range",1,"10"]"#, r#"["eq","key","a"]"#),
            &good.replace(r#"["content-length-range",1,"10"]"#, r#"{"key":"a","acl":"b"}"#),
        ] {
            assert_eq!(read(bad), Some("InvalidPolicyDocument"), "{bad}");
        }
    }
}
