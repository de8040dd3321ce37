//! `ping`: keep the connection alive. Nothing is asked for but the answer.

use crate::Reply;

impl Reply {
    pub fn pong() -> Self {
        Self::Ping {}
    }
}
