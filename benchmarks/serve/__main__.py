"""What translation costs over sockets: chatcompat in process, and two gateways in front of the same messages app.

    pip install --group bench -e '.[serve]' && python benchmarks/serve --gateways FOLDER

Needs `wrk`, and the gateways in FOLDER (README.md says how). uvicorn (uvloop, httptools, no access log) serves a canned
messages app (`apps.py`): alone ("bare"), decoding its request as a real app must, and behind chatcompat. Each gateway
has the bare app behind it. A gateway, or an app in its place, has one core. The load has the other core, with the app
behind the gateway. Two workers share both cores with the load, and are compared with two of the bare app. All targets
take turns within a round, each round starts with another target, and differences are taken within a round. The table
shows medians. A gateway that is missing, or does not translate, is named and left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import IO

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers import GATEWAYS, Unavailable
from benchmarks.report import headline, make_parser, markdown, number
from benchmarks.serve.apps import REPLY, REQUEST, STREAM
from benchmarks.serve.load import Reply, Target, exchange, latencies, requests_a_second, resident, wrk_version
from benchmarks.validity import complaint
from chatcompat import translate

ROOT = Path(__file__).parents[2]
NATIVE_PATH, CHAT_PATH = "/v1/messages", "/v1/chat/completions"
BARE, DECODING, OURS = "bare", "bare, decoding", "chatcompat"
BARE_TWICE, OURS_TWICE = "bare, two workers", "chatcompat, two workers"
APPS = {BARE: "bare", DECODING: "decoding", OURS: "chatcompat", BARE_TWICE: "bare", OURS_TWICE: "chatcompat"}
COMPARED: dict[str, str] = {BARE_TWICE: BARE_TWICE, OURS_TWICE: BARE_TWICE}  # with what; all others with `BARE`
STREAMS = 10  # a round
STARTS_WITHIN = 120.0
FIRST_TEXT = STREAM.expected.texts[0].split()[0].encode()
# Looked up before this process keeps to one of them.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
FIRST, LAST, BOTH = CORES[:1], CORES[-1:], [CORES[0], CORES[-1]]

Rounds = dict[str, list[dict[str, float]]]


class Servers:
    """The processes that are measured, and the targets that they serve."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._pids: dict[str, int] = {}
        self.targets: dict[str, Target] = {}
        self.versions: list[str] = []
        self.missing: dict[str, str] = {}

    def add_app(self, name: str, app: str) -> None:
        """Serve one of our apps."""
        port = free_port()
        twice = name in COMPARED
        self._pids[name] = self.start(
            uvicorn(app, port, workers=2 if twice else 1), port, cores=BOTH if twice else FIRST
        )
        if app == "chatcompat":
            self.targets[name] = Target(name, port, CHAT_PATH, REQUEST.chat, STREAM.chat)
        else:
            bodies = translate(REQUEST.chat).body, translate(STREAM.chat).body
            self.targets[name] = Target(name, port, NATIVE_PATH, *bodies, {"anthropic-version": "2023-06-01"})

    def add_gateway(self, name: str, folder: Path, backend: int) -> None:
        """Start a gateway, and keep what it translates."""
        port = free_port()
        try:
            gateway = GATEWAYS[name](folder, port, backend)
            pid = self.start(gateway.command, port, cores=FIRST, environment=gateway.environment)
        except Unavailable as error:
            self.missing[name] = str(error)
            return
        target = Target(gateway.name, port, CHAT_PATH, REQUEST.chat, STREAM.chat, gateway.headers)
        self.versions.append(f"{gateway.name} {gateway.version}")
        if why := why_wrong(target, backend, stream=False):
            self.missing[gateway.name] = why
            return
        self.targets[gateway.name], self._pids[gateway.name] = target, pid
        if why := why_wrong(target, backend, stream=True):
            self.missing[streams_of(gateway.name)] = why

    def start(
        self, command: list[str], port: int, *, cores: list[int], environment: dict[str, str] | None = None
    ) -> int:
        """Start a server on some cores and wait until it listens; gives its process. Raises `Unavailable`."""
        log = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is closed with the stack
        variables = {**os.environ, **(environment or {})}
        process = subprocess.Popen([*on_cores(cores), *command], stdout=log, stderr=log, env=variables)
        self._stack.callback(stop, process)
        until = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return process.pid
            time.sleep(0.1)
        raise Unavailable(f"did not start: {tail(log)}")

    def memory(self) -> dict[str, float]:
        return {name: resident(pid) for name, pid in self._pids.items()}


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")[-300:]


def on_cores(cores: list[int]) -> list[str]:
    """What keeps a command on some cores."""
    return ["taskset", "-c", ",".join(map(str, cores))] if len(CORES) > 1 else []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def uvicorn(app: str, port: int, *, workers: int = 1) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT), f"benchmarks.serve.apps:{app}"]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [*command, "--port", str(port), "--workers", str(workers), *options]


def streams_of(name: str) -> str:
    return f"a stream of {name}"


def once(target: Target, *, stream: bool = False) -> Reply:
    """One exchange on a connection of its own."""
    with target.connect() as connection:
        return exchange(target, connection, stream=stream, text=FIRST_TEXT)


def why_wrong(target: Target, backend: int, *, stream: bool) -> str | None:
    """Why a reply, or the request that the messages app got, is no translation; None if both are."""
    reply = once(target, stream=stream)
    if reply.status != 200:
        return f"answers {reply.status}: {reply.body[:200]!r}"
    asked = json.loads(once(Target("probe", backend, "/probe")).body)
    if asked["path"] != NATIVE_PATH or "anthropic-version" not in asked["headers"]:
        return f"the messages app got a request of another kind: {asked['path']}, {asked['headers']}"
    if json.loads(asked["body"]).get("stream", False) is not stream:
        return "the messages app was not asked for a stream where the client wants one, or the other way round"
    return complaint(REQUEST, [asked["body"].encode()]) or complaint(STREAM if stream else REPLY, [reply.body])


def measure(target: Target, seconds: float, *, streams: bool) -> dict[str, float]:
    """One round of one target; times in microseconds."""
    found = latencies(target, seconds=seconds)
    prefix = on_cores(BOTH if target.name in COMPARED else LAST)
    for connections in (8, 64):
        rate = requests_a_second(target, connections=connections, seconds=seconds, prefix=prefix)
        found[f"rps {connections}"] = rate
    if streams:
        replies = [once(target, stream=True) for _ in range(STREAMS)]
        found["first"] = median(reply.first_text for reply in replies) * 1e6
        found["stream"] = median(reply.seconds for reply in replies) * 1e6
    return found


def summarise(rounds: Rounds, name: str) -> dict[str, float]:
    """The medians of a target; it is compared with the bare app of as many workers within each round."""
    found = {key: median(each[key] for each in rounds[name]) for key in rounds[name][0]}
    pairs = list(zip(rounds[name], rounds[COMPARED.get(name, BARE)], strict=True))
    for key in {"p50", "p99", "first"} & found.keys():
        found[f"added {key}"] = median(mine[key] - bare[key] for mine, bare in pairs)
    for key in {"rps 8", "rps 64", "stream"} & found.keys():
        found[f"{key} of bare"] = median(mine[key] / bare[key] for mine, bare in pairs)
    return found


def table(results: dict[str, dict[str, float]]) -> str:
    """One row a target; what is added is added to the bare app."""
    head = ["", "added p50, µs", "added p99, µs", "requests/s, 8 connections", "64 connections"]
    head += ["added to first chunk, µs", "1,000 events, ms", "chunks/s", "memory, MiB"]
    rows = []
    for name, found in results.items():
        is_bare = name in (BARE, BARE_TWICE)
        added = {key: "" if is_bare else number(found[f"added {key}"]) for key in ("p50", "p99")}
        served = [f"{number(found[key])} ({found[f'{key} of bare']:.3f})" for key in ("rps 8", "rps 64")]
        streamed = ["-", "-", "-"]
        if "stream" in found:
            streamed = [
                "" if is_bare else number(found["added first"]),
                f"{number(found['stream'] / 1e3)} ({found['stream of bare']:.2f}x)",
                number(STREAM.events / found["stream"] * 1e6),
            ]
        rows.append([name, *added.values(), *served, *streamed, number(found["memory"])])
    return markdown(head, rows)


def main() -> None:
    parser = make_parser(__doc__, rounds=5)
    parser.add_argument("--gateways", type=Path, default=Path("build/gateways"), help="their folder (%(default)s)")
    parser.add_argument("--only", nargs="*", default=list(GATEWAYS), choices=list(GATEWAYS), help="these gateways")
    parser.add_argument("--seconds", type=float, default=3, help="of each load of whole replies (3)")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {CORES[-1]})
    rounds: Rounds = {}
    with contextlib.ExitStack() as stack:
        servers = Servers(stack)
        for name, app in APPS.items():
            servers.add_app(name, app)
        backend = free_port()
        servers.start(uvicorn("bare", backend), backend, cores=LAST)
        for name in options.only:
            servers.add_gateway(name, options.gateways.absolute(), backend)
        ours = servers.targets[OURS]
        why = why_wrong(ours, ours.port, stream=False) or why_wrong(ours, ours.port, stream=True)
        assert why is None, why
        names = list(servers.targets)
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                streams = streams_of(name) not in servers.missing
                found = measure(servers.targets[name], options.seconds, streams=streams)
                rounds.setdefault(name, []).append(found)
        memory = servers.memory()
    results = {name: summarise(rounds, name) | {"memory": memory[name]} for name in names}
    packages = ["chatcompat", "uvicorn", "uvloop", "httptools", "msgspec"]
    head = headline(packages, wrk_version(), *servers.versions)
    print(
        head, table(results), *(f"{name} is not measured: {why}" for name, why in servers.missing.items()), sep="\n\n"
    )
    if options.json:
        whole = {"machine": head, "results": results, "rounds": rounds, "missing": servers.missing}
        options.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
