use super::keys::{Keys, Refused, Trust, Unverified, invalid};
use super::provider::Provider;
use chat::limits::TOKEN_BYTES_MAX;
use chat::{Access, Caller};
use chat_aws::{Fault, Vars};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What this deployment takes for a token.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<Keys>,
    provider: Option<Arc<Provider>>,
    /// What a token without `rooms` grants.
    default_rooms: Access,
    expose_email: bool,
}

/// Why a token makes nobody a caller.
#[derive(Debug)]
pub enum NoCaller {
    /// The reason is for our log, never for whoever tries tokens, and repeats nothing that a token says.
    Refused(String),
    /// A provider's keys could not be had.
    Fault(Fault),
}

impl Tokens {
    /// Reads `TOKEN_SECRET`; and `TOKEN_JWKS_URL` or `TOKEN_JWKS`, with `TOKEN_ISSUER` and `TOKEN_AUDIENCE`. One of the
    /// three must be there. `TOKEN_SECRET_PREVIOUS` is for the time in which one secret, or a provider, replaces
    /// another secret.
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let default_rooms = Access::parse_default(vars.optional("DEFAULT_ROOMS").unwrap_or_default());
        let secret = |name| vars.optional(name).map(|secret| Keys::of_secret(name, secret)).transpose();
        let mut keys = secret("TOKEN_SECRET")?.unwrap_or_default();
        let mut provider = None;
        match (vars.optional("TOKEN_JWKS_URL"), vars.optional("TOKEN_JWKS")) {
            (Some(_), Some(_)) => return Err(invalid("TOKEN_JWKS_URL and TOKEN_JWKS are both set")),
            (Some(url), None) => provider = Some(Arc::new(Provider::new(url, trust(vars)?)?)),
            (None, Some(jwks)) => {
                let set = Keys::of_set(jwks.as_bytes(), &trust(vars)?);
                keys.extend(set.map_err(|what| Fault::because("failed to start", format!("TOKEN_JWKS {what}")))?);
            }
            (None, None) if keys.is_empty() => {
                return Err(invalid("none of TOKEN_SECRET, TOKEN_JWKS_URL and TOKEN_JWKS is set"));
            }
            (None, None) => {}
        }
        // Not counted above: it is about to go.
        keys.extend(secret("TOKEN_SECRET_PREVIOUS")?.unwrap_or_default());
        Ok(Self {
            keys: Arc::new(keys),
            provider,
            default_rooms: default_rooms
                .ok_or_else(|| invalid("DEFAULT_ROOMS must be *, @mine, or ids with commas"))?,
            expose_email: vars.flag("EXPOSE_EMAIL")?,
        })
    }

    /// Whom a token names, if we trust it.
    pub async fn caller(&self, token: &str) -> Result<Caller, NoCaller> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NoCaller::Refused("the token is too long".into()));
        }
        let claims = self.verify(token).await.map_err(|unverified| match unverified {
            Unverified::Refused(refused) => NoCaller::Refused(refused.reason().to_string()),
            Unverified::Fault(fault) => NoCaller::Fault(fault),
        })?;
        let caller = Caller::from_claims(&claims, &self.default_rooms);
        let caller = self.reduce(caller.map_err(|reason| NoCaller::Refused(reason.to_string()))?);
        // Whatever is handed on by API Gateway, or kept in a row: it takes no more than this.
        caller.to_context().map_err(|reason| NoCaller::Refused(reason.to_string()))?;
        Ok(caller)
    }

    /// The claims of a token that one of our keys signed and that is valid now.
    ///
    /// The reason for a refusal is for the log, so it says nothing that the token says. A fault is that of a provider
    /// whose keys could not be had.
    async fn verify(&self, token: &str) -> Result<Map<String, Value>, Unverified> {
        match (self.keys.verify(token), &self.provider) {
            (Err(Refused::NoKey(_)), Some(provider)) => provider.verify(token).await,
            (verified, _) => Ok(verified?),
        }
    }

    /// Leaves out what this deployment shows to nobody, so that it is neither handed on nor stored.
    fn reduce(&self, mut caller: Caller) -> Caller {
        caller.profile.email = caller.profile.email.filter(|_| self.expose_email);
        caller
    }
}

fn trust(vars: &Vars) -> Result<Trust, Fault> {
    let required = |name| vars.required(name).map(String::from);
    Ok(Trust { issuer: required("TOKEN_ISSUER")?, audience: required("TOKEN_AUDIENCE")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::issuer::{ISSUER, Issuer};
    use serde_json::json;

    const SECRET: (&str, &str) = ("TOKEN_SECRET", "a secret of this test, 32 bytes or more");

    #[test]
    fn a_broken_default_does_not_start() {
        let fault = Tokens::new(&Vars::from_iter([SECRET, ("DEFAULT_ROOMS", "1,,2")])).err().expect("a fault");
        assert_eq!(fault.chain().to_string(), "failed to start: DEFAULT_ROOMS must be *, @mine, or ids with commas");
    }

    #[test]
    fn an_address_is_handed_on_only_where_it_is_shown() {
        let none = Access::parse_default("").expect("none");
        let claims = json!({"sub": "1", "email": "guang@example.com", "exp": 4_102_444_800_u64});
        let caller = Caller::from_claims(claims.as_object().expect("an object"), &none).expect("a caller");
        let closed = Tokens::new(&Vars::from_iter([SECRET])).expect("a configuration");
        assert_eq!(closed.reduce(caller.clone()).profile.email, None);
        let open = Tokens::new(&Vars::from_iter([SECRET, ("EXPOSE_EMAIL", "true")])).expect("a configuration");
        assert_eq!(open.reduce(caller).profile.email.as_deref(), Some("guang@example.com"));
    }

    #[test]
    fn without_keys_that_can_be_used_it_does_not_start() {
        let issuer = Issuer::new();
        let jwks = issuer.jwks();
        let of = |keys: Value| json!({"keys": keys}).to_string();
        let mut unnamed = issuer.jwk("e");
        unnamed.as_object_mut().expect("an object").remove("kid");
        let mut broken = issuer.jwk("r");
        broken["n"] = json!("no base64!");
        let set = |name: &'static str, keys: String| {
            vec![(name, keys), ("TOKEN_ISSUER", "i".into()), ("TOKEN_AUDIENCE", "a".into())]
        };
        let with_jwks = |jwks: String| set("TOKEN_JWKS", jwks);
        let url = |url: &str| set("TOKEN_JWKS_URL", url.into());
        let mut both = url("https://id.example.com/keys");
        both.push(("TOKEN_JWKS", jwks.clone()));
        for (vars, said) in [
            (vec![], "none of TOKEN_SECRET, TOKEN_JWKS_URL and TOKEN_JWKS is set"),
            (vec![("TOKEN_SECRET", "short".to_owned())], "TOKEN_SECRET is shorter than 32 bytes"),
            (
                vec![("TOKEN_SECRET", SECRET.1.to_owned()), ("TOKEN_SECRET_PREVIOUS", "short".into())],
                "TOKEN_SECRET_PREVIOUS is shorter than 32 bytes",
            ),
            (
                vec![("TOKEN_SECRET_PREVIOUS", SECRET.1.to_owned())],
                "none of TOKEN_SECRET, TOKEN_JWKS_URL and TOKEN_JWKS is set",
            ),
            (vec![("TOKEN_JWKS", jwks.clone())], "TOKEN_ISSUER is not set"),
            (vec![("TOKEN_JWKS", jwks), ("TOKEN_ISSUER", ISSUER.into())], "TOKEN_AUDIENCE is not set"),
            (vec![("TOKEN_JWKS_URL", "https://id.example.com/keys".into())], "TOKEN_ISSUER is not set"),
            (both, "TOKEN_JWKS_URL and TOKEN_JWKS are both set"),
            (url("http://id.example.com/keys"), "TOKEN_JWKS_URL is no https address"),
            (with_jwks("https://example.com".into()), "TOKEN_JWKS is no JSON Web Key Set"),
            (with_jwks("{}".into()), "TOKEN_JWKS is no JSON Web Key Set"),
            (with_jwks(of(json!([]))), "TOKEN_JWKS has no key for RS256, ES256 or EdDSA that can be read"),
            (with_jwks(of(json!([broken]))), "TOKEN_JWKS has no key for RS256, ES256 or EdDSA that can be read"),
            (with_jwks(of(json!([unnamed, issuer.jwk("r")]))), "TOKEN_JWKS has several keys, and not each has a kid"),
        ] {
            let fault = Tokens::new(&vars.into_iter().collect()).err().map(|fault| fault.chain().to_string());
            assert_eq!(fault, Some(format!("failed to start: {said}")));
        }
    }
}
