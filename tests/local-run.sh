# A local run for a test, on loopback. Sourced by scripts that are in the project's folder.
#
#   start_local_run WORDS OPTION…    builds and starts it, and waits for WORDS, with which its greeting ends
#
# Then $chat is the program, $work a folder of the script's own, and $work/run.log what the run says. Both end with the
# script.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/chat/target}"
chat="$CARGO_TARGET_DIR/debug/chat-local"
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

start_local_run() {
    words="$1"
    shift
    # With the features of the whole workspace, as the tests build it.
    cargo build --workspace --bin chat-local --locked
    "$chat" --memory --port 0 --dynamodb-port 0 --s3-port 0 "$@" >"$work/run.log" 2>&1 &
    pid=$!
    for _ in $(seq 300); do
        kill -0 "$pid" 2>/dev/null || { echo "the local run ended" >&2; exit 1; }
        grep --quiet "$words" "$work/run.log" && return
        sleep 0.1
    done
    echo "the local run does not say: $words" >&2
    exit 1
}

# The port of one of its endpoints, by the name that the greeting gives it.
port() { sed -n "s|^  $1  *http://127.0.0.1:\([0-9]*\).*|\1|p" "$work/run.log"; }
