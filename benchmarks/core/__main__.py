"""What translation costs in process, bytes to bytes: chatcompat, its peers, and the floors.

    pip install --group bench -e '.[serve]' && python benchmarks/core

Every contender gets the same bytes and must give bytes. A peer that is not installed is left out, and so is a peer
whose output is no translation. "generic" is msgspec decoding and encoding the same bytes without knowing what they
are. It is the floor of requests and replies; a copy of the chunks is the floor of streams. "middleware" is a whole
streamed exchange through `ChatCompatMiddleware`, minus the same exchange with the inner app alone. The tables show the
medians of rounds in which all contenders take turns. `--only` chooses workloads by their names.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.asgi import driven, messages_app
from benchmarks.core.contenders import FLOORS, Contender, Ours, bind, copy_chunks
from benchmarks.core.tables import Measured, report
from benchmarks.peers import installed_peers
from benchmarks.report import headline, make_parser
from benchmarks.timing import interleave, keep_freed_memory, peak_memory
from benchmarks.validity import complaint
from benchmarks.workloads import Workload, make_workloads
from chatcompat import ChatCompatMiddleware

Runs = dict[str, Callable[[], list[bytes]]]
Reasons = dict[str, str]
BARE, WRAPPED = "bare app", "middleware"


def runs_of(workload: Workload, contenders: list[Contender], loop: asyncio.AbstractEventLoop) -> tuple[Runs, Reasons]:
    """What is timed for a workload, and why a contender is left out."""
    runs: Runs = {}
    left_out: Reasons = {}
    for contender in contenders:
        try:
            run = bind(contender, workload)
            why = None if contender in FLOORS else complaint(workload, run())
        except Exception as error:  # any exception of a peer is a result
            why = f"raised {error!r}"
        if why is None:
            runs[contender.name] = run
        else:
            left_out[contender.name] = why[:200]
    if workload.kind == "stream":
        app = messages_app(workload.native)
        runs["copy"] = lambda: copy_chunks(workload.native)
        runs[BARE] = driven(app, workload.chat, loop)
        runs[WRAPPED] = driven(ChatCompatMiddleware(app), workload.chat, loop)
        why = complaint(workload, runs[WRAPPED]())
        assert why is None, why
    assert Ours.name in runs, left_out
    return runs, left_out


def measure(workload: Workload, runs: Runs, left_out: Reasons, rounds: int) -> Measured:
    """Time a workload, in microseconds for each of its units."""
    taken = interleave(runs, rounds)
    if bare := taken.pop(BARE, None):
        taken[WRAPPED] = [wrapped - alone for wrapped, alone in zip(taken[WRAPPED], bare, strict=True)]
    order = sorted(taken, key=lambda name: name not in (Ours.name, WRAPPED))
    times = {name: [seconds / workload.events * 1e6 for seconds in taken[name]] for name in order}
    return Measured(workload, times, left_out)


def main() -> None:
    parser = make_parser(__doc__, rounds=15)
    parser.add_argument("--plot", type=Path, help="draw the results into this file, for example an SVG")
    parser.add_argument("--only", default="*", help="a pattern of workloads' names, for example 'request *'")
    options = parser.parse_args()
    allocator = keep_freed_memory()
    peers, missing = installed_peers()
    contenders: list[Contender] = [Ours(), *peers, *FLOORS]
    head = headline([one.package for one in contenders if one.package], allocator)
    print(head, end="\n\n", flush=True)
    loop = asyncio.new_event_loop()
    results: list[Measured] = []
    memory: dict[str, float] = {}
    for workload in make_workloads():
        if not fnmatch(workload.name, options.only):
            continue
        runs, left_out = runs_of(workload, contenders, loop)
        results.append(measure(workload, runs, left_out, options.rounds))
        if workload.name == "request vision":
            memory = {name: peak_memory(run) / workload.size for name, run in runs.items()}
    loop.close()
    print(report(results, memory, missing))
    if options.json:
        rows = {one.workload.name: {"rounds": one.rounds, "left_out": one.left_out} for one in results}
        whole = {"machine": head, "results": rows, "memory": memory, "left_out": missing}
        options.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    if options.plot:
        from benchmarks.core.chart import draw

        draw(results, head, options.plot)


if __name__ == "__main__":
    main()
