//! Review before storing, by a function of the deployment's owner.

use crate::clients::Invoker;
use crate::clock::monotonic;
use crate::entry::ActionEvent;
use crate::{Failure, Fault, telemetry};
use chat::{ClientMessageId, Content, Rejection, ReviewRequest, Reviewed, RoomId};
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// Asks whether something may be said, where the deployment has somebody to ask.
#[derive(Clone)]
pub struct Reviewer(Option<Arc<Review>>);

struct Review {
    /// It asks once: a second attempt would be somebody's wait.
    invoker: Invoker,
    function: String,
    fallback: Fallback,
}

/// What becomes of a message if there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fallback {
    Allow,
    Deny,
}

#[derive(Debug, Error)]
#[error("must be ALLOW or DENY")]
pub(crate) struct NoFallback;

impl FromStr for Fallback {
    type Err = NoFallback;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ALLOW" => Ok(Self::Allow),
            "DENY" => Ok(Self::Deny),
            _ => Err(NoFallback),
        }
    }
}

impl Reviewer {
    /// Everything may be said.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(invoker: Invoker, function: &str, fallback: Fallback) -> Self {
        Self(Some(Arc::new(Review { invoker, function: function.to_owned(), fallback })))
    }

    /// What is to be said: the content, or what the reviewer made of it. Refused if it is not to be said.
    pub async fn admit(
        &self,
        event: &ActionEvent,
        room: &RoomId,
        id: Option<&ClientMessageId>,
        content: Content,
    ) -> Result<Content, Failure> {
        let Some(review) = &self.0 else { return Ok(content) };
        let began = monotonic();
        let answer = review.ask(event, room, id, &content).await;
        let reviewed = answer.and_then(|answer| {
            let reviewed = Reviewed::read(&answer, content.clone());
            reviewed.ok_or_else(|| Fault::because("failed to review a message", "the answer is none"))
        });
        telemetry::reviewed_since(began, reviewed.is_err());
        match reviewed {
            Ok(Reviewed::Allowed(content)) => Ok(content),
            Ok(Reviewed::Denied { reason }) => Err(Rejection::Reviewed { reason }.into()),
            Err(fault) => {
                telemetry::survived(&fault);
                match review.fallback {
                    Fallback::Allow => Ok(content),
                    Fallback::Deny => {
                        Err(Rejection::Reviewed { reason: "messages cannot be reviewed now".into() }.into())
                    }
                }
            }
        }
    }
}

impl Review {
    async fn ask(
        &self,
        event: &ActionEvent,
        room: &RoomId,
        id: Option<&ClientMessageId>,
        content: &Content,
    ) -> Result<serde_json::Value, Fault> {
        let id = id.map_or_else(|| format!("{:032x}", fastrand::u128(..)), ToString::to_string);
        let action = event.request.action().unwrap_or_default();
        let asked = ReviewRequest::of(action, room, id, content, &event.caller.profile, event.ip.as_deref());
        let asked = serde_json::to_value(asked).map_err(Fault::doing("failed to write an event"))?;
        self.invoker.call(&self.function, &asked).await
    }
}
