//! `$default`: every frame that no other route takes. Answers `ping`, and says what is wrong with the rest.

use chat::limits::ECHO_CHARS_MAX;
use chat::{Rejection, Reply};
use chat_aws::entry::{self, Function, MessageEvent};
use chat_aws::{Aws, Failure, Fault, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::message(Aws::new(vars)?.pusher()?, (), handle))
}

/// A frame that is not a JSON object never comes this far: reading it has answered it.
pub async fn handle((): (), event: MessageEvent) -> Result<Reply, Failure> {
    match event.request.require_action()? {
        "ping" => Ok(Reply::pong()),
        action => Err(Rejection::UnknownAction { action: action.chars().take(ECHO_CHARS_MAX).collect() }.into()),
    }
}
