//! An identity provider, for the tests.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

pub const LATER: i64 = 4_102_444_800;
pub const ISSUER: &str = "https://id.example.com/pool";
pub const AUDIENCE: &str = "chat-app";

/// An identity provider with a key of each kind that we take.
pub struct Issuer(Vec<(&'static str, Algorithm, EncodingKey)>);

impl Issuer {
    pub fn new() -> Self {
        let rsa = EncodingKey::from_rsa_pem(include_bytes!("../../tests/keys/rsa.pem")).expect("a key");
        let ec = EncodingKey::from_ec_pem(include_bytes!("../../tests/keys/p256.pem")).expect("a key");
        let ed = EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/ed25519.pem")).expect("a key");
        Self(vec![("r", Algorithm::RS256, rsa), ("e", Algorithm::ES256, ec), ("d", Algorithm::EdDSA, ed)])
    }

    pub fn jwk(&self, id: &str) -> Value {
        let (id, algorithm, key) = self.0.iter().find(|key| key.0 == id).expect("a key");
        let mut jwk = json!(Jwk::from_encoding_key(key, *algorithm).expect("a public key"));
        jwk["kid"] = json!(id);
        jwk["use"] = json!("sig");
        jwk
    }

    pub fn jwks(&self) -> String {
        let keys: Vec<_> = self.0.iter().map(|(id, ..)| self.jwk(id)).collect();
        // What else a set may hold: a key to encrypt with, a secret, another curve, an unknown kind.
        let mut encrypts = self.jwk("r");
        encrypts["use"] = json!("enc");
        let secret = json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "HS256"});
        let new = json!({"kty": "NEW", "kid": "n"});
        let keys: Vec<_> = [encrypts, secret, new].into_iter().chain(keys).collect();
        json!({"keys": keys}).to_string()
    }

    pub fn sign(&self, id: &str, named: Option<&str>, claims: &Value) -> String {
        let (_, algorithm, key) = self.0.iter().find(|key| key.0 == id).expect("a key");
        let header = Header { kid: named.map(String::from), ..Header::new(*algorithm) };
        encode(&header, claims, key).expect("a token")
    }
}

pub fn claims() -> Value {
    json!({"sub": "1", "iss": ISSUER, "aud": AUDIENCE, "exp": LATER})
}

pub fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}
