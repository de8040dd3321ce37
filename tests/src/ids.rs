use chat::{ConnectionId, Member, RoomId, UserId};
use chat_aws::now;

pub fn room(id: &str) -> RoomId {
    RoomId::parse(id).expect("an id")
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

/// A member whose connection the gateway does not have, as one that ended and whose `$disconnect` never came.
pub fn ghost(id: &str) -> Member {
    Member { connection: ConnectionId::new("Z2hvc3QAAAAAAAA="), user: user(id), joined_at: now() }
}
