//! Keys that tokens are checked with: a secret of the application's own, or the public keys of an identity provider.

use chat::limits::CLOCK_SKEW_SECONDS;
use chat_aws::{Fault, now};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Shortest secret, in bytes: RFC 7518, section 3.2, wants at least the size of the hash for HS256.
pub const SECRET_BYTES_MIN: usize = 32;

#[derive(Default)]
pub struct Keys(Vec<Key>);

/// The issuer and the audience that tokens must name. A provider's keys sign for all its tenants and applications.
#[derive(Debug, Clone)]
pub struct Trust {
    pub issuer: String,
    pub audience: String,
}

/// Why a token is refused. It is for the log, so it says nothing that the token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// None of these keys is the one that it names; another set may have it.
    NoKey(&'static str),
    Token(&'static str),
}

impl Refused {
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoKey(reason) | Self::Token(reason) => reason,
        }
    }
}

/// Why a token was not verified: it is refused, or a provider's keys could not be had.
#[derive(Debug)]
pub enum Unverified {
    Refused(Refused),
    Fault(Fault),
}

impl From<Refused> for Unverified {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Fault> for Unverified {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

const OF_ANOTHER_KEY: &str = "another key signed it";

/// A JSON Web Key Set. Some of its keys may be of a kind that is not known yet.
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

struct Key {
    /// What a token's `kid` must be; a secret has none and takes any.
    id: Option<String>,
    key: DecodingKey,
    /// With the one algorithm of this key, which is never the token's to choose.
    validation: Validation,
    /// The audience that a token must name; a token of our own secret needs none.
    audience: Option<String>,
}

impl Keys {
    /// The one key of an application that signs its own tokens, from the variable of this name.
    pub fn of_secret(name: &str, secret: &str) -> Result<Self, Fault> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(Fault::because("failed to start", format!("{name} is shorter than 32 bytes")));
        }
        let key = DecodingKey::from_secret(secret.as_bytes());
        Ok(Self(vec![Key { id: None, key, validation: validation(Algorithm::HS256), audience: None }]))
    }

    /// The keys of a JWK set that sign tokens in a way we know; what else is in it, or cannot be read, is passed over
    /// (RFC 7517, section 5).
    ///
    /// # Errors
    /// What is wrong with the set, as a fragment of a sentence that began with its name.
    pub fn of_set(jwks: &[u8], trust: &Trust) -> Result<Self, &'static str> {
        let set: Set = serde_json::from_slice(jwks).map_err(|_| "is no JSON Web Key Set")?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(|jwk| Key::of_provider(jwk, trust)).collect();
        match keys.iter().filter(|key| key.id.is_none()).count() {
            _ if keys.is_empty() => Err("has no key for RS256, ES256 or EdDSA that can be read"),
            1.. if keys.len() > 1 => Err("has several keys, and not each has a kid"),
            _ => Ok(Self(keys)),
        }
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims of a token that one of these keys signed, and that is good now. What a header brings along to be
    /// checked with (`jwk`, `jku`, `x5c`) is nobody's key.
    pub fn verify(&self, token: &str) -> Result<Map<String, Value>, Refused> {
        let header = decode_header(token).map_err(|error| Refused::Token(reason(error.kind())))?;
        if header.crit.is_some() {
            // RFC 7515, section 4.1.11: whoever does not know an extension must not go on without it.
            return Err(Refused::Token("it asks for an extension"));
        }
        if !is_of_a_user(header.typ.as_deref()) {
            return Err(Refused::Token("it is of another kind"));
        }
        let of_algorithm: Vec<_> =
            self.0.iter().filter(|key| key.validation.algorithms.contains(&header.alg)).collect();
        let mut named = of_algorithm.iter().copied().filter(|key| key.id.is_none() || key.id == header.kid);
        let key = match (named.next(), of_algorithm.as_slice()) {
            (Some(key), _) => key,
            (None, []) => return Err(Refused::NoKey("it names another algorithm")),
            // A provider with one key may leave its id out.
            (None, [only]) if header.kid.is_none() => only,
            (None, _) => return Err(Refused::NoKey("it names a key that is not ours")),
        };
        // Secrets have no names. While one replaces another, both are tried.
        named.fold(key.verify(token), |verified, other| match verified {
            Err(Refused::Token(OF_ANOTHER_KEY)) => other.verify(token),
            verified => verified,
        })
    }
}

impl Key {
    fn verify(&self, token: &str) -> Result<Map<String, Value>, Refused> {
        let verified = decode::<Map<String, Value>>(token, &self.key, &self.validation);
        let claims = verified.map_err(|error| Refused::Token(reason(error.kind())))?.claims;
        // One from the future would be newer than any revocation.
        let latest = (now().seconds() + CLOCK_SKEW_SECONDS.cast_signed()) as f64;
        if claims.get("iat").and_then(Value::as_f64).is_some_and(|issued| issued > latest) {
            return Err(Refused::Token("it is issued in the future"));
        }
        let for_us = self.audience.as_ref().is_none_or(|audience| is_for(&claims, audience));
        for_us.then_some(claims).ok_or(Refused::Token("it is for another audience"))
    }

    /// A key of a provider's set, unless it is for something else, or cannot be read.
    fn of_provider(jwk: Value, trust: &Trust) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let mut validation = validation(algorithm_of(&jwk)?);
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[&trust.issuer]);
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, key, validation, audience: Some(trust.audience.clone()) })
    }
}

/// Whether a token says that somebody may do something. A provider signs other things too with the same keys and for
/// the same audience, such as notices that somebody logged out, and says so (RFC 8725, section 3.11): `logout+jwt`,
/// `secevent+jwt`.
fn is_of_a_user(typ: Option<&str>) -> bool {
    let typ = typ.unwrap_or_default().to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    typ == "at+jwt" || !typ.ends_with("+jwt")
}

/// The one algorithm that a key of a set is for. A secret in a set is not: sets are public.
fn algorithm_of(jwk: &Jwk) -> Option<Algorithm> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        _ => return None,
    };
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let agrees = jwk.common.key_algorithm.is_none_or(|named| named == algorithm.into());
    (signs && agrees).then_some(algorithm)
}

fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp"]);
    validation.validate_nbf = true;
    validation.validate_aud = false; // is_for() does
    validation.leeway = CLOCK_SKEW_SECONDS;
    validation
}

/// `aud` is a text or a list; without it `client_id` counts, since Cognito's access tokens have no other. API
/// Gateway's own JWT authorizer takes them the same way
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>).
fn is_for(claims: &Map<String, Value>, audience: &str) -> bool {
    match claims.get("aud").or_else(|| claims.get("client_id")) {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one == audience),
        _ => false,
    }
}

pub fn invalid(what: &'static str) -> Fault {
    Fault::because("failed to start", what)
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it is expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidSignature => OF_ANOTHER_KEY,
        ErrorKind::InvalidAlgorithm => "it names another algorithm",
        ErrorKind::InvalidIssuer => "another issuer gave it out",
        ErrorKind::MissingRequiredClaim(claim) if claim == "exp" => "it has no expiry",
        ErrorKind::MissingRequiredClaim(_) => "it lacks a claim that it must have",
        _ => "it is no token that can be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::issuer::{AUDIENCE, ISSUER, Issuer, LATER, claims, with, without};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const SECRET: &str = "a secret of this test, 32 bytes or more";
    const RSA_FILE: &str = include_str!("../../tests/keys/rsa.pub.pem");

    fn ours() -> Keys {
        Keys::of_secret("TOKEN_SECRET", SECRET).expect("long enough")
    }

    fn token(algorithm: Algorithm, secret: &str, claims: Value) -> String {
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    }

    fn trusting(jwks: &str) -> Keys {
        let trust = Trust { issuer: ISSUER.into(), audience: AUDIENCE.into() };
        Keys::of_set(jwks.as_bytes(), &trust).expect("keys")
    }

    fn now() -> i64 {
        chat_aws::now().millis() / 1_000
    }

    fn issued(iat: i64) -> String {
        token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER, "iat": iat}))
    }

    fn soon(nbf: i64) -> String {
        token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER, "nbf": nbf}))
    }

    #[test]
    fn a_token_of_our_secret_is_taken() {
        let token = token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER, "aud": "anyone"}));
        assert_eq!(ours().verify(&token).expect("verified")["sub"], "1");
    }

    #[test]
    fn forged_expired_and_foreign_tokens_are_refused() {
        let good = json!({"sub": "1", "exp": LATER});
        let valid = token(Algorithm::HS256, SECRET, good.clone());
        let (head, signature) = valid.rsplit_once('.').expect("three parts");
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", head.split_once('.').expect("two parts").1);
        for (what, token) in [
            ("another secret", token(Algorithm::HS256, "another secret, also 32 bytes or more", good.clone())),
            ("another algorithm", token(Algorithm::HS512, SECRET, good.clone())),
            ("alg none", unsigned.clone()),
            ("alg none with our signature", format!("{unsigned}{signature}")),
            ("expired", token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": 1_700_000_000}))),
            (
                "expired for longer than clocks differ",
                token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": now() - 70})),
            ),
            ("not valid for longer than clocks differ", soon(now() + 70)),
            ("issued in the future", issued(now() + 70)),
            ("issued in milliseconds", issued(now() * 1_000)),
            ("no exp", token(Algorithm::HS256, SECRET, json!({"sub": "1"}))),
            ("exp that is no number", token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": "later"}))),
            ("not yet valid", token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER, "nbf": LATER}))),
            ("no signature", head.to_owned()),
            ("cut short", valid[..valid.len() - 2].to_owned()),
            ("nothing", String::new()),
            ("rubbish", "a.b.c".into()),
        ] {
            assert!(ours().verify(&token).is_err(), "{what}");
        }
    }

    /// A secret is changed without a moment in which good tokens are refused.
    #[test]
    fn while_a_secret_is_changed_tokens_of_both_are_taken() {
        const PREVIOUS: &str = "the secret before, also 32 bytes or more";
        let of = |secret: &str, exp: i64| token(Algorithm::HS256, secret, json!({"sub": "1", "exp": exp}));
        let mut keys = ours();
        keys.extend(Keys::of_secret("TOKEN_SECRET_PREVIOUS", PREVIOUS).expect("long enough"));
        for secret in [SECRET, PREVIOUS] {
            assert_eq!(keys.verify(&of(secret, LATER)).expect("taken")["sub"], "1");
            let expired = keys.verify(&of(secret, 1_700_000_000));
            assert_eq!(expired, Err(Refused::Token("it is expired")), "{secret}");
        }
        let forged = keys.verify(&of("another secret, also 32 bytes or more", LATER));
        assert_eq!(forged, Err(Refused::Token(OF_ANOTHER_KEY)));
        assert!(ours().verify(&of(PREVIOUS, LATER)).is_err(), "the change is over");
    }

    #[test]
    fn a_clock_may_be_a_minute_off() {
        assert!(ours().verify(&issued(now() + 50)).is_ok());
        for (exp, nbf) in [(now() - 50, 0), (LATER, now() + 50)] {
            let token = token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": exp, "nbf": nbf}));
            assert!(ours().verify(&token).is_ok(), "exp {exp}, nbf {nbf}");
        }
    }

    /// What a forger would like us to check a signature with stands in the token itself.
    #[test]
    fn a_key_that_the_token_brings_along_is_nobodys() {
        let (trusted, forger) =
            (Issuer::new(), EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/forger.pem")));
        let (keys, forger) = (trusting(&trusted.jwks()), forger.expect("a key"));
        let jwk = Jwk::from_encoding_key(&forger, Algorithm::EdDSA).expect("a public key");
        let header = Header { kid: Some("d".into()), ..Header::new(Algorithm::EdDSA) };
        for header in [
            Header { jwk: Some(jwk), ..header.clone() },
            Header { jku: Some("http://127.0.0.1:1/keys".into()), ..header.clone() },
            Header { x5u: Some("http://127.0.0.1:1/keys".into()), ..header },
        ] {
            let token = encode(&header, &claims(), &forger).expect("a token");
            assert_eq!(keys.verify(&token), Err(Refused::Token("another key signed it")));
        }
    }

    /// What is signed by the right key, and for us, and is still no token of a user.
    #[test]
    fn what_a_provider_signs_for_another_purpose_is_refused() {
        let key = EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/ed25519.pem")).expect("a key");
        let keys = trusting(&Issuer::new().jwks());
        let verify = |header: Header| {
            let header = Header { kid: Some("d".into()), ..header };
            keys.verify(&encode(&header, &claims(), &key).expect("a token")).map(drop)
        };
        let of = |typ: Option<&str>| Header { typ: typ.map(String::from), ..Header::new(Algorithm::EdDSA) };
        for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/AT+JWT")] {
            assert_eq!(verify(of(typ)), Ok(()), "{typ:?}");
        }
        for typ in ["logout+jwt", "secevent+JWT", "dpop+jwt", "application/logout+jwt"] {
            assert_eq!(verify(of(Some(typ))), Err(Refused::Token("it is of another kind")), "{typ}");
        }
        let extended = Header { crit: Some(vec!["exp".into()]), ..of(None) };
        assert_eq!(verify(extended), Err(Refused::Token("it asks for an extension")));
    }

    #[test]
    fn every_kind_of_a_providers_keys_is_taken() {
        let provider = Issuer::new();
        let keys = trusting(&provider.jwks());
        for id in ["r", "e", "d"] {
            let token = provider.sign(id, Some(id), &claims());
            assert_eq!(keys.verify(&token).expect(id)["sub"], "1");
        }
        // A list of audiences is Auth0's, client_id in an access token Cognito's.
        let mut cognito = without("aud");
        cognito["client_id"] = json!(AUDIENCE);
        cognito["token_use"] = json!("access");
        for claims in [with("aud", json!(["https://api.example.com", AUDIENCE])), cognito] {
            keys.verify(&provider.sign("e", Some("e"), &claims)).expect("taken");
        }
        let one = trusting(&json!({"keys": [provider.jwk("e")]}).to_string());
        one.verify(&provider.sign("e", None, &claims())).expect("one key needs no kid");
    }

    #[test]
    fn what_a_provider_did_not_sign_for_us_is_refused() {
        let provider = Issuer::new();
        let jwks = provider.jwks();
        let trusted = trusting(&jwks);
        let modulus = provider.jwk("r")["n"].as_str().expect("a modulus").to_owned();
        let mut client_too = with("aud", json!("another"));
        client_too["client_id"] = json!(AUDIENCE);
        for (what, token, said) in [
            ("another issuer", provider.sign("r", Some("r"), &with("iss", json!("https://evil.example"))), "issuer"),
            ("a longer issuer", provider.sign("r", Some("r"), &with("iss", json!(format!("{ISSUER}/x")))), "issuer"),
            ("no issuer", provider.sign("r", Some("r"), &without("iss")), "lacks a claim"),
            ("another audience", provider.sign("e", Some("e"), &with("aud", json!("another"))), "audience"),
            ("no audience", provider.sign("e", Some("e"), &without("aud")), "audience"),
            ("an audience, and our client", provider.sign("e", Some("e"), &client_too), "audience"),
            ("expired", provider.sign("d", Some("d"), &with("exp", json!(1_700_000_000))), "expired"),
            ("no expiry", provider.sign("d", Some("d"), &without("exp")), "no expiry"),
            ("an unknown key", provider.sign("r", Some("x"), &claims()), "a key that is not ours"),
            ("another key's name", provider.sign("r", Some("e"), &claims()), "a key that is not ours"),
            ("a public key as a secret", token(Algorithm::HS256, &modulus, claims()), "algorithm"),
            ("its file as a secret", token(Algorithm::HS256, RSA_FILE, claims()), "algorithm"),
            ("the set's secret", token(Algorithm::HS256, "secret", claims()), "algorithm"),
        ] {
            let (Refused::NoKey(reason) | Refused::Token(reason)) = trusted.verify(&token).expect_err(what);
            assert!(reason.contains(said), "{what}: {reason}");
        }
        let (head, signature) = {
            let token = provider.sign("e", Some("e"), &claims());
            let (head, signature) = token.rsplit_once('.').expect("three parts");
            (head.to_owned(), signature.chars().rev().collect::<String>())
        };
        assert!(trusted.verify(&format!("{head}.{signature}")).is_err(), "forged");
        let mut both = ours();
        both.extend(trusted);
        for secret in [&modulus, RSA_FILE] {
            let forged = both.verify(&token(Algorithm::HS256, secret, claims()));
            assert_eq!(forged, Err(Refused::Token("another key signed it")));
        }
        both.verify(&token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER}))).expect("of our secret");
    }
}
