use super::budget::{Budget, Slice};
use crate::clients::Invoker;
use crate::delivery::{Delivery, encode};
use crate::limits::{
    ATTEMPTS, HAND_POSTS_PER_SECOND, HANDS_MAX, PACE_JITTER, SLICE_POSTS, THROTTLED_BACKOFF, THROTTLED_PART,
    THROTTLED_PAUSE,
};
use crate::pusher::{Frame, Posted, Pusher, Told};
use crate::store::{Connections, Members, Part};
use crate::{Fault, telemetry};
use chat::rounds::{Hand, Met, Round};
use chat::{ConnectionId, Encoding, Frames, Member, Push, RoomId, UserId};
use futures_util::future::join_all;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::{Instant, sleep, sleep_until};

/// Posts rounds to the members of rooms.
#[derive(Clone)]
pub(crate) struct Posting {
    pusher: Pusher,
    connections: Connections,
    delivery: Delivery,
    budget: Budget,
    invoker: Invoker,
    /// This function.
    me: Arc<str>,
    /// Runs of it that share a round of a large room, at most, and members above which they do.
    hands: usize,
    hand_members: usize,
}

/// What one round posts to whom.
pub(crate) struct Content {
    round: Frames,
    singly: Vec<Frames>,
    /// Who is passed over.
    banned: BTreeSet<UserId>,
}

impl Content {
    pub fn of(round: &Round, banned: BTreeSet<UserId>) -> Result<Self, Fault> {
        let singly = round.singly().iter().map(encode).collect::<Result<_, _>>()?;
        Ok(Self { round: encode(&Push::round(round))?, singly, banned })
    }

    pub fn of_hand(hand: &Hand) -> Self {
        let singly = hand.singly.iter().cloned().map(Frames::of_json).collect();
        Self { round: Frames::of_json(hand.frame.clone()), singly, banned: hand.banned.clone() }
    }

    /// How large the frame is, in bytes.
    pub fn bytes(&self) -> usize {
        self.round.encoded(Encoding::Json).len()
    }

    /// What a member is posted, in this order.
    fn frames(&self, member: &Member) -> Vec<Frame> {
        let frames = if member.rounds { std::slice::from_ref(&self.round) } else { &self.singly[..] };
        frames.iter().map(|frames| Frame::clone(frames.encoded(member.encoding))).collect()
    }

    fn hand(&self, room: &RoomId, after: Option<&String>, up_to: Option<&String>) -> Hand {
        let text = |frames: &Frames| String::from_utf8_lossy(frames.encoded(Encoding::Json)).into_owned();
        Hand {
            room: room.clone(),
            after: after.cloned(),
            up_to: up_to.cloned(),
            frame: text(&self.round),
            singly: self.singly.iter().map(text).collect(),
            banned: self.banned.clone(),
        }
    }
}

/// A member and what it is posted, and when that may begin.
type Post = (Member, Vec<Frame>, Instant);

impl Posting {
    pub fn new(
        pusher: Pusher,
        connections: Connections,
        delivery: Delivery,
        budget: Budget,
        (invoker, me): (Invoker, &str),
        posts_per_second: f64,
        hand_members: usize,
    ) -> Self {
        let hands = (posts_per_second / HAND_POSTS_PER_SECOND).ceil().clamp(1.0, HANDS_MAX as f64) as usize;
        Self { pusher, connections, delivery, budget, invoker, me: me.into(), hands, hand_members }
    }

    /// Into how many parts so many members are cut: no more than can post at once.
    pub fn parts(&self, people: usize) -> usize {
        people.div_ceil(self.hand_members).clamp(1, self.hands)
    }

    /// Posts to all members of a room: by itself, or each part by a run of its own. A part whose run fails is posted here,
    /// some of it for the second time.
    pub async fn post(&self, room: &RoomId, cuts: &[String], content: &Content) -> Result<Met, Fault> {
        let ends = cuts.iter().map(Some).chain([None]);
        let parts: Vec<_> = [None].into_iter().chain(cuts.iter().map(Some)).zip(ends).collect();
        if let [(None, None)] = parts[..] {
            return self.post_to(room, self.connections.members(room).await?, content).await;
        }
        let met = parts.into_iter().map(|(after, up_to)| async move {
            let hand = content.hand(room, after, up_to);
            match self.lend_a_hand(&hand).await {
                Ok(met) => Ok(met),
                Err(fault) => {
                    telemetry::survived(&fault);
                    self.post_part(&hand, content).await
                }
            }
        });
        join_all(met).await.into_iter().try_fold(Met::default(), |all, met| Ok(all.and(met?)))
    }

    /// Posts to one part of a room's members.
    pub async fn post_part(&self, hand: &Hand, content: &Content) -> Result<Met, Fault> {
        let id = |id: &Option<String>| id.clone().map(ConnectionId::new);
        let part = Part { after: id(&hand.after), up_to: id(&hand.up_to) };
        self.post_to(&hand.room, self.connections.members_of_part(&hand.room, part), content).await
    }

    async fn lend_a_hand(&self, hand: &Hand) -> Result<Met, Fault> {
        let event = serde_json::to_value(hand).map_err(Fault::doing("failed to write an event"))?;
        let met = self.invoker.call(&self.me, &event).await?;
        serde_json::from_value(met).map_err(Fault::doing("failed to read what a hand met"))
    }

    async fn post_to(&self, room: &RoomId, members: Members, content: &Content) -> Result<Met, Fault> {
        let mut met = Met::default();
        let slices = self.slices(members.but(content.banned.clone()), content, &mut met);
        let posts = slices.map_ok(|slice| stream::iter(slice).map(Ok)).try_flatten();
        // What is late, by more than timers are, is not caught up with: that would be a burst above the pace.
        let mut next = Instant::now();
        let interval = self.budget.interval();
        let posts = posts.map_ok(move |(member, frames, at): Post| {
            let at = at.max(next).max(Instant::now() - PACE_JITTER);
            next = at + interval * u32::try_from(frames.len()).unwrap_or(u32::MAX);
            (member, frames, at)
        });
        let posts = posts.then(|post| async {
            let post: Post = post?;
            sleep_until(post.2).await;
            Ok(post)
        });
        let told = posts.map(|post| async {
            let (member, frames, _) = post?;
            let told = self.tell(&member, &frames).await;
            Ok::<_, Fault>((member, told))
        });
        let posted = told.buffer_unordered(self.pusher.in_flight()).fold(Posted::default(), |posted, told| async {
            match told {
                Ok((member, told)) => posted.and(member, told),
                Err(fault) => Posted { unread: Some(fault), ..posted },
            }
        });
        let posted = posted.await;
        self.settle(room, posted).await?;
        Ok(met)
    }

    /// Members, as many at a time as are planned together, with the times at which they may be posted to. The next are
    /// planned while these are posted to. Notes in `met` who there is.
    fn slices<'a>(
        &'a self,
        members: Members,
        content: &'a Content,
        met: &'a mut Met,
    ) -> impl Stream<Item = Result<Vec<Post>, Fault>> + 'a {
        // Members are cut into parts between slices, so a slice is no larger than a part.
        let at_most = SLICE_POSTS.min(self.hand_members);
        let slices = members.pages().map_ok(move |page| {
            let slices: Vec<_> = page.chunks(at_most).map(<[Member]>::to_vec).collect();
            stream::iter(slices).map(Ok)
        });
        let slices = slices.try_flatten().inspect_ok(|slice: &Vec<Member>| {
            met.people += slice.len();
            met.marks.extend(slice.last().map(|last| (last.connection.to_string(), slice.len())));
        });
        let planned = slices.map(move |slice| async move {
            let members = slice?;
            let posts: Vec<_> = members.into_iter().map(|member| (content.frames(&member), member)).collect();
            let of_all = posts.iter().map(|(frames, _)| frames.len()).sum();
            if of_all == 0 {
                return Ok(Vec::new());
            }
            let Slice { begin, interval } = self.budget.slice(of_all).await?;
            let mut before = 0;
            let at = posts.into_iter().map(|(frames, member)| {
                let at = begin + interval * before;
                before += u32::try_from(frames.len()).unwrap_or(u32::MAX);
                (member, frames, at)
            });
            Ok(at.collect())
        });
        planned.buffered(2)
    }

    /// Posts a member its frames, one after the other. A post that is turned away is made again: the account makes too many
    /// requests, as a rule for a moment.
    async fn tell(&self, member: &Member, frames: &[Frame]) -> Result<Told, Fault> {
        let mut last = Told::Delivered;
        for frame in frames {
            for attempt in 0..ATTEMPTS {
                last = self.pusher.tell(&member.connection, frame).await?;
                if last != Told::Full || attempt + 1 == ATTEMPTS {
                    break;
                }
                sleep(THROTTLED_BACKOFF * 2_u32.pow(attempt)).await;
            }
            if last != Told::Delivered {
                break;
            }
        }
        Ok(last)
    }

    /// Lets everybody pause if too much was turned away, and takes out whose connection is gone.
    async fn settle(&self, room: &RoomId, posted: Posted) -> Result<(), Fault> {
        let posts = posted.posts();
        if posted.full > 0 && posted.full * THROTTLED_PART >= posts {
            self.budget.pause(THROTTLED_PAUSE).await.err().iter().for_each(telemetry::survived);
        }
        self.delivery.settle(room, posted).await.map(drop)
    }
}
