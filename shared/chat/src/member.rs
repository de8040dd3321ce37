use crate::limits::PRESENT_MAX;
use crate::{ConnectionId, Encoding, Timestamp, UserId};
use serde::Serialize;
use std::collections::HashSet;

/// A connection that is in a room: one device of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub connection: ConnectionId,
    pub user: UserId,
    pub joined_at: Timestamp,
    /// Whether it asked for one frame about several people who left, and not one about each.
    pub batches: bool,
    /// Whether it asked for one frame of many messages, and not one of each.
    pub rounds: bool,
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

/// The users of these members, each once, the longest here first.
pub fn users(members: &[Member]) -> Vec<UserId> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by(|one, other| {
        (one.joined_at, one.connection.as_str()).cmp(&(other.joined_at, other.connection.as_str()))
    });
    let mut seen = HashSet::new();
    members.into_iter().map(|member| &member.user).filter(|user| seen.insert(*user)).cloned().collect()
}

/// What a client that asked is told of who is in a room, once it has entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// None where nobody would be told of who comes and goes: then the list would be wrong a moment later.
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<Vec<UserId>>,
    online_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    online_more: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<bool>,
}

impl Presence {
    /// `members` are those that the join read anyway: `all` of them, or as many as it took to know that the room is
    /// quiet. Signals are pushed up to so many connections.
    pub fn of(members: &[Member], all: bool, me: &UserId, signals_up_to: usize) -> Self {
        let mut users = users(members);
        if !users.contains(me) {
            users.push(me.clone());
        }
        let online_count = users.len();
        users.truncate(PRESENT_MAX);
        Self {
            online: all.then_some(users),
            online_count,
            online_more: (!all).then_some(true),
            signals: (signals_up_to == 0 || members.len() > signals_up_to).then_some(false),
        }
    }
}

/// Whether the user left the room altogether: none of the remaining devices is theirs.
pub fn departs(user: &UserId, remaining: &[Member]) -> bool {
    !remaining.iter().any(|member| member.user == *user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(connection: &str, user: &str, joined_at: i64) -> Member {
        let user = UserId::parse(user).expect("an id");
        Member {
            connection: ConnectionId::new(connection),
            user,
            joined_at: Timestamp::from_millis(joined_at),
            batches: false,
            rounds: false,
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

    fn shown(members: &[Member], all: bool, signals_up_to: usize) -> serde_json::Value {
        let me = UserId::parse("1").expect("an id");
        serde_json::to_value(Presence::of(members, all, &me, signals_up_to)).expect("JSON")
    }

    #[test]
    fn people_are_counted_and_not_their_devices_the_longest_here_first() {
        let all = [member("c", "1", 30), member("a", "2", 20), member("b", "1", 10), member("d", "3", 20)];
        assert_eq!(shown(&all, true, 4), json!({"online": [1, 2, 3], "onlineCount": 3}));
        assert_eq!(shown(&all, true, 3)["signals"], false, "connections are counted for signals");
        assert_eq!(shown(&all, true, 0)["signals"], false);
        assert_eq!(shown(&[], true, 4), json!({"online": [1], "onlineCount": 1}), "whoever asks is there");
    }

    #[test]
    fn where_not_all_were_read_nobody_is_named() {
        let some = [member("a", "2", 20), member("b", "3", 10)];
        assert_eq!(shown(&some, false, 4), json!({"onlineCount": 3, "onlineMore": true}));
    }

    #[test]
    fn a_hundred_are_named_at_most() {
        let many: Vec<_> = (0..150_i64).map(|n| member(&format!("c{n:03}"), &n.to_string(), n)).collect();
        let shown = shown(&many, true, 4);
        assert_eq!((shown["online"].as_array().map(Vec::len), &shown["onlineCount"]), (Some(100), &json!(150)));
        assert_eq!((&shown["online"][0], &shown["online"][99]), (&json!(0), &json!(99)));
    }

    #[test]
    fn only_the_last_device_departs() {
        let user = UserId::parse("1").expect("an id");
        assert!(!departs(&user, &[member("l", "1", 20)]));
        assert!(departs(&user, &[member("o", "2", 5)]));
    }
}
