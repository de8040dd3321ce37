#!/usr/bin/env bash
# Tests the HTTP API of a local run with schemathesis, which makes requests from docs/openapi.yaml. Valid requests must
# be accepted, invalid ones refused, and every answer must be one that the document describes.
#
# Needs Rust, curl, and Python 3.11 or later for the tools that .ci/tools installs. Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/local-run.sh
schemathesis="$(.ci/tools schemathesis)/schemathesis"
start_local_run '"action":"sendMessage"' --parameter RequestsPerSecond=10000 --parameter SendsPerSecond=1000
ports=(--port "$(port page)" --dynamodb-port "$(port dynamodb)" --s3-port "$(port s3)")
url="http://127.0.0.1:$(port page)"

# Room 1, which the document's examples ask for, has a message of each kind.
invoke() { "$chat" invoke "$1" "events/$2.json" "${ports[@]}" >>"$work/run.log" 2>&1; }
invoke connect connect
for kind in send-message send-message-image send-message-file; do invoke send-message "$kind"; done
token="$(curl --silent --fail --data '{"userId":1,"rooms":["*","@mine"],"moderates":"*"}' "$url/local/token" | cut -d '"' -f 4)"
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
