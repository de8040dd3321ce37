//! Nothing is lost: every fault at every AWS call of every function, random faults under load, and a checker that is
//! shown to notice mistakes.

mod exhaustive;
mod frames;
mod mistakes;
mod random;
