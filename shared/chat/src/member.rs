use crate::{ConnectionId, Encoding, Timestamp, UserId};

/// A connection that is in a room: one device of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub connection: ConnectionId,
    pub user: UserId,
    pub joined_at: Timestamp,
    /// Whether it asked for one frame about several people who left, and not one about each.
    pub batches: bool,
    /// How frames are written to it.
    pub encoding: Encoding,
}

impl Member {
    /// Whether this member's join is news to the room: it is the first of its user's devices there.
    ///
    /// Of two devices that join at once and see each other, exactly the earlier one announces; of two that do not yet
    /// see each other, both may. Hearing of a user twice is harmless, never hearing of one is not.
    pub fn arrives(&self, members: &[Member]) -> bool {
        let order = |member: &Member| (member.joined_at, member.connection.clone());
        let mine = |other: &&Member| other.user == self.user && other.connection != self.connection;
        !members.iter().filter(mine).any(|other| order(other) < order(self))
    }
}

/// Whether the user left the room altogether: none of the remaining devices is theirs.
pub fn departs(user: &UserId, remaining: &[Member]) -> bool {
    !remaining.iter().any(|member| member.user == *user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(connection: &str, user: &str, joined_at: i64) -> Member {
        let user = UserId::parse(user).expect("an id");
        Member {
            connection: ConnectionId::new(connection),
            user,
            joined_at: Timestamp::from_millis(joined_at),
            batches: false,
            encoding: Encoding::Json,
        }
    }

    #[test]
    fn only_the_first_device_arrives() {
        let (phone, laptop, other) = (member("p", "1", 10), member("l", "1", 20), member("o", "2", 5));
        let all = [phone.clone(), laptop.clone(), other];
        assert!(phone.arrives(&all));
        assert!(!laptop.arrives(&all));
    }

    #[test]
    fn of_two_devices_in_one_millisecond_one_arrives() {
        let all = [member("a", "1", 10), member("b", "1", 10)];
        assert_eq!(all.iter().filter(|member| member.arrives(&all)).count(), 1);
    }

    #[test]
    fn only_the_last_device_departs() {
        let user = UserId::parse("1").expect("an id");
        assert!(!departs(&user, &[member("l", "1", 20)]));
        assert!(departs(&user, &[member("o", "2", 5)]));
    }
}
