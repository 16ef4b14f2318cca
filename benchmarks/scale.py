"""How the cost grows with the request, and with the number of streams at once.

    python benchmarks/scale.py

In process. Requests of ever more messages, ever more tools and an ever larger image are translated; streams of 100 text
events run through `ChatCompatMiddleware` at once, each going on by one event in its turn, and what the same exchanges
cost with the inner app alone is taken off. Time is the median of rounds in which all sizes take turns, memory the peak
above what there was before, as `tracemalloc` sees it. The slope is that of the line through the upper half of the sizes
with both axes logarithmic: 1 is linear, 2 is quadratic. The floor is what the machine makes of the same sizes without
chatcompat: msgspec that decodes and encodes the request, and the inner app alone. Freed memory is kept
(`core_allocator.py`) unless `--give-back` is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import linear_regression, median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from core_allocator import keep_freed_memory
from core_asgi import exchanges, messages_app
from core_ours import GENERIC
from core_report import describe_machine, describe_versions, headline, markdown, number
from core_works import (
    JSON,
    chat_request,
    make_call,
    make_result,
    make_tool,
    prose,
    small_request,
    text_frames,
    vision_request,
)

from chatcompat import ChatCompatMiddleware, translate

SAMPLE_SECONDS = 0.02
STEEPEST = 1.15  # a slope up to this is called linear: caches and allocators add a little of their own
STREAM_EVENTS = 100

MESSAGES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
TOOLS = (1, 3, 10, 30, 100, 300, 1_000)
IMAGES = tuple(1024 * 8**power for power in range(6))  # 1 KiB to 32 MiB
STREAMS = (1, 3, 10, 30, 100, 300, 1_000, 2_000)


@dataclass(frozen=True)
class Point:
    """One size: the work, and the same without chatcompat."""

    size: int
    run: Callable[[], object]
    floor: Callable[[], object]


@dataclass(frozen=True)
class Series:
    """Work of growing size; `parts` is how many things one size has that are told the cost of."""

    name: str
    part: str
    points: tuple[Point, ...]
    parts: int = 1
    above: bool = False  # what the floor costs is taken off


# ---------------------------------------------------------------- what grows


def messages_body(count: int) -> bytes:
    """A task, then calls and their results, then a question."""
    messages: list[JSON] = [{"role": "user", "content": prose(200, 1)}]
    for index in range((count - 2) // 2):
        call, _ = make_call(index, 100)
        messages.append({"role": "assistant", "content": prose(60, index), "tool_calls": [call]})
        messages.append(make_result(index, 200))
    messages.append({"role": "user", "content": prose(60, 2)})
    return chat_request(messages, tools=[make_tool(index) for index in range(12)])


def tools_body(count: int) -> bytes:
    """A question, and so many tools."""
    return chat_request([{"role": "user", "content": "Hello"}], tools=[make_tool(index) for index in range(count)])


def request_series(name: str, part: str, sizes: Sequence[int], make: Callable[[int], bytes]) -> Series:
    """Requests of growing size."""
    bodies = [(size, make(size)) for size in sizes]
    points = tuple(Point(size, partial(translate, body), partial(GENERIC.request, body)) for size, body in bodies)
    return Series(name, part, points)


def stream_series(sizes: Sequence[int], loop: asyncio.AbstractEventLoop) -> Series:
    """Ever more streams at once."""
    frames, _ = text_frames(STREAM_EVENTS)
    body, _ = small_request(stream=True)
    app = messages_app(frames, in_turn=True)
    wrapped = ChatCompatMiddleware(app)

    def run(app: Any, count: int) -> None:
        loop.run_until_complete(exchanges(app, body, count))

    points = tuple(Point(size, partial(run, wrapped, size), partial(run, app, size)) for size in sizes)
    return Series("concurrent streams", "event", points, STREAM_EVENTS, above=True)


def all_series(loop: asyncio.AbstractEventLoop) -> list[Series]:
    """Everything that is measured."""
    return [
        request_series("messages", "message", MESSAGES, messages_body),
        request_series("tools", "tool", TOOLS, tools_body),
        request_series("image bytes", "byte", IMAGES, lambda size: vision_request(size)[0]),
        stream_series(STREAMS, loop),
    ]


# ---------------------------------------------------------------- how it is measured


def sample(run: Callable[[], object], calls: int) -> float:
    """Seconds of one call."""
    began = perf_counter()
    for _ in range(calls):
        run()
    return (perf_counter() - began) / calls


def times(points: Sequence[Point], rounds: int) -> list[tuple[float, float]]:
    """Seconds of each size and of its floor: the medians of rounds in which all take turns."""
    calls = []
    for point in points:
        point.run()
        point.floor()
        calls.append(max(1, round(SAMPLE_SECONDS / max(sample(point.run, 1), 1e-8))))
    taken: list[list[tuple[float, float]]] = [[] for _ in points]
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for point, some, count in zip(points, taken, calls, strict=True):
            some.append((sample(point.run, count), sample(point.floor, count)))
    gc.unfreeze()
    return [(median(run for run, _ in some), median(floor for _, floor in some)) for some in taken]


def peak(run: Callable[[], object]) -> int:
    """The most memory that a call has at once, above what there was before."""
    run()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = run()  # the result counts: a caller has it
    most = tracemalloc.get_traced_memory()[1] - before
    del kept
    tracemalloc.stop()
    return most


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Of the line through the upper half of the sizes, on logarithmic axes."""
    middle = (math.log(sizes[0]) + math.log(sizes[-1])) / 2
    upper = [(math.log(size), math.log(value)) for size, value in zip(sizes, values, strict=True) if value > 0]
    upper = [pair for pair in upper if pair[0] >= middle - 1e-9]
    return linear_regression(*zip(*upper, strict=True)).slope if len(upper) > 1 else math.nan


def measure(series: Series, rounds: int) -> JSON:
    """A series' points and slopes."""
    sizes = [point.size for point in series.points]
    seconds = times(series.points, rounds)
    spent = [run - floor if series.above else run for run, floor in seconds]
    memory = [peak(point.run) - (peak(point.floor) if series.above else 0) for point in series.points]
    slopes = {"time": slope(sizes, spent), "memory": slope(sizes, memory)}
    return {
        "part": series.part,
        "parts": series.parts,
        "points": [
            {"size": size, "us": time * 1e6, "floor_us": floor * 1e6, "peak_bytes": most}
            for size, time, (_, floor), most in zip(sizes, spent, seconds, memory, strict=True)
        ],
        "slopes": slopes,
        "floor_slope": slope(sizes, [floor for _, floor in seconds]),
        "linear": {name: value <= STEEPEST for name, value in slopes.items()},
    }


# ---------------------------------------------------------------- how it is told


def table(name: str, series: JSON) -> str:
    """A series as a Markdown table with its slopes below."""
    part, parts = series["part"], series["parts"]
    factor, each = (1e3, "ns") if part == "byte" else (1, "µs")
    rows = [
        [
            f"{point['size']:,}",
            number(point["us"] / 1e3),
            number(point["us"] / point["size"] / parts * factor),
            number(point["floor_us"] / point["size"] / parts * factor),
            number(point["peak_bytes"] / 1e3),
            number(point["peak_bytes"] / point["size"]),
        ]
        for point in series["points"]
    ]
    head = [name, "ms", f"{each} per {part}", "the floor's", "peak kB", f"bytes per {'stream' if parts > 1 else part}"]
    verdicts = [
        f"{what} {number(value)}, {'linear' if series['linear'][what] else 'steeper than linear'}"
        for what, value in series["slopes"].items()
    ]
    told = f"Slope of the upper half: {'; '.join(verdicts)}; the floor's time {number(series['floor_slope'])}."
    return f"{markdown(head, rows)}\n\n{told}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--rounds", type=int, default=7, help="how often each size is timed (%(default)s)")
    parser.add_argument("--give-back", action="store_true", help="let the allocator give freed memory back")
    options = parser.parse_args()
    allocator = "the allocator as it is" if options.give_back else keep_freed_memory()
    machine = {**describe_machine(), "allocator": allocator}
    versions = describe_versions(["chatcompat", "msgspec", "anyio", "starlette"])
    print(headline(machine, versions), "\n", flush=True)
    loop = asyncio.new_event_loop()
    results: dict[str, JSON] = {}
    for series in all_series(loop):
        results[series.name] = measure(series, options.rounds)
        print(table(series.name, results[series.name]), flush=True)
    loop.close()
    if options.json:
        got = {"machine": machine, "versions": versions, "rounds": options.rounds, "series": results}
        options.json.write_text(json.dumps(got, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
