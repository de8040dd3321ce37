//! What can be seen over the wire alone, and so holds for every deployment.
//!
//! Without `CHAT_TARGET`, or with `local`, every test starts a local run of its own. With `ministack` or `aws` all of
//! them speak to one deployment that is up already and has the template's defaults, at `CHAT_WEBSOCKET_URL` and
//! `CHAT_HTTP_URL` (neither ends in a slash), with tokens that are signed with `CHAT_TOKEN_SECRET`. Others may be using it,
//! so every test takes rooms and users that nobody had before.

mod content;
mod gateway;
mod handshake;
mod history;
mod presence;
mod refusals;
mod rooms;
