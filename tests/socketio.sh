#!/usr/bin/env bash
# Tries the client of Socket.IO for Python, as it is, against a local run that cuts connections after seconds.
#
# Needs Rust, and Python 3.11 or later for what .ci/tools installs. Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chat/target}"
python="$(.ci/tools socketio)/python"
work="$(mktemp -d)"

stop() {
    status=$?
    if [ -n "${pid:-}" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    if [ "$status" != 0 ]; then tail -n 40 "$work/run.log" >&2; fi
    rm -rf "$work"
}
trap stop EXIT

# With the features of the whole workspace, as the tests build it.
cargo build --workspace --bin chat-local --locked
"$CARGO_TARGET_DIR/debug/chat-local" --memory --port 0 --dynamodb-port 0 --connection-lifetime 5 \
    --parameter SocketIo=on --parameter SendsPerSecond=1000 >"$work/run.log" 2>&1 &
pid=$!
# The greeting ends with what to type.
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { echo "the local run ended" >&2; exit 1; }
    grep --quiet 'A client of Socket.IO' "$work/run.log" && break
    sleep 0.1
done
url="$(sed -n 's|^  page  *\(http://127.0.0.1:[0-9]*\).*|\1|p' "$work/run.log")"
"$python" tests/socketio/client.py "$url" dev
