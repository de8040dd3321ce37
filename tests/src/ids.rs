use chat::{Caller, ConnectionId, Device, Encoding, Grant, Member, MessageId, Profile, RoomId, Timestamp, UserId};
use chat_aws::{Fault, Messages, now};
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// An id of a room or user that was never used, in this run or another. Whole numbers go up to 2^53 - 1.
pub fn fresh() -> u64 {
    // The standard library's hashers start at random. 52 bits leave as many again to count on.
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(()) >> 12));
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn room(id: &str) -> RoomId {
    RoomId::parse(id).expect("an id")
}

pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id")
}

/// A caller whose token grants all rooms and was issued as long ago as possible.
pub fn caller(id: &str) -> Caller {
    let (profile, good_until) = (Profile::unknown(user(id)), Timestamp::MAX);
    Caller { profile, rooms: Grant::All.into(), moderates: Grant::none(), issued_at: 0, good_until }
}

/// A connection that begins now.
pub fn device_of(connection: &ConnectionId) -> Device {
    Device { connection: connection.clone(), connected_at: now() }
}

/// A member whose connection the gateway does not have: it ended, and its `$disconnect` never came.
pub fn ghost(id: &str) -> Member {
    let connection = ConnectionId::new("Z2hvc3QAAAAAAAA=");
    Member { connection, user: user(id), joined_at: now(), batches: false, rounds: false, encoding: Encoding::Json }
}

/// Takes a room's next id, as a sender does.
pub async fn next_id(messages: &Messages, room: &RoomId) -> Result<MessageId, Fault> {
    let counted = messages.count(room, &user("1"), now()).await?;
    counted.id().ok_or_else(|| Fault::because("failed to take an id", "too much waits for the courier"))
}
