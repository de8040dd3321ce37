#!/usr/bin/env python3
"""Runs the command blocks of all documents as somebody pastes them, top to bottom, in a fresh copy of the project.

    tests/documents.py            runs them
    tests/documents.py --list     says which blocks run, and why the others do not

A block that is not run here is listed below with its reason, and still has to parse. Needs Rust, a C compiler, curl, and Python 3.11
for the tools that .ci/tools installs. The ports 3000, 4000 to 4002, 5000 to 5002, 8000, 8001 and 9000 must be free.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PORTS = (3000, 4000, 4001, 4002, 5000, 5001, 5002, 8000, 8001, 9000)
# A small machine builds a function with all that it needs in a quarter of an hour.
BLOCK_SECONDS_MAX = 1_800

# These come first, in this order: what one leaves behind (a token), the next one uses.
FIRST = ["README.md", "docs/local.md", "docs/client.md", "docs/protocol.md"]

# What each block says, by how it begins.
SAYS = {
    "curl -s -d": r'{"token":"ey[^"]+"}',
    "TOKEN=": r"HTTP/1\.1 200 OK",
    "TOKEN=$(curl": r'"attachment":"rooms/MQ/MQ/letter-1/letter\.txt".*<PostResponse>.*"type":"ack","action":"sendMessage"',
    'curl -H "Authorization': r'{"type":"ack","action":"sendMessage","chatroomId":1,"id":\d+',
    "cargo run -p ops -- --help": r"disconnect-user.*erase-user",
    "cargo run -p ops -- --local check": r"ok +message.*\"content\":.*nothing was done.*connections ended: 0",
    "cargo run -- invoke": r'"statusCode": 200.*{\\"type\\":\\"ack\\",\\"action\\":\\"sendMessage\\".*"statusCode": 200',
    "cp .env.example": r'{"body":"{\\"type\\":\\"ack\\",\\"action\\":\\"sendMessage\\".*"statusCode":200}',
    "WORDS=damn node": r'"Content":"\*\*\*\* it"',
    "tests/documents.py --list": r"README\.md: cargo run\n",
}
# The run that every block may speak to.
SYSTEM = "cargo run"
# Runs beside it: where their page is.
MORE_SYSTEMS = {
    "cargo run -- --port 4000": "http://127.0.0.1:4000/",
    "cargo run -- --parameter SocketIo=on": "http://127.0.0.1:5000/",
}

AWS = "it needs an AWS account"
# What such a block speaks to.
NEEDS_AWS = re.compile(r"^(eval \"\$\()?(aws|sam|cargo lambda) |^CHAT_TARGET=aws |--stack |^LIVE=", re.MULTILINE)
STEP = "it is a step of .ci/run"
LONG = "it takes longer than CI has"
# Blocks that are not run here: by document and chapter (all blocks of it), or by how they begin.
CHAPTERS = {
    ("README.md", "Deploy it"): AWS,
    ("docs/tokens.md", "An identity provider signs them"): AWS,
    ("docs/tokens.md", "Your application signs them with a key pair"): AWS,
    ("docs/deploy.md", None): AWS,
    ("docs/crowds.md", None): AWS,
    ("docs/operate.md", None): AWS,
    ("docs/restore.md", None): AWS,
    ("docs/events.md", "Turn it on and off"): AWS,
    ("recipes/webhook/README.md", None): AWS,
    ("recipes/search/README.md", None): AWS,
    ("docs/socket-io.md", "What is still open on AWS"): AWS,
    ("ops/README.md", None): AWS,
    ("recipes/push/README.md", "Deploy it"): AWS,
    ("recipes/review/README.md", "Deploy it"): AWS,
    ("docs/testing.md", "On your deployment"): AWS,
    ("docs/testing.md", "Long runs"): LONG,
    ("docs/testing.md", "What it costs and how fast it is"): LONG,
    ("CHANGELOG.md", "From one version to the next"): AWS,
}
BLOCKS = {
    "cargo test --workspace\n": STEP,
    "cargo fmt --all\n": STEP,
    "npm --prefix web ci\n": STEP,
    "npm --prefix recipes/search ci\n": STEP,
    "cargo test --workspace --test simulation": "`cargo test --workspace` runs it, which is a step of .ci/run",
    "cargo run --profile simulation": "`.ci/run` runs three thousand schedules, and most mistakes",
    "CHAT_STATES=": "a step of .ci/run explores the same rooms less far",
    "CHAT_NODE=node CHAT_SEEDS=": "`cargo test --workspace` runs its first seeds, which is a step of .ci/run",
    "node --experimental-websocket web/examples/echo-bot.js": "it does not end; web/tests/examples.test.js starts it by this line",
    "cargo run -- --events": "recipes/push/tests/page.test.js starts both, and nobody ends them here",
    "cargo lambda watch --package review": "recipes/review/tests/review.rs starts it, and nobody ends them here",
    "npm --prefix recipes/push ci": "recipes/push/tests/page.test.js starts both, and nobody ends them here",
    "cargo run -p ops -- token": "it needs a deployment's secret",
    "sam build DefaultFunction": "it needs Docker",
    ".ci/fuzz": "five minutes; what it once found is tried by `cargo test --workspace`",
    ".ci/run": "it runs this",
    "npm --prefix web run screenshots": "it makes the pictures anew",
}
# Commands within a line that no block has.
WITHIN_A_LINE = {
    "cargo clean": "it empties target/",
    "cargo run -- --review URL": "the tests of the local run ask reviewers",
    "cargo tree": "a test runs it, and the line says so",
}
COMMAND = re.compile(r"`((?:cargo|npm|npx|sam|aws|curl|node|git|openssl) [^`]+|(?:\.ci|tests)/\w[^`]*)`")
# Programs that say what is wrong with their options before they do anything.
PARSERS = ("cargo run ", "cargo lambda ", "sam ")


class Block(NamedTuple):
    document: str
    chapter: str
    text: str

    @property
    def begins(self) -> str:
        return self.text.splitlines()[0]

    def commands(self) -> list[str]:
        """Each command on a line of its own."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def documents() -> list[str]:
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("events/*.md"), *ROOT.glob("ops/*.md")]
    found += [*ROOT.glob("recipes/*.md"), *ROOT.glob("recipes/*/*.md")]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    return FIRST + [name for name in names if name not in FIRST]


def blocks(document: str) -> list[Block]:
    """Each shell block, with the chapter that it stands in: the nearest heading above it."""
    found, chapter = [], ""
    text = (ROOT / document).read_text()
    for match in re.finditer(r"^#+ ([^\n]+)$|^( *)```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        chapter = match[1] or chapter
        if match[3] == "sh":
            found.append(Block(document, chapter, re.sub(f"^{match[2]}", "", match[4], flags=re.MULTILINE)))
    return found


def one_of(known: dict | set, block: Block, used: set) -> str | None:
    starts = [start for start in known if block.text.startswith(start)]
    used.update(starts)
    return max(starts, key=len, default=None)


def sort() -> list[tuple[Block, str | None]]:
    """Each block, with the reason why it is not run here. Stops at a block that nobody knows, and at a reason without a block."""
    sorted_, used = [], set()
    for document in documents():
        for block in blocks(document):
            runs = block.text.strip() == SYSTEM or one_of(MORE_SYSTEMS, block, used) or one_of(SAYS, block, used)
            reason = None
            if begins := one_of(BLOCKS, block, used):
                reason = BLOCKS[begins]
            elif not runs and (chapters := [key for key in ((document, block.chapter), (document, None)) if key in CHAPTERS]):
                used.update(chapters)
                reason = CHAPTERS[chapters[0]]
            if not reason and not runs:
                sys.exit(f"{document} has a block that tests/documents.py does not know: {block.begins}")
            if reason == AWS and not NEEDS_AWS.search(block.text):
                sys.exit(f"{document} has a block that needs no AWS account: {block.begins}")
            sorted_.append((block, reason))
    if unused := {*CHAPTERS, *BLOCKS, *SAYS, *MORE_SYSTEMS} - used:
        sys.exit(f"no document has such a block any more: {unused}")
    return sorted_


def forgotten() -> set[str]:
    """Commands within a line of a document that are neither in a block, nor a step of .ci/run, nor a file, nor listed."""
    known = (ROOT / ".ci/run").read_text() + "".join(block.text for block, _ in sort())
    fences = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
    texts = [fences.sub("", (ROOT / name).read_text()) for name in documents()]
    commands = {" ".join(found.split()) for text in texts for found in COMMAND.findall(text)}
    unknown = {command for command in commands if command not in known and not (ROOT / command).exists()}
    if stale := WITHIN_A_LINE.keys() - unknown:
        sys.exit(f"no document says this any more: {stale}")
    return unknown - WITHIN_A_LINE.keys()


def is_step(command: str) -> bool:
    """Whether .ci/run has it, maybe with more options."""
    steps = re.findall(r"^step (.+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    def within(step: str) -> bool:
        words = iter(shlex.split(step))
        return all(word in words for word in shlex.split(command))
    return any(within(step) for step in steps)


def parse(block: Block, reason: str, folder: Path, env: dict[str, str], aws_python: str) -> None:
    """What can be said of a block that is not run: the shell takes it, and the programs take their options."""
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for command in block.commands():
        if reason == STEP and not is_step(command):
            sys.exit(f"{block.document}: .ci/run has no such step: {command}")
        command = re.sub(r"^TOKEN_SECRET=\S+ \S+ ", "", command)
        if command.startswith(PARSERS):
            # Without what it is written into; a debug build parses the same.
            command = re.sub(r"^cargo run (--release|--profile simulation)", "cargo run", re.split(r" [<>#] ?", command)[0])
            asked = ["bash", "-c", f"{command} --help"]
            answer = subprocess.run(asked, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if answer.returncode != 0:
                sys.exit(f"{block.document}: its options are refused: {command}\n{answer.stdout}")
    aws = "\n".join(command for command in block.commands() if command.startswith("aws "))
    if subprocess.run([aws_python, ROOT / "tests/aws_commands.py"], input=aws, text=True).returncode != 0:
        sys.exit(f"{block.document}: AWS does not take this")


def fresh_copy(folder: Path) -> None:
    """What a clone of this state would have, and nothing that was built or kept here."""
    names = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class System:
    """A run of the system, until the end of a `with`."""

    def __init__(self, command: str, page: str, folder: Path, env: dict[str, str]):
        self.command, self.page = command, page
        self.process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=env, start_new_session=True)

    def __enter__(self) -> None:
        """Until the page answers; it is built first."""
        while True:
            try:
                urllib.request.urlopen(self.page).close()
                return
            except OSError:
                pass
            try:
                sys.exit(f"`{self.command}` ended with {self.process.wait(timeout=0.2)}")
            except subprocess.TimeoutExpired:
                pass

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def paste(block: Block, folder: Path, env: dict[str, str]) -> str:
    """What a shell says that gets these lines and nothing else. A line that fails ends it."""
    # Into a file: what the block leaves behind would hold a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        # A session of its own, so that nothing of the block outlives it.
        shell = subprocess.Popen(
            ["bash"], cwd=folder, env=env, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            shell.communicate(f"set -euo pipefail\n{block.text}", timeout=BLOCK_SECONDS_MAX)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            output.seek(0)
            said = output.read()
    print(said, flush=True)
    if shell.returncode != 0:
        sys.exit(f"ended with {shell.returncode}:\n{block.text}")
    return said


def run(block: Block, folder: Path, env: dict[str, str]) -> None:
    print(f"== {block.document}: {block.text}", flush=True)
    if beside := one_of(MORE_SYSTEMS, block, set()):
        with System(block.text.strip(), MORE_SYSTEMS[beside], folder, env):
            return
    says = SAYS[one_of(SAYS, block, set())]
    if not re.search(says, paste(block, folder, env), re.DOTALL):
        sys.exit(f"it does not say {says}:\n{block.text}")


def main() -> None:
    every = sort()
    if untried := forgotten():
        sys.exit(f"commands that nothing tries; put them into a block: {untried}")
    if sys.argv[1:] == ["--list"]:
        for block, reason in every:
            print(f"{block.document}: {block.begins}" + (f"\n    not run here: {reason}" if reason else ""))
        return
    # So that what was started is ended, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    for port in PORTS:
        with socket.socket() as taken:
            if taken.connect_ex(("127.0.0.1", port)) == 0:
                sys.exit(f"port {port} is in use")

    env = dict(os.environ)
    cache = Path(env.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "chat"
    env.setdefault("CARGO_TARGET_DIR", str(cache / "target"))
    env["SAM_CLI_TELEMETRY"] = "0"
    tools = subprocess.check_output([ROOT / ".ci/tools", "sam"], text=True).strip()
    env["PATH"] = f"{tools}:{env['PATH']}"
    wanted = [block for block, reason in every if not reason and block.text.strip() != SYSTEM]
    with tempfile.TemporaryDirectory(prefix="chat-documents-") as name:
        folder = Path(name)
        fresh_copy(folder)
        print(f"== {SYSTEM}", flush=True)
        with System(SYSTEM, "http://127.0.0.1:3000/", folder, env):
            for block in wanted:
                run(block, folder, env)
        for block, reason in every:
            if reason:
                parse(block, reason, folder, env, f"{tools}/python")
    print(f"{len(wanted) + 1} blocks work as they stand; the options of {len(every) - len(wanted) - 1} others are taken")


main()
