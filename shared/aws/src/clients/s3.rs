//! A bucket of S3, as far as functions use it: forms by which browsers upload, addresses under which they read, and
//! deletions. Only a deletion is a request; the others are signatures.

use super::sdk::url_suffix;
use super::signed::{Call, OF_S3, Signer};
use crate::limits::{ADDRESS_GOOD_FOR, ADDRESS_STEP, ATTEMPTS, FORM_GOOD_FOR, OPERATION_TIMEOUT, SHOWN_FROM_CACHE};
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
            attempts: ATTEMPTS,
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

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::config::{Credentials, Region};
    use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use hyper::Response;
    use std::sync::Mutex;

    /// Answers deletions with these statuses, one after the other; 0 breaks the socket.
    #[derive(Debug, Clone)]
    struct Script(Arc<Mutex<Vec<u16>>>, Arc<Mutex<Vec<HttpRequest>>>);

    impl HttpConnector for Script {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.1.lock().expect("requests").push(request);
            let status = self.0.lock().expect("answers").remove(0);
            HttpConnectorFuture::ready(match status {
                0 => Err(ConnectorError::io("reset".into())),
                status => {
                    let body = SdkBody::from("<Error><Code>SlowDown</Code><Message>private</Message></Error>");
                    Ok(Response::builder().status(status).body(body).expect("an answer").try_into().expect("an answer"))
                }
            })
        }
    }

    fn bucket_of(
        region: &'static str,
        vars: &[(&str, &str)],
        token: Option<&str>,
        statuses: &[u16],
    ) -> (Bucket, Script) {
        let script = Script(Arc::new(Mutex::new(statuses.to_vec())), Arc::default());
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, token.map(String::from), None, "test");
        let connector = SharedHttpConnector::new(script.clone());
        let signer = Signer::new(&Region::from_static(region), &credentials, connector);
        let vars = vars.iter().copied().chain([("FILES_BUCKET", "files")]).collect();
        (Bucket::new(&vars, signer).expect("a bucket"), script)
    }

    fn bucket() -> Bucket {
        bucket_of("us-east-1", &[], Some("a/token+="), &[]).0
    }

    const KEY: &str = "rooms/MQ/Nw/7f3a/cat.png";

    /// 12 March 2025, 02:22:45.
    const NOW: Timestamp = Timestamp::from_millis(1_741_746_165_123);

    #[test]
    fn a_bucket_has_its_own_host_on_aws_and_a_path_elsewhere() {
        let own = ("AWS_ENDPOINT_URL_S3", "http://localhost:1/");
        let all = ("AWS_ENDPOINT_URL", "http://localhost:2");
        for (region, vars, url) in [
            ("eu-central-1", &[][..], "https://files.s3.eu-central-1.amazonaws.com"),
            ("cn-north-1", &[], "https://files.s3.cn-north-1.amazonaws.com.cn"),
            ("eu-central-1", &[all], "http://localhost:2/files"),
            ("eu-central-1", &[all, own], "http://localhost:1/files"),
        ] {
            let (bucket, _) = bucket_of(region, vars, None, &[]);
            assert_eq!(bucket.form(&UPLOAD, NOW).0, url);
            assert!(bucket.address(KEY, NOW).expect("signed").starts_with(&format!("{url}/{KEY}?X-Amz-")));
        }
    }

    /// So a browser finds what it has; and nobody is given an address that is over in a minute.
    #[test]
    fn an_address_is_the_same_for_an_hour_and_good_for_one_more() {
        let at = |millis: i64| bucket().address(KEY, Timestamp::from_millis(millis)).expect("signed");
        let hour = 3_600_000;
        let begin = NOW.millis() - NOW.millis() % hour;
        let first = at(begin);
        assert_eq!((at(begin + hour - 1), at(NOW.millis())), (first.clone(), first.clone()));
        assert_ne!(at(begin + hour), first);
        for part in ["X-Amz-Date=20250312T020000Z", "X-Amz-Expires=7200", "X-Amz-Security-Token=a%2Ftoken%2B%3D"] {
            assert!(first.contains(part), "{part}: {first}");
        }
    }

    const UPLOAD: Upload<'_> =
        Upload { key: KEY, content_type: "image/png", content_disposition: "inline", size: 51_234 };

    /// What a form leaves open, a browser could fill in.
    #[test]
    fn a_form_says_everything_but_the_file() {
        let (_, fields) = bucket().form(&UPLOAD, NOW);
        let policy = base64::decode(&fields["policy"]).expect("Base64");
        let policy: Value = serde_json::from_slice(&policy).expect("JSON");
        assert_eq!(policy["expiration"], "2025-03-12T02:32:45.123Z");
        let conditions = policy["conditions"].as_array().expect("conditions");
        let exact: Vec<_> = conditions.iter().filter_map(Value::as_object).flatten().collect();
        let named = |name: &str| exact.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).clone());
        for (name, value) in fields.iter().filter(|(name, _)| !["policy", "x-amz-signature"].contains(name)) {
            assert_eq!(named(name), Some(json!(value)), "{name}");
        }
        assert_eq!(named("bucket"), Some(json!("files")));
        assert_eq!(exact.len(), fields.len() - 2 + 1, "nothing is allowed that is not posted: {policy}");
        assert!(conditions.contains(&json!(["content-length-range", 1, 51_234])), "{policy}");
        assert_eq!(conditions.len(), exact.len() + 1, "nothing begins with something: {policy}");
        let scope = "AKIAIOSFODNN7EXAMPLE/20250312/us-east-1/s3/aws4_request";
        assert_eq!((fields["x-amz-credential"].as_str(), fields["x-amz-date"].as_str()), (scope, "20250312T022245Z"));
        assert_eq!(fields["x-amz-security-token"], "a/token+=");
        let without = bucket_of("us-east-1", &[], None, &[]).0.form(&UPLOAD, NOW).1;
        assert!(!without.contains_key("x-amz-security-token"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_is_tried_again_where_it_may_go_well() {
        for statuses in [&[204][..], &[503, 204], &[0, 500, 204]] {
            let (bucket, script) = bucket_of("us-east-1", &[], None, statuses);
            bucket.delete(KEY).await.expect("deleted");
            let requests = script.1.lock().expect("requests");
            assert_eq!(requests.len(), statuses.len());
            let uri = "https://files.s3.us-east-1.amazonaws.com/rooms/MQ/Nw/7f3a/cat.png";
            assert!(requests.iter().all(|request| request.method() == "DELETE" && request.uri() == uri));
        }
        for (statuses, said) in [
            (&[503; 3][..], "failed to delete a file: answered 503 SlowDown"),
            (&[403], "failed to delete a file: answered 403 SlowDown"),
            (&[200], "failed to delete a file: answered 200 SlowDown"),
        ] {
            let (bucket, _) = bucket_of("us-east-1", &[], None, statuses);
            let fault = bucket.delete(KEY).await.expect_err(said);
            assert_eq!(fault.chain().to_string(), said, "and nothing of what S3 says");
        }
    }
}
