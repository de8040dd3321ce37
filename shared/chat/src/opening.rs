//! What a handshake told of a connection. The authorizer hands it to every later event of the connection.

use crate::{Caller, Encoding, InvalidContext, Rejection};
use serde_json::Value;
use std::collections::HashMap;

/// A connection as its handshake left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    pub encoding: Encoding,
    /// Who opened it, or why that is nobody yet. Only a client of Socket.IO comes in as nobody: it would try a
    /// handshake that is refused again for ever, and it may bring its token afterwards.
    pub caller: Result<Caller, Rejection>,
}

/// What the context calls the encoding, and why somebody came in as nobody. A client of JSON has neither.
const ENCODING: &str = "encoding";
const TOKEN: &str = "token";
const MISSING: &str = "missing";
const REFUSED: &str = "refused";

impl Opening {
    /// The flat strings that API Gateway hands to every later event of the connection.
    pub fn to_context(&self) -> Result<Vec<(&'static str, String)>, InvalidContext> {
        let mut context = match &self.caller {
            Ok(caller) => caller.to_context()?,
            Err(Rejection::TokenMissing) => vec![(TOKEN, MISSING.to_owned())],
            Err(_) => vec![(TOKEN, REFUSED.to_owned())],
        };
        if self.encoding.is_socket_io() {
            context.push((ENCODING, self.encoding.name().to_owned()));
        }
        Ok(context)
    }

    /// Reads back what [`Opening::to_context`] wrote. A client of JSON is somebody, or the deployment is wrong.
    pub fn from_context(context: &HashMap<String, Value>) -> Result<Self, InvalidContext> {
        let text = |key: &str| context.get(key).and_then(Value::as_str);
        let encoding = text(ENCODING).map(Encoding::named).unwrap_or_default();
        let caller = match text(TOKEN).filter(|_| encoding.is_socket_io()) {
            Some(MISSING) => Err(Rejection::TokenMissing),
            Some(_) => Err(Rejection::TokenRefused),
            None => Ok(Caller::from_context(context)?),
        };
        Ok(Self { encoding, caller })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Grant, Profile, Timestamp, UserId};

    fn caller() -> Caller {
        Caller {
            profile: Profile::unknown(UserId::parse("7").expect("an id")),
            rooms: Grant::All.into(),
            moderates: Grant::none(),
            issued_at: 0,
            good_until: Timestamp::from_millis(1),
        }
    }

    fn handed_on(opening: &Opening) -> HashMap<String, Value> {
        let context = opening.to_context().expect("small");
        context.into_iter().map(|(key, text)| (key.into(), Value::String(text))).collect()
    }

    #[test]
    fn the_context_carries_what_the_handshake_told() {
        for encoding in [Encoding::Eio3, Encoding::Eio4] {
            for caller in [Ok(caller()), Err(Rejection::TokenMissing), Err(Rejection::TokenRefused)] {
                let opening = Opening { encoding, caller };
                assert_eq!(Opening::from_context(&handed_on(&opening)), Ok(opening));
            }
        }
        let plain = Opening { encoding: Encoding::Json, caller: Ok(caller()) };
        assert_eq!(plain.to_context(), caller().to_context(), "nothing more for a client of JSON");
        assert_eq!(Opening::from_context(&handed_on(&plain)), Ok(plain));
    }

    #[test]
    fn a_client_of_json_is_never_nobody() {
        let nobody = Opening { encoding: Encoding::Json, caller: Err(Rejection::TokenMissing) };
        let lacks = Err(InvalidContext::Lacks("userId"));
        assert_eq!(Opening::from_context(&handed_on(&nobody)), lacks);
        assert_eq!(Opening::from_context(&HashMap::new()), lacks);
        let encoding = HashMap::from([("encoding".into(), Value::String("eio4".into()))]);
        assert_eq!(Opening::from_context(&encoding), lacks, "nor is one that does not say why");
    }
}
