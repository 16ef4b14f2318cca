"""What translation costs over sockets: chatcompat in process, and two gateways in front of the same messages app.

    pip install -e '.[bench]' && python benchmarks/serve.py --peers FOLDER

Needs `wrk`, and `npm` for Portkey's gateway. The peers are installed into FOLDER if they are not there yet. uvicorn
(uvloop, httptools, no access log) serves a canned messages app (`serve_apps.py`): alone ("bare"), decoding its request
as a real one must, and behind chatcompat; each gateway has the bare app behind it. A gateway and its like have one
core, the load has the other, and the messages app behind a gateway too. All take turns within a round; medians of the
rounds are told. What does not answer with a translation of what the app said is named, and not measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from core_report import describe_machine, describe_versions, headline, markdown, number
from serve_apps import EVENTS, TEXT, USAGE, WORDS
from serve_load import Target, content_of, exchange, resident, wrk
from serve_peers import MODEL, PEERS, Peer, Unavailable

SYSTEM = "You are a reviewer. " * 5
ASKED = "What does this change, and which of its tests are not needed? " * 5
CHAT: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ASKED}],
    "max_tokens": 256,
    "temperature": 0.2,
}
NATIVE: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 256,
    "system": [{"type": "text", "text": SYSTEM}],
    "messages": [{"role": "user", "content": ASKED}],
    "temperature": 0.2,
}
BARE, DECODING, OURS = "bare", "bare, decoding", "chatcompat"
STREAMS = 10  # a round
STARTS_WITHIN = 120.0


class Server:
    """A process that listens on a port of loopback."""

    def __init__(self, command: list[str], port: int, core: int, environment: dict[str, str], log: Path) -> None:
        self._port, self._log = port, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*on_core(core), *command], stdout=out, stderr=out, env={**os.environ, **environment}
            )

    def wait(self) -> None:
        """Wait until it answers; raises `Unavailable`."""
        until = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.1)
        raise Unavailable(f"did not start: {self._log.read_text(errors='replace')[-300:]}")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def on_core(core: int) -> list[str]:
    """What is put before a command to keep it on one of two cores; nothing where there is one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    return ["taskset", "-c", str(cores[core])] if len(cores) > 1 else []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def uvicorn(app: str, port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    here = str(Path(__file__).parent)
    return [sys.executable, "-m", "uvicorn", "--app-dir", here, f"serve_apps:{app}", "--port", str(port), *options]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[dict[str, tuple[Target, Server]], dict[str, str], dict[str, str]]]:
    """Every target with its server, why others are missing, and the versions of the gateways."""
    missing: dict[str, str] = {}
    versions: dict[str, str] = {}
    found: dict[str, tuple[Target, Server]] = {}
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as logs:

        def start(name: str, command: list[str], port: int, core: int, environment: dict[str, str]) -> Server:
            server = Server(command, port, core, environment, Path(logs) / f"{name}.log".replace(" ", "_"))
            stack.callback(server.stop)
            server.wait()
            return server

        for name, app, path, request in (
            (BARE, "bare", "/v1/messages", NATIVE),
            (DECODING, "decoding", "/v1/messages", NATIVE),
            (OURS, "chatcompat", "/v1/chat/completions", CHAT),
        ):
            port = free_port()
            headers = {"anthropic-version": "2023-06-01"} if request is NATIVE else {}
            found[name] = Target(name, port, path, request, headers), start(name, uvicorn(app, port), port, 0, {})
        backend = free_port()
        start("backend", uvicorn("bare", backend), backend, 1, {})
        for make in PEERS:
            try:
                port = free_port()
                peer: Peer = make(folder, port, backend)
                server = start(peer.name, peer.command, port, 0, peer.environment)
                target = Target(peer.name, port, "/v1/chat/completions", CHAT, peer.headers)
            except Unavailable as error:
                missing[make.__name__] = str(error)
                continue
            versions[peer.name] = peer.version
            if why := wrong_reply(target, backend):
                missing[peer.name] = why
                continue
            found[peer.name] = target, server
            if why := wrong_stream(target):
                missing[f"a stream of {peer.name}"] = why
        ours = found[OURS][0]
        if why := wrong_reply(ours, ours.port) or wrong_stream(ours):
            raise SystemExit(f"chatcompat did not translate: {why}")
        yield found, missing, versions


def wrong_reply(target: Target, backend: int) -> str | None:
    """What shows that a reply, or the request behind it, is no translation; None where nothing does."""
    status, body = content_of(exchange(target, stream=False)[2])
    if status != 200:
        return f"answers {status}: {body[:200]!r}"
    probe = Target("probe", backend, "/probe", {})
    asked = json.loads(content_of(exchange(probe, stream=False)[2])[1])
    native = json.loads(asked["body"])
    if asked["path"] != "/v1/messages" or "You are a reviewer." not in json.dumps(native.get("system", "")):
        return f"the messages service was not asked in its own form: {asked['path']}"
    told = json.loads(body)
    choice = told["choices"][0]
    if (choice["message"]["content"], choice["finish_reason"]) != (TEXT, "stop"):
        return "the reply is not what the messages service said"
    if told["usage"]["prompt_tokens"] != USAGE["input_tokens"]:
        return "the usage is not what the messages service said"
    return None


def wrong_stream(target: Target) -> str | None:
    """The same for a stream."""
    status, body = content_of(exchange(target, stream=True)[2])
    if status != 200:
        return f"answers {status}: {body[:200]!r}"
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if "".join(choice["delta"].get("content") or "" for choice in choices) != "".join(WORDS):
        return "it is not what the messages service said"
    if choices[-1]["finish_reason"] != "stop" or lines[-1] != "[DONE]":
        return "it does not end as one does"
    return None


def measure(target: Target, seconds: float, *, streams: bool) -> dict[str, float]:
    """One round of one target; times in microseconds."""
    load = on_core(1)
    alone = wrk(target, connections=1, seconds=seconds, prefix=load)
    found = {"p50": alone["p50"], "p99": alone["p99"]}
    for connections in (8, 64):
        found[f"rps {connections}"] = wrk(target, connections=connections, seconds=seconds, prefix=load)["rps"]
    if streams:
        times = [exchange(target, stream=True)[:2] for _ in range(STREAMS)]
        found["first"] = median(first for first, _ in times) * 1e6
        found["stream"] = median(whole for _, whole in times) * 1e6
    return found


def table(results: dict[str, dict[str, float]]) -> str:
    """One row a target; what is added is added to the bare app."""
    bare = results[BARE]
    head = ["", "added p50, µs", "added p99, µs", "requests/s, 8 connections", "64 connections"]
    head += ["added to first chunk, µs", "1,000 events, ms", "chunks/s", "memory, MiB"]
    rows = []
    for name, found in results.items():
        added = [number(found[key] - bare[key]) if name != BARE else "" for key in ("p50", "p99")]
        served = [f"{number(found[key])} ({found[key] / bare[key]:.3f})" for key in ("rps 8", "rps 64")]
        streamed = ["-", "-", "-"]
        if "stream" in found:
            streamed = [
                number(found["first"] - bare["first"]) if name != BARE else "",
                f"{number(found['stream'] / 1e3)} ({found['stream'] / bare['stream']:.2f}x)",
                number(EVENTS / found["stream"] * 1e6),
            ]
        rows.append([name, *added, *served, *streamed, number(found["memory"])])
    return markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="folder of the gateways (build/peers)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load of whole replies (3)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    if hasattr(os, "sched_getaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    rounds: dict[str, list[dict[str, float]]] = {}
    with serving(options.peers.absolute()) as (found, missing, gateways):
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for name, (target, _) in found.items():
                streams = f"a stream of {name}" not in missing
                rounds.setdefault(name, []).append(measure(target, options.seconds, streams=streams))
        memory = {name: resident(server.process.pid) for name, (_, server) in found.items()}
    results = {
        name: {key: median(each[key] for each in many) for key in many[0]} | {"memory": memory[name]}
        for name, many in rounds.items()
    }
    machine = describe_machine() | {"allocator": "malloc as it comes"}
    versions = describe_versions(["chatcompat", "uvicorn", "uvloop", "httptools", "msgspec"]) | gateways
    print(headline(machine, versions), table(results), sep="\n\n")
    for name, why in missing.items():
        print(f"\n{name} is not measured: {why}")
    if options.json:
        whole = {"machine": machine, "versions": versions, "results": results, "rounds": rounds, "missing": missing}
        options.json.write_text(json.dumps(whole, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
