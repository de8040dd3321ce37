//! `authorize`: the authorizer of both APIs. A token in, an identity for the life of the connection out.

#[cfg(test)]
mod issuer;
mod keys;
mod origins;
mod provider;
mod token;

use chat::{Opening, Rejection};
use chat_aws::entry::{self, AuthorizeEvent, Function, Verdict};
use chat_aws::{Failure, Fault, Vars};
pub use keys::SECRET_BYTES_MIN;
use origins::Origins;
use std::fmt::Display;
pub use token::{NoCaller, Tokens};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let socket_io = vars.optional("SOCKET_IO") == Some("on");
    Ok(entry::authorize(Gate { origins: Origins::new(vars), tokens: Tokens::new(vars)?, socket_io }, handle))
}

/// What this deployment lets in.
#[derive(Clone)]
pub struct Gate {
    origins: Origins,
    tokens: Tokens,
    /// Whether clients of Socket.IO are served.
    socket_io: bool,
}

/// Lets in those who bring a token that we trust, and hands on who they are. Everybody else is refused with a 403, but
/// for a client of Socket.IO: it comes in as nobody, is told why, and may bring a token then.
pub async fn handle(Gate { origins, tokens, socket_io }: Gate, event: AuthorizeEvent) -> Result<Verdict, Failure> {
    let AuthorizeEvent { method_arn, token, encoding, .. } = event;
    let is_socket_io = encoding.is_socket_io();
    if !origins.allow(&event.origins) {
        return Ok(refuse("the page is of another origin", method_arn));
    }
    if is_socket_io && !socket_io {
        return Ok(refuse("it is a client of Socket.IO, and the parameter SocketIo is off", method_arn));
    }
    let caller = match token {
        None if is_socket_io => Err(Rejection::TokenMissing),
        None => return Ok(Verdict::Deny { method_arn }),
        Some(token) => match tokens.caller(&token).await {
            Ok(caller) => Ok(caller),
            Err(NoCaller::Refused(reason)) if is_socket_io => {
                tracing::info!(%reason, "refused");
                Err(Rejection::TokenRefused)
            }
            Err(NoCaller::Refused(reason)) => return Ok(refuse(reason, method_arn)),
            Err(NoCaller::Fault(fault)) => return Err(fault.into()),
        },
    };
    let user = caller.as_ref().ok().map(|caller| caller.user().clone());
    match (Opening { encoding, caller }).to_context() {
        Ok(context) => Ok(Verdict::Allow { user, context, method_arn }),
        Err(reason) => Ok(refuse(reason, method_arn)),
    }
}

/// The reason is for our log, never for whoever tries tokens, and repeats nothing that a token says.
fn refuse(reason: impl Display, method_arn: String) -> Verdict {
    tracing::info!(%reason, "refused");
    Verdict::Deny { method_arn }
}
