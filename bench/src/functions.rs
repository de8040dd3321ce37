//! The functions: their names, their template, and their release binaries, built as they are deployed.

use crate::aws::SAMPLE_SECRET;
use anyhow::{Context, Result, ensure};
use chat_local::Template;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use functions::FUNCTIONS;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The function that does nothing.
pub const FLOOR: &str = "floor";

/// The program that all functions are.
const DEPLOYED: &str = "functions";

/// Every function's name, as its folder has it.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The template, with the public secret of the samples.
pub fn template() -> Result<Template> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml"))?;
    Template::parse(&text, &BTreeMap::from([("TokenSecret".into(), SAMPLE_SECRET.into())]))
}

/// The binary of each function and of the floor: from a folder, or built with the features that are deployed.
pub fn binaries(folder: Option<&Path>) -> Result<BTreeMap<String, PathBuf>> {
    if let Some(folder) = folder {
        return Ok(names().chain([FLOOR]).map(|name| (name.to_owned(), within(folder, name))).collect());
    }
    let deployed = deployed(None)?;
    let mut binaries = cargo(&["--package", "chat-bench", "--bin", FLOOR])?;
    ensure!(binaries.contains_key(FLOOR), "{FLOOR} was not built");
    binaries.extend(names().map(|name| (name.to_owned(), deployed.clone())));
    Ok(binaries)
}

/// The binary of all functions, likewise.
pub fn deployed(folder: Option<&Path>) -> Result<PathBuf> {
    match folder {
        Some(folder) => Ok(folder.join(DEPLOYED)),
        None => cargo(&["--package", "functions", "--bin", DEPLOYED])?.remove(DEPLOYED).context("it was not built"),
    }
}

/// A function's binary in a folder: that of all functions, or its own.
pub fn within(folder: &Path, name: &str) -> PathBuf {
    let deployed = folder.join(DEPLOYED);
    if name != FLOOR && deployed.exists() { deployed } else { folder.join(name) }
}

fn cargo(what: &[&str]) -> Result<BTreeMap<String, PathBuf>> {
    eprintln!("building {}", what.iter().filter(|word| !word.starts_with("--")).copied().collect::<Vec<_>>().join(" "));
    let output = Command::new("cargo")
        .args(["build", "--release", "--locked", "--message-format", "json-render-diagnostics"])
        .args(what)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .context("failed to run cargo")?;
    ensure!(output.status.success(), "cargo failed");
    let binaries = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        let path = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
    });
    Ok(binaries.collect())
}

/// The size of a binary in the zip file for Lambda, in bytes. The zip file's directory adds about 120.
pub fn zipped(binary: &Path) -> Result<usize> {
    let bytes = std::fs::read(binary).with_context(|| format!("failed to read {}", binary.display()))?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes)?;
    Ok(encoder.finish()?.len())
}
