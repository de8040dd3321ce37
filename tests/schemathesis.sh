#!/usr/bin/env bash
# Tests the HTTP API of a local run with schemathesis, which makes requests from docs/openapi.yaml. Valid requests must
# be accepted, invalid ones refused, and every answer must be one that the document describes.
#
# Needs Rust, curl, and Python 3.11 or later for the tools that .ci/tools installs. Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chat/target}"
schemathesis="$(.ci/tools schemathesis)/schemathesis"
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

cargo build --locked
chat="$CARGO_TARGET_DIR/debug/chat-local"
"$chat" --memory --port 0 --dynamodb-port 0 --parameter RequestsPerSecond=10000 --parameter SendsPerSecond=1000 \
    >"$work/run.log" 2>&1 &
pid=$!
# The greeting ends with what to type.
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { echo "the local run ended" >&2; exit 1; }
    grep --quiet '"action":"sendMessage"' "$work/run.log" && break
    sleep 0.1
done
port() { sed -n "s|^  $1  *http://127.0.0.1:\([0-9]*\).*|\1|p" "$work/run.log"; }
ports=(--port "$(port page)" --dynamodb-port "$(port dynamodb)")
url="http://127.0.0.1:$(port page)"

# Room 1, which the document's examples ask for, has a message of each kind.
invoke() { "$chat" invoke "$1" "events/$2.json" "${ports[@]}" >>"$work/run.log" 2>&1; }
invoke connect connect
for kind in send-message send-message-image send-message-file; do invoke send-message "$kind"; done
token="$(curl --silent --fail --data '{"userId":1,"rooms":"*"}' "$url/local/token" | cut -d '"' -f 4)"
history="$url/chat-history/list?chatroomId=1"
page="$(curl --silent --fail --header "Authorization: Bearer $token" "$history")"
messages="$(grep --only-matching '"updateTime"' <<<"$page" | wc -l)"
[ "$messages" = 3 ] || { echo "three messages, not: $page" >&2; exit 1; }

# It writes into the folder that it runs in.
root="$PWD"
cd "$work"
export SCHEMATHESIS_HOOKS="$root/tests/schemathesis/hooks.py"
"$schemathesis" --config-file "$root/tests/schemathesis/config.toml" run "$root/docs/openapi.yaml" \
    --url "$url" --header "Authorization: Bearer $token"
