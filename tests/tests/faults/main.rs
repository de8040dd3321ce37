//! Nothing is lost: every fault at every AWS call of every function, random faults under load, and proof that the
//! checker notices mistakes.

mod frames;
mod kept;
mod moderation;
mod random;
mod socket_io;
