//! `authorize`: the authorizer of both APIs. A token in, an identity for the life of the connection out.

#[cfg(test)]
mod issuer;
mod keys;
mod origins;
mod provider;
mod token;

use chat::Caller;
use chat::limits::TOKEN_BYTES_MAX;
use chat_aws::entry::{self, AuthorizeEvent, Function, Verdict};
use chat_aws::{Failure, Fault, Vars};
pub use keys::SECRET_BYTES_MIN;
use keys::Unverified;
use origins::Origins;
use std::fmt::Display;
use token::Tokens;

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::authorize(Gate { origins: Origins::new(vars), tokens: Tokens::new(vars)? }, handle))
}

/// What this deployment lets in.
#[derive(Clone)]
pub struct Gate {
    origins: Origins,
    tokens: Tokens,
}

/// Lets in those who bring a token that we trust, and hands on who they are. Everybody else is refused with a 403.
pub async fn handle(Gate { origins, tokens }: Gate, event: AuthorizeEvent) -> Result<Verdict, Failure> {
    let method_arn = event.method_arn;
    if !origins.allow(&event.origins) {
        return Ok(refuse("the page is of another origin", method_arn));
    }
    let Some(token) = event.token else { return Ok(Verdict::Deny { method_arn }) };
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(refuse("the token is too long", method_arn));
    }
    let claims = match tokens.verify(&token).await {
        Ok(claims) => claims,
        Err(Unverified::Refused(refused)) => return Ok(refuse(refused.reason(), method_arn)),
        Err(Unverified::Fault(fault)) => return Err(fault.into()),
    };
    let caller = match Caller::from_claims(&claims, &tokens.default_rooms) {
        Ok(caller) => tokens.reduce(caller),
        Err(reason) => return Ok(refuse(reason, method_arn)),
    };
    match caller.to_context() {
        Ok(context) => Ok(Verdict::Allow { user: caller.user().clone(), context, method_arn }),
        Err(reason) => Ok(refuse(reason, method_arn)),
    }
}

/// The reason is for our log, never for whoever tries tokens, and repeats nothing that a token says.
fn refuse(reason: impl Display, method_arn: String) -> Verdict {
    tracing::info!(%reason, "refused");
    Verdict::Deny { method_arn }
}
