//! The Lambda functions: a module each, whose `handle` tells the story of its route from top to bottom.
//!
//! A function that is new stands here, has a file of its own here and in `bin/`, and a resource in `template.yaml`. One
//! of several routes has a file for each.
//!
//! All are deployed as one program, `main.rs`, which is built once. The programs in `bin/` are one function each, for
//! `cargo lambda`, which runs a function by the name of its program.

pub mod authorize;
pub mod change_message;
pub mod chatrooms;
pub mod connect;
pub mod create_upload;
pub mod default;
pub mod deliver;
pub mod disconnect;
pub mod disconnect_user;
pub mod join_room;
pub mod keep_alive;
pub mod leave_room;
pub mod list_changes;
pub mod list_history;
pub mod list_members;
pub mod mark_read;
pub mod moderate;
pub mod send_message;
pub mod signal;
pub mod socket_io;

use chat_aws::entry::Function;
use chat_aws::{Fault, Vars};

/// Builds a function from its environment.
pub type Build = fn(&Vars) -> Result<Function, Fault>;

/// Every function there is, by its handler.
pub const FUNCTIONS: [(&str, Build); 18] = [
    ("authorize", authorize::function),
    ("change-message", change_message::function),
    ("chatrooms", chatrooms::function),
    ("connect", connect::function),
    ("create-upload", create_upload::function),
    ("default", default::function),
    ("deliver", deliver::function),
    ("disconnect", disconnect::function),
    ("disconnect-user", disconnect_user::function),
    ("join-room", join_room::function),
    ("keep-alive", keep_alive::function),
    ("leave-room", leave_room::function),
    ("list-history", list_history::function),
    ("mark-read", mark_read::function),
    ("moderate", moderate::function),
    ("send-message", send_message::function),
    ("signal", signal::function),
    ("socket-io", socket_io::function),
];

/// The function that `_HANDLER` names, as Lambda sets it.
pub fn function(vars: &Vars) -> Result<Function, Fault> {
    let name = vars.required("_HANDLER")?;
    let unknown = || Fault::because("failed to start", format!("no function is called {name:?}"));
    let (_, build) = FUNCTIONS.iter().find(|(handler, _)| *handler == name).ok_or_else(unknown)?;
    build(vars)
}
