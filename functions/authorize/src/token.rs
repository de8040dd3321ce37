use crate::keys::Keys;
use chat::{Caller, Grant};
use chat_aws::{Fault, Vars};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What this deployment takes for a token.
#[derive(Clone)]
pub struct Tokens {
    keys: Arc<Keys>,
    /// What a token without `rooms` grants.
    pub default_rooms: Grant,
    expose_email: bool,
}

impl Tokens {
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let default_rooms = Grant::parse_default(vars.optional("DEFAULT_ROOMS").unwrap_or_default());
        let invalid = || Fault::because("failed to start", "DEFAULT_ROOMS must be *, or ids with commas");
        Ok(Self {
            keys: Arc::new(Keys::new(vars)?),
            default_rooms: default_rooms.ok_or_else(invalid)?,
            expose_email: vars.flag("EXPOSE_EMAIL")?,
        })
    }

    /// The claims of a token that one of our keys signed and that is good now.
    ///
    /// The reason for a refusal is for the log, so it says nothing that the token says.
    pub fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        self.keys.verify(token)
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
    use serde_json::json;

    const SECRET: (&str, &str) = ("TOKEN_SECRET", "a secret of this test, 32 bytes or more");

    #[test]
    fn a_broken_default_does_not_start() {
        let fault = Tokens::new(&Vars::from_iter([SECRET, ("DEFAULT_ROOMS", "1,,2")])).err().expect("a fault");
        assert_eq!(fault.chain().to_string(), "failed to start: DEFAULT_ROOMS must be *, or ids with commas");
    }

    #[test]
    fn an_address_is_handed_on_only_where_it_is_shown() {
        let none = Grant::parse_default("").expect("none");
        let claims = json!({"sub": "1", "email": "guang@example.com"});
        let caller = Caller::from_claims(claims.as_object().expect("an object"), &none).expect("a caller");
        let closed = Tokens::new(&Vars::from_iter([SECRET])).expect("a configuration");
        assert_eq!(closed.reduce(caller.clone()).profile.email, None);
        let open = Tokens::new(&Vars::from_iter([SECRET, ("EXPOSE_EMAIL", "true")])).expect("a configuration");
        assert_eq!(open.reduce(caller).profile.email.as_deref(), Some("guang@example.com"));
    }
}
