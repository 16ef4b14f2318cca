"""What translation costs over sockets: chatcompat in process, and two gateways in front of the same messages app.

    pip install -e '.[bench]' && python benchmarks/serve.py --peers FOLDER

Needs `wrk`, and `npm` for Portkey's gateway. The peers are installed into FOLDER if they are not there yet. uvicorn
(uvloop, httptools, no access log) serves a canned messages app (`serve_apps.py`): alone ("bare"), decoding its request
as a real one must, and behind chatcompat; each gateway has the bare app behind it. A gateway and its like have one
core, the load has the other, and the messages app behind a gateway too. All take turns within a round, each round
begins with another, and what is compared is compared within a round; medians of the rounds are told. What does not
answer with a translation of what the app said is named, and not measured.
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
from serve_load import Target, alone, content_of, exchange, resident, wrk, wrk_version
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
# Looked up once: this process then keeps to one of them, and what it starts without `taskset` would too.
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


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
    return ["taskset", "-c", str(CORES[core])] if len(CORES) > 1 else []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def uvicorn(app: str, port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    here = str(Path(__file__).parent)
    return [sys.executable, "-m", "uvicorn", "--app-dir", here, f"serve_apps:{app}", "--port", str(port), *options]


@contextlib.contextmanager
def serving(
    folder: Path, gateways: list[str]
) -> Iterator[tuple[dict[str, tuple[Target, Server]], dict[str, str], dict[str, str]]]:
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
        for make in (PEERS[name] for name in gateways):
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
            if why := wrong_stream(target, backend):
                missing[f"a stream of {peer.name}"] = why
        ours = found[OURS][0]
        if why := wrong_reply(ours, ours.port) or wrong_stream(ours, ours.port):
            raise SystemExit(f"chatcompat did not translate: {why}")
        yield found, missing, versions


def wrong_reply(target: Target, backend: int) -> str | None:
    """What shows that a reply, or the request behind it, is no translation; None where nothing does."""
    status, body = content_of(exchange(target, stream=False)[2])
    if status != 200:
        return f"answers {status}: {body[:200]!r}"
    if why := wrong_request(backend, stream=False):
        return why
    told = json.loads(body)
    if told["object"] != "chat.completion" or len(told["choices"]) != 1:
        return "the reply is not a chat completion"
    choice = told["choices"][0]
    if (choice["message"]["content"], choice["finish_reason"]) != (TEXT, "stop"):
        return "the reply is not what the messages service said"
    counted = USAGE["input_tokens"], USAGE["output_tokens"]
    if tuple(told["usage"][name] for name in ("prompt_tokens", "completion_tokens")) != counted:
        return "the usage is not what the messages service said"
    return None


def wrong_request(backend: int, *, stream: bool) -> str | None:
    """The same for what the messages service was asked last."""
    asked = json.loads(content_of(exchange(Target("probe", backend, "/probe", {}), stream=False)[2])[1])
    native = json.loads(asked["body"])
    if asked["path"] != "/v1/messages" or "anthropic-version" not in asked["headers"]:
        return f"the messages service was not asked in its own form: {asked['path']}, {asked['headers']}"
    said = [text_of(native.get("system")), *((turn["role"], text_of(turn["content"])) for turn in native["messages"])]
    if said != [SYSTEM, ("user", ASKED)]:
        return f"the messages service was not told what the client said: {str(said)[:200]}"
    if any(native.get(name) != CHAT[name] for name in ("model", "max_tokens", "temperature")):
        return "the messages service was not given the parameters"
    if native.get("stream", False) is not stream:
        return "the messages service was not asked for what the client wants: a stream, or none"
    return None


def text_of(content: Any) -> str:
    """The text of a string, or of blocks."""
    return content if isinstance(content, str) else "".join(block["text"] for block in content or ())


def wrong_stream(target: Target, backend: int) -> str | None:
    """The same for a stream."""
    status, body = content_of(exchange(target, stream=True)[2])
    if status != 200:
        return f"answers {status}: {body[:200]!r}"
    if why := wrong_request(backend, stream=True):
        return why
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    chunks = [json.loads(line) for line in lines if line != "[DONE]"]
    if {chunk["object"] for chunk in chunks} != {"chat.completion.chunk"}:
        return "it is not of chunks of a chat completion"
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    if "".join(choice["delta"].get("content") or "" for choice in choices) != "".join(WORDS):
        return "it is not what the messages service said"
    finished = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    if finished != ["stop"] or lines[-1] != "[DONE]":
        return "it does not end as one does"
    return None


def measure(target: Target, seconds: float, *, streams: bool) -> dict[str, float]:
    """One round of one target; times in microseconds."""
    load = on_core(1)
    found = alone(target, seconds=seconds)
    for connections in (8, 64):
        found[f"rps {connections}"] = wrk(target, connections=connections, seconds=seconds, prefix=load)
    if streams:
        times = [exchange(target, stream=True)[:2] for _ in range(STREAMS)]
        found["first"] = median(first for first, _ in times) * 1e6
        found["stream"] = median(whole for _, whole in times) * 1e6
    return found


def summarise(rounds: dict[str, list[dict[str, float]]], name: str) -> dict[str, float]:
    """The medians of a target; what is compared with the bare app is compared within each round."""
    found = {key: median(each[key] for each in rounds[name]) for key in rounds[name][0]}
    pairs = list(zip(rounds[name], rounds[BARE], strict=True))
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
        added = {key: number(found[f"added {key}"]) if name != BARE else "" for key in ("p50", "p99")}
        served = [f"{number(found[key])} ({found[f'{key} of bare']:.3f})" for key in ("rps 8", "rps 64")]
        streamed = ["-", "-", "-"]
        if "stream" in found:
            streamed = [
                number(found["added first"]) if name != BARE else "",
                f"{number(found['stream'] / 1e3)} ({found['stream of bare']:.2f}x)",
                number(EVENTS / found["stream"] * 1e6),
            ]
        rows.append([name, *added.values(), *served, *streamed, number(found["memory"])])
    return markdown(head, rows)


def times_ours(results: dict[str, dict[str, float]]) -> str:
    """What each gateway adds to the median, in times of what chatcompat adds."""
    ours = results[OURS]["added p50"]
    gateways = {name: found for name, found in results.items() if name not in (BARE, DECODING, OURS)}
    return "\n".join(
        f"{name} adds {found['added p50'] / ours:,.0f} times what chatcompat adds to the median."
        for name, found in gateways.items()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="folder of the gateways (build/peers)")
    parser.add_argument("--only", default=",".join(PEERS), help="of the gateways, these (%(default)s); '' for none")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load of whole replies (3)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    if unknown := set(chosen) - PEERS.keys():
        parser.error(f"no such gateway: {', '.join(sorted(unknown))}")
    if hasattr(os, "sched_getaffinity"):
        os.sched_setaffinity(0, {CORES[-1]})
    rounds: dict[str, list[dict[str, float]]] = {}
    with serving(options.peers.absolute(), chosen) as (found, missing, gateways):
        for turn in range(options.rounds):
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            names = list(found)
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                target, _ = found[name]
                streams = f"a stream of {name}" not in missing
                rounds.setdefault(name, []).append(measure(target, options.seconds, streams=streams))
        memory = {name: resident(server.process.pid) for name, (_, server) in found.items()}
    results = {name: summarise(rounds, name) | {"memory": memory[name]} for name in found}
    machine = describe_machine() | {"allocator": "malloc as it comes"}
    versions = describe_versions(["chatcompat", "uvicorn", "uvloop", "httptools", "msgspec"])
    versions |= {"wrk": wrk_version()} | gateways
    print(headline(machine, versions), table(results), times_ours(results), sep="\n\n")
    for name, why in missing.items():
        print(f"\n{name} is not measured: {why}")
    if options.json:
        whole = {"machine": machine, "versions": versions, "results": results, "rounds": rounds, "missing": missing}
        options.json.write_text(json.dumps(whole, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
