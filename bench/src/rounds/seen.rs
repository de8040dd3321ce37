//! What is made of what was seen.

use super::crowd::{Seen, Sent};
use super::gateway::{Post, most_in_a_second};
use super::lambda::Heard;
use crate::report::quantile;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Members whose latencies are looked at. All are asked what they have.
const LOOKED_AT: usize = 100;

/// The median, and what one in a hundred exceeds.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub half: Duration,
    pub most: Duration,
}

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        if times.is_empty() {
            return None;
        }
        Some(Self { half: quantile(&mut times, 0.5), most: quantile(&mut times, 0.99) })
    }
}

/// How a crowd fared.
pub struct Fared {
    pub acked: usize,
    pub limited: usize,
    /// Sends that were not answered.
    pub unanswered: usize,
    /// Posts within any second, at most.
    pub posts_in_a_second: usize,
    pub posts: usize,
    pub turned_away: usize,
    pub rounds: usize,
    pub delivery: Option<Times>,
    pub ack: Option<Times>,
    pub store: Option<Times>,
    /// Of all pairs of a member and a message that was counted, those that were posted.
    pub delivered: f64,
    /// Members that were posted every message.
    pub complete: usize,
    /// How often a client would have asked the history, since a frame begins above what it has.
    pub asked: usize,
    pub cpu_per_post: Duration,
}

impl Fared {
    pub fn of(seen: &Seen) -> Self {
        let count = |which: fn(&Heard) -> bool| seen.sent.iter().filter(|sent| which(&sent.heard)).count();
        let taken: Vec<_> = seen.posts.iter().filter(|post| post.taken && post.up_to > seen.before).collect();
        let last = taken.iter().map(|post| post.up_to).chain(numbers(seen).into_keys()).max().unwrap_or(seen.before);
        let mut has = vec![Has::new(seen.before, last); seen.members];
        for post in &taken {
            has[post.member].hear(post);
        }
        let pairs = (last - seen.before) as usize * seen.members;
        let rounds: BTreeSet<_> =
            taken.iter().filter(|post| post.number.is_none()).map(|post| (post.after, post.up_to)).collect();
        let acked = |sent: &&Sent| matches!(sent.heard, Heard::Ack { .. });
        Self {
            acked: count(|heard| matches!(heard, Heard::Ack { .. })),
            limited: count(|heard| *heard == Heard::RateLimited),
            unanswered: count(|heard| *heard == Heard::Nothing),
            posts_in_a_second: most_in_a_second(&seen.posts),
            posts: seen.posts.len(),
            turned_away: seen.posts.iter().filter(|post| !post.taken).count(),
            rounds: rounds.len(),
            delivery: Times::of(latencies(seen).into_iter().map(|(_, latency)| latency).collect()),
            ack: Times::of(seen.sent.iter().filter(acked).map(|sent| sent.took).collect()),
            store: Times::of(seen.store.clone()),
            delivered: has.iter().map(Has::count).sum::<usize>() as f64 / pairs.max(1) as f64,
            complete: has.iter().filter(|has| has.count() == (last - seen.before) as usize).count(),
            asked: has.iter().map(|has| has.asked).sum(),
            cpu_per_post: seen.cpu / u32::try_from(seen.posts.len().max(1)).unwrap_or(u32::MAX),
        }
    }
}

/// What a member has.
#[derive(Clone)]
struct Has {
    before: u64,
    /// Up to where it has everything, or has asked the history for it.
    solid: u64,
    ids: Vec<bool>,
    asked: usize,
}

impl Has {
    fn new(before: u64, last: u64) -> Self {
        Self { before, solid: before, ids: vec![false; (last - before) as usize], asked: 0 }
    }

    fn hear(&mut self, post: &Post) {
        for id in post.after.max(self.before) + 1..=post.up_to {
            self.ids[(id - self.before - 1) as usize] = true;
        }
        // Single frames overtake each other, and a client waits a moment before it asks.
        if post.number.is_none() {
            self.asked += usize::from(post.after > self.solid);
            self.solid = self.solid.max(post.up_to);
        }
    }

    fn count(&self) -> usize {
        self.ids.iter().filter(|has| **has).count()
    }
}

/// The acknowledged messages' numbers, by id.
fn numbers(seen: &Seen) -> BTreeMap<u64, usize> {
    let number = |(number, sent): (usize, &Sent)| match sent.heard {
        Heard::Ack { id, .. } => Some((id, number)),
        _ => None,
    };
    seen.sent.iter().enumerate().filter_map(number).collect()
}

/// From each send to each post of it, for some of the members, with when it was sent.
pub fn latencies(seen: &Seen) -> Vec<(Duration, Duration)> {
    let (numbers, step) = (numbers(seen), seen.members.div_ceil(LOOKED_AT));
    let mut latencies = Vec::new();
    let looked_at = |post: &&Post| post.taken && post.member.is_multiple_of(step) && post.up_to > post.after;
    for post in seen.posts.iter().filter(looked_at) {
        let of_round = numbers.range(post.after + 1..=post.up_to).map(|(_, number)| *number);
        let of_round = of_round.filter(|_| post.number.is_none());
        for sent in of_round.chain(post.number).filter_map(|number| seen.sent.get(number)) {
            latencies.push((sent.at - seen.began, post.at - sent.at));
        }
    }
    latencies
}
