#!/usr/bin/env bash
# Deploys the built template with its binaries to MiniStack, an AWS emulator, and runs the end-to-end tests there.
#
#   tests/ministack.sh              builds for this machine, deploys, tests, stops
#   tests/ministack.sh FOLDER       deploys the release in a folder as well, without building
#
# Needs Rust, and Python 3.11 or later for the tools that .ci/tools installs; for a release Node and QEMU (.ci/qemu) as well.
# Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

# What MiniStack gets wrong, and so says nothing about us. Each is tried on the local gateway all the same.
skips=(
    gateway::a_frame_over_32_kb_closes_with_1009             # takes frames of any size
    gateway::a_message_over_128_kb_closes_with_1009          # and messages
    gateway::binary_and_broken_frames_close_the_connection   # and binary frames
    handshake::a_token_may_come_as_a_subprotocol             # answers no subprotocol, whatever $connect returns
    handshake::subprotocols_may_come_in_several_headers      # the same
    refusals::the_gateways_own_routes_are_no_actions         # runs $connect for a frame that says so
    refusals::json_that_is_nested_deeply_is_answered         # closes the connection
)

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chat/target}"
ministack="$(.ci/tools ministack)/ministack"
PATH="$(.ci/tools sam):$PATH"
export SAM_CLI_TELEMETRY=0 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
built="$CARGO_TARGET_DIR/sam"
release="${1:-}"
work="$(mktemp -d)"
case "$(uname -m)" in aarch64 | arm64) architecture=arm64 ;; *) architecture=x86_64 ;; esac

stop() {
    status=$?
    if [ -n "${pid:-}" ]; then
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    fi
    if [ "$status" != 0 ] && [ -f "$work/ministack.log" ]; then tail -n 60 "$work/ministack.log" >&2; fi
    rm -rf "$work"
}
trap stop EXIT

echo "-- building for $architecture"
sam build --parameter-overrides "Architecture=$architecture" --build-dir "$built" >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2; exit 1; }

port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"
BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" LAMBDA_EXECUTOR=local IOT_MTLS_ENABLED=0 \
    "$ministack" >"$work/ministack.log" 2>&1 &
pid=$!
for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { echo "MiniStack ended" >&2; exit 1; }
    curl --silent --fail --output /dev/null "$AWS_ENDPOINT_URL/_ministack/health" && break
    sleep 0.1
done
echo "-- MiniStack is up on port $port"

python3 tests/ministack/patterns.py template.yaml "$AWS_ENDPOINT_URL"
python3 tests/ministack/adapt.py "$built/template.yaml" "$built/ministack.json" "$AWS_ENDPOINT_URL"

deploy() {
    sam deploy --template-file "${template:-$built/ministack.json}" --stack-name "$1" --resolve-s3 --capabilities CAPABILITY_IAM \
        --no-confirm-changeset --no-progressbar --parameter-overrides "Architecture=$architecture" "${@:2}" \
        >"$work/deploy.log" 2>&1
}

# What must not deploy, and what is said then.
refused() {
    if deploy refused "${@:2}"; then echo "deployed, though it should be refused: ${*:2}" >&2; exit 1; fi
    grep --quiet --fixed-strings "$1" "$work/deploy.log" || { cat "$work/deploy.log" >&2; exit 1; }
    echo "refused, as it should be: $1"
}
refused "Set TokenSecret, TokenJwksUrl or TokenJwks"
refused "A provider's keys need TokenIssuer" TokenJwksUrl=https://id.example.com/keys
refused "must be at least 32 bytes" TokenSecret=short
# SAM hands over what is before the first quote; a set comes from a file.
refused "must be a JSON Web Key Set" 'TokenJwks={"keys":[]}' TokenIssuer=https://id.example.com TokenAudience=chat
refused "must be a number of days, 0 to 36500" TokenSecret=00000000000000000000000000000000 MessageRetentionDays=40000

secret="$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')"
deploy chat "TokenSecret=$secret" SendsPerSecond=1000 AlarmEmail=ops@example.com || { cat "$work/deploy.log" >&2; exit 1; }
output() {
    python3 -c 'import json, sys; print(next(o["OutputValue"] for o in json.load(sys.stdin) if o["OutputKey"] == sys.argv[1]))' \
        "$1" <"$work/outputs.json"
}
# Where a stack is, for its tests.
find_stack() {
    sam list stack-outputs --stack-name "$1" --output json >"$work/outputs.json" 2>"$work/list.log"
    # wss://<api>.execute-api.<region>.amazonaws.com/<stage>: MiniStack serves the same under a path of its own.
    websocket="$(output WebSocketUrl)" http="$(output HttpUrl)"
    here="127.0.0.1:$port/_aws/execute-api"
    websocket_id="${websocket#wss://}" http_id="${http#https://}"
    export CHAT_TOKEN_SECRET="$secret"
    export CHAT_WEBSOCKET_URL="ws://$here/${websocket_id%%.*}/${websocket##*/}"
    export CHAT_HTTP_URL="http://$here/${http_id%%.*}"
    echo "-- deployed: $CHAT_WEBSOCKET_URL $CHAT_HTTP_URL"
}
find_stack chat
# The way from a request id to its cause, as docs/operate.md has it.
sam logs --cw-log-group "$(output FunctionLogsName)" --filter '"a-request-id"' --start-time '1 hour ago' >"$work/logs.log" 2>&1 ||
    { cat "$work/logs.log" >&2; exit 1; }

# What an operator is told: all is well but for the alarms' actions, which MiniStack does not tell of.
cargo build --workspace --locked --bin ops
check() {
    AWS_REGION=us-east-1 TOKEN_SECRET="$secret" AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI="${CHAT_WEBSOCKET_URL/ws:/http:}" \
        "$CARGO_TARGET_DIR/debug/ops" --stack "$1" check --websocket-url "$CHAT_WEBSOCKET_URL" --http-url "$CHAT_HTTP_URL" \
        | tee "$work/check.log" || true
    [ "$(wc -l <"$work/check.log")" = 9 ]
    if grep --extended-regexp --invert-match '^(ok |not ok   alarms      sent to nobody: [^;]*; deploy with AlarmEmail$)' "$work/check.log"; then
        exit 1
    fi
}
check chat

# The endpoint of AWS is for the functions, which run inside MiniStack.
try_it() {
    env --unset=AWS_ENDPOINT_URL cargo test --workspace --locked --test end_to_end -- "$@" "${skips[@]/#/--skip=}"
}
CHAT_TARGET=ministack try_it
# The way to a real account, walked.
CHAT_TARGET=aws try_it rooms::

# Deploys the archive for an architecture, under a name, and tries it as whoever unpacks it would.
try_release() {
    architecture="$1"
    tar --extract --gzip --file "$release/chat-$1.tar.gz" --directory "$work"
    unpacked="$work/chat-$1"
    if [ "$#" = 2 ]; then python3 tests/ministack/emulated.py "$unpacked/functions.zip" "$2"; fi
    template="$unpacked/ministack.json"
    python3 tests/ministack/adapt.py "$unpacked/template.yaml" "$template" "$AWS_ENDPOINT_URL"
    deploy "released-${1/_/-}" "TokenSecret=$secret" DefaultRooms=1 SendsPerSecond=1000 AlarmEmail=ops@example.com ||
        { cat "$work/deploy.log" >&2; exit 1; }
    find_stack "released-${1/_/-}"
    token="$(node "$unpacked/token.mjs" 7 <<<"$secret")"
    curl --silent --fail --header "Authorization: Bearer $token" "$CHAT_HTTP_URL/chat-history/list?chatroomId=1"
    check "released-${1/_/-}"
}
if [ -n "$release" ]; then
    (cd "$release" && sha256sum --check --quiet SHA256SUMS)
    case "$architecture" in
        arm64) own=arm64 other=x86_64 emulator=qemu-x86_64-static ;;
        x86_64) own=x86_64 other=arm64 emulator=qemu-aarch64-static ;;
    esac
    try_release "$own"
    CHAT_TARGET=ministack try_it rooms:: gateway::
    # The programs for the other architecture start, and do what they should; how fast they are is another matter.
    try_release "$other" "$(command -v "$emulator")"
    CHAT_TARGET=ministack try_it rooms::
fi
