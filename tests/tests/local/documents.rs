//! What the documents say of each other, and of numbers that stand elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every document by its path from the project's folder, such as `docs/deploy.md`.
fn documents() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let recipes =
        std::fs::read_dir(format!("{ROOT}/recipes")).expect("the recipes").map(|entry| entry.expect("an entry"));
    let recipes = recipes.filter(|entry| entry.path().is_dir());
    let recipes: Vec<_> = recipes.map(|entry| format!("recipes/{}/", entry.file_name().display())).collect();
    let folders = ["", "docs/", "docs/decisions/", "events/", "ops/", "recipes/"];
    for folder in folders.into_iter().chain(recipes.iter().map(String::as_str)) {
        let files = std::fs::read_dir(format!("{ROOT}/{folder}")).expect("a folder");
        let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
        for name in names.filter(|name| name.ends_with(".md")) {
            let path = format!("{folder}{name}");
            let text = std::fs::read_to_string(format!("{ROOT}/{path}")).expect("a text");
            found.insert(path, text);
        }
    }
    found
}

/// The lines that are text: not code, which stands between fences.
fn prose(document: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    document.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// What GitHub calls a heading in an address: small letters, digits, `-` and `_`, with `-` for each blank.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    let headings = prose(document).filter_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#')));
    headings.map(anchor).collect()
}

/// Where the links and pictures of a document lead, as they stand there.
fn links(document: &str) -> Vec<String> {
    let text: String = prose(document).map(|line| without_code(line) + "\n").collect();
    let markdown = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let html = ["src=\"", "srcset=\""].into_iter().flat_map(|attribute| {
        text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect::<Vec<_>>()
    });
    markdown.chain(html).map(String::from).collect()
}

/// The path without `.` and `..`, as an address has it.
fn resolved(path: &Path) -> String {
    let mut parts = Vec::new();
    for part in path.components().map(|part| part.as_os_str().to_str().expect("UTF-8")) {
        match part {
            "." => {}
            ".." => drop(parts.pop().expect("inside the project")),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let documents = documents();
    let mut followed = 0;
    for (path, document) in &documents {
        for link in links(document).iter().filter(|link| !link.starts_with("http")) {
            let (file, heading) =
                link.split_once('#').map_or((link.as_str(), None), |(file, heading)| (file, Some(heading)));
            let target = match file {
                "" => path.clone(),
                file => resolved(&PathBuf::from(path).with_file_name(file)),
            };
            assert!(Path::new(ROOT).join(&target).exists(), "{path}: there is no {link}");
            if let Some(heading) = heading {
                let document = documents.get(&target).unwrap_or_else(|| panic!("{path}: {link} is no document"));
                assert!(anchors(document).contains(heading), "{path}: there is no heading {link}");
            }
            followed += 1;
        }
    }
    assert!(followed > 100, "the links were found: {followed}");
}

/// Decisions are called by their numbers, and pages are renumbered.
#[test]
fn a_number_that_leads_to_a_decision_is_that_decisions_number() {
    let mut numbers = 0;
    for (path, document) in documents() {
        let text: String = prose(&document).map(|line| without_code(line) + "\n").collect();
        let parts: Vec<_> = text.split("](").collect();
        for link in parts.windows(2) {
            let label = link[0].rsplit('[').next().unwrap_or_default();
            let target = link[1].split(')').next().unwrap_or_default();
            let is_number = !label.is_empty() && label.chars().all(|char| char.is_ascii_digit());
            let folder = target.split("decisions/").nth(1).or_else(|| path.contains("decisions/").then_some(target));
            if let Some(page) = folder.filter(|_| is_number) {
                assert!(page.starts_with(&format!("{label}-")), "{path}: [{label}] leads to {target}");
                numbers += 1;
            }
        }
    }
    assert!(numbers > 5, "the numbers were found: {numbers}");
}

#[test]
fn no_line_is_longer_than_120_columns_outside_tables() {
    for (path, document) in documents() {
        for (number, line) in (1..).zip(document.lines()).filter(|(_, line)| !line.trim_start().starts_with('|')) {
            assert!(line.chars().count() <= 120, "{path}:{number} has {} columns", line.chars().count());
        }
    }
}

#[test]
fn every_decision_has_its_date_its_reasons_and_a_place_in_the_index() {
    let documents = documents();
    let pages = documents.iter().filter_map(|(path, text)| Some((path.strip_prefix("docs/decisions/")?, text)));
    let pages: Vec<_> = pages.filter(|(name, _)| *name != "README.md").collect();
    let index = &documents["docs/decisions/README.md"];
    assert_eq!(index.lines().filter(|line| line.starts_with("| 0")).count(), pages.len());
    for (place, (name, page)) in (1..).zip(pages) {
        assert!(name.starts_with(&format!("{place:04}-")), "{name} is not number {place}");
        let mut lines = page.lines();
        let title = lines.next().and_then(|line| line.strip_prefix("# ")).expect("a title");
        let dates = lines.nth(1).expect("a date");
        let is_date = |text: &str| text.len() == 10 && text.split('-').all(|part| part.parse::<u16>().is_ok());
        assert!(is_date(dates.split(',').next().unwrap_or_default()), "{name}: {dates}");
        let row = format!("| {place:04} | [{title}]({name}) | {dates} |");
        assert!(index.contains(&row), "the index has no row\n{row}");
        for part in ["## Context", "## Decision"] {
            assert!(page.contains(part), "{name} has no {part}");
        }
    }
}

#[test]
fn the_changelog_has_the_version() {
    let changelog = &documents()["CHANGELOG.md"];
    let version = concat!("## ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.lines().any(|line| line.starts_with(version)), "{version}");
}

/// What is said twice is wrong somewhere one day.
#[test]
fn there_is_one_table_of_prices_and_it_is_the_benchmarks() {
    let documents = documents();
    let prices = |text: &str| text.lines().filter(|line| line.starts_with("| members in")).count();
    let tables: Vec<_> =
        documents.iter().filter(|(path, text)| *path != "docs/benchmarks.md" && prices(text) > 0).collect();
    assert_eq!(tables.len(), 1, "{:?}", tables.iter().map(|(path, _)| path).collect::<Vec<_>>());
    // `members | API Gateway | Lambda | DynamoDB | traffic | telemetry | together | a million deliveries`, as the bench
    // counts them
    let benchmarks =
        documents["docs/benchmarks.md"].split("## What a million messages cost").nth(1).expect("the chapter");
    let counted = rows(benchmarks, "| members |");
    let told = rows(&documents["README.md"], "| members in the room |");
    assert_eq!(told.len(), counted.len());
    for (told, counted) in told.iter().zip(counted) {
        assert_eq!(told[0], counted[0], "members");
        let close = |said: &str, is: f64| {
            let said: f64 = said.trim_start_matches("about ").replace(['$', ','], "").parse().expect("a price");
            assert!((said - is).abs() <= is * 0.05 + 0.05, "${said} of {} members is {is}", told[0]);
        };
        let number = |column: usize| counted[column].replace(',', "").parse::<f64>().expect("a price");
        close(&told[1], number(1));
        close(&told[2], number(3));
        close(&told[3], number(2) + number(4) + number(5));
        close(&told[4], number(6));
        close(&told[5], number(7));
    }
}

/// A document that says another version than the tests have was true once.
#[test]
fn the_clients_of_socket_io_that_were_tried_are_those_that_are_pinned() {
    let read = |path: &str| std::fs::read_to_string(format!("{ROOT}/{path}")).expect("a text");
    let package: serde_json::Value = serde_json::from_str(&read("web/package.json")).expect("JSON");
    let pinned = |name: &str| {
        let version = package["devDependencies"][name].as_str().expect("a version");
        version.rsplit('@').next().unwrap_or_default().to_owned()
    };
    let [four, three, two] = ["socket.io-client", "socket.io-client-v3", "socket.io-client-v2"].map(pinned);
    let requirements = read(".ci/requirements/socketio.txt");
    let python = requirements.lines().find_map(|line| line.strip_prefix("python-socketio==")).expect("a version");
    let text = documents()["docs/socket-io.md"].split_whitespace().collect::<Vec<_>>().join(" ");
    for tried in [
        format!("`socket.io-client` {four}, {three} and {two} [in Node](../web/tests/socketio.test.js)"),
        format!("{four} [in Chromium](../web/tests/course.test.js)"),
        format!("`python-socketio` {python} ([test](../tests/socketio.sh))"),
    ] {
        assert!(text.contains(&tried), "docs/socket-io.md does not say: {tried}");
    }
}

/// CloudWatch makes a metric of each, and somebody has to know what it counts.
#[test]
fn every_metric_is_explained() {
    let source = std::fs::read_to_string(format!("{ROOT}/shared/aws/src/telemetry/record.rs")).expect("the source");
    let units = source.split("const UNITS").nth(1).and_then(|rest| rest.split("];").next()).expect("the metrics");
    let metrics: Vec<_> = units.split("(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let explained = rows(&documents()["docs/operate.md"], "| metric |");
    let explained: Vec<_> = explained.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(explained, metrics);
}

/// The rows of the first table that begins so, by their columns.
fn rows(document: &str, begins: &str) -> Vec<Vec<String>> {
    let table = document.lines().skip_while(|line| !line.starts_with(begins)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|column| column.trim().to_owned()).collect()).collect()
}
