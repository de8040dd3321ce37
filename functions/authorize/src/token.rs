use chat::{Caller, Grant};
use chat_aws::{Fault, Vars};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Shortest secret, in bytes: RFC 7518, section 3.2, wants at least the size of the hash for HS256.
pub const SECRET_BYTES_MIN: usize = 32;

/// How far the issuer's clock may be from ours, in seconds.
const CLOCK_SKEW_SECONDS: u64 = 5;

/// What this deployment takes for a token.
#[derive(Clone)]
pub struct Tokens {
    key: Arc<DecodingKey>,
    validation: Arc<Validation>,
    /// What a token without `rooms` grants.
    pub default_rooms: Grant,
    expose_email: bool,
}

impl Tokens {
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let invalid = |what: &str| Fault::because("failed to start", what.to_owned());
        let secret = vars.required("TOKEN_SECRET")?;
        if secret.len() < SECRET_BYTES_MIN {
            return Err(invalid("TOKEN_SECRET is shorter than 32 bytes"));
        }
        let default_rooms = Grant::parse_default(vars.optional("DEFAULT_ROOMS").unwrap_or_default());
        // The algorithm is ours to choose: what the token's header names must be this one.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp"]);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.leeway = CLOCK_SKEW_SECONDS;
        Ok(Self {
            key: Arc::new(DecodingKey::from_secret(secret.as_bytes())),
            validation: Arc::new(validation),
            default_rooms: default_rooms.ok_or_else(|| invalid("DEFAULT_ROOMS must be *, or ids with commas"))?,
            expose_email: vars.flag("EXPOSE_EMAIL")?,
        })
    }

    /// The claims of a token that is signed with our secret and not expired.
    ///
    /// The reason for a refusal is for the log, so it says nothing that the token says.
    pub fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let verified = decode(token, &self.key, &self.validation);
        verified.map(|token| token.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => "it is expired",
            ErrorKind::ImmatureSignature => "it is not valid yet",
            ErrorKind::InvalidSignature => "another key signed it",
            ErrorKind::InvalidAlgorithm => "it names another algorithm",
            ErrorKind::MissingRequiredClaim(_) => "it has no expiry",
            _ => "it is no token that can be read",
        })
    }

    /// Leaves out what this deployment shows to nobody, so that it is neither handed on nor stored.
    pub fn reduce(&self, mut caller: Caller) -> Caller {
        caller.profile.email = caller.profile.email.filter(|_| self.expose_email);
        caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const SECRET: &str = "a secret of this test, 32 bytes or more";
    const LATER: u64 = 4_102_444_800;

    fn tokens() -> Tokens {
        Tokens::new(&Vars::from_iter([("TOKEN_SECRET", SECRET)])).expect("a configuration")
    }

    fn token(algorithm: Algorithm, secret: &str, claims: Value) -> String {
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    }

    #[test]
    fn a_token_of_ours_is_taken() {
        let token = token(Algorithm::HS256, SECRET, json!({"sub": "1", "exp": LATER, "aud": "anyone"}));
        assert_eq!(tokens().verify(&token).expect("verified")["sub"], "1");
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
            assert!(tokens().verify(&token).is_err(), "{what}");
        }
    }

    #[test]
    fn a_weak_secret_or_a_broken_default_does_not_start() {
        let fault = |vars: &[(&str, &str)]| {
            Tokens::new(&vars.iter().copied().collect()).err().map(|fault| fault.chain().to_string())
        };
        assert_eq!(fault(&[]).as_deref(), Some("failed to start: TOKEN_SECRET is not set"));
        assert_eq!(
            fault(&[("TOKEN_SECRET", "short")]).as_deref(),
            Some("failed to start: TOKEN_SECRET is shorter than 32 bytes")
        );
        let broken = fault(&[("TOKEN_SECRET", SECRET), ("DEFAULT_ROOMS", "1,,2")]);
        assert_eq!(broken.as_deref(), Some("failed to start: DEFAULT_ROOMS must be *, or ids with commas"));
    }

    #[test]
    fn an_address_is_handed_on_only_where_it_is_shown() {
        let none = Grant::parse_default("").expect("none");
        let claims = json!({"sub": "1", "email": "guang@example.com"});
        let caller = Caller::from_claims(claims.as_object().expect("an object"), &none).expect("a caller");
        assert_eq!(tokens().reduce(caller.clone()).profile.email, None);
        let vars = [("TOKEN_SECRET", SECRET), ("EXPOSE_EMAIL", "true")];
        let open = Tokens::new(&Vars::from_iter(vars)).expect("a configuration");
        assert_eq!(open.reduce(caller).profile.email.as_deref(), Some("guang@example.com"));
    }
}
