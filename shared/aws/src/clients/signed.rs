//! Calls of AWS without an SDK: signed by the SDK's own crate, over the sockets that the functions have. For a call or
//! two, the SDK of a whole service would be much to build and to link.

use super::sdk::TOO_MANY_REQUESTS;
use super::sockets::Patience;
use crate::limits::RETRY_BACKOFF;
use crate::now;
use aws_sdk_dynamodb::config::{Credentials, Region};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningError,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use chat::Timestamp;
use hyper::Request;
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::time::sleep;

/// Longest name of an error of AWS that is logged, in characters.
const ERROR_NAME_CHARS: usize = 64;

/// How S3 is signed for: of a path nothing is encoded twice, and nothing is left out
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>).
pub(super) const OF_S3: &str = "s3";

/// Signs requests as the function that it is part of, and makes them.
#[derive(Clone)]
pub(super) struct Signer {
    connector: SharedHttpConnector,
    credentials: Credentials,
    identity: Identity,
    pub region: Region,
}

/// A request of a service.
pub(super) struct Call<'a> {
    pub service: &'static str,
    pub method: &'static str,
    pub url: &'a str,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: &'a str,
    /// How long it may take to be answered, if that is longer than usual.
    pub patience: Option<Duration>,
    /// How often it is made at most.
    pub attempts: u32,
    /// The one status that says that it was done.
    pub expected: u16,
}

/// Why there is no answer. None of them says what was sent or answered.
#[derive(Debug, Error)]
pub(super) enum Failed {
    #[error("failed to sign")]
    Unsigned(#[from] SigningError),
    #[error("failed to make the request")]
    Unmade(#[source] Box<dyn Error + Send + Sync>),
    #[error("no answer")]
    NoAnswer(#[source] ConnectorError),
    #[error("answered {status} {kind}")]
    Refused { status: u16, kind: String },
}

impl Failed {
    /// Whether another attempt may go well, as the SDK decides it.
    fn is_transient(&self) -> bool {
        match self {
            Self::NoAnswer(error) => error.is_io() || error.is_timeout(),
            Self::Refused { status, .. } => *status >= 500 || *status == TOO_MANY_REQUESTS,
            Self::Unsigned(_) | Self::Unmade(_) => false,
        }
    }
}

impl Signer {
    pub fn new(region: &Region, credentials: &Credentials, connector: SharedHttpConnector) -> Self {
        Self {
            connector,
            credentials: credentials.clone(),
            identity: credentials.clone().into(),
            region: region.clone(),
        }
    }

    /// Makes a call, and makes it again where that may go well.
    pub async fn call(&self, call: &Call<'_>) -> Result<HttpResponse, Failed> {
        // As the SDKs tell AWS which requests are attempts of one call.
        let id = format!("{:032x}", fastrand::u128(..));
        let mut backoff = RETRY_BACKOFF;
        let mut attempt = 1;
        loop {
            let signed = self.request(call, &id, attempt, now())?;
            match self.attempt(call.expected, signed).await {
                Err(failed) if failed.is_transient() && attempt < call.attempts => {}
                ended => return ended,
            }
            sleep(backoff.mul_f64(fastrand::f64())).await;
            backoff *= 2;
            attempt += 1;
        }
    }

    async fn attempt(&self, expected: u16, request: Request<SdkBody>) -> Result<HttpResponse, Failed> {
        let request = HttpRequest::try_from(request).map_err(|error| Failed::Unmade(error.into()))?;
        let answer = self.connector.call(request).await.map_err(Failed::NoAnswer)?;
        let status = answer.status().as_u16();
        if status == expected { Ok(answer) } else { Err(Failed::Refused { status, kind: error_name(&answer) }) }
    }

    /// An attempt, signed.
    pub fn request(&self, call: &Call<'_>, id: &str, attempt: u32, at: Timestamp) -> Result<Request<SdkBody>, Failed> {
        let how = self.how(call.service, settings(call.service), at)?;
        let body = SignableBody::Bytes(call.body.as_bytes());
        let signable = SignableRequest::new(call.method, call.url, call.headers.iter().copied(), body)?;
        let (instructions, _) = sign(signable, &how)?.into_parts();

        let mut request = Request::builder()
            .method(call.method)
            .uri(call.url)
            .header("amz-sdk-invocation-id", id)
            .header("amz-sdk-request", format!("attempt={attempt}; max={}", call.attempts));
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(patience) = call.patience {
            request = request.extension(Patience(patience));
        }
        let mut request = request.body(SdkBody::from(call.body)).map_err(|error| Failed::Unmade(error.into()))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// An address under which anybody may get an object, from a moment on for so long.
    pub fn presigned(&self, url: &str, at: Timestamp, for_so_long: Duration) -> Result<String, Failed> {
        let mut settings = settings(OF_S3);
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(for_so_long);
        let how = self.how(OF_S3, settings, at)?;
        let signable = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::UnsignedPayload)?;
        let (instructions, _) = sign(signable, &how)?.into_parts();
        let mut request = Request::get(url).body(()).map_err(|error| Failed::Unmade(error.into()))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.uri().to_string())
    }

    /// The signature of a text that says itself what it is good for, and until when, as the policy of a form does.
    pub fn signature(&self, text: &str, at: Timestamp) -> String {
        let key = v4::generate_signing_key(
            self.credentials.secret_access_key(),
            system_time(at),
            self.region.as_ref(),
            OF_S3,
        );
        v4::calculate_signature(key, text.as_bytes())
    }

    /// Who signs: the id of the key, and the token that goes with it on Lambda.
    pub fn signs_as(&self) -> (&str, Option<&str>) {
        (self.credentials.access_key_id(), self.credentials.session_token())
    }

    fn how<'a>(
        &'a self,
        service: &'a str,
        settings: SigningSettings,
        at: Timestamp,
    ) -> Result<aws_sigv4::http_request::SigningParams<'a>, Failed> {
        let how = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(self.region.as_ref())
            .name(service)
            .time(system_time(at))
            .settings(settings)
            .build();
        Ok(how.map_err(|error| Failed::Unmade(error.into()))?.into())
    }
}

fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service == OF_S3 {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap_or_default())
}

/// What AWS calls an error: in a header, `ThrottlingException:http://…`, or as S3 does, in its XML.
fn error_name(answer: &HttpResponse) -> String {
    let header = answer.headers().get("x-amzn-errortype").and_then(|kind| kind.split(':').next());
    let body = || std::str::from_utf8(answer.body().bytes()?).ok()?.split_once("<Code>")?.1.split('<').next();
    let name = header.or_else(body).unwrap_or_default();
    name.chars().filter(char::is_ascii_alphanumeric).take(ERROR_NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ATTEMPTS;
    use aws_smithy_runtime_api::client::http::HttpConnectorFuture;

    /// AWS's own example key.
    fn signer() -> Signer {
        #[derive(Debug)]
        struct Nowhere;
        impl HttpConnector for Nowhere {
            fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
                HttpConnectorFuture::ready(Err(ConnectorError::user("nowhere".into())))
            }
        }
        let credentials =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "test");
        Signer::new(&Region::from_static("us-east-1"), &credentials, SharedHttpConnector::new(Nowhere))
    }

    /// 24 May 2013, the day of AWS's examples.
    const MAY: Timestamp = Timestamp::from_millis(1_369_353_600_000);

    /// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
    #[test]
    fn an_address_is_signed_as_aws_shows_it() {
        let day = Duration::from_secs(86_400);
        let address = signer().presigned("https://examplebucket.s3.amazonaws.com/test.txt", MAY, day).expect("signed");
        let (url, query) = address.split_once('?').expect("a query");
        assert_eq!(url, "https://examplebucket.s3.amazonaws.com/test.txt");
        let mut query: Vec<_> = query.split('&').collect();
        query.sort_unstable();
        assert_eq!(
            query,
            [
                "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request",
                "X-Amz-Date=20130524T000000Z",
                "X-Amz-Expires=86400",
                "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
                "X-Amz-SignedHeaders=host",
            ]
        );
    }

    /// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>.
    #[test]
    fn a_request_of_s3_is_signed_as_aws_shows_it() {
        let call = Call {
            service: OF_S3,
            method: "GET",
            url: "https://examplebucket.s3.amazonaws.com/test.txt",
            headers: &[("range", "bytes=0-9")],
            body: "",
            patience: None,
            attempts: ATTEMPTS,
            expected: 206,
        };
        let request = signer().request(&call, "id", 1, MAY).expect("signed");
        let signed = request.headers()["authorization"].to_str().expect("text");
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(signed.ends_with(&format!("Signature={signature}")), "{signed}");
    }

    /// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>, whose lines end as on
    /// Windows.
    #[test]
    fn a_policy_is_signed_as_aws_shows_it() {
        let policy = include_str!("policy-example.txt").trim_end();
        let day = Timestamp::from_millis(1_451_347_200_000);
        let signature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";
        assert_eq!(signer().signature(policy, day), signature);
    }

    #[test]
    fn an_error_is_named_without_what_it_says() {
        let answer = |headers: &[(&'static str, &'static str)], body: &'static str| {
            let answer = hyper::Response::builder().status(403);
            let answer = headers.iter().fold(answer, |answer, (name, value)| answer.header(*name, *value));
            HttpResponse::try_from(answer.body(SdkBody::from(body)).expect("an answer")).expect("an answer")
        };
        let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>private</Message></Error>";
        assert_eq!(error_name(&answer(&[], xml)), "AccessDenied");
        let header: &[_] = &[("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/")];
        assert_eq!(error_name(&answer(header, "private")), "ThrottlingException");
        assert_eq!(error_name(&answer(&[], "private")), "");
    }
}
