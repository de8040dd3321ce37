//! Nothing is lost: every fault at every AWS call of every function, random faults under load, and proof that the
//! checker notices mistakes.

mod exhaustive;
mod frames;
mod mistakes;
mod random;
mod socket_io;
