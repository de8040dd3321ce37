//! API Gateway as rounds meet it: a management API that refuses what is above an account's rate, and remembers who was
//! posted which messages, and when.

use super::lambda::lock;
use crate::model::POST_LATENCY;
use chat_local::{Bucket, Throttle};
use chat_tests::Posts;
use hyper::StatusCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A post of messages.
#[derive(Debug, Clone, Copy)]
pub struct Post {
    pub at: Instant,
    pub member: usize,
    /// It brings all ids above this one.
    pub after: u64,
    /// Up to this one.
    pub up_to: u64,
    /// What its text begins with, if it is the frame of a single message.
    pub number: Option<usize>,
    /// Whether it was not answered with 429.
    pub taken: bool,
}

pub struct Gateway {
    posts: Posts,
    seen: Arc<Mutex<Vec<Post>>>,
}

impl Gateway {
    pub async fn start(account: Throttle) -> Self {
        let seen = Arc::<Mutex<Vec<Post>>>::default();
        let (bucket, noted) = (Bucket::full(account), Arc::clone(&seen));
        let judge = move |path: &str, frame: &[u8]| {
            let at = Instant::now();
            let taken = bucket.take(tokio::time::Instant::from_std(at));
            let frame = String::from_utf8_lossy(frame);
            let (Some(member), Some((after, up_to, number))) = (member_of(path), brings(&frame)) else {
                panic!("not a post of messages to a member: {path} {frame}");
            };
            lock(&noted).push(Post { at, member, after, up_to, number, taken });
            if taken { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS }
        };
        Self { posts: Posts::judged(POST_LATENCY, Arc::new(judge)).await, seen }
    }

    pub fn url(&self) -> &str {
        self.posts.url()
    }

    /// All posts since the last time, in the order in which they came.
    pub fn take(&self) -> Vec<Post> {
        std::mem::take(&mut *lock(&self.seen))
    }
}

/// The connection of a member.
pub fn connection_of(member: usize) -> String {
    format!("L0SM{member:08}hw==")
}

fn member_of(path: &str) -> Option<usize> {
    path.rsplit_once("/L0SM")?.1.get(..8)?.parse().ok()
}

/// Which ids a frame brings, and what the text of a single message begins with.
fn brings(frame: &str) -> Option<(u64, u64, Option<usize>)> {
    if frame.starts_with(r#"{"type":"messages""#) {
        return Some((number_after(frame, r#""after":"#)?, number_after(frame, r#""upTo":"#)?, None));
    }
    let id = number_after(frame, r#""message":{"id":"#)?;
    Some((id - 1, id, number_after(frame, r#""content":""#).and_then(|number| number.try_into().ok())))
}

fn number_after(frame: &str, name: &str) -> Option<u64> {
    let (_, rest) = frame.split_once(name)?;
    rest[..rest.find(|char: char| !char.is_ascii_digit())?].parse().ok()
}

/// The most posts that came within any second.
pub fn most_in_a_second(posts: &[Post]) -> usize {
    let mut from = 0;
    let within = |(at, post): (usize, &Post)| {
        while post.at - posts[from].at >= Duration::from_secs(1) {
            from += 1;
        }
        at + 1 - from
    };
    posts.iter().enumerate().map(within).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_read_by_their_first_bytes() {
        assert_eq!(member_of("/dev/@connections/L0SM00000123hw%3D%3D"), Some(123));
        let round = r#"{"type":"messages","chatroomId":1,"after":120,"upTo":190,"members":10"#;
        assert_eq!(brings(round), Some((120, 190, None)));
        let single = r#"{"type":"sendMessage","chatroomId":1,"userId":7,"message":{"id":42,"type":"text","content":"0000017 This is"#;
        assert_eq!(brings(single), Some((41, 42, Some(17))));
        assert_eq!(brings(r#"{"type":"joinRoom"}"#), None);
    }

    #[test]
    fn a_second_is_any_second() {
        let began = Instant::now();
        let post = |millis: u64| Post {
            at: began + Duration::from_millis(millis),
            member: 0,
            after: 0,
            up_to: 1,
            number: None,
            taken: true,
        };
        let posts: Vec<_> = [0, 900, 950, 1_100, 1_899, 1_900, 3_000].map(post).to_vec();
        assert_eq!(most_in_a_second(&posts), 4);
        assert_eq!(most_in_a_second(&[]), 0);
    }
}
