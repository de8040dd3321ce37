//! The time and cost of each function with its memory size and with others.

use crate::aws::{Aws, event, is_good};
use crate::cold_start::Cold;
use crate::functions;
use crate::model::{self, Waits};
use crate::report::{Report, milliseconds, short};
use anyhow::{Context, Result, ensure};
use chat_aws::Vars;
use chat_tests::{Recorder, fill, function_of, invoke, room, steps};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Sizes that are compared, in MB.
const SIZES: [u64; 5] = [128, 256, 512, 1_024, model::VCPU];

/// Members of the room in which the functions are compared.
const MEMBERS: usize = 10;

/// What DynamoDB takes while steps are counted: long enough for calls to overlap that do not wait for each other.
const COUNTED_LATENCY: Duration = Duration::from_millis(50);

/// A room large enough for its posts to take all of the time.
const CROWD: usize = 1_000;

pub async fn run(report: &mut Report, cold: &BTreeMap<String, Cold>, post_cpu: Duration) -> Result<()> {
    let chosen = chosen()?;
    let waits = waits(chosen.keys().copied()).await?;
    report.heading("Memory");
    report.paragraph(format!(
        "On Lambda memory buys CPU: {} MB are a whole vCPU. By the CPU measured above, and waits of {} ms for DynamoDB and {} ms for a post: what an \
         invocation takes in a room of ten when it is warm, what the first one takes after a cold start (without Lambda's own part of it), and dollars \
         for a million warm ones. In bold what `template.yaml` gives, where the reasons stand.",
        model::VCPU,
        model::DYNAMODB_LATENCY.as_millis(),
        model::POST_LATENCY.as_millis()
    ));
    let cell = |name: &str, memory: u64, waits: Waits| {
        let cold = &cold[name];
        let warm = model::duration(memory, warm_cpu(cold, waits, post_cpu), post_cpu, waits);
        let first = model::duration(memory, cold.first_cpu, Duration::ZERO, waits);
        let (warm_ms, first_ms) = (short(milliseconds(warm)), short(milliseconds(first)));
        let text = format!("{warm_ms} / {first_ms} ms, ${}", short(model::lambda(memory, warm)));
        if chosen[name] == memory { format!("**{text}**") } else { text }
    };
    let mut rows = Vec::new();
    for (name, waits) in waits.iter().filter(|(name, _)| cold.contains_key(**name)) {
        let mut row = vec![(*name).to_owned()];
        row.extend(SIZES.map(|size| cell(name, size, *waits)));
        rows.push(<[String; 6]>::try_from(row).ok().context("a row")?);
    }
    report.table(["function", "128 MB", "256 MB", "512 MB", "1,024 MB", "1,769 MB"], rows);

    let waits = Waits { posts: CROWD, ..waits["send-message"] };
    report.paragraph(format!(
        "`send-message` in a room of {}, which is what its memory is chosen for:",
        short(CROWD as f64)
    ));
    report.table(
        ["memory, MB", "posts in flight", "ms", "$ a million"],
        SIZES.map(|size| {
            let warm = model::duration(size, send_cpu(cold, post_cpu), post_cpu, waits);
            let bold = |text: String| if chosen["send-message"] == size { format!("**{text}**") } else { text };
            [
                bold(size.to_string()),
                bold(chat_aws::posts_in_flight(size).to_string()),
                bold(short(milliseconds(warm))),
                bold(short(model::lambda(size, warm))),
            ]
        }),
    );
    Ok(())
}

/// What each function waits for in a room of ten, counted while it answers the event that is measured.
async fn waits(names: impl Iterator<Item = &'static str>) -> Result<BTreeMap<&'static str, Waits>> {
    let aws = Aws::start(Duration::ZERO).await;
    let recorder = Recorder::with_latency(aws.server.dynamodb_url(), COUNTED_LATENCY).await;
    let mut vars = aws.vars(false);
    vars.insert("AWS_ENDPOINT_URL_DYNAMODB", recorder.url().to_owned());
    let vars = Vars::from_iter(vars);
    let mut waits = BTreeMap::new();
    for name in names {
        aws.prepare().await?;
        fill(&aws.server, &room("1"), MEMBERS - 2).await;
        let answer = invoke(name, &vars, event(name)).await;
        ensure!(is_good("response", &answer), "{name}: {answer}");
        let posts = aws.posts(false).take().posts;
        waits.insert(name, Waits { steps: u32::try_from(steps(&recorder.take()))?, posts });
    }
    aws.stop().await;
    Ok(waits)
}

/// The CPU of a warm send without that of its posts.
pub fn send_cpu(cold: &BTreeMap<String, Cold>, post_cpu: Duration) -> Duration {
    warm_cpu(&cold["send-message"], Waits { steps: 2, posts: MEMBERS }, post_cpu)
}

/// The CPU of a warm answer without its posts. It was measured with two members in the room.
fn warm_cpu(cold: &Cold, waits: Waits, post_cpu: Duration) -> Duration {
    let measured_posts = u32::from(waits.posts > 0) * 2;
    cold.warm_cpu.saturating_sub(post_cpu * measured_posts)
}

/// The memory that the template gives each function that somebody waits for, in MB: one that a route leads to, or the
/// authorizer.
pub fn chosen() -> Result<BTreeMap<&'static str, u64>> {
    let template = functions::template()?;
    let routes = template.websocket.routes.values().map(|route| &route.function);
    let routes = routes.chain(template.http.routes.iter().map(|route| &route.function));
    let reached: BTreeSet<_> = routes.chain(&template.websocket.authorizer).collect();
    let reached = reached.into_iter().map(|id| &template.functions[id]);
    Ok(reached.map(|function| (function_of(&function.name), function.memory)).collect())
}
