"""The results as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from benchmarks.report import markdown, number
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Measured:
    """The results of a workload: microseconds of each contender in each round, and why others are left out."""

    workload: Workload
    rounds: dict[str, list[float]]
    left_out: dict[str, str]

    @property
    def streams(self) -> bool:
        return self.workload.kind == "stream"

    @cached_property
    def medians(self) -> dict[str, float]:
        return {name: median(times) for name, times in self.rounds.items()}


def columns(results: Sequence[Measured]) -> list[str]:
    """Every contender with a result, in the order of the workload that has most."""
    longest = max(results, key=lambda one: len(one.rounds))
    return list(dict.fromkeys([*longest.rounds, *(name for one in results for name in one.rounds)]))


def speed_table(results: Sequence[Measured], *, streams: bool) -> str:
    """Microseconds of each contender, and in brackets times the floors."""
    shown = [one for one in results if one.streams == streams and not one.workload.turns]
    if not shown:
        return ""
    names, floors = columns(shown), ["generic", "copy"] if streams else ["generic"]
    rows = []
    for one in shown:
        cells = [f"{one.workload.name}, {number(one.workload.size / 1000)} kB"]
        for name in names:
            us = one.medians.get(name)
            times = [f"{number(us / one.medians[floor])}x" for floor in floors] if us is not None else []
            cells.append("-" if us is None else f"{number(us)} ({', '.join(times)})")
        rows.append(cells)
    return markdown(["µs per event" if streams else "µs", *names], rows)


def session_table(results: Sequence[Measured]) -> str:
    """Microseconds of a turn of a session, and in brackets times chatcompat and times generic."""
    one = next((one for one in results if one.workload.turns), None)
    if one is None:
        return ""
    us, names = one.medians, columns([one])
    rows = [
        [f"{one.workload.name}, {number(one.workload.size / 1000)} kB", *(number(us[name]) for name in names)],
        ["times chatcompat", *(f"{number(us[name] / us['chatcompat'])}x" for name in names)],
        ["times generic", *(f"{number(us[name] / us['generic'])}x" for name in names)],
    ]
    return markdown(["µs a turn", *names], rows)


def report(results: Sequence[Measured], memory: dict[str, float], missing: dict[str, str]) -> str:
    """All tables, and what is left out of them."""
    peaks = ["request vision", *(f"{number(peak)}x" for peak in memory.values())]
    left_out = {f"{name} is left out": why for name, why in missing.items()}
    for one in results:
        left_out |= {f"{name} is left out of {one.workload.name}": why for name, why in one.left_out.items()}
    return "\n\n".join(
        [
            speed_table(results, streams=False),
            "In brackets: times generic.",
            speed_table(results, streams=True),
            "In brackets: times generic, and times a copy of the chunks.",
            session_table(results),
            markdown(["peak memory", *memory], [peaks]),
            "\n".join(f"- {what}: {why}" for what, why in left_out.items()),
        ]
    )
