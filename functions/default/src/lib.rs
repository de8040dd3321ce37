//! `$default`: whatever no other route takes. Answers `ping`, and says what is wrong with the rest.

use chat::limits::ECHO_CHARS_MAX;
use chat::{Rejection, Reply};
use chat_aws::apigw::MessageEvent;
use chat_aws::serve::{self, Function};
use chat_aws::{Failure, Fault, Pusher, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(serve::message(Pusher::alone(vars)?, handle))
}

/// A frame that is no JSON object never comes this far: reading it has answered it.
pub async fn handle(_: Pusher, event: MessageEvent) -> Result<Reply, Failure> {
    match event.request.require_action()? {
        "ping" => Ok(Reply::pong()),
        action => Err(Rejection::UnknownAction { action: action.chars().take(ECHO_CHARS_MAX).collect() }.into()),
    }
}
