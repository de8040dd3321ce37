#!/usr/bin/env bash
# Tries the client of Socket.IO for Python, as it is, against a local run that cuts connections after seconds.
#
# Needs Rust, and Python 3.11 or later for what .ci/tools installs. Everything is on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

. tests/local-run.sh
python="$(.ci/tools socketio)/python"
start_local_run 'A client of Socket.IO' --connection-lifetime 5 --parameter SocketIo=on --parameter SendsPerSecond=1000
"$python" tests/socketio/client.py "http://127.0.0.1:$(port page)" dev
