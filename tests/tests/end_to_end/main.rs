//! Tests that need only the wire, and so hold for every deployment.
//!
//! Without `CHAT_TARGET`, or with `local`, every test starts its own local run. With `ministack` or `aws`, all tests
//! speak to one deployment that is up already and has the template's defaults, at `CHAT_WEBSOCKET_URL` and
//! `CHAT_HTTP_URL` (without a slash at the end), with tokens that are signed with `CHAT_TOKEN_SECRET`. Others may use
//! that deployment, so every test takes rooms and users that nobody had before.

mod changes;
mod content;
mod examples;
mod gateway;
mod handshake;
mod history;
mod moderation;
mod posts;
mod presence;
mod refusals;
mod rooms;
mod signals;
