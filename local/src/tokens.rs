//! Tokens for the local run: a secret of its own at every start, and an endpoint that hands them out to whoever asks.

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

impl Tokens {
    pub(crate) fn generate() -> Self {
        Self(Arc::new(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
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
