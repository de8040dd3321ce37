//! The keys that tokens are checked with: a secret of the application's own, or the public keys of an identity
//! provider, or both.

use chat_aws::{Fault, Vars};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// Shortest secret, in bytes: RFC 7518, section 3.2, wants at least the size of the hash for HS256.
pub const SECRET_BYTES_MIN: usize = 32;

/// How far the issuer's clock may be from ours, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 5;

pub struct Keys(Vec<Key>);

struct Key {
    /// What a token's `kid` must be; a secret has none and takes any.
    id: Option<String>,
    key: DecodingKey,
    /// With the one algorithm of this key, which is never the token's to choose.
    validation: Validation,
    /// Whom a token must be for; a token of our own secret is for us.
    audience: Option<String>,
}

impl Keys {
    /// Reads `TOKEN_SECRET`, and `TOKEN_JWKS` with `TOKEN_ISSUER` and `TOKEN_AUDIENCE`: one of the two at least.
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let mut keys = Vec::new();
        if let Some(secret) = vars.optional("TOKEN_SECRET") {
            if secret.len() < SECRET_BYTES_MIN {
                return Err(invalid("TOKEN_SECRET is shorter than 32 bytes"));
            }
            let key = DecodingKey::from_secret(secret.as_bytes());
            keys.push(Key { id: None, key, validation: validation(Algorithm::HS256), audience: None });
        }
        if let Some(jwks) = vars.optional("TOKEN_JWKS") {
            keys.extend(provider_keys(jwks, vars.required("TOKEN_ISSUER")?, vars.required("TOKEN_AUDIENCE")?)?);
        }
        if keys.is_empty() {
            return Err(invalid("neither TOKEN_SECRET nor TOKEN_JWKS is set"));
        }
        Ok(Self(keys))
    }

    pub fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let header = decode_header(token).map_err(|error| reason(error.kind()))?;
        let of_algorithm = || self.0.iter().filter(|key| key.validation.algorithms.contains(&header.alg));
        let named = of_algorithm().find(|key| key.id.is_none() || key.id == header.kid);
        let mut keys = of_algorithm();
        let key = match (named, keys.next(), keys.next()) {
            (Some(key), ..) => key,
            (None, None, _) => return Err("it names another algorithm"),
            // A provider with one key may leave its id out.
            (None, Some(only), None) if header.kid.is_none() => only,
            (None, Some(_), _) => return Err("it names a key that is not ours"),
        };
        let verified = decode::<Map<String, Value>>(token, &key.key, &key.validation);
        let claims = verified.map_err(|error| reason(error.kind()))?.claims;
        let for_us = key.audience.as_ref().is_none_or(|audience| is_for(&claims, audience));
        for_us.then_some(claims).ok_or("it is for another audience")
    }
}

/// The keys of a JWK set that sign tokens in a way we know; what else is in it (RFC 7517, section 5) is passed over.
fn provider_keys(jwks: &str, issuer: &str, audience: &str) -> Result<Vec<Key>, Fault> {
    let set: JwkSet = serde_json::from_str(jwks).map_err(|_| invalid("TOKEN_JWKS is no JSON Web Key Set"))?;
    let mut keys = Vec::new();
    for jwk in &set.keys {
        let Some(algorithm) = algorithm_of(jwk) else { continue };
        let mut validation = validation(algorithm);
        validation.set_required_spec_claims(&["exp", "iss"]);
        validation.set_issuer(&[issuer]);
        let key = DecodingKey::from_jwk(jwk).map_err(|_| invalid("TOKEN_JWKS has a key that cannot be read"))?;
        keys.push(Key { id: jwk.common.key_id.clone(), key, validation, audience: Some(audience.to_owned()) });
    }
    match keys.iter().filter(|key| key.id.is_none()).count() {
        _ if keys.is_empty() => Err(invalid("TOKEN_JWKS has no key for RS256, ES256 or EdDSA")),
        1.. if keys.len() > 1 => Err(invalid("TOKEN_JWKS has several keys, and not each has a kid")),
        _ => Ok(keys),
    }
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

fn invalid(what: &'static str) -> Fault {
    Fault::because("failed to start", what)
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it is expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidSignature => "another key signed it",
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
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const SECRET: &str = "a secret of this test, 32 bytes or more";
    const LATER: u64 = 4_102_444_800;
    const ISSUER: &str = "https://id.example.com/pool";
    const AUDIENCE: &str = "chat-app";

    fn keys(vars: &[(&str, &str)]) -> Result<Keys, String> {
        Keys::new(&vars.iter().copied().collect()).map_err(|fault| fault.chain().to_string())
    }

    fn ours() -> Keys {
        keys(&[("TOKEN_SECRET", SECRET)]).expect("keys")
    }

    fn token(algorithm: Algorithm, secret: &str, claims: Value) -> String {
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    }

    /// An identity provider with a key of each kind that we take.
    struct Provider(Vec<(&'static str, Algorithm, EncodingKey)>);

    impl Provider {
        fn new() -> Self {
            let rsa = EncodingKey::from_rsa_pem(include_bytes!("../tests/keys/rsa.pem")).expect("a key");
            let ec = EncodingKey::from_ec_pem(include_bytes!("../tests/keys/p256.pem")).expect("a key");
            let ed = EncodingKey::from_ed_pem(include_bytes!("../tests/keys/ed25519.pem")).expect("a key");
            Self(vec![("r", Algorithm::RS256, rsa), ("e", Algorithm::ES256, ec), ("d", Algorithm::EdDSA, ed)])
        }

        fn jwk(&self, id: &str) -> Value {
            let (id, algorithm, key) = self.0.iter().find(|key| key.0 == id).expect("a key");
            let mut jwk = json!(Jwk::from_encoding_key(key, *algorithm).expect("a public key"));
            jwk["kid"] = json!(id);
            jwk["use"] = json!("sig");
            jwk
        }

        fn jwks(&self) -> String {
            let keys: Vec<_> = self.0.iter().map(|(id, ..)| self.jwk(id)).collect();
            // What else a set may hold: a key to encrypt with, a secret, another curve, a kind nobody knows yet.
            let mut encrypts = self.jwk("r");
            encrypts["use"] = json!("enc");
            let secret = json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"});
            let new = json!({"kty": "NEW", "kid": "n"});
            let keys: Vec<_> = [encrypts, secret, new].into_iter().chain(keys).collect();
            json!({"keys": keys}).to_string()
        }

        fn sign(&self, id: &str, named: Option<&str>, claims: &Value) -> String {
            let (_, algorithm, key) = self.0.iter().find(|key| key.0 == id).expect("a key");
            let header = Header { kid: named.map(String::from), ..Header::new(*algorithm) };
            encode(&header, claims, key).expect("a token")
        }
    }

    fn trusting(jwks: &str) -> Keys {
        keys(&[("TOKEN_JWKS", jwks), ("TOKEN_ISSUER", ISSUER), ("TOKEN_AUDIENCE", AUDIENCE)]).expect("keys")
    }

    fn claims() -> Value {
        json!({"sub": "1", "iss": ISSUER, "aud": AUDIENCE, "exp": LATER})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(name);
        claims
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

    #[test]
    fn every_kind_of_a_providers_keys_is_taken() {
        let provider = Provider::new();
        let keys = trusting(&provider.jwks());
        for id in ["r", "e", "d"] {
            let token = provider.sign(id, Some(id), &claims());
            assert_eq!(keys.verify(&token).expect(id)["sub"], "1");
        }
        // A list of audiences is Auth0's, client_id in an access token Cognito's.
        let mut cognito = without("aud");
        cognito["client_id"] = json!(AUDIENCE);
        for claims in [with("aud", json!(["https://api.example.com", AUDIENCE])), cognito] {
            keys.verify(&provider.sign("e", Some("e"), &claims)).expect("taken");
        }
        let one = trusting(&json!({"keys": [provider.jwk("e")]}).to_string());
        one.verify(&provider.sign("e", None, &claims())).expect("one key needs no kid");
    }

    #[test]
    fn what_a_provider_did_not_sign_for_us_is_refused() {
        let provider = Provider::new();
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
            ("the set's secret", token(Algorithm::HS256, "secret", claims()), "algorithm"),
        ] {
            let refused = trusted.verify(&token).expect_err(what);
            assert!(refused.contains(said), "{what}: {refused}");
        }
        let (head, signature) = {
            let token = provider.sign("e", Some("e"), &claims());
            let (head, signature) = token.rsplit_once('.').expect("three parts");
            (head.to_owned(), signature.chars().rev().collect::<String>())
        };
        assert!(trusted.verify(&format!("{head}.{signature}")).is_err(), "forged");
        let both = [("TOKEN_SECRET", SECRET), ("TOKEN_JWKS", &jwks), ("TOKEN_ISSUER", ISSUER), ("TOKEN_AUDIENCE", "x")];
        let both = keys(&both).expect("keys");
        both.verify(&token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER}))).expect("of our secret");
    }

    #[test]
    fn without_keys_that_can_be_used_it_does_not_start() {
        let provider = Provider::new();
        let jwks = provider.jwks();
        let of = |keys: Value| json!({"keys": keys}).to_string();
        let mut unnamed = provider.jwk("e");
        unnamed.as_object_mut().expect("an object").remove("kid");
        let mut broken = provider.jwk("r");
        broken["n"] = json!("no base64!");
        let with_jwks =
            |jwks: String| vec![("TOKEN_JWKS", jwks), ("TOKEN_ISSUER", "i".into()), ("TOKEN_AUDIENCE", "a".into())];
        for (vars, said) in [
            (vec![], "neither TOKEN_SECRET nor TOKEN_JWKS is set"),
            (vec![("TOKEN_SECRET", "short".to_owned())], "TOKEN_SECRET is shorter than 32 bytes"),
            (vec![("TOKEN_JWKS", jwks.clone())], "TOKEN_ISSUER is not set"),
            (vec![("TOKEN_JWKS", jwks), ("TOKEN_ISSUER", ISSUER.into())], "TOKEN_AUDIENCE is not set"),
            (with_jwks("https://example.com".into()), "TOKEN_JWKS is no JSON Web Key Set"),
            (with_jwks("{}".into()), "TOKEN_JWKS is no JSON Web Key Set"),
            (with_jwks(of(json!([]))), "TOKEN_JWKS has no key for RS256, ES256 or EdDSA"),
            (with_jwks(of(json!([broken]))), "TOKEN_JWKS has a key that cannot be read"),
            (with_jwks(of(json!([unnamed, provider.jwk("r")]))), "TOKEN_JWKS has several keys, and not each has a kid"),
        ] {
            let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(keys(&vars).err().as_deref(), Some(format!("failed to start: {said}").as_str()));
        }
    }
}
