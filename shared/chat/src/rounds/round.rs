use super::{Head, Rest};
use crate::limits::{ROUND_FRAME_BYTES, ROUND_MESSAGES_MAX, ROUND_MESSAGES_MIN, ROUND_MIN};
use crate::{MessageId, Timestamp};
use std::time::Duration;

/// What a frame is filled to at least, where it does not hold all there is: its size is estimated, and the next message
/// does not fit. Counting on more would let some wait for one more round.
const FILLED_BYTES: usize = ROUND_FRAME_BYTES - 1_500;

/// From when on a room is a crowd, and how fast crowds are posted to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowd {
    /// Connections: above so many a room is large.
    pub large: usize,
    /// Posts a second that its messages would make: with so many a room is hot.
    pub hot: f64,
    /// Posts a second of all rooms in rounds together.
    pub posts_per_second: f64,
    /// Messages of one round at most.
    pub round_messages: usize,
}

impl Crowd {
    /// Whether a room goes over into rounds. `more`: it has more members than these.
    pub fn goes_over(&self, head: &Head, members: usize, more: bool, now: Timestamp) -> bool {
        more || members > self.large || members as f64 * head.rate(now) >= self.hot
    }

    /// How a courier goes that met so many members. A room returns below its thresholds only, or one at a threshold
    /// would go back and forth.
    pub fn rest(&self, head: &Head, people: usize, now: Timestamp) -> Rest {
        let is_small = people <= self.large - self.large / 10;
        let is_quiet = people as f64 * head.rate(now) < self.hot / 2.0;
        if is_small && is_quiet { Rest::OverAndOut } else { Rest::Asleep }
    }

    /// How long a round takes, if it meets so many members.
    pub fn round(&self, people: usize) -> Duration {
        Duration::from_secs_f64(people as f64 / self.posts_per_second).max(ROUND_MIN)
    }

    /// How many messages a round carries, if they are as long as those of the last one.
    pub fn carries(&self, messages: usize, bytes: usize) -> u64 {
        let fit = (messages * FILLED_BYTES).checked_div(bytes).filter(|fit| *fit > 0);
        let fit = fit.unwrap_or(ROUND_MESSAGES_MAX).clamp(ROUND_MESSAGES_MIN, ROUND_MESSAGES_MAX);
        fit.min(self.round_messages) as u64
    }
}

/// Ids without a gap, from the one that follows what was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// How many of the rows belong to it.
    pub rows: usize,
    /// What it reaches.
    pub up_to: MessageId,
}

impl Prefix {
    /// Of rows that were read after what was pushed, in their order. A frame never passes a hole: whoever has it knows
    /// all that is before its end.
    pub fn of(pushed: MessageId, rows: impl IntoIterator<Item = MessageId>) -> Self {
        let mut prefix = Self { rows: 0, up_to: pushed };
        for id in rows {
            if id != prefix.up_to.next() {
                break;
            }
            prefix = Self { rows: prefix.rows + 1, up_to: id };
        }
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: Crowd = Crowd { large: 1_100, hot: 1_000.0, posts_per_second: 5_000.0, round_messages: 100 };

    /// A room to which eight messages came, one each so many milliseconds, the last one now.
    fn room(apart: i64) -> (Head, Timestamp) {
        let mut head = Head::default();
        for number in 0..8 {
            head.count(Timestamp::from_millis(1_000_000 + number * apart));
        }
        (head, Timestamp::from_millis(1_000_000 + 7 * apart))
    }

    #[test]
    fn a_room_goes_over_when_it_is_large_or_busy() {
        let (calm, now) = room(60_000);
        for (members, more, over) in
            [(1_100, false, false), (1_101, false, true), (1_100, true, true), (0, false, false)]
        {
            assert_eq!(CROWD.goes_over(&calm, members, more, now), over, "{members}");
        }
        let (busy, now) = room(100);
        for (members, over) in [(99, false), (100, true)] {
            assert_eq!(CROWD.goes_over(&busy, members, false, now), over, "{members} members, 10 messages a second");
        }
        assert!(!CROWD.goes_over(&Head::default(), 1_000, false, now), "a room without messages is not hot");
    }

    #[test]
    fn a_room_returns_when_it_is_well_below() {
        let (calm, now) = room(60_000);
        assert_eq!(CROWD.rest(&calm, 990, now), Rest::OverAndOut);
        assert_eq!(CROWD.rest(&calm, 1_000, now), Rest::Asleep);
        let (busy, now) = room(100);
        assert_eq!(CROWD.rest(&busy, 49, now), Rest::OverAndOut);
        assert_eq!(CROWD.rest(&busy, 50, now), Rest::Asleep);
    }

    #[test]
    fn a_round_carries_what_one_frame_holds_within_bounds() {
        let carried = [(0, 300), (1, 24_000), (10, 6_400), (90, 31_000), (100, 9_000)]
            .map(|(of, bytes)| CROWD.carries(of, bytes));
        assert_eq!(carried, [100, 8, 47, 88, 100]);
        assert_eq!(Crowd { round_messages: 4, ..CROWD }.carries(100, 9_000), 4);
        assert_eq!((CROWD.round(10), CROWD.round(10_000)), (ROUND_MIN, Duration::from_secs(2)));
    }
}
