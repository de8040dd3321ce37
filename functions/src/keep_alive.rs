//! `keep-alive`: a schedule invokes it, so that nobody is cut who has nothing to say.

use chat_aws::entry::{self, Function};
use chat_aws::{Aws, Failure, Fault, KeepAlive, Vars};

pub fn function(vars: &Vars) -> Result<Function, Fault> {
    Ok(entry::clock(Aws::new(vars)?.keep_alive()?, handle))
}

/// Says nothing, in a frame, to every connection that would be cut.
pub async fn handle(keep_alive: KeepAlive) -> Result<(), Failure> {
    Ok(keep_alive.run().await?)
}
