//! Signatures, version 4 (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html>): how a
//! request is written to be signed, and whether it was signed so by somebody who may.

use super::Key;
use super::answer::Refusal;
use crate::template::REGION;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chat::Timestamp;
use chrono::{DateTime, NaiveDateTime, Utc};
use ring::{digest, hmac};
use std::collections::BTreeMap;
use std::time::Duration;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Longest that an address may be good for, in seconds.
const EXPIRES_MAX: i64 = 604_800;

/// How far a signer's clock may be from ours.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// A request that should be signed.
pub struct Signed<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
}

/// Who signed, when, and what for: `AKID/20130524/us-east-1/s3/aws4_request`.
pub struct Scope<'a> {
    key_id: &'a str,
    date: &'a str,
}

impl<'a> Scope<'a> {
    pub fn read(credential: &'a str) -> Result<Self, Refusal> {
        let parts: Vec<_> = credential.split('/').collect();
        let malformed = |why: &str| Refusal::bad("AuthorizationHeaderMalformed", format!("the credential {why}"));
        match parts[..] {
            [key_id, date, region, "s3", "aws4_request"] if date.len() == 8 => {
                if region == REGION {
                    Ok(Self { key_id, date })
                } else {
                    Err(malformed("is of another Region"))
                }
            }
            _ => Err(malformed("must be <key>/<date>/<Region>/s3/aws4_request")),
        }
    }

    /// Whether a signature of a text is the key's, by the key that this scope has.
    pub fn check(&self, key: &Key, text: &str, signature: &str, token: Option<&str>) -> Result<(), Refusal> {
        if self.key_id != key.id {
            let message = "The AWS Access Key Id you provided does not exist in our records.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId", message));
        }
        if token.is_some_and(|token| token != key.token) {
            return Err(Refusal::bad("InvalidToken", "The provided token is malformed or otherwise invalid."));
        }
        let of_day = mac(format!("AWS4{}", key.secret).as_bytes(), self.date);
        let signing = [REGION, "s3", "aws4_request"].iter().fold(of_day, |key, part| mac(key.as_ref(), part));
        let signing = hmac::Key::new(hmac::HMAC_SHA256, signing.as_ref());
        let signature = from_hex(signature).unwrap_or_default();
        let wrong = |_| {
            let message = "The request signature we calculated does not match the signature you provided.";
            Refusal::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
        };
        hmac::verify(&signing, text.as_bytes(), &signature).map_err(wrong)
    }

    fn text(&self) -> String {
        format!("{}/{REGION}/s3/aws4_request", self.date)
    }
}

impl Signed<'_> {
    /// Refuses what was not signed by somebody who may, or not for now.
    pub fn check(&self, key: &Key, now: Timestamp) -> Result<(), Refusal> {
        match self.headers.get("authorization").and_then(|header| header.to_str().ok()) {
            Some(header) => self.check_header(header, key, now),
            None => self.check_query(key, now),
        }
    }

    /// A function, or an operator.
    fn check_header(&self, header: &str, key: &Key, now: Timestamp) -> Result<(), Refusal> {
        let malformed = |why: &str| Refusal::bad("AuthorizationHeaderMalformed", why);
        let fields = header.strip_prefix(ALGORITHM).ok_or_else(|| malformed("the algorithm is another"))?;
        let fields: BTreeMap<_, _> = fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| fields.get(name).copied().ok_or_else(|| malformed(&format!("{name} is missing")));
        let (scope, names) = (Scope::read(field("Credential")?)?, field("SignedHeaders")?);
        let (date, hash) = (self.header("x-amz-date")?, self.header("x-amz-content-sha256")?);
        let signed: Vec<_> = names.split(';').collect();
        // What decides must be signed.
        if ["host", "x-amz-date", "x-amz-content-sha256"].iter().any(|name| !signed.contains(name)) {
            return Err(malformed("SignedHeaders lacks one that must be in it"));
        }
        let at = read_date(&date).filter(|_| date.starts_with(scope.date));
        let at = at.ok_or_else(|| Refusal::denied("AWS authentication requires a valid Date or x-amz-date header"))?;
        if at.after(SKEW) < now || now.after(SKEW) < at {
            let message = "The difference between the request time and the current time is too large.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", message));
        }
        // Nothing is uploaded with a header, so every body is empty.
        if hash != sha256(b"") {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(Refusal::bad("XAmzContentSHA256Mismatch", message));
        }
        let token = self.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
        let text = self.text_to_sign(&self.query(), names, &hash, &date, &scope)?;
        scope.check(key, &text, field("Signature")?, token)
    }

    /// Whoever was told an address.
    fn check_query(&self, key: &Key, now: Timestamp) -> Result<(), Refusal> {
        let query = self.query();
        if !query.iter().any(|(name, _)| name.starts_with("X-Amz-")) {
            return Err(Refusal::denied("Access Denied"));
        }
        let malformed = |why: String| Refusal::bad("AuthorizationQueryParametersError", why);
        let field = |name: &str| {
            let mut values = query.iter().filter(|(of, _)| of == name).map(|(_, value)| value.as_str());
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(malformed(format!("{name} must be there, once"))),
            }
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"".into()));
        }
        if *self.method != Method::GET && *self.method != Method::HEAD {
            return Err(Refusal::denied("Access Denied"));
        }
        let (scope, date) = (Scope::read(field("X-Amz-Credential")?)?, field("X-Amz-Date")?);
        let at = read_date(date).filter(|_| date.starts_with(scope.date));
        let at = at.ok_or_else(|| malformed("X-Amz-Date must be in the ISO8601 Long Format".into()))?;
        let expires = field("X-Amz-Expires")?.parse::<i64>().ok().filter(|seconds| (1..=EXPIRES_MAX).contains(seconds));
        let expires = expires.ok_or_else(|| malformed(format!("X-Amz-Expires must be from 1 to {EXPIRES_MAX}")))?;
        let names = field("X-Amz-SignedHeaders")?;
        if !names.split(';').any(|name| name == "host") {
            return Err(malformed("X-Amz-SignedHeaders must have host".into()));
        }
        let token = query.iter().find(|(name, _)| name == "X-Amz-Security-Token").map(|(_, token)| token.as_str());
        let signature = field("X-Amz-Signature")?;
        let unsigned: Vec<_> = query.iter().filter(|(name, _)| name != "X-Amz-Signature").cloned().collect();
        let text = self.text_to_sign(&unsigned, names, "UNSIGNED-PAYLOAD", date, &scope)?;
        scope.check(key, &text, signature, token)?;
        if now.after(SKEW) < at {
            return Err(Refusal::denied("Request is not yet valid"));
        }
        if at.after(Duration::from_secs(expires.unsigned_abs())) < now {
            return Err(Refusal::denied("Request has expired"));
        }
        Ok(())
    }

    fn text_to_sign(
        &self,
        query: &[(String, String)],
        names: &str,
        hash: &str,
        date: &str,
        scope: &Scope<'_>,
    ) -> Result<String, Refusal> {
        let path: Vec<_> = self.uri.path().split('/').map(|part| encoded(&decoded(part))).collect();
        let mut query: Vec<_> =
            query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        query.sort_unstable();
        let mut headers = String::new();
        for name in names.split(';') {
            let value = self.header(name)?;
            let words: Vec<_> = value.split(' ').filter(|word| !word.is_empty()).collect();
            headers.push_str(&format!("{name}:{}\n", words.join(" ")));
        }
        let canonical = format!("{}\n{}\n{}\n{headers}\n{names}\n{hash}", self.method, path.join("/"), query.join("&"));
        Ok(format!("{ALGORITHM}\n{date}\n{}\n{}", scope.text(), sha256(canonical.as_bytes())))
    }

    fn header(&self, name: &str) -> Result<String, Refusal> {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok()).map(String::from);
        value.ok_or_else(|| {
            Refusal::denied(format!(
                "There were headers present in the request which were not signed, or {name} is missing"
            ))
        })
    }

    fn query(&self) -> Vec<(String, String)> {
        let pairs = self.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
    }

    pub fn asked(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(of, _)| of == name).map(|(_, value)| value)
    }

    pub fn asks(&self, name: &str, value: &str) -> bool {
        self.asked(name).is_some_and(|asked| asked == value)
    }
}

/// `20130524T000000Z`
pub fn read_date(date: &str) -> Option<Timestamp> {
    let date = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok()?;
    Some(Timestamp::from_millis(date.and_utc().timestamp_millis()))
}

/// `2015-12-30T12:00:00.000Z`
pub fn read_iso_date(date: &str) -> Option<Timestamp> {
    let date = DateTime::parse_from_rfc3339(date).ok()?.with_timezone(&Utc);
    Some(Timestamp::from_millis(date.timestamp_millis()))
}

pub fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// As S3 writes what it signs: all but what RFC 3986 reserves for nothing.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

pub fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| from_hex(std::str::from_utf8(digits).ok()?));
        match escaped {
            Some(escaped) => {
                bytes.extend(escaped);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own example key, and the day of its examples.
    fn example() -> (Key, Timestamp) {
        let key = Key {
            id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            token: String::new(),
        };
        (key, read_date("20130524T000000Z").expect("a date"))
    }

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    const ADDRESS: &str = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&\
        X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&\
        X-Amz-Expires=86400&X-Amz-SignedHeaders=host&\
        X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    fn said(address: &str, method: &Method, at: Timestamp) -> &'static str {
        let (key, _) = example();
        let (uri, headers) = (address.parse().expect("a URI"), headers(&[("host", "examplebucket.s3.amazonaws.com")]));
        let checked = Signed { method, uri: &uri, headers: &headers }.check(&key, at);
        checked.err().map_or("", |refusal| refusal.code())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
    #[test]
    fn the_address_that_aws_shows_is_taken() {
        let (_, day) = example();
        assert_eq!(said(ADDRESS, &Method::GET, day), "");
        assert_eq!(said(ADDRESS, &Method::GET, day.after(Duration::from_secs(86_400))), "", "to the last");
    }

    #[test]
    fn an_address_that_is_late_or_changed_is_not() {
        let (_, day) = example();
        let late = day.after(Duration::from_millis(86_400_001));
        assert_eq!(said(ADDRESS, &Method::GET, late), "AccessDenied");
        let early = Timestamp::from_millis(day.millis() - 16 * 60_000);
        assert_eq!(said(ADDRESS, &Method::GET, early), "AccessDenied");
        assert_eq!(said(ADDRESS, &Method::DELETE, day), "AccessDenied");
        assert_eq!(said("/test.txt", &Method::GET, day), "AccessDenied");
        for (from, to, code) in [
            ("/test.txt", "/test2.txt", "SignatureDoesNotMatch"),
            ("Expires=86400", "Expires=86401", "SignatureDoesNotMatch"),
            ("Signature=a", "Signature=b", "SignatureDoesNotMatch"),
            ("X-Amz-Expires", "more=1&X-Amz-Expires", "SignatureDoesNotMatch"),
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLF", "InvalidAccessKeyId"),
            ("us-east-1", "eu-west-1", "AuthorizationHeaderMalformed"),
            ("Expires=86400", "Expires=604801", "AuthorizationQueryParametersError"),
            ("Expires=86400", "Expires=0", "AuthorizationQueryParametersError"),
            ("SignedHeaders=host", "SignedHeaders=date", "AuthorizationQueryParametersError"),
            ("&X-Amz-Date=20130524", "&X-Amz-Date=20130525", "AuthorizationQueryParametersError"),
            ("X-Amz-Expires", "X-Amz-Security-Token=x&X-Amz-Expires", "InvalidToken"),
        ] {
            assert!(ADDRESS.contains(from), "{from}");
            assert_eq!(said(&ADDRESS.replacen(from, to, 1), &Method::GET, day), code, "{from}");
        }
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>: the example of a list.
    #[test]
    fn the_request_that_aws_shows_is_taken_in_time() {
        let (key, day) = example();
        let authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
            SignedHeaders=host;x-amz-content-sha256;x-amz-date,\
            Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
        let with = |authorization: &str| {
            headers(&[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-date", "20130524T000000Z"),
                ("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                ("authorization", authorization),
            ])
        };
        let uri = "/?max-keys=2&prefix=J".parse().expect("a URI");
        let said = |headers: &HeaderMap, at| {
            let checked = Signed { method: &Method::GET, uri: &uri, headers }.check(&key, at);
            checked.err().map_or("", |refusal| refusal.code())
        };
        assert_eq!(said(&with(authorization), day), "");
        let late = day.after(SKEW + Duration::from_millis(1));
        assert_eq!(said(&with(authorization), late), "RequestTimeTooSkewed");
        assert_eq!(said(&with(&authorization.replace("=34b", "=34c")), day), "SignatureDoesNotMatch");
        let unsigned = authorization.replace("host;", "");
        assert_eq!(said(&with(&unsigned), day), "AuthorizationHeaderMalformed");
        let mut other = with(authorization);
        other.insert("x-amz-content-sha256", sha256(b"x").parse().expect("a value"));
        assert_eq!(said(&other, day), "XAmzContentSHA256Mismatch");
    }
}
