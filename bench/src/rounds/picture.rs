//! How latency goes while a room goes over into rounds and comes back, drawn.

use super::crowd::{Crowd, Seen, Setting};
use super::lambda::Heard;
use super::seen::{Times, latencies};
use crate::report::short;
use anyhow::{Context, Result, ensure};
use chat::limits::{HOT_ROOM, LARGE_ROOM, POSTS_PER_SECOND};
use std::path::Path;
use std::time::Duration;

/// Members: few enough for their senders to post while the room is quiet, and for a laptop.
const MEMBERS: usize = 400;

/// Messages a second at the beginning and the end, and in the middle of a minute.
const QUIET: f64 = 1.0;
const BUSY: f64 = 50.0;
const RISE: f64 = 30.0;

/// Seconds that it is quiet afterwards.
const AFTERWARDS: f64 = 15.0;
const SECONDS: f64 = 2.0 * RISE + AFTERWARDS;

/// The picture, and the part of it that is drawn on, in pixels.
const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 780.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 350.0;

const STYLE: &str = "svg{background:#fff;font:13px system-ui,sans-serif;--ink:#1f2328;--faint:#d0d7de;--band:#eaf2fd;\
    --half:#0969da;--most:#bc4c00}\
    @media(prefers-color-scheme:dark){svg{background:#0d1117;--ink:#e6edf3;--faint:#30363d;--band:#12243d;--half:#58a6ff;\
    --most:#f0883e}}\
    text{fill:var(--ink)}.grid{stroke:var(--faint)}.band{fill:var(--band)}.half{fill:var(--half)}.most{fill:var(--most)}\
    .rate{fill:none;stroke:var(--ink);stroke-dasharray:2 4}";

/// Messages a second, so long after the beginning.
fn rate(at: Duration) -> f64 {
    let from_top = (at.as_secs_f64() - RISE).abs().min(RISE);
    BUSY + (QUIET - BUSY) * from_top / RISE
}

pub async fn draw(deliver: &Path, file: &Path) -> Result<()> {
    let setting = Setting {
        members: MEMBERS,
        posts_per_second: POSTS_PER_SECOND,
        large_room: LARGE_ROOM,
        hot_room: HOT_ROOM,
        divide_by: 1,
    };
    let crowd = Crowd::start(deliver, setting).await?;
    let before = crowd.warm_up().await?;
    let seen = crowd.talk(before, Duration::from_secs_f64(SECONDS), rate).await?;
    crowd.stop().await;
    let bands = bands(&seen);
    ensure!(!bands.is_empty(), "the room did not go over into rounds");
    let picture = picture(&bands, &by_second(&seen));
    std::fs::write(file, picture).with_context(|| format!("failed to write {}", file.display()))
}

/// From when to when the room was in rounds, in seconds, by what senders heard.
fn bands(seen: &Seen) -> Vec<(f64, f64)> {
    let mut bands = Vec::new();
    let mut since = None;
    for sent in &seen.sent {
        let at = (sent.at - seen.began).as_secs_f64();
        match (sent.heard, since) {
            (Heard::Ack { in_rounds: true, .. }, None) => since = Some(at),
            (Heard::Ack { in_rounds: false, .. }, Some(from)) => {
                bands.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    bands.extend(since.map(|from| (from, SECONDS)));
    bands
}

/// The latencies of the messages of each second.
fn by_second(seen: &Seen) -> Vec<(f64, Times)> {
    let mut seconds = vec![Vec::new(); SECONDS as usize];
    for (at, latency) in latencies(seen) {
        seconds[(at.as_secs() as usize).min(SECONDS as usize - 1)].push(latency);
    }
    let times = seconds.into_iter().enumerate();
    times.filter_map(|(second, times)| Some((second as f64 + 0.5, Times::of(times)?))).collect()
}

fn picture(bands: &[(f64, f64)], seconds: &[(f64, Times)]) -> String {
    let longest = seconds.iter().map(|(_, times)| times.most.as_secs_f64()).fold(0.0, f64::max);
    let step = [0.1, 0.2, 0.5, 1.0, 2.0].into_iter().find(|step| longest / step <= 6.0).unwrap_or(5.0);
    let top = (longest / step).ceil().max(1.0) * step;
    let x = |second: f64| LEFT + (RIGHT - LEFT) * second / SECONDS;
    let y = |latency: f64| BOTTOM - (BOTTOM - TOP) * latency / top;
    let rate_y = |rate: f64| BOTTOM - (BOTTOM - TOP) * rate / BUSY;

    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>Latency of a room of {MEMBERS} that goes over into rounds and comes back</title><style>{STYLE}</style>"#
    );
    let mut add = |element: String| svg.push_str(&(element + "\n"));
    let text = |x: f64, y: f64, anchor: &str, text: &str| {
        format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#)
    };
    for (from, to) in bands {
        let (from, to) = (x(*from), x(*to));
        add(format!(
            r#"<rect class="band" x="{from:.1}" y="{TOP}" width="{:.1}" height="{}"/>"#,
            to - from,
            BOTTOM - TOP
        ));
    }
    if let Some((from, to)) = bands.iter().max_by(|one, two| (one.1 - one.0).total_cmp(&(two.1 - two.0))) {
        add(text(x((from + to) / 2.0), TOP - 6.0, "middle", "in rounds"));
    }
    for line in 0..=(top / step).round() as u32 {
        let latency = f64::from(line) * step;
        add(format!(r#"<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{0:.1}" y2="{0:.1}"/>"#, y(latency)));
        add(text(LEFT - 8.0, y(latency) + 4.0, "end", &short(latency)));
    }
    for second in (0..=SECONDS as u32).step_by(15).map(f64::from) {
        add(text(x(second), BOTTOM + 20.0, "middle", &short(second)));
    }
    let points: Vec<_> = [(0.0, QUIET), (RISE, BUSY), (2.0 * RISE, QUIET), (SECONDS, QUIET)]
        .map(|(second, rate)| format!("{:.1},{:.1}", x(second), rate_y(rate)))
        .to_vec();
    add(format!(r#"<polyline class="rate" points="{}"/>"#, points.join(" ")));
    for rate in [0.0, BUSY / 2.0, BUSY] {
        add(text(RIGHT + 8.0, rate_y(rate) + 4.0, "start", &short(rate)));
    }
    for (second, times) in seconds {
        for (class, time) in [("most", times.most), ("half", times.half)] {
            add(format!(r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3"/>"#, x(*second), y(time.as_secs_f64())));
        }
    }
    add(text(LEFT - 50.0, 22.0, "start", "from the send to the post, s"));
    add(text(RIGHT + 50.0, 22.0, "end", "⋯ messages a second"));
    add(format!(
        r#"<circle class="half" cx="{}" cy="40" r="4"/><circle class="most" cx="{}" cy="40" r="4"/>"#,
        LEFT + 4.0,
        LEFT + 124.0
    ));
    add(text(LEFT + 14.0, 44.0, "start", "half have it"));
    add(text(LEFT + 134.0, 44.0, "start", "99 of 100 have it"));
    add(text((LEFT + RIGHT) / 2.0, BOTTOM + 40.0, "middle", "seconds"));
    svg + "</svg>\n"
}
