//! Tokens for the local run, handed out to whoever asks.

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chat::{Caller, Grant};
use chat_aws::now;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How long a token is good for, in seconds: a working day.
const LIFETIME_SECONDS: i64 = 12 * 3_600;

/// Signs tokens as an application would, with the secret that `authorize` is given.
#[derive(Clone)]
pub struct Tokens(Arc<String>);

/// A secret that nobody knows but this run.
pub(crate) fn new_secret() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

impl Tokens {
    pub(crate) fn signed_with(secret: &str) -> Self {
        Self(Arc::new(secret.to_owned()))
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// A token with these claims and, unless they name one, an expiry. Claims that `authorize` would not take are
    /// refused here already, where someone reads the reason.
    pub fn issue(&self, mut claims: Map<String, Value>) -> Result<String> {
        Caller::from_claims(&claims, &Grant::All)?;
        claims.entry("exp").or_insert_with(|| json!(now().seconds() + LIFETIME_SECONDS));
        let key = EncodingKey::from_secret(self.0.as_bytes());
        Ok(encode(&Header::default(), &claims, &key)?)
    }
}
