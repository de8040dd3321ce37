//! Requests of S3 that a test makes itself, or sends on.

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4;
use axum::http::{HeaderMap, HeaderName};
use chat_aws::now;
use std::time::{Duration, UNIX_EPOCH};

/// The headers of a request without a body, signed as the functions of a local run sign.
pub fn signed_for_s3(method: &str, url: &str) -> HeaderMap {
    let identity = aws_credential_types::Credentials::new("local-access-key", "local-secret-key", None, None, "test");
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = identity.into();
    let how = v4::SigningParams::builder().identity(&identity).region("us-east-1").name("s3").settings(settings);
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now().millis()).expect("a time"));
    let how = how.time(now).build().expect("parameters").into();
    let signable = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(b"")).expect("a request");
    let (instructions, _) = sign(signable, &how).expect("signed").into_parts();
    let header =
        |(name, value): (&str, &str)| (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
    instructions.headers().map(header).collect()
}
