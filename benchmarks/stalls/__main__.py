"""How late `/healthz` of `chatcompat serve` is answered while the worst requests are posted.

    pip install -e '.[serve]' && python benchmarks/stalls

`chatcompat serve` runs as a process of its own, with the simulator in another process behind it. That one has the
lowest priority, since it stands for another machine. Each input is posted ten times in a row while `/healthz` is asked
every few milliseconds: at 1 MB, and at the largest size that is let in. The same is done with a bare app under the same
server, which reads the same body by `json.loads`; where the reply is the bad one, it reads the reply. It fails (status
1) where a body up to 1 MB delays an answer by more than 100 ms, and where an answer comes later than behind the bare
app (20 ms are given for the machine's own pauses).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.report import headline, make_parser, markdown, number
from benchmarks.stalls.apps import worst_reply
from tests.cost.chats import MIB, USER, chat
from tests.cost.requests import KNOWN

SMALL, LARGEST = 1_000_000, 31 * MIB
WITHIN = 0.1
PAUSE = 0.02  # what the machine itself may take
TIMES = 10
EVERY = 0.003
WARM_UP = 5
LIMIT = 60.0  # seconds for the ten of one input, and for one answer
NATIVE_2026 = "native-2026-10-21"

REQUESTS = (
    "calls of one id",
    "calls of different ids",
    "response_format: chain of references",
    "parameters: references to two large definitions",
    "parameters: references of many steps",
    "parameters: required in two branches",
    "32 MB: arguments, deep and a long string",
    "32 MB: image, data: and semicolons",
    "details of content",
    "32 MB: lists of depth 400 beside an unknown field",
    "unknown fields of the request",
    "32 MB: empty objects, a space before a colon",
)
REPLIES = (("reply", "calls of one id"), ("stream", "input: cut off behind spaces"), ("stream", "text deltas"))
_JSON_OUTPUT = ',"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"array"}}}'
_SEARCH = ',"stream":true,"tools":[{"type":"web_search_20250305","name":"web_search"}]'


@dataclass
class Input:
    """What is posted to chatcompat, and what the bare app reads in its place."""

    name: str
    posted: bytes
    read: bytes
    dialect: str = "native"


@dataclass
class Delay:
    """How long `/healthz` took while an input was posted."""

    worst: float
    median: float
    posts: int


def inputs(only: str) -> Iterator[Input]:
    """Each at both sizes."""
    for name in REQUESTS:
        for size in (SMALL, LARGEST):
            if only in name:
                body = KNOWN[name][0](size)
                yield Input(name, body, body, NATIVE_2026 if name.startswith("response_format") else "native")
    for kind, name in REPLIES:
        for size in (SMALL, 8 * MIB):
            if only in name:
                model = f"worst reply|{kind}|{name}|{size}"
                more = {"input: cut off behind spaces": _JSON_OUTPUT, "text deltas": _SEARCH}.get(name, "")
                posted = chat(USER, more).replace(b'"m"', json.dumps(model).encode(), 1)
                yield Input(f"{kind}: {name}", posted, as_json(kind, worst_reply(model)))


def as_json(kind: str, pieces: list[bytes]) -> bytes:
    """A reply as it is; of a stream, the list of its events."""
    if kind == "reply":
        return pieces[0]
    return b"[%b]" % b",".join(piece.partition(b"\ndata: ")[2].rstrip() for piece in pieces)


# ---------------------------------------------------------------- servers


@contextlib.contextmanager
def running(command: list[str], log: IO[bytes], *, niceness: int = 0) -> Iterator[int]:
    """A server process, and its port."""
    settings = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=settings)
    os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
    try:
        yield _port(process)
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(rb"http://127\.0\.0\.1:(\d+)", line):
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return int(found[1])
    raise SystemExit("a server did not start")


def app(name: str) -> list[str]:
    """One of the apps beside this file, as `chatcompat serve` runs its own."""
    return [sys.executable, str(Path(__file__).parent / "server.py"), name]


def ours(upstream: int, dialect: str) -> list[str]:
    options = ["--port", "0", "--upstream", f"http://127.0.0.1:{upstream}", "--dialect", dialect]
    return [sys.executable, "-m", "chatcompat", "serve", *options, "--no-access-log"]


# ---------------------------------------------------------------- measuring


def post(port: int, body: bytes, times: int) -> int:
    """Post in a row; says how often it was done in time."""
    until = time.monotonic() + LIMIT
    for done in range(times):
        left = until - time.monotonic()
        if left <= 0:
            return done
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=left)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            headers = {"content-type": "application/json", "authorization": "Bearer key"}
            connection.request("POST", "/v1/chat/completions", body, headers)
            connection.getresponse().read()
    return times


def ask(connection: http.client.HTTPConnection) -> float:
    """Seconds until `/healthz` is answered; the limit where it is not."""
    began = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    return time.perf_counter() - began


def delay(port: int, body: bytes, times: int) -> Delay:
    """Ask while the input is posted."""
    done: list[int] = []
    poster = threading.Thread(target=lambda: done.append(post(port, body, times)))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    for _ in range(WARM_UP):
        ask(connection)  # the first waits until the server has imported its app
    taken = [ask(connection)]
    poster.start()
    while poster.is_alive() and taken[-1] < LIMIT:
        taken.append(ask(connection))
        time.sleep(EVERY)
    poster.join()
    connection.close()
    return Delay(max(taken), median(taken), done[0])


def fault(given: Input, mine: Delay, bare: Delay, times: int) -> str:
    """What does not hold."""
    faults = []
    if max(len(given.posted), len(given.read)) <= 1.1 * SMALL and mine.worst > WITHIN:
        faults.append("above 100 ms")
    if mine.worst > bare.worst + PAUSE:
        faults.append("later than the bare app")
    if mine.posts < times:
        faults.append(f"only {mine.posts} posts in {LIMIT:.0f} s")
    return ", ".join(faults)


def main() -> int:
    parser = make_parser(__doc__, rounds=TIMES)
    parser.add_argument("--only", default="", help="only the inputs with this in their name")
    options = parser.parse_args()
    machine = headline(["chatcompat", "uvicorn", "uvloop", "httptools", "msgspec"])
    print(machine, "\n", flush=True)
    rows, failed = [], False
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        behind = stack.enter_context(running(app("messages"), log, niceness=19))
        for given in inputs(options.only):
            with running(app("bare"), log) as port:
                floor = delay(port, given.read, options.rounds)
            with running(ours(behind, given.dialect), log) as port:  # a new one: the last may still be at work
                mine = delay(port, given.posted, options.rounds)
            why = fault(given, mine, floor, options.rounds)
            failed |= bool(why)
            cells = [number(seconds * 1e3) for seconds in (mine.worst, mine.median, floor.worst, floor.median)]
            rows.append([given.name, f"{len(given.read) / 1e6:.1f}", *cells, why or "-"])
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    head = [
        f"posted {options.rounds} times",
        "MB",
        "worst ms",
        "median ms",
        "bare: worst ms",
        "median ms",
        "what does not hold",
    ]
    print(markdown(head, rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "head": head, "rows": rows}), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
