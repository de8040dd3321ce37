//! A bucket of S3, as far as functions use it: forms by which browsers upload, addresses under which they read, and
//! deletions. Only a deletion is a request; the others are signatures.

use super::sdk::url_suffix;
use super::signed::{Call, OF_S3, Signer};
use crate::limits::{ADDRESS_GOOD_FOR, ADDRESS_STEP, FORM_GOOD_FOR, OPERATION_TIMEOUT, SHOWN_FROM_CACHE};
use crate::{Fault, Vars};
use aws_smithy_types::base64;
use chat::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::timeout;

const DELETE_FAILED: &str = "failed to delete a file";

/// The status of a deletion, whether there was something or not.
const DELETED: u16 = 204;

/// The bucket that the function's variables name.
#[derive(Clone)]
pub(crate) struct Bucket {
    signer: Signer,
    name: Arc<str>,
    /// Without a slash at its end.
    url: Arc<str>,
}

/// What may be uploaded with a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload<'a> {
    pub key: &'a str,
    pub content_type: &'a str,
    pub content_disposition: &'a str,
    /// In bytes, at most.
    pub size: u64,
}

/// Where a form is posted to, and with which fields before the file.
pub(crate) type Form = (String, BTreeMap<&'static str, String>);

impl Bucket {
    pub(super) fn new(vars: &Vars, signer: Signer) -> Result<Self, Fault> {
        let name = vars.required("FILES_BUCKET")?;
        // The service's own variable goes before the one for all, as in every AWS SDK. Elsewhere than on AWS a bucket has no
        // host of its own.
        let given = vars.optional("AWS_ENDPOINT_URL_S3").or_else(|| vars.optional("AWS_ENDPOINT_URL"));
        let region = signer.region.as_ref();
        let own = || format!("https://{name}.s3.{region}.{}", url_suffix(region));
        let url = given.map_or_else(own, |url| format!("{}/{name}", url.trim_end_matches('/')));
        Ok(Self { name: name.into(), url: url.into(), signer })
    }

    /// Where anybody who is told may read an object, for one hour at least and two at most. Within an hour it is one and
    /// the same for an object, so that a browser that has it asks for it no more.
    pub fn address(&self, key: &str, now: Timestamp) -> Result<String, Fault> {
        let step = i64::try_from(ADDRESS_STEP.as_millis()).unwrap_or(i64::MAX);
        let begin = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(step));
        let address = self.signer.presigned(&self.of(key), begin, ADDRESS_GOOD_FOR);
        address.map_err(Fault::doing("failed to sign an address"))
    }

    /// What a browser posts to upload one object: nothing of it may be another, and no file may be larger. A presigned
    /// PUT could say neither how large it may be.
    pub fn form(&self, upload: &Upload<'_>, now: Timestamp) -> Form {
        let date = basic_format(now);
        let (key_id, token) = self.signer.signs_as();
        let scope = format!("{}/{}/{OF_S3}/aws4_request", &date[..8], self.signer.region);
        let mut fields = BTreeMap::from([
            ("key", upload.key.to_owned()),
            ("Content-Type", upload.content_type.to_owned()),
            ("Content-Disposition", upload.content_disposition.to_owned()),
            ("Cache-Control", SHOWN_FROM_CACHE.to_owned()),
            ("success_action_status", "201".to_owned()),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", format!("{key_id}/{scope}")),
            ("x-amz-date", date),
        ]);
        fields.extend(token.map(|token| ("x-amz-security-token", token.to_owned())));
        let exact = fields.iter().map(|(name, value)| json!({ *name: value }));
        let bounds = [json!({"bucket": &*self.name}), json!(["content-length-range", 1, upload.size])];
        let conditions: Vec<Value> = bounds.into_iter().chain(exact).collect();
        let policy = json!({"expiration": now.after(FORM_GOOD_FOR), "conditions": conditions}).to_string();
        let policy = base64::encode(policy);
        fields.insert("x-amz-signature", self.signer.signature(&policy, now));
        fields.insert("policy", policy);
        (self.url.to_string(), fields)
    }

    /// Deletes an object, if it is there.
    ///
    /// # Errors
    /// If S3 has not said within [`OPERATION_TIMEOUT`] that it is not there any more.
    pub async fn delete(&self, key: &str) -> Result<(), Fault> {
        let url = self.of(key);
        let call = Call {
            service: OF_S3,
            method: "DELETE",
            url: &url,
            headers: &[],
            body: "",
            patience: None,
            expected: DELETED,
        };
        match timeout(OPERATION_TIMEOUT, self.signer.call(&call)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(failed)) => Err(Fault::because(DELETE_FAILED, failed)),
            Err(elapsed) => Err(Fault::because(DELETE_FAILED, elapsed)),
        }
    }

    /// An object's address. Keys have an alphabet that needs no encoding.
    fn of(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }
}

/// `20130524T000000Z`
fn basic_format(at: Timestamp) -> String {
    let seconds = at.to_string();
    let seconds = seconds.split('.').next().unwrap_or_default();
    seconds.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}
