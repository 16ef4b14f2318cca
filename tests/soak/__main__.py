"""Many exchanges at once against a real server, for many minutes, some with a fault.

    pip install -e '.[serve]' && python -m tests.soak --streams 1000 --minutes 10

uvicorn (uvloop, httptools) runs in its own process, with the middleware around a messages app that answers by the
nonce of each request (`app.py`). The clients run here, on real sockets (`client.py`). `README.md` lists the faults and
says what must hold. The exit status is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from random import Random
from statistics import median
from typing import IO, Any

import uvloop

from tests.servers.running import stop
from tests.soak.app import STATE_PATH
from tests.soak.client import BROKEN, FAULTS, LEFT, REFUSED, WHOLE, Connection, Exchange, Wrong, choose, run

SAMPLE_EVERY = 5.0
WARM_UP = 60.0
SAMPLES = 12  # a minute, of which the median is taken: what is in flight, and what malloc keeps, goes up and down
MAX_GROWTH = 1.05
DRAIN = 30  # seconds that what clients left may take to end

State = dict[str, Any]


class Soak:
    """The load, what came of it, and what the server held meanwhile."""

    def __init__(self, port: int, options: argparse.Namespace) -> None:
        self._port = port
        self._options = options
        self._seconds = options.minutes * 60
        self.faults = Counter[str]()
        self.expected = Counter[str]()
        self.right = Counter[str]()
        self.wrong: list[str] = []
        self.samples: list[tuple[float, State]] = []
        self.start: State = {}
        self.end: State = {}

    async def run(self) -> None:
        await self.state()
        self.start = await self.state(collect=True)
        began = time.monotonic()
        sampler = asyncio.create_task(self._sample(began))
        async with asyncio.TaskGroup() as clients:
            for number in range(self._options.streams):
                clients.create_task(self._client(number, began + self._seconds))
        await sampler
        for _ in range(DRAIN):
            await asyncio.sleep(1)
            if not (await self.state())["running"]:
                break
        self.end = await self.state(collect=True)

    async def state(self, *, collect: bool = False) -> State:
        connection = await Connection.open(self._port)
        try:
            state: State = json.loads(await connection.get(STATE_PATH + "?collect" * collect))
        finally:
            connection.close()
        return state | {"client_cpu": time.process_time()}

    async def _sample(self, began: float) -> None:
        while (elapsed := time.monotonic() - began) < self._seconds:
            self.samples.append((elapsed, await self.state()))
            await asyncio.sleep(min(SAMPLE_EVERY, max(0.0, began + self._seconds - time.monotonic())))

    async def _client(self, number: int, until: float) -> None:
        rng = Random(f"{self._options.seed}/{number}")
        await asyncio.sleep(rng.uniform(0, self._options.streams / 200))  # all at once is another test
        connection: Connection | None = None
        while time.monotonic() < until:
            exchange = choose(rng, self._options.faults)
            if connection is not None and exchange.large:
                connection.close()
                connection = None
            if connection is None:
                connection = await Connection.open(self._port, slow=exchange.large)
            again = await self._carry_out(exchange, connection)
            if not again or exchange.large:
                connection.close(reset=exchange.fault == "reset")
                connection = None
        if connection is not None:
            connection.close()

    async def _carry_out(self, exchange: Exchange, connection: Connection) -> bool:
        self.faults[exchange.fault] += 1
        self.expected[exchange.expected] += 1
        try:
            again = await run(exchange, connection)
        except Exception as error:
            told = str(error) if isinstance(error, Wrong) else repr(error)
            form = "streamed" if exchange.streamed else "whole"
            self.wrong.append(f"{exchange.fault} ({form}, {exchange.nonce}): {told[:400]}")
            return False
        self.right[exchange.expected] += 1
        return again

    # ------------------------------------------------------------ what it comes to

    @property
    def requests(self) -> int:
        return self.faults.total()

    def at_once(self) -> float:
        """The exchanges that the inner app had at once, without the first and the last samples."""
        return float(median([state["running"] for _, state in self.samples[1:-1]] or [0]))

    def memory(self) -> tuple[float, float]:
        """MiB under load: in the minute after the first (of a short run, its first third), and in the last."""
        warm = min(WARM_UP, self._seconds / 3)
        rss = [state["rss_kib"] / 1024 for at, state in self.samples if at >= warm]
        return median(rss[:SAMPLES]), median(rss[-SAMPLES:])

    def cpu(self, which: str) -> float:
        (began, first), (ended, last) = self.samples[0], self.samples[-1]
        share: float = (last[which] - first[which]) / (ended - began)
        return share


def rows(soak: Soak, noise: list[str]) -> dict[str, Any]:
    start, end = soak.start, soak.end
    warm, late = soak.memory()

    def of(kind: str) -> str:
        return f"{soak.right[kind]:,} of {soak.expected[kind]:,}"

    return {
        "requests": f"{soak.requests:,}",
        "exchanges at once (median)": f"{soak.at_once():,.0f}",
        "faults injected": f"{soak.requests - soak.faults['none']:,}",
        "replies that were whole": of(WHOLE),
        "broken replies that said so": of(BROKEN),
        "garbage that was refused": of(REFUSED),
        "replies that were right until the client left": of(LEFT),
        "wrong outcomes": len(soak.wrong),
        "exceptions in the log that were injected": f"{end['log_injected']:,} of {end['raised']:,}",
        "other errors in the log": end["log_other"] + len(noise),
        "inner exchanges begun, cancelled, still there": f"{end['started']:,}, {end['cancelled']:,}, {end['running']}",
        "inner sends that a slow client held back": f"{end['held_back']:,}",
        "leaked tasks": end["tasks"] - start["tasks"],
        "open files at the start, at the end": f"{start['fds']}, {end['fds']}",
        "memory under load in the second minute": f"{warm:.1f} MiB",
        "memory under load in the last minute": f"{late:.1f} MiB ({late / warm:.3f} of that)",
        "memory idle at the start, at the end": f"{start['rss_kib'] / 1024:.1f}, {end['rss_kib'] / 1024:.1f} MiB",
        "CPU of the server, of the clients": f"{soak.cpu('cpu'):.0%}, {soak.cpu('client_cpu'):.0%} of a core",
    }


def failings(soak: Soak, noise: list[str], *, judge_memory: bool) -> list[str]:
    """What makes the exit status 1."""
    start, end = soak.start, soak.end
    warm, late = soak.memory()
    reasons = {
        "wrong outcomes": bool(soak.wrong),
        "errors in the log": bool(end["log_other"] or noise),
        "injected exceptions that the server did not see": end["log_injected"] != end["raised"],
        "exchanges that still run": end["running"] != 0,
        "leaked tasks": end["tasks"] > start["tasks"],
        "leaked files": end["fds"] > start["fds"],
        "memory that grew": judge_memory and late > warm * MAX_GROWTH,
    }
    return [reason for reason, is_so in reasons.items() if is_so]


def table(values: dict[str, Any], header: str = "| | |\n|---|---|") -> str:
    return "\n".join([header, *(f"| {name} | {value} |" for name, value in values.items())])


def start_server(stderr: IO[bytes]) -> tuple[subprocess.Popen[bytes], int]:
    command = [sys.executable, "-m", "tests.soak.app"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


def soak_server(options: argparse.Namespace) -> tuple[Soak, list[str]]:
    """Run the load; gives what came of it, and what the server wrote besides its log."""
    with tempfile.TemporaryFile() as stderr:
        server, port = start_server(stderr)
        soak = Soak(port, options)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(soak.run())
        finally:
            stop(server, timeout=30)
        stderr.seek(0)
        return soak, stderr.read().decode(errors="replace").splitlines()


def report(soak: Soak, noise: list[str], options: argparse.Namespace) -> int:
    values = rows(soak, noise)
    kinds = {kind: soak.faults[kind] for kind in FAULTS}
    print(f"Python {platform.python_version()}, uvicorn {version('uvicorn')}, ", end="")
    print(f"{options.streams:,} streams for {options.minutes:g} minutes, seed {options.seed}\n")
    print(f"{table(values)}\n\n{table(kinds, '| fault | times |' + chr(10) + '|---|---|')}")
    for title, lines in {"wrong": soak.wrong, "log": soak.end["log_first"], "stderr": noise}.items():
        for line in lines[:20]:
            print(f"{title}: {line}")
    # A short run ends before what is allocated once has been.
    failed = failings(soak, noise, judge_memory=options.minutes >= 3)
    print(f"\n{'wrong: ' + ', '.join(failed) if failed else 'nothing is wrong'}")
    if options.json:
        told = {"rows": values, "faults": kinds, "wrong": soak.wrong, "failed": failed, "samples": soak.samples}
        options.json.write_text(json.dumps(told | {"start": soak.start, "end": soak.end}, indent=1), encoding="utf-8")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000, help="how many exchanges there are at once")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long new ones begin")
    parser.add_argument("--faults", type=float, default=0.3, help="the share of exchanges with a fault")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other requests")
    parser.add_argument("--json", type=Path, help="write the results and all samples to this file")
    options = parser.parse_args()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # the server inherits it
    soak, noise = soak_server(options)
    return report(soak, noise, options)


if __name__ == "__main__":
    sys.exit(main())
