//! How often somebody may do something.

use crate::limits::{SENDERS_KEPT, SENDS_BURST_SECONDS};
use crate::{Rejection, RoomId, UserId};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How fast each user may do something in each room, such as send to it: a token bucket, told by the moment when it will be full again
/// (the generic cell rate algorithm), so that a sender is one number.
///
/// Time is monotonic: the wall clock may be set back, and everybody would wait until it has caught up.
#[derive(Debug)]
pub struct Pace {
    /// Between two sends of a user who keeps sending.
    interval: Duration,
    /// How much time's worth of sends may be made at once.
    burst: Duration,
    full_at: HashMap<(UserId, Option<RoomId>), Instant>,
    /// Who spoke in a room that is slow: when, and when it was to be let speak again.
    spoke: HashMap<(UserId, RoomId), (Instant, Instant)>,
}

impl Pace {
    /// So many sends a second, at least one, and as many at once as [`SENDS_BURST_SECONDS`] of them.
    pub fn new(sends_per_second: u32) -> Self {
        let interval = Duration::from_secs(1) / sends_per_second.max(1);
        Self {
            interval,
            burst: Duration::from_secs(SENDS_BURST_SECONDS),
            full_at: HashMap::new(),
            spoke: HashMap::new(),
        }
    }

    /// Lets a send, or a join, through, or says when to try again.
    pub fn admit(&mut self, user: &UserId, room: &RoomId, now: Instant) -> Result<(), Rejection> {
        self.admit_in(user, Some(room), now)
    }

    /// Notes that a user speaks in a room that is slow: so long between two messages.
    pub fn speaks(&mut self, user: &UserId, room: &RoomId, slow: Duration, now: Instant) {
        if self.spoke.len() >= SENDERS_KEPT {
            self.spoke.retain(|_, (_, until)| *until > now);
        }
        self.spoke.insert((user.clone(), room.clone()), (now, now + slow));
    }

    /// Whether somebody would have to wait, were the room as slow as it was.
    pub fn may_have_to_wait(&self, user: &UserId, room: &RoomId, now: Instant) -> bool {
        self.spoke.get(&(user.clone(), room.clone())).is_some_and(|(_, until)| *until > now)
    }

    /// Lets somebody speak in a room that is so slow by now, or says when to try again.
    pub fn admit_after(&self, user: &UserId, room: &RoomId, slow: Duration, now: Instant) -> Result<(), Rejection> {
        match self.spoke.get(&(user.clone(), room.clone())).map(|(spoke, _)| *spoke + slow) {
            Some(until) if until > now => Err(too_early(until - now)),
            _ => Ok(()),
        }
    }

    /// The same of what a user does in no room.
    pub fn admit_anywhere(&mut self, user: &UserId, now: Instant) -> Result<(), Rejection> {
        self.admit_in(user, None, now)
    }

    fn admit_in(&mut self, user: &UserId, room: Option<&RoomId>, now: Instant) -> Result<(), Rejection> {
        if self.full_at.len() >= SENDERS_KEPT {
            // A full bucket is the same as none.
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = self.full_at.entry((user.clone(), room.cloned())).or_insert(now);
        let limit = now + self.burst;
        // An empty bucket is full after a burst's time. Whatever the clock did, nobody waits longer than that.
        *full_at = (*full_at).clamp(now, limit);
        let after = *full_at + self.interval;
        if after > limit {
            return Err(too_early(after - limit));
        }
        *full_at = after;
        Ok(())
    }
}

/// Rounded up: who comes back then is let through.
fn too_early(left: Duration) -> Rejection {
    let retry_after_ms = left.as_nanos().div_ceil(1_000_000);
    Rejection::RateLimited { retry_after_ms: u64::try_from(retry_after_ms).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(user: &str, room: &str) -> (UserId, RoomId) {
        (UserId::parse(user).expect("an id"), RoomId::parse(room).expect("an id"))
    }

    /// So many milliseconds after a moment that all of a test shares.
    fn clock() -> impl Fn(u64) -> Instant {
        let start = Instant::now();
        move |millis| start + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_passes_and_what_is_above_it_is_told_when_to_come_again() {
        let (mut pace, at) = (Pace::new(5), clock());
        let (user, room) = ids("7", "1");
        for number in 0..5 * SENDS_BURST_SECONDS {
            assert_eq!(pace.admit(&user, &room, at(0)), Ok(()), "send {number}");
        }
        assert_eq!(pace.admit(&user, &room, at(0)), Err(Rejection::RateLimited { retry_after_ms: 200 }));
        assert_eq!(pace.admit(&user, &room, at(150)), Err(Rejection::RateLimited { retry_after_ms: 50 }));
        assert_eq!(pace.admit(&user, &room, at(200)), Ok(()), "when it was told to");
        assert!(pace.admit(&user, &room, at(200)).is_err());
    }

    #[test]
    fn nobody_waits_for_somebody_else_or_another_room() {
        let (mut pace, at) = (Pace::new(1), clock());
        let (user, room) = ids("7", "1");
        while pace.admit(&user, &room, at(0)).is_ok() {}
        let (other, elsewhere) = ids("8", "2");
        assert_eq!(pace.admit(&other, &room, at(0)), Ok(()));
        assert_eq!(pace.admit(&user, &elsewhere, at(0)), Ok(()));
    }

    #[test]
    fn in_a_slow_room_the_next_waits() {
        let (mut pace, at) = (Pace::new(5), clock());
        let (user, room) = ids("7", "1");
        let slow = Duration::from_secs;
        pace.speaks(&user, &room, slow(10), at(0));
        assert!(pace.may_have_to_wait(&user, &room, at(9_000)));
        let early = Err(Rejection::RateLimited { retry_after_ms: 1_000 });
        assert_eq!(pace.admit_after(&user, &room, slow(10), at(9_000)), early);
        assert_eq!(pace.admit_after(&user, &room, slow(10), at(10_000)), Ok(()), "when it was told to");
        assert!(!pace.may_have_to_wait(&user, &room, at(10_000)));
        assert_eq!(pace.admit_after(&user, &room, slow(0), at(1)), Ok(()), "it is slow no more");
        assert_eq!(pace.admit_after(&user, &room, slow(3), at(2_000)), early, "it is less slow");
        let elsewhere = ids("7", "2").1;
        assert!(!pace.may_have_to_wait(&user, &elsewhere, at(0)));
        assert_eq!(pace.admit_after(&user, &elsewhere, slow(10), at(0)), Ok(()));
        for number in 0..3 * SENDERS_KEPT {
            let speaker = ids(&number.to_string(), "1").0;
            pace.speaks(&speaker, &room, Duration::from_millis(1), at(20_000 + number as u64));
        }
        assert!(pace.spoke.len() <= SENDERS_KEPT + 1, "{} senders", pace.spoke.len());
    }

    #[test]
    fn senders_who_have_been_quiet_are_forgotten() {
        let (mut pace, at) = (Pace::new(1), clock());
        for number in 0..3 * SENDERS_KEPT {
            let (user, room) = ids(&number.to_string(), "1");
            pace.admit(&user, &room, at(number as u64)).expect("a first send");
        }
        assert!(pace.full_at.len() <= SENDERS_KEPT + 1, "{} senders", pace.full_at.len());
    }

    #[test]
    fn nobody_waits_longer_than_for_the_next_of_a_bucket() {
        let (mut pace, at) = (Pace::new(5), clock());
        let (user, room) = ids("7", "1");
        let hour = 3_600_000;
        while pace.admit(&user, &room, at(hour)).is_ok() {}
        // A clock that is monotonic does not do this.
        assert_eq!(pace.admit(&user, &room, at(0)), Err(Rejection::RateLimited { retry_after_ms: 200 }));
        assert_eq!(pace.admit(&user, &room, at(200)), Ok(()), "when it was told to");
        // Some clocks stand still while a machine does, and go on from there.
        assert_eq!(pace.admit(&user, &room, at(200)), Err(Rejection::RateLimited { retry_after_ms: 200 }));
    }

    #[test]
    fn who_comes_when_told_to_is_let_through_whatever_the_rate() {
        for rate in 1..1_001 {
            let (mut pace, at) = (Pace::new(rate), clock());
            let (user, room) = ids("7", "1");
            let refused = loop {
                if let Err(refused) = pace.admit(&user, &room, at(0)) {
                    break refused;
                }
            };
            let Rejection::RateLimited { retry_after_ms } = refused else { panic!("{refused}") };
            assert_eq!(pace.admit(&user, &room, at(retry_after_ms)), Ok(()), "{rate} a second");
        }
    }

    proptest! {
        /// Whenever somebody tries, no more passes than the burst and the rate since the first send.
        #[test]
        fn no_more_passes_than_the_rate(gaps in proptest::collection::vec(0_u64..900, 1..200), rate in 1_u32..50) {
            let (mut pace, at) = (Pace::new(rate), clock());
            let (user, room) = ids("7", "1");
            let (mut time, mut passed) = (0, 0);
            for gap in gaps {
                time += gap;
                passed += u64::from(pace.admit(&user, &room, at(time)).is_ok());
                let most = u64::from(rate) * SENDS_BURST_SECONDS + u64::from(rate) * (time + 1_000) / 1_000;
                prop_assert!(passed <= most, "{passed} of {most} after {time} ms");
            }
        }
    }
}
