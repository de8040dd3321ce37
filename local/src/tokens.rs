//! Tokens for the local run, which gives one to every caller.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::{Caller, Grant};
use chat_aws::now;
use functions::authorize::SECRET_BYTES_MIN;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A token without an expiry of its own is valid for a working day.
const LIFETIME: Duration = Duration::from_secs(12 * 3_600);

/// Signs tokens as an application would, with the secret that `authorize` is given.
#[derive(Clone)]
pub struct Tokens(Arc<String>);

/// A secret that only this run knows.
pub(crate) fn new_secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

impl Tokens {
    /// With a secret that `authorize` takes: 32 bytes or more.
    pub fn signed_with(secret: &str) -> Result<Self> {
        let enough = secret.len() >= SECRET_BYTES_MIN;
        enough.then(|| Self(Arc::new(secret.to_owned()))).context("the token secret is shorter than 32 bytes")
    }

    pub fn secret(&self) -> &str {
        &self.0
    }

    /// A token with these claims, and an expiry if they name none. Claims that `authorize` would refuse are refused
    /// here, where the caller sees the reason.
    pub fn issue(&self, mut claims: Map<String, Value>) -> Result<String> {
        claims.entry("exp").or_insert_with(|| json!(now().after(LIFETIME).seconds()));
        claims.entry("iat").or_insert_with(|| json!(now().seconds()));
        Caller::from_claims(&claims, &Grant::All.into())?;
        let key = EncodingKey::from_secret(self.0.as_bytes());
        Ok(encode(&Header::default(), &claims, &key)?)
    }
}
