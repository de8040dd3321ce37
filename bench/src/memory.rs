//! How much memory each function has, and what it would cost and take with another.

use crate::cold_start::Cold;
use crate::model::{self, Waits};
use crate::report::{Report, milliseconds, short};
use anyhow::{Context, Result};
use chat_local::Template;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml");

/// Sizes that are compared, in MB.
const SIZES: [u64; 5] = [128, 256, 512, 1_024, model::VCPU];

/// Each function: what it waits for in a room of ten, and why it has the memory that it has.
const FUNCTIONS: [(&str, Waits, &str); 8] = [
    (
        "authorize",
        Waits { steps: 0, posts: 0 },
        "a signature is all its CPU, and half the time costs the same; with a provider's keys it makes a TLS handshake",
    ),
    ("connect", Waits { steps: 2, posts: 0 }, "halves what a cold handshake waits for TLS"),
    ("default", Waits { steps: 0, posts: 0 }, "calls nobody, but for ending a connection whose token is over"),
    ("disconnect", Waits { steps: 4, posts: 9 }, "nobody waits for it"),
    ("join-room", Waits { steps: 3, posts: 10 }, "somebody waits to see the room"),
    ("leave-room", Waits { steps: 3, posts: 9 }, "as join-room: the room is told by it"),
    ("list-history", Waits { steps: 2, posts: 0 }, "somebody waits to see the room"),
    (
        "send-message",
        Waits { steps: 2, posts: 10 },
        "a room of 1,000 is told in half the time, for about the same money",
    ),
];

/// A room large enough for its posts to take all of the time.
const CROWD: usize = 1_000;

pub fn run(report: &mut Report, cold: &BTreeMap<String, Cold>, post_cpu: Duration) -> Result<()> {
    let chosen = chosen()?;
    report.heading("Memory");
    report.paragraph(format!(
        "On Lambda memory buys CPU: {} MB are a whole vCPU. By the CPU measured above, and waits of {} ms for DynamoDB and {} ms for a post: what an \
         invocation takes in a room of ten when it is warm, what the first one takes after a cold start (without Lambda's own part of it), and dollars \
         for a million warm ones. In bold what `template.yaml` gives.",
        model::VCPU,
        model::DYNAMODB_LATENCY.as_millis(),
        model::POST_LATENCY.as_millis()
    ));
    let cell = |name: &str, memory: u64, waits: Waits| -> Result<String> {
        let cold = &cold[name];
        let warm = model::duration(memory, warm_cpu(cold, waits, post_cpu), post_cpu, waits);
        let first = model::duration(memory, cold.first_cpu, Duration::ZERO, waits);
        let (warm_ms, first_ms) = (short(milliseconds(warm)), short(milliseconds(first)));
        let text = format!("{warm_ms} / {first_ms} ms, ${}", short(model::lambda(memory, warm)));
        Ok(if chosen[name] == memory { format!("**{text}**") } else { text })
    };
    let mut rows = Vec::new();
    for (name, waits, why) in FUNCTIONS {
        let mut row = vec![name.to_owned()];
        for size in SIZES {
            row.push(cell(name, size, waits)?);
        }
        row.push(why.to_owned());
        rows.push(<[String; 7]>::try_from(row).ok().context("a row")?);
    }
    report.table(["function", "128 MB", "256 MB", "512 MB", "1,024 MB", "1,769 MB", "why"], rows);

    let waits = Waits { steps: 2, posts: CROWD };
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

/// The CPU of a warm send without that of its posts.
pub fn send_cpu(cold: &BTreeMap<String, Cold>, post_cpu: Duration) -> Duration {
    warm_cpu(&cold["send-message"], FUNCTIONS[7].1, post_cpu)
}

/// A warm answer's CPU without that of its posts: it was measured with one or two members.
fn warm_cpu(cold: &Cold, waits: Waits, post_cpu: Duration) -> Duration {
    let measured_posts = u32::from(waits.posts > 0) * 2;
    cold.warm_cpu.saturating_sub(post_cpu * measured_posts)
}

/// The memory that the template gives each function, in MB.
pub fn chosen() -> Result<BTreeMap<&'static str, u64>> {
    let template = Template::document(&std::fs::read_to_string(TEMPLATE)?)?;
    let usual = &template["Globals"]["Function"]["MemorySize"];
    let functions = template["Resources"].as_object().context("resources")?.values();
    let functions: Vec<&Value> = functions.filter(|resource| resource["Type"] == "AWS::Serverless::Function").collect();
    FUNCTIONS
        .iter()
        .map(|(name, ..)| {
            let function = functions.iter().find(|function| function["Metadata"]["BuildProperties"]["Binary"] == *name);
            let own = &function.with_context(|| format!("no {name} in the template"))?["Properties"]["MemorySize"];
            let memory = own.as_u64().or(usual.as_u64()).context("a memory size")?;
            Ok((*name, memory))
        })
        .collect()
}
