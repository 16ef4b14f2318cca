"""What translation costs in process, bytes to bytes: chatcompat, its peers, and the floors below all.

    pip install -e '.[bench]' && python benchmarks/core.py

Every contender gets the same bytes and must give bytes. Of the peers only their functions of translation are timed
(`core_peers.py`; those that are not installed are left out), and only where what they give is a translation
(`core_probe.py`). "generic" is msgspec that decodes and encodes the same bytes without knowing what they are; it is the
floor of requests and replies, a copy of the chunks is that of streams. "middleware" is a whole streamed exchange
through `ChatCompatMiddleware` less the same exchange with the inner app alone, for each event. All contenders take
turns within a round, so that noise hits them alike; the median of the rounds is told. The garbage collector stays on;
what was imported is frozen. Freed memory is kept (`core_allocator.py`) unless `--give-back` is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from core_allocator import keep_freed_memory
from core_asgi import driven, messages_app
from core_ours import GENERIC, STDLIB, Contender, Ours, bind, copy_frames
from core_peers import installed_peers
from core_plot import plot
from core_probe import complaint
from core_report import describe_machine, describe_versions, headline, memory_table, speed_table
from core_works import JSON, Work, make_works

from chatcompat import ChatCompatMiddleware

Run = Callable[[], list[bytes]]

SAMPLE_SECONDS = 0.02
FLOORS = {"request": "generic", "reply": "generic", "stream": "copy"}
UNITS = {"request": "request", "reply": "reply", "stream": "event"}
BARE, WRAPPED = "bare app", "middleware"


def runs_of(work: Work, contenders: list[Contender], loop: asyncio.AbstractEventLoop) -> tuple[dict[str, Run], JSON]:
    """What is timed for a work, and why something is not."""
    runs: dict[str, Run] = {}
    refused: dict[str, str] = {}
    for contender in contenders:
        translates = contender not in (GENERIC, STDLIB)
        try:
            run = bind(contender, work)
            why = complaint(work, run()) if translates else None
        except Exception as error:  # whatever a peer raises is a result here
            why = f"raised {error!r}"
        if why is None:
            runs[contender.name] = run
        else:
            refused[contender.name] = why[:200]
    assert Ours.name not in refused, refused[Ours.name]
    if work.kind == "stream":
        runs["copy"] = lambda: copy_frames(work.native)
        app = messages_app(work.native)
        runs[BARE] = driven(app, work.chat, loop)
        runs[WRAPPED] = driven(ChatCompatMiddleware(app), work.chat, loop)
        why = complaint(work, runs[WRAPPED]())
        assert why is None, why
    return runs, refused


def sample(run: Run, calls: int) -> float:
    """Seconds of one call."""
    began = perf_counter()
    for _ in range(calls):
        run()
    return (perf_counter() - began) / calls


def interleaved(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of one call of each, in each round; every round begins with another."""
    calls = {}
    for name, run in runs.items():
        run()
        calls[name] = max(1, round(SAMPLE_SECONDS / max(sample(run, 3), 1e-8)))
    names = list(runs)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            taken[name].append(sample(runs[name], calls[name]))
    return taken


def measure(work: Work, contenders: list[Contender], rounds: int, loop: asyncio.AbstractEventLoop) -> JSON:
    """The results of a work, in microseconds for each of its units."""
    runs, refused = runs_of(work, contenders, loop)
    gc.collect()
    gc.freeze()
    taken = interleaved(runs, rounds)
    gc.unfreeze()
    if BARE in taken:
        bare = taken.pop(BARE)
        taken[WRAPPED] = [wrapped - alone for wrapped, alone in zip(taken[WRAPPED], bare, strict=True)]
    floor, generic = median(taken[FLOORS[work.kind]]), median(taken["generic"])
    results = {}
    for name in sorted(taken, key=lambda name: name not in (Ours.name, WRAPPED)):
        low, middle, high = quantiles(taken[name], n=4, method="inclusive")
        results[name] = {
            "us": middle / work.events * 1e6,
            "quartiles": [low / work.events * 1e6, high / work.events * 1e6],
            "to_floor": middle / floor,
            "to_generic": middle / generic,
        }
    return {
        "unit": UNITS[work.kind],
        "bytes": work.size,
        "floor": FLOORS[work.kind],
        "results": results,
        "left_out": refused,
    }


def peak_memory(work: Work, contenders: list[Contender], loop: asyncio.AbstractEventLoop) -> dict[str, float]:
    """Peak extra memory while a work is done, its result included, in sizes of what goes in."""
    peaks: dict[str, float] = {}
    runs, _ = runs_of(work, contenders, loop)
    for name, run in runs.items():
        run()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        run()
        peaks[name] = (tracemalloc.get_traced_memory()[1] - before) / work.size
        tracemalloc.stop()
    return peaks


def report(works: JSON, memory: dict[str, float], left_out: dict[str, str]) -> str:
    """All results as Markdown."""
    lines = [
        speed_table(works, streams=False),
        "",
        "In brackets: times generic.",
        "",
        speed_table(works, streams=True),
        "",
        "In brackets: times generic, and times a copy of the chunks.",
        "",
        memory_table(memory),
        "",
    ]
    lines += [f"- {name} is left out: {why}" for name, why in left_out.items()]
    lines += [
        f"- {name} is left out of {title}: {why}"
        for title, work in works.items()
        for name, why in work["left_out"].items()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--plot", type=Path, help="draw the results into this SVG file")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured, at least 2 (%(default)s)")
    parser.add_argument("--give-back", action="store_true", help="let the allocator give freed memory back")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("the quartiles take two rounds at least")
    allocator = "the allocator as it is" if options.give_back else keep_freed_memory()
    peers, left_out = installed_peers()
    contenders: list[Contender] = [Ours(), *peers, STDLIB, GENERIC]
    machine = {**describe_machine(), "allocator": allocator}
    versions = describe_versions(one.package for one in contenders if one.package)
    print(headline(machine, versions), "\n")
    loop = asyncio.new_event_loop()
    works: dict[str, Any] = {}
    memory: dict[str, float] = {}
    for work in make_works():
        works[work.name] = measure(work, contenders, options.rounds, loop)
        if work.name == "request vision":
            memory = peak_memory(work, contenders, loop)
    loop.close()
    print(report(works, memory, left_out))
    if options.json:
        got = {"machine": machine, "versions": versions, "rounds": options.rounds, "works": works, "memory": memory}
        options.json.write_text(json.dumps({**got, "left_out": left_out}, indent=1), encoding="utf-8")
    if options.plot:
        options.plot.write_text(plot(works, headline(machine, versions).replace("\n", "; ")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
