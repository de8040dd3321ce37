#!/usr/bin/env python3
"""Runs the README's command blocks as somebody pastes them, top to bottom, in a fresh copy of the project.

    tests/readme.py

Blocks that need an AWS account, or that run elsewhere, are named below; every other block runs. Needs Rust, a C compiler, curl, and
Python 3.11 for the tools that .ci/tools installs. The ports 3000, 8000 and 9000 must be free.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORTS = (3000, 8000, 9000)
# A small machine builds a function with all that it needs in a quarter of an hour.
BLOCK_SECONDS_MAX = 1_800

# Headings whose blocks are not run, each with the reason.
ELSEWHERE = {
    "Deploy it": "needs an AWS account",
    "Where things live": "steps of .ci/run, or runs that are too long for a test",
}
# Blocks of other headings that are not run here, by their first line.
NOT_HERE = {
    "cargo test --workspace": "a step of .ci/run",
    "node --experimental-websocket web/examples/echo-bot.js": "it does not end; web/tests/examples.test.js starts it by this line",
}
# What each block says, by its first line.
SAYS = {
    "curl -s -d": r'{"token":"ey[^"]+"}',
    "TOKEN=": r"HTTP/1\.1 200 OK",
    "cargo run -- invoke": r'"statusCode": 200.*{\\"type\\":\\"ack\\",\\"action\\":\\"sendMessage\\".*"statusCode": 200',
    "cp .env.example": r'{"body":"{\\"type\\":\\"ack\\",\\"action\\":\\"sendMessage\\".*"statusCode":200}',
}
SYSTEM = "cargo run"


def blocks(readme: str) -> list[tuple[str, str]]:
    """Each shell block, with the chapter that it stands in."""
    found, chapter = [], ""
    for match in re.finditer(r"^## ([^\n]+)$|^( *)```sh\n(.*?)^ *```$", readme, re.MULTILINE | re.DOTALL):
        chapter = match[1] or chapter
        if match[3]:
            found.append((chapter, re.sub(f"^{match[2]}", "", match[3], flags=re.MULTILINE)))
    return found


def fresh_copy(folder: Path) -> None:
    """What a clone of this state would have, and nothing that was built or kept here."""
    names = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def await_system(system: subprocess.Popen) -> None:
    """Until the page answers; it is built first."""
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:3000/").close()
            return
        except OSError:
            pass
        try:
            sys.exit(f"`{SYSTEM}` ended with {system.wait(timeout=0.2)}")
        except subprocess.TimeoutExpired:
            pass


def paste(block: str, folder: Path, env: dict[str, str]) -> str:
    """What a shell says that gets these lines and nothing else. A line that fails ends it."""
    # Into a file: what the block leaves behind would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        # A session of its own, so that nothing of the block outlives it.
        shell = subprocess.Popen(
            ["bash"], cwd=folder, env=env, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            shell.communicate(f"set -euo pipefail\n{block}", timeout=BLOCK_SECONDS_MAX)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            output.seek(0)
            said = output.read()
    print(said, flush=True)
    if shell.returncode != 0:
        sys.exit(f"ended with {shell.returncode}:\n{block}")
    return said


def main() -> None:
    # So that what was started is ended, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    for port in PORTS:
        with socket.socket() as taken:
            if taken.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(f"port {port} is in use")

    wanted = []
    unused = set(SAYS) | set(NOT_HERE) | {SYSTEM}
    for chapter, block in blocks((ROOT / "README.md").read_text()):
        first = block.splitlines()[0]
        if chapter in ELSEWHERE:
            continue
        known = [start for start in unused if first == start or (start in SAYS and first.startswith(start))]
        if len(known) != 1:
            sys.exit(f"README.md has a block that tests/readme.py does not know: {first}")
        unused.discard(known[0])
        if known[0] in SAYS:
            wanted.append((block, SAYS[known[0]]))
        elif known[0] == SYSTEM and block.strip() != SYSTEM:
            sys.exit(f"nothing after `{SYSTEM}` is run: it does not end")
    if unused:
        sys.exit(f"README.md has no such block any more: {unused}")

    env = dict(os.environ)
    cache = Path(env.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "chat"
    env.setdefault("CARGO_TARGET_DIR", str(cache / "target"))
    tools = subprocess.check_output([ROOT / ".ci/tools", "sam"], text=True).strip()
    env["PATH"] = f"{tools}:{env['PATH']}"
    with tempfile.TemporaryDirectory(prefix="chat-readme-") as name:
        folder = Path(name)
        fresh_copy(folder)
        print(f"== {SYSTEM}", flush=True)
        system = subprocess.Popen(["bash", "-c", SYSTEM], cwd=folder, env=env, start_new_session=True)
        try:
            await_system(system)
            for block, says in wanted:
                print(f"== {block}", flush=True)
                said = paste(block, folder, env)
                if not re.search(says, said, re.DOTALL):
                    sys.exit(f"it does not say {says}:\n{block}")
        finally:
            os.killpg(system.pid, signal.SIGTERM)
            system.wait()
    print(f"{len(wanted) + 1} blocks of the README work as they stand")


main()
