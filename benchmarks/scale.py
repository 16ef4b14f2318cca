"""How the cost grows with the request, and with the number of streams at once.

    python benchmarks/scale.py

In process. Requests of more and more messages, more and more tools and a larger and larger image are translated.
Streams of 100 text events run through `ChatCompatMiddleware` at once, one event each in turn, and the cost of the same
exchanges with the inner app alone is subtracted. Time is the median of rounds in which all sizes take turns; memory is
the peak above what there was before. The slope is that of the line through the upper half of the sizes, both axes
logarithmic: 1 is linear, 2 is quadratic. The floor is the same size without chatcompat: msgspec that decodes and
encodes the request, or the inner app alone.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.asgi import exchanges, messages_app
from benchmarks.core.contenders import GENERIC
from benchmarks.report import headline, make_parser, markdown, number
from benchmarks.timing import Run, interleave, keep_freed_memory, peak_memory
from benchmarks.workloads import (
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

STEEPEST = 1.15  # a slope up to this is called linear: caches and allocators add a little of their own
STREAM_EVENTS = 100

MESSAGES = (10, 30, 100, 300, 1_000, 3_000, 10_000)
TOOLS = (1, 3, 10, 30, 100, 300, 1_000)
IMAGES = tuple(1024 * 8**power for power in range(6))  # 1 KiB to 32 MiB
STREAMS = (1, 3, 10, 30, 100, 300, 1_000, 2_000)


@dataclass(frozen=True)
class Series:
    """Work of growing size. Each size has `parts` parts, and the table shows the cost of one."""

    name: str
    part: str
    sizes: Sequence[int]
    run: Callable[[int], Run]
    floor: Callable[[int], Run]
    parts: int = 1
    above: bool = False  # whether the cost of the floor is subtracted


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
    bodies = {size: make(size) for size in sizes}
    return Series(
        name,
        part,
        sizes,
        lambda size: partial(translate, bodies[size]),
        lambda size: partial(GENERIC.request, bodies[size]),
    )


def stream_series(sizes: Sequence[int], loop: asyncio.AbstractEventLoop) -> Series:
    """More and more streams at once."""
    frames, _ = text_frames(STREAM_EVENTS)
    body, _ = small_request(stream=True)
    app = messages_app(frames, in_turn=True)

    def runs(app: Any) -> Callable[[int], Run]:
        return lambda count: lambda: loop.run_until_complete(exchanges(app, body, count))

    wrapped = ChatCompatMiddleware(app)
    return Series("concurrent streams", "event", sizes, runs(wrapped), runs(app), STREAM_EVENTS, above=True)


def all_series(loop: asyncio.AbstractEventLoop) -> list[Series]:
    return [
        request_series("messages", "message", MESSAGES, messages_body),
        request_series("tools", "tool", TOOLS, tools_body),
        request_series("image bytes", "byte", IMAGES, lambda size: vision_request(size)[0]),
        stream_series(STREAMS, loop),
    ]


# ---------------------------------------------------------------- how it is measured


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Of the line through the upper half of the sizes, on logarithmic axes."""
    middle = (math.log(sizes[0]) + math.log(sizes[-1])) / 2
    upper = [(math.log(size), math.log(value)) for size, value in zip(sizes, values, strict=True) if value > 0]
    upper = [pair for pair in upper if pair[0] >= middle - 1e-9]
    return linear_regression(*zip(*upper, strict=True)).slope if len(upper) > 1 else math.nan


def measure(series: Series, rounds: int) -> JSON:
    """Seconds and peak bytes of each size, and seconds of its floor."""
    runs = {(size, False): series.run(size) for size in series.sizes}
    runs |= {(size, True): series.floor(size) for size in series.sizes}
    taken = {key: median(times) for key, times in interleave(runs, rounds).items()}
    peaks = {key: peak_memory(run) for key, run in runs.items() if series.above or not key[1]}
    found: JSON = {"size": series.sizes, "floor": [taken[size, True] for size in series.sizes]}
    found["time"] = [taken[size, False] - series.above * taken[size, True] for size in series.sizes]
    found["memory"] = [peaks[size, False] - (peaks[size, True] if series.above else 0) for size in series.sizes]
    return found | {"slopes": {name: slope(series.sizes, found[name]) for name in ("time", "memory", "floor")}}


def table(series: Series, found: JSON) -> str:
    """A series as a Markdown table, with its slopes below."""
    factor, each = (1e9, "ns") if series.part == "byte" else (1e6, "µs")
    rows = [
        [
            f"{size:,}",
            number(seconds * 1e3),
            number(seconds / size / series.parts * factor),
            number(floor / size / series.parts * factor),
            number(peak / 1e3),
            number(peak / size),
        ]
        for size, seconds, floor, peak in zip(*(found[key] for key in ("size", "time", "floor", "memory")), strict=True)
    ]
    head = [series.name, "ms", f"{each} per {series.part}", "the floor's", "peak kB"]
    head.append(f"bytes per {'stream' if series.parts > 1 else series.part}")
    slopes = found["slopes"]
    verdicts = [
        f"{what} {number(slopes[what])}, {'linear' if slopes[what] <= STEEPEST else 'steeper than linear'}"
        for what in ("time", "memory")
    ]
    below = f"Slope of the upper half: {'; '.join(verdicts)}; the floor's time {number(slopes['floor'])}."
    return f"{markdown(head, rows)}\n\n{below}\n"


def main() -> None:
    options = make_parser(__doc__, rounds=7).parse_args()
    head = headline(["chatcompat", "msgspec", "anyio", "starlette"], keep_freed_memory())
    print(head, end="\n\n", flush=True)
    loop = asyncio.new_event_loop()
    results: dict[str, JSON] = {}
    for series in all_series(loop):
        results[series.name] = measure(series, options.rounds)
        print(table(series, results[series.name]), flush=True)
    loop.close()
    if options.json:
        options.json.write_text(json.dumps({"machine": head, "series": results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
