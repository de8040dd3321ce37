//! One message to many members: the binary of `send-message` against a management API that takes 15 ms for a post,
//! beside the smallest client that does the same.

use crate::aws::{Aws, event, is_good};
use crate::bare_client::Bare;
use crate::model::{POST_LATENCY, VCPU};
use crate::process::{cpu_at_rest, memory};
use crate::report::{Report, median, median_ratio, milliseconds, short};
use anyhow::{Context, Result, ensure};
use chat_aws::{SEND_TIMEOUT_SECONDS, posts_in_flight};
use chat_tests::{Posts, fill, open, room, sample};
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Sends of one function to one room. The first opens the sockets; the others are warm.
const SENDS: usize = 16;

/// Goals: multiples of the time spent waiting and of the bare client's CPU, and MiB.
const TIME_MAX: f64 = 1.5;
const CPU_MAX: f64 = 3.5;
const MEMORY_MAX: f64 = 32.0;

#[derive(Args, Clone)]
pub struct FanOut {
    /// Members of the rooms that are tried
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000])]
    members: Vec<usize>,
}

/// Time, CPU and memory of posting to a room's members.
pub struct Fan {
    members: usize,
    secure: bool,
    in_flight: usize,
    first: Duration,
    warm: Duration,
    first_cpu: Duration,
    warm_cpu: Duration,
    sockets: usize,
    /// The function's peak resident memory, in kB.
    memory: u64,
    bare_first_cpu: Duration,
    bare_warm_cpu: Duration,
    /// A multiple of the bare client's CPU, measured right after it, both warm.
    cpu_ratio: f64,
}

impl FanOut {
    /// Returns the CPU of one post over TLS, warm.
    pub async fn run(self, report: &mut Report, send_message: &Path) -> Result<Duration> {
        let mut fans = Vec::new();
        for secure in [false, true] {
            for &members in &self.members {
                eprintln!("fan-out to {members} {}", if secure { "over TLS" } else { "over HTTP" });
                fans.push(fan_out(send_message, members, VCPU, secure).await?);
            }
        }
        tell(report, &fans)
    }
}

/// Lets a function with this much memory send to a room of this many members.
async fn fan_out(send_message: &Path, members: usize, megabytes: u64, secure: bool) -> Result<Fan> {
    let aws = Aws::start(POST_LATENCY).await;
    fill(&aws.server, &room("1"), members).await;
    // The sender is not in the room, so its connection must be open.
    open(&aws.server.app(), &sample("send-message")).await;
    let in_flight = posts_in_flight(megabytes);
    let mut lambda = aws.start_function((send_message, "send-message"), megabytes, secure).await;
    lambda.ready().await;
    // A management API of its own, because its open sockets are counted.
    let bare_posts = Posts::start(POST_LATENCY, secure.then_some(&aws.tls)).await;
    let url = bare_posts.url().to_owned();
    let bare = Bare { url, roots: secure.then(|| aws.tls.roots()), posts: members, in_flight };
    let mut bare = bare.start()?;
    let (mut times, mut cpus) = (Vec::new(), Vec::new());
    let mut sockets = 0;
    for number in 0..SENDS {
        let before = cpu_at_rest(lambda.id()).await?;
        let began = Instant::now();
        let (kind, answer) = lambda.invoke(numbered(number)?).await;
        times.push(began.elapsed());
        ensure!(is_good(&kind, &answer), "{kind}: {answer}");
        let cpu = cpu_at_rest(lambda.id()).await? - before;
        let posted = aws.posts(secure).take();
        ensure!(posted.posts == members, "{} posts to {members} members", posted.posts);
        sockets = sockets.max(posted.sockets);
        cpus.push((cpu, bare.round().await?));
        let posted = bare_posts.take().posts;
        ensure!(posted == members, "{posted} posts of the bare client to {members} members");
    }
    let memory = memory(lambda.id(), "VmHWM")?;
    bare.stop().await?;
    aws.stop().await;
    let cpu_ratio = median_ratio(cpus[1..].iter().copied());
    let (mut ours, mut bare): (Vec<_>, Vec<_>) = cpus.into_iter().unzip();
    Ok(Fan {
        members,
        secure,
        in_flight,
        first: times[0],
        warm: median(&mut times[1..]),
        first_cpu: ours[0],
        warm_cpu: median(&mut ours[1..]),
        sockets,
        memory,
        bare_first_cpu: bare[0],
        bare_warm_cpu: median(&mut bare[1..]),
        cpu_ratio,
    })
}

/// The sample with a new `clientMessageId`.
fn numbered(number: usize) -> Result<Value> {
    let mut event = event("send-message");
    let mut frame: Value = serde_json::from_str(event["body"].as_str().context("a body")?)?;
    frame["clientMessageId"] = json!(format!("number-{number}"));
    event["body"] = frame.to_string().into();
    Ok(event)
}

fn tell(report: &mut Report, fans: &[Fan]) -> Result<Duration> {
    report.heading("Fan-out");
    let latency = POST_LATENCY.as_millis();
    report.paragraph(format!(
        "One message to a room, by the binary of `send-message` with a whole vCPU ({VCPU} MB) and so {} posts in flight. A post is \
         answered after {latency} ms. *First* is the function's first answer after its start, with no socket open; *warm* the \
         median of {} later ones. *Waiting* is (members / in flight) × {latency} ms, rounded up to whole rounds. The bare client is hyper and \
         `aws-sigv4` alone, given the connections' ids, one socket per post in flight; it posts right after each send, and ratios are to that.",
        posts_in_flight(VCPU),
        SENDS - 1
    ));
    let ms = |time| short(milliseconds(time));
    let per_post = |time: Duration, fan: &Fan| short(milliseconds(time) * 1e3 / fan.members as f64);
    report.table(
        [
            "members",
            "first, ms",
            "warm, ms",
            "waiting, ms",
            "sockets",
            "CPU per post, µs: first",
            "warm",
            "bare: first",
            "warm",
            "memory, MiB",
        ],
        fans.iter().map(|fan| {
            [
                format!("{} {}", short(fan.members as f64), if fan.secure { "over TLS" } else { "over HTTP" }),
                ms(fan.first),
                ms(fan.warm),
                ms(waiting(fan)),
                fan.sockets.to_string(),
                per_post(fan.first_cpu, fan),
                per_post(fan.warm_cpu, fan),
                per_post(fan.bare_first_cpu, fan),
                per_post(fan.bare_warm_cpu, fan),
                short(fan.memory as f64 / 1_024.0),
            ]
        }),
    );
    let over = |secure: bool| if secure { "TLS" } else { "HTTP" };
    for fan in fans.iter().filter(|fan| fan.members == 1_000) {
        let to_waiting = fan.warm.as_secs_f64() / waiting(fan).as_secs_f64();
        report.at_most(format!("1,000 posts over {}, to waiting alone", over(fan.secure)), to_waiting, TIME_MAX, "×");
        report.at_most(
            format!("CPU per post over {}, to the bare client's", over(fan.secure)),
            fan.cpu_ratio,
            CPU_MAX,
            "×",
        );
    }
    for fan in fans.iter().filter(|fan| fan.members == 10_000) {
        let what = format!("Memory of a function that sends to 10,000 over {}", over(fan.secure));
        report.at_most(what, fan.memory as f64 / 1_024.0, MEMORY_MAX, " MiB");
    }
    let most = fans.iter().map(|fan| fan.sockets.saturating_sub(fan.in_flight)).max().unwrap_or_default();
    report.at_most("Sockets above those for the posts in flight", most as f64, 0.0, "");

    let largest = fans.iter().rfind(|fan| fan.members == 1_000 && fan.secure).context("a room of 1,000")?;
    let post_cpu = largest.warm_cpu / u32::try_from(largest.members)?;
    reach(report, post_cpu, largest.warm.as_secs_f64() / waiting(largest).as_secs_f64());
    Ok(post_cpu)
}

/// How many members one function reaches before its time-out.
fn reach(report: &mut Report, post_cpu: Duration, to_waiting: f64) {
    let time = (SEND_TIMEOUT_SECONDS - 1) as f64;
    let rows = [128_u64, 256, 512, 1_024, VCPU].map(|megabytes| {
        let in_flight = posts_in_flight(megabytes);
        let by_waiting = in_flight as f64 / (POST_LATENCY.as_secs_f64() * to_waiting);
        let by_cpu = megabytes as f64 / VCPU as f64 / post_cpu.as_secs_f64();
        let per_second = by_waiting.min(by_cpu);
        [megabytes.to_string(), in_flight.to_string(), short(per_second), short(per_second * time)]
    });
    report.paragraph(format!(
        "What one function can serve, by the smaller of what it can wait for (with the {} × of waiting alone that is measured above) and what its share \
         of a vCPU can make, in {time} of its {SEND_TIMEOUT_SECONDS} seconds; the rest is for counting, storing, and a slow answer:",
        short(to_waiting)
    ));
    report.table(["memory, MB", "in flight", "posts a second", "members at most"], rows);
    report.paragraph(
        "A room above that needs more than one function for a message: `sendMessage` would store it and hand pages of members to others \
         (through SQS, a page per message), each of which posts to its page. That is not built: API Gateway \
         grants all of an account 10,000 requests a second by default, posts among them, so that quota is what such a room meets first.",
    );
}

/// The time that waiting for posts takes, without any work.
fn waiting(fan: &Fan) -> Duration {
    POST_LATENCY * u32::try_from(fan.members.div_ceil(fan.in_flight)).unwrap_or(u32::MAX)
}
