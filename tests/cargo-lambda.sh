#!/usr/bin/env bash
# Sends every sample event through its function with `cargo lambda watch` and `invoke`, beside a local run.
#
# Needs Rust, and Python 3.11 or later for the tools that .ci/tools installs. Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chat/target}"
tools="$(.ci/tools sam)"
PATH="$tools:$PATH" CHAT_INVOKE=cargo-lambda \
    cargo test --workspace --locked --test local -- events::every_sample_goes_through_its_function
