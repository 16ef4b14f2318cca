"""What the worst input costs: every place of a request, a reply and a stream grown, beside msgspec alone.

    python benchmarks/worst_case.py

The shapes are those of `tests/cost`: documents made by a walk along the struct types, with each list, string, map and
nesting grown alone and in pairs, each field in each of many messages, and known ones by hand. Each goes through the
package in each of its ways (a preset, a form of reply, a cut of the stream). CPU time is the least of several runs at
four sizes, a factor of four apart; memory is the peak that `tracemalloc` sees at one of them. Both stand beside
"generic": msgspec that decodes and encodes the same bytes without knowing what they are, the arguments of calls too;
for a whole exchange, and the inner app alone. The slope is that of the two largest sizes with both axes logarithmic: 1
is linear, 2 is quadratic.

It fails (status 1) above a slope of 1.3, or 0.15 more than generic's own, where the time is more than 5 ms; above 8
times generic's time, or 5 ms where that is more; above 2 times generic's memory and a quarter MiB; where the inner body
is larger than the request by more than 2 kB for each message, the option `growth` for each tool and 24 bytes for each
image and file; and where anything but a refusal is raised. A row that fails is measured again at the end.
"""

from __future__ import annotations

import gc
import json
import math
import signal
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.report import headline, make_parser, markdown, number
from benchmarks.timing import keep_freed_memory
from chatcompat.request.bounds import DEFAULT_BOUNDS
from chatcompat.wire.chat_request import ChatCompletionRequest
from tests.cost.completed import completed, most_bytes
from tests.cost.replies import REPLIES, STREAMS, generated_replies, generated_streams
from tests.cost.requests import known_shapes
from tests.cost.shapes import Place, pairs, places
from tests.cost.turns import turns
from tests.cost.ways import REPLY_WAYS, REQUEST_WAYS, STREAM_WAYS, Pieces, Run, Sent, Way, events_of, few, write

KIB = 1024
MIB = 1024 * KIB
STEP = 4
SIZES = 4
STEEPEST = 1.3
FLOOR = 0.005  # seconds that any input may cost, and below which a slope is noise
TIMES = 8
MEMORY_TIMES = 2
MEMORY_FLOOR = 256 * KIB
PATIENCE = 10.0  # seconds of one run
ENOUGH = 0.3  # a run above this and the budget is the last of its shape
GENERATED, PAIRED = MIB, 128 * KIB
MEMORY_SIZE = 256 * KIB
LARGEST_STEP = 16 * MIB
TOO_LONG = "too long"
OF_REQUESTS = ("request", "generated request", "turns", "pair")


class TooLong(BaseException):
    """A run took more than there is patience for; no handler of the package catches it."""


@dataclass(frozen=True)
class Case:
    """A shape, its ways, and how large it gets."""

    group: str
    name: str
    make: Callable[[int], Pieces]
    ways: dict[str, Way]
    largest: int


@dataclass
class Row:
    """What one shape cost in one way."""

    group: str
    name: str
    way: str
    size: int
    seconds: float
    generic: float
    slope: float = math.nan
    peak: int = 0
    generic_peak: int = 0
    made: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def times(self) -> float:
        """How many times the budget's measure."""
        return self.seconds / max(self.generic, FLOOR / TIMES)


# ---------------------------------------------------------------- what is measured


def cases() -> Iterator[Case]:
    """All shapes."""
    for shape, largest in known_shapes():
        yield Case("request", shape.name, _one(shape.make), REQUEST_WAYS, largest)
    for name, (reply, largest) in REPLIES.items():
        yield Case("reply", name, _one(reply), REPLY_WAYS, largest)
    for name, (stream, largest) in STREAMS.items():
        yield Case("stream", name, stream, STREAM_WAYS, largest)
    found = [Place(place.name, completed(place.document), place.fills) for place in places(ChatCompletionRequest)]
    for place in found:
        for shape in place.shapes():
            yield Case("generated request", shape.name, _one(shape.make), few(REQUEST_WAYS), GENERATED)
    for shape in turns(found):
        yield Case("turns", shape.name, _one(shape.make), few(REQUEST_WAYS), GENERATED // 4)
    for name, reply in generated_replies():
        yield Case("generated reply", name, _one(reply), few(REPLY_WAYS), GENERATED)
    for name, stream in generated_streams():
        yield Case("generated stream", name, stream, few(STREAM_WAYS), GENERATED // 4)
    for shape in pairs(found):
        yield Case("pair", shape.name, _one(shape.make), {"native": REQUEST_WAYS["native"]}, PAIRED)


def _one(make: Callable[[int], bytes]) -> Callable[[int], Pieces]:
    return lambda size: [make(size)]


# ---------------------------------------------------------------- how it is measured


def timed(run: Callable[[list[Any]], int], pieces: list[Any]) -> tuple[float, int]:
    """CPU seconds of one run, and how many bytes it made; raises `TooLong`.

    The timer is of wall time, and looks at the CPU time: one of CPU time would make that clock a coarse one.
    """
    began = process_time()

    def look(signum: int, frame: object) -> None:
        if process_time() - began > PATIENCE:
            raise TooLong

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE, 1)
    try:
        made = run(pieces)
        return process_time() - began, made
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def steepest(floor: list[float]) -> float:
    """The slope that is allowed: caches make large dicts dearer, for msgspec alone too."""
    own = slope(floor)
    return STEEPEST if math.isnan(own) else max(STEEPEST, own + 0.15)


def fails(seconds: list[float], floor: list[float]) -> bool:
    """Whether a time is above its budget, or the slope too steep."""
    return slope(seconds) > steepest(floor) or any(
        took > max(FLOOR, TIMES * alone) for took, alone in zip(seconds, floor, strict=False)
    )


def peak(run: Callable[[list[Any]], int], pieces: list[Any]) -> int:
    """The most memory that a run has at once."""
    gc.collect()
    tracemalloc.start()
    try:
        timed(run, pieces)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measure(case: Case, rounds: int) -> Iterator[Row]:
    """Each way of a shape, until it takes too long in one. Only what fails is run again: it may be noise."""
    sizes = [case.largest // STEP**power for power in reversed(range(SIZES))]
    documents = [case.make(size) for size in sizes]
    floors: dict[Run, Floor] = {}
    for name, way in case.ways.items():
        if way.floor not in floors:
            floors[way.floor] = Floor(way.floor, sizes, documents)
        floor = floors[way.floor]
        row = measure_way(case, name, way.run, floor if way.sent is None else floor.with_sent(way.sent), rounds)
        yield row
        if TOO_LONG in row.faults:
            return


class Floor:
    """What the sizes of a shape cost without the package."""

    def __init__(self, run: Run, sizes: list[int], documents: list[Pieces]) -> None:
        self.run = run
        self.sizes = sizes
        self.documents = documents
        self.seconds = [min(timed(run, pieces)[0] for _ in range(2)) for pieces in documents]
        self.for_memory = max(index for index, size in enumerate(sizes) if index == 0 or size <= MEMORY_SIZE)
        # What msgspec refuses it does not keep; to read a text and to write it takes its size twice.
        self.peak = max(peak(run, documents[self.for_memory]), 2 * sum(map(len, documents[self.for_memory])))

    def with_sent(self, sent: Sent) -> Floor:
        """The same, and what it costs to write the events that are sent, which exist already."""
        floor = copy(self)
        replies = [sent(pieces) for pieces in self.documents]
        events = [*map(events_of, replies)]
        written = [min(timed(write, each)[0] for _ in range(2)) for each in events]
        floor.seconds = [alone + writing for alone, writing in zip(self.seconds, written, strict=True)]
        floor.peak = self.peak + max(peak(write, events[self.for_memory]), len(replies[self.for_memory]))
        return floor


def measure_way(case: Case, name: str, run: Run, floor: Floor, rounds: int) -> Row:
    row = Row(case.group, case.name, name, floor.sizes[0], 0.0, floor.seconds[0])
    seconds: list[float] = []
    try:
        for pieces, alone in zip(floor.documents, floor.seconds, strict=True):
            took, row.made = timed(run, pieces)
            seconds.append(took)
            check_size(row, pieces)
            if took > ENOUGH and took > TIMES * alone:
                break
        for _ in range(rounds):
            if not fails(seconds, floor.seconds) or sum(seconds) > 4 * ENOUGH:
                break
            again = [timed(run, pieces)[0] for pieces, _ in zip(floor.documents, seconds, strict=False)]
            seconds = [min(pair) for pair in zip(seconds, again, strict=True)]
        if len(seconds) == SIZES and (case.group != "pair" or max(seconds) > FLOOR):
            row.peak, row.generic_peak = peak(run, floor.documents[floor.for_memory]), floor.peak
    except TooLong:
        seconds.append(PATIENCE)
        row.faults.append(TOO_LONG)
    except Exception as error:
        row.faults.append(f"raises {type(error).__name__}")
    if seconds:
        row.seconds, row.generic, row.size = max(zip(seconds, floor.seconds, floor.sizes, strict=False), key=_budgets)
    row.slope, allowed = slope(seconds), steepest(floor.seconds)
    if row.slope > allowed and len(seconds) == SIZES and floor.sizes[-1] * STEP <= LARGEST_STEP:
        row.slope, allowed = next_step(case, run, floor, seconds[-1])
    judge(row, allowed)
    return row


def next_step(case: Case, run: Run, floor: Floor, seconds: float) -> tuple[float, float]:
    """The slope up to a size that is larger by one step, and the one that is allowed.

    Where the work leaves the processor's caches, or the garbage collector begins to run, the time makes a step. What
    grows by more than the input goes on to do so.
    """
    pieces = case.make(floor.sizes[-1] * STEP)
    try:
        took, alone = (min(timed(each, pieces)[0] for _ in range(3)) for each in (run, floor.run))
    except TooLong:
        return math.inf, STEEPEST
    return slope([seconds, took]), steepest([floor.seconds[-1], alone])


def _budgets(measured: tuple[float, float, int]) -> float:
    return measured[0] / max(measured[1], FLOOR / TIMES)


def slope(seconds: list[float]) -> float:
    """Of the two largest sizes, where the time is more than noise."""
    if len(seconds) < 2 or seconds[-1] <= FLOOR or seconds[-2] <= 0:
        return math.nan
    return math.log(seconds[-1] / seconds[-2]) / math.log(STEP)


def check_size(row: Row, pieces: Pieces) -> None:
    """The inner body against the one that came."""
    if row.group in OF_REQUESTS and row.made > most_bytes(pieces[0], DEFAULT_BOUNDS.growth):
        fault = f"a body of {row.made / len(pieces[0]):.1f} times the size"
        row.faults = [fault]


def judge(row: Row, allowed: float) -> None:
    """What does not hold."""
    if row.slope > allowed:
        row.faults.append(f"slope {row.slope:.2f}")
    if row.seconds > max(FLOOR, TIMES * row.generic):
        row.faults.append(f"time {row.seconds / max(row.generic, 1e-9):.1f}x")
    if row.peak > MEMORY_TIMES * row.generic_peak + MEMORY_FLOOR:
        row.faults.append(f"memory {row.peak / max(row.generic_peak, 1):.1f}x")


# ---------------------------------------------------------------- how it is told


def table(rows: list[Row]) -> str:
    head = ["input", "way", "kB", "ms", "generic ms", "times", "slope", "peak kB", "generic kB", "what does not hold"]
    return markdown(
        head,
        [
            [
                f"{row.group}: {row.name}",
                row.way,
                f"{row.size / 1000:,.0f}",
                number(row.seconds * 1e3),
                number(row.generic * 1e3),
                number(row.seconds / max(row.generic, 1e-9)),
                "-" if math.isnan(row.slope) else f"{row.slope:.2f}",
                f"{row.peak / 1000:,.0f}",
                f"{row.generic_peak / 1000:,.0f}",
                ", ".join(row.faults) or "-",
            ]
            for row in rows
        ],
    )


def tell(row: Row) -> None:
    """Print a row that fails, at once."""
    told = f"{row.group}: {row.name} | {row.way} | {row.size / 1000:,.0f} kB"
    print(f"{told} | {row.seconds * 1e3:,.0f} ms | {', '.join(row.faults)}", file=sys.stderr, flush=True)


def main() -> int:
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--only", default="*", help="run only these shapes: `request: calls*`, `pair: *`")
    options = parser.parse_args()
    machine = headline(["chatcompat", "msgspec"], keep_freed_memory())
    print(machine, "\n", flush=True)
    rows: list[Row] = []
    suspects: list[Case] = []
    gc.collect()
    gc.freeze()  # so that a collection within a run looks at what the run made
    for case in cases():
        if fnmatch(f"{case.group}: {case.name}", options.only):
            for row in measure(case, options.rounds):
                if row.faults:
                    tell(row)
                    suspects.append(replace(case, ways={row.way: case.ways[row.way]}))
                else:
                    rows.append(row)
    print(f"{len(suspects):,} rows are measured again.", file=sys.stderr, flush=True)
    for case in suspects:  # later, since a shared machine can be slow for a while
        for row in measure(case, 3 * options.rounds):
            rows.append(row)
            if row.faults:
                tell(row)
    worst = sorted(rows, key=lambda row: (bool(row.faults), row.times), reverse=True)[:10]
    failed = sum(bool(row.faults) for row in rows)
    print(table(worst), f"\n\n{len(rows):,} rows, of which {failed:,} are above slope or budget.", flush=True)
    if options.json:
        results = {"machine": machine, "rows": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(results), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
