//! The document that a run writes, in Markdown, and the goals that it met or missed.

use std::fmt::Display;
use std::time::Duration;

#[derive(Default)]
pub struct Report {
    text: String,
    goals: Vec<Goal>,
}

struct Goal {
    what: String,
    measured: String,
    goal: String,
    met: bool,
}

impl Report {
    pub fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("\n## {text}\n"));
    }

    pub fn paragraph(&mut self, text: impl Display) {
        self.text.push_str(&format!("\n{}\n", wrapped(&text.to_string())));
    }

    pub fn table<const N: usize>(&mut self, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let rows: Vec<_> = rows.into_iter().collect();
        let counts = |column: usize| column > 0 && rows.iter().all(|row| !row[column].starts_with(char::is_alphabetic));
        let rules: Vec<_> = (0..N).map(|column| if counts(column) { "---:" } else { "---" }).collect();
        self.text.push_str(&format!("\n| {} |\n| {} |\n", head.join(" | "), rules.join(" | ")));
        for row in rows {
            self.text.push_str(&format!("| {} |\n", row.join(" | ")));
        }
    }

    /// Records a figure that must not exceed its goal.
    pub fn at_most(&mut self, what: impl Display, measured: f64, goal: f64, unit: &str) {
        self.goal(what, format!("{}{unit}", short(measured)), format!("≤ {}{unit}", short(goal)), measured <= goal);
    }

    /// Records whether a goal is met.
    pub fn goal(&mut self, what: impl Display, measured: impl Display, goal: impl Display, met: bool) {
        let goal = Goal { what: what.to_string(), measured: measured.to_string(), goal: goal.to_string(), met };
        eprintln!("{}: {} ({}) {}", goal.what, goal.measured, goal.goal, if met { "met" } else { "MISSED" });
        self.goals.push(goal);
    }

    /// Appends another report.
    pub fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.goals.extend(other.goals);
    }

    pub fn missed(&self) -> usize {
        self.goals.iter().filter(|goal| !goal.met).count()
    }

    /// The whole document, goals first.
    pub fn document(&self, title: &str) -> String {
        let mut head = Self { text: format!("# {title}\n"), goals: Vec::new() };
        head.paragraph(format!(
            "{} Written by `cargo run --release -p chat-bench -- all`. Times are this machine's; ratios are to a floor in the same run, and \
             counts are the same everywhere.",
            machine()
        ));
        head.heading("Goals");
        self.goals_into(&mut head);
        head.text + &self.text
    }

    /// A chapter that is measured by itself, goals first.
    pub fn chapter(&self, title: &str, written_by: &str) -> String {
        let mut head = Self::default();
        head.heading(title);
        head.paragraph(format!("{} Written by `{written_by}`.", machine()));
        self.goals_into(&mut head);
        head.text + &self.text
    }

    fn goals_into(&self, head: &mut Self) {
        let row = |goal: &Goal| {
            let met = if goal.met { "met" } else { "**missed**" };
            [goal.what.clone(), goal.measured.clone(), goal.goal.clone(), met.to_owned()]
        };
        head.table(["", "measured", "goal", ""], self.goals.iter().map(row));
    }
}

/// The document with this chapter at its end, or in place of the one with the same title.
pub fn with_chapter(document: &str, chapter: &str) -> String {
    let title = chapter.trim_start().lines().next().unwrap_or_default();
    let (before, after) = match document.split_once(&format!("\n{title}\n")) {
        Some((before, rest)) => (before, rest.find("\n## ").map_or("", |at| &rest[at..])),
        None => (document.trim_end(), ""),
    };
    format!("{}\n\n{}\n{after}", before.trim_end(), chapter.trim())
}

/// A paragraph in lines of at most 120 columns, as all documents have them.
fn wrapped(text: &str) -> String {
    let (mut wrapped, mut columns) = (String::new(), 0);
    for word in text.split_whitespace() {
        let width = word.chars().count();
        match columns {
            0 => {}
            _ if columns + 1 + width <= 120 => {
                wrapped.push(' ');
                columns += 1;
            }
            _ => {
                wrapped.push('\n');
                columns = 0;
            }
        }
        wrapped.push_str(word);
        columns += width;
    }
    wrapped
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = chat_aws::now().to_string();
    let day = date.split('T').next().unwrap_or_default();
    format!("Measured on {day}, {cores} cores, {}, {}.", model.unwrap_or("unknown CPU"), std::env::consts::ARCH)
}

/// A number, shortened to about three digits.
pub fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => thousands(number.round() as i64),
        size if size >= 10.0 => format!("{number:.1}").trim_end_matches(".0").to_owned(),
        _ => format!("{number:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The time at this share of the way from the shortest to the longest: at 0.5 it is the median.
pub fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let at = ((times.len() - 1) as f64 * share).round() as usize;
    times[at]
}

pub fn median(times: &mut [Duration]) -> Duration {
    quantile(times, 0.5)
}

/// The median of the ratios of pairs, each measured one right after the other. Load on the machine slows both of a
/// pair, so their ratio stays.
pub fn median_ratio(pairs: impl IntoIterator<Item = (Duration, Duration)>) -> f64 {
    let mut ratios: Vec<_> = pairs.into_iter().map(|(time, floor)| time.as_secs_f64() / floor.as_secs_f64()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    ratios[(ratios.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::with_chapter;

    #[test]
    fn a_chapter_is_put_in_the_place_of_its_old_one_or_at_the_end() {
        let chapter = "\n## Rounds\n\nnew\n";
        assert_eq!(with_chapter("# All\n\n## Warm\n\nx\n", chapter), "# All\n\n## Warm\n\nx\n\n## Rounds\n\nnew\n");
        let old = "# All\n\n## Rounds\n\nold\n\n## Warm\n\nx\n";
        assert_eq!(with_chapter(old, chapter), "# All\n\n## Rounds\n\nnew\n\n## Warm\n\nx\n");
        let once = with_chapter("# All\n", chapter);
        assert_eq!(with_chapter(&once, chapter), once);
    }
}
