//! Rounds: how what is said in a large room, or in a busy one, comes to its members.
//!
//! In a small room the sender of a message posts it to each member. In a room of ten thousand that is ten thousand posts
//! for every message, and an account has ten thousand requests a second. So such a room is *in rounds*: senders count,
//! store and acknowledge; one *courier* reads what has come and posts it to each member as one frame, again and again, as
//! fast as the account allows.
//!
//! [`Head`] is the room's row that decides: each of its writes is one request of DynamoDB, with a condition. What is here
//! is what the functions do and what the model checker of `shared/chat/tests` tries in every order.

mod errand;
mod frame;
mod head;
mod round;

pub use errand::{Errand, Hand, Met, Wake};
pub use frame::{ChangesOfRound, Round, RoundPush, Slot};
pub use head::{Count, Courier, Head, InRounds, Lease, Pushed, Rest};
pub use round::{Crowd, Prefix};
