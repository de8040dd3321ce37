//! A crowd in rounds, beside the way of small rooms: against an API Gateway that refuses what is above an account's
//! rate, with the real binary of `deliver`.

mod crowd;
mod gateway;
mod lambda;
mod picture;
mod seen;

use crate::aws::Aws;
use crate::model::{POST_LATENCY, VCPU};
use crate::process::{cpu_at_rest, memory};
use crate::report::{Report, median, median_ratio, milliseconds, short, with_chapter};
use anyhow::{Context, Result, ensure};
use chat::limits::{HOT_ROOM, LARGE_ROOM, ROUND_FRAME_BYTES};
use chat_tests::{Posted, room};
use clap::Args;
use crowd::{Crowd, Sent, Setting, enter_all};
use lambda::Heard;
use seen::{Fared, Times};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

const WRITTEN_BY: &str = "cargo run --release -p chat-bench -- rounds --into docs/benchmarks.md";

/// What all couriers together may post a second: nine tenths of what an account has.
const POSTS_PER_SECOND: f64 = 9_000.0;

/// How long the way of small rooms is measured at most. A send times out after 10 seconds, and it gets no better.
const SMALL_ROOMS_WAY: Duration = Duration::from_secs(20);

/// Members to whom frames of both sizes are posted, how often, and bytes of a frame with one message.
const POSTED_TO: usize = 1_000;
const POSTED: usize = 8;
const SMALL_FRAME: usize = 600;

/// Goals: posts in any second to what may be posted, the delivery of 99 of 100 to a round, their acks to a store, history
/// requests to the frames that members were posted, CPU of a full frame's post to a small one's, and MiB.
const POSTS_MAX: f64 = 1.05;
const DELIVERY_MAX: f64 = 2.2;
const ACK_MAX: f64 = 3.0;
const ASKED_MAX: f64 = 0.1;
const FULL_FRAME_MAX: f64 = 2.0;
const MEMORY_MAX: f64 = 64.0;

#[derive(Args, Clone)]
pub struct Rounds {
    /// Messages a second that are tried
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50, 200])]
    rates: Vec<u32>,
    /// Seconds of each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Members of the room, before they are divided
    #[arg(long, default_value_t = 10_000)]
    members: usize,
    /// Divides the members, and all that is allowed a second, where a machine cannot feed so many
    #[arg(long, default_value_t = 10)]
    divide_by: usize,
    /// Writes the section into this document, at its end or in place of the one that is there
    #[arg(long)]
    into: Option<PathBuf>,
    /// Instead draws how latency goes while a room goes over into rounds and comes back
    #[arg(long)]
    picture: Option<PathBuf>,
}

/// What a post of a round takes, by the size of its frame.
struct PostCpu {
    small: Duration,
    full: Duration,
    ratio: f64,
    /// The function's peak resident memory, in kB.
    memory: u64,
}

impl Rounds {
    pub async fn run(self, report: &mut Report, deliver: &Path) -> Result<()> {
        ensure!(self.divide_by > 0 && self.members / self.divide_by > 0, "--divide-by leaves no members");
        if let Some(file) = &self.picture {
            return picture::draw(deliver, file).await;
        }
        let post = post_cpu(deliver).await?;
        let mut rows = Vec::new();
        let mut couriers = Vec::new();
        for &rate in &self.rates {
            for in_rounds in [true, false] {
                let (fared, memory) = self.measure(deliver, rate, in_rounds).await?;
                couriers.extend(in_rounds.then_some(memory));
                rows.push((rate, in_rounds, fared));
            }
        }
        let memory = couriers.into_iter().chain([post.memory]).max().unwrap_or_default();
        self.tell(report, &rows, &post, memory);
        let chapter = report.chapter("Rounds", WRITTEN_BY);
        println!("{chapter}");
        if let Some(file) = &self.into {
            let failed = || format!("failed to write into {}", file.display());
            let document = std::fs::read_to_string(file).with_context(failed)?;
            std::fs::write(file, with_chapter(&document, &chapter)).with_context(failed)?;
        }
        ensure!(report.missed() == 0, "{} goals are missed", report.missed());
        Ok(())
    }

    fn setting(&self, in_rounds: bool) -> Setting {
        let divide_by = self.divide_by as f64;
        Setting {
            members: self.members / self.divide_by,
            posts_per_second: POSTS_PER_SECOND / divide_by,
            large_room: if in_rounds { LARGE_ROOM / self.divide_by } else { usize::MAX >> 1 },
            hot_room: if in_rounds { HOT_ROOM / divide_by } else { f64::MAX },
            divide_by: self.divide_by,
        }
    }

    /// Returns how a crowd fared, and the memory of its courier, in kB.
    async fn measure(&self, deliver: &Path, rate: u32, in_rounds: bool) -> Result<(Fared, u64)> {
        let setting = self.setting(in_rounds);
        let lasts = Duration::from_secs(self.seconds);
        let lasts = if in_rounds { lasts } else { lasts.min(SMALL_ROOMS_WAY) };
        eprintln!("{} members, {rate} messages a second, {}", setting.members, way(in_rounds));
        let crowd = Crowd::start(deliver, setting).await?;
        let before = crowd.warm_up().await?;
        let seen = crowd.talk(before, lasts, |_| f64::from(rate)).await?;
        crowd.stop().await;
        ensure!(seen.failed == 0, "{} runs of deliver failed", seen.failed);
        let in_rounds_too = |sent: &Sent| matches!(sent.heard, Heard::Ack { in_rounds: true, .. });
        ensure!(in_rounds || !seen.sent.iter().any(in_rounds_too), "the room went over into rounds all the same");
        Ok((Fared::of(&seen), seen.memory))
    }

    fn tell(&self, report: &mut Report, rows: &[(u32, bool, Fared)], post: &PostCpu, memory: u64) {
        let setting = self.setting(true);
        let account = setting.account();
        let round = setting.members as f64 / setting.posts_per_second;
        let number = |number: f64| short(number);
        report.paragraph(format!(
            "A room of {} members, all of whom ask for rounds, to which {} people write at random moments, so many messages a second, for {} s; \
             texts of 100 characters with a `clientMessageId`. In rounds `PostsPerSecond` is {}, so that a round takes {} s; beside it the same \
             room in the way of small rooms, in which each sender posts to all (`LargeRoom` and `HotRoom` out of reach), for {} s. Posts go to a \
             management API that answers each after {} ms, and refuses with 429 what a bucket of {} a second and {} at once does not hold. \
             `deliver` is the release binary, a process for each run of it ({VCPU} MB); `send-message` runs in this process, with 512 MB and at \
             most {} at a time; DynamoDB is the embedded one, in memory. The room is in rounds before the time begins.",
            number(self.members as f64),
            200,
            self.seconds,
            number(POSTS_PER_SECOND),
            number(round),
            self.seconds.min(SMALL_ROOMS_WAY.as_secs()),
            POST_LATENCY.as_millis(),
            number(10_000.0),
            number(5_000.0),
            number(1_000.0),
        ));
        if self.divide_by > 1 {
            report.paragraph(format!(
                "Two cores do not feed that beside all the rest, and a room of more than one page of members, 1,100, goes over whatever `LargeRoom` is. \
                 So members and all that is allowed a second are **divided by {}**: {} members, {} posts a second, a bucket of {} and {}, \
                 `LargeRoom` {} and `HotRoom` {}, {} functions at a time. Messages are not divided, so rounds take as long and frames are as full \
                 as undivided. A courier posts by itself to so few, where undivided it shares them among hands; and a sender has the least posts \
                 in flight that it can have, 8, which for a tenth of the members is twice what 512 MB give: by senders it looks better here than \
                 undivided.",
                self.divide_by,
                number(setting.members as f64),
                number(setting.posts_per_second),
                number(account.per_second),
                number(account.burst),
                setting.large_room,
                number(setting.hot_room),
                1_000 / self.divide_by,
            ));
        }
        let pair = |times: Option<Times>, unit: f64| match times {
            Some(Times { half, most }) => {
                format!("{} / {}", short(half.as_secs_f64() * unit), short(most.as_secs_f64() * unit))
            }
            None => "–".to_owned(),
        };
        report.table(
            [
                "messages a second",
                "acknowledged a second",
                "rate limited, %",
                "no answer, %",
                "posts in a second, at most",
                "answered 429, %",
                "delivered to whom, %",
                "members with all, %",
                "delivery, s: p50 / p99",
                "ack, ms",
                "a store, ms",
            ],
            rows.iter().map(|(rate, in_rounds, fared)| {
                let seconds =
                    if *in_rounds { self.seconds } else { self.seconds.min(SMALL_ROOMS_WAY.as_secs()) } as f64;
                let sends = (fared.acked + fared.limited + fared.unanswered).max(1) as f64;
                let percent = |part: usize, whole: f64| short(part as f64 / whole * 100.0);
                [
                    format!("{rate} {}", way(*in_rounds)),
                    short(fared.acked as f64 / seconds),
                    percent(fared.limited, sends),
                    percent(fared.unanswered, sends),
                    short(fared.posts_in_a_second as f64),
                    percent(fared.turned_away, fared.posts.max(1) as f64),
                    short(fared.delivered * 100.0),
                    percent(fared.complete, setting.members as f64),
                    pair(fared.delivery, 1.0),
                    pair(fared.ack, 1e3),
                    pair(fared.store, 1e3),
                ]
            }),
        );
        report.paragraph(
            "*Delivery* is from the send to the post, at a hundred of the members; *delivered* are the posts that were taken, of one for each \
             message that was counted and each member. *A store* is a message counted and stored, and the members read, in a room of nobody, ten \
             times a second meanwhile. Members here are rows, and only count what they are posted.",
        );
        let in_rounds = rows.iter().filter(|(_, in_rounds, _)| *in_rounds);
        report.table(
            ["in rounds, messages a second", "rounds", "messages in one", "history requests", "CPU per post, µs"],
            in_rounds.clone().map(|(rate, _, fared)| {
                [
                    rate.to_string(),
                    fared.rounds.to_string(),
                    short(fared.acked as f64 / fared.rounds.max(1) as f64),
                    fared.asked.to_string(),
                    short(milliseconds(fared.cpu_per_post) * 1e3),
                ]
            }),
        );
        report.paragraph(format!(
            "The CPU of a post, alone and over TLS: {} posts of a round by a hand of `deliver`, {POSTED} times with a frame of {SMALL_FRAME} bytes and \
             one of {} in turn: {} µs and {} µs, medians. Its memory is the most that a process of this section had.",
            short(POSTED_TO as f64),
            short(ROUND_FRAME_BYTES as f64),
            short(milliseconds(post.small) * 1e3),
            short(milliseconds(post.full) * 1e3),
        ));
        let fared: Vec<_> = in_rounds.map(|(_, _, fared)| fared).collect();
        let worst = |of: &dyn Fn(&Fared) -> f64| fared.iter().map(|fared| of(fared)).fold(0.0, f64::max);
        let most = |times: Option<Times>| times.map_or(f64::INFINITY, |times| times.most.as_secs_f64());
        let posts = worst(&|fared| fared.posts_in_a_second as f64 / setting.posts_per_second);
        report.at_most("Rounds: posts in any second, to `PostsPerSecond`", posts, POSTS_MAX, "×");
        let delivery = worst(&|fared| most(fared.delivery) / round);
        report.at_most("Rounds: delivery, p99, to a round", delivery, DELIVERY_MAX, "×");
        let ack = worst(&|fared| most(fared.ack) / most(fared.store));
        report.at_most("Rounds: ack, p99, to a small room's store", ack, ACK_MAX, "×");
        let lacking = worst(&|fared| (setting.members - fared.complete) as f64);
        report.at_most("Rounds: members that lack a message", lacking, 0.0, "");
        let frames = |fared: &Fared| (fared.rounds * setting.members).max(1) as f64;
        let asked = worst(&|fared| fared.asked as f64 / frames(fared) * 100.0);
        report.at_most("Rounds: history requests, of members a round", asked, ASKED_MAX, " %");
        report.at_most("Rounds: CPU of a post of 32 KB over TLS, to a small one's", post.ratio, FULL_FRAME_MAX, "×");
        report.at_most("Rounds: memory of `deliver`", memory as f64 / 1_024.0, MEMORY_MAX, " MiB");
    }
}

fn way(in_rounds: bool) -> &'static str {
    if in_rounds { "in rounds" } else { "by senders" }
}

/// Has a hand of `deliver` post frames of both sizes in turn.
async fn post_cpu(deliver: &Path) -> Result<PostCpu> {
    eprintln!("posts of a small and a full frame over TLS");
    let aws = Aws::start(POST_LATENCY).await;
    enter_all(&aws.server.app(), &room("1"), POSTED_TO).await?;
    let mut lambda = aws.start_function((deliver, "deliver"), VCPU, true).await;
    lambda.ready().await;
    let mut pairs = Vec::new();
    for _ in 0..=POSTED {
        let mut both = [Duration::ZERO; 2];
        for (bytes, taken) in [SMALL_FRAME, ROUND_FRAME_BYTES].into_iter().zip(&mut both) {
            let before = cpu_at_rest(lambda.id()).await?;
            let (kind, answer) = lambda.invoke(json!({"room": "1", "frame": "x".repeat(bytes), "singly": []})).await;
            ensure!(kind == "response", "{kind}: {answer}");
            *taken = (cpu_at_rest(lambda.id()).await? - before) / u32::try_from(POSTED_TO)?;
            let Posted { posts, bytes: posted, .. } = aws.posts(true).take();
            ensure!((posts, posted) == (POSTED_TO, POSTED_TO * bytes), "{posts} posts of {posted} bytes together");
        }
        pairs.push(both);
    }
    let memory = memory(lambda.id(), "VmHWM")?;
    aws.stop().await;
    // The first ones opened the sockets.
    let pairs = pairs.get(1..).context("posts")?;
    let [mut small, mut full]: [Vec<_>; 2] = [0, 1].map(|which| pairs.iter().map(|pair| pair[which]).collect());
    let ratio = median_ratio(pairs.iter().map(|[small, full]| (*full, *small)));
    Ok(PostCpu { small: median(&mut small), full: median(&mut full), ratio, memory })
}
