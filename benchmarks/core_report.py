"""The results of the speed benchmarks as Markdown and as JSON, with the machine that they are of."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

JSON = dict[str, Any]


def describe_machine() -> JSON:
    """Where this runs."""
    return {
        "platform": platform.system(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _cpu_model() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that are installed."""
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def headline(machine: JSON, versions: dict[str, str]) -> str:
    """One paragraph on the machine and the versions."""
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['platform']}, {machine['allocator']}"
    return f"{machine['python']}, {where}\n{packages}"


def number(value: float) -> str:
    """A number with three significant digits, and no exponent."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def columns(works: JSON) -> list[str]:
    """Every contender that gave a result, in the order of the work that has most."""
    most = max(works.values(), key=lambda work: len(work["results"]))
    return list(dict.fromkeys([*most["results"], *(name for work in works.values() for name in work["results"])]))


def speed_table(works: JSON, *, streams: bool) -> str:
    """Microseconds of each contender for each work, and how many times the floors that is."""
    some = {title: work for title, work in works.items() if (work["unit"] == "event") == streams}
    names = columns(some)
    rows = []
    for title, work in some.items():
        cells = [f"{title}, {number(work['bytes'] / 1000)} kB"]
        for name in names:
            result = work["results"].get(name)
            if result is None:
                cells.append("-")
                continue
            ratios = [result["to_generic"], result["to_floor"]] if streams else [result["to_floor"]]
            cells.append(f"{number(result['us'])} ({', '.join(f'{number(ratio)}x' for ratio in ratios)})")
        rows.append(cells)
    return markdown(["µs per event" if streams else "µs", *names], rows)


def memory_table(memory: dict[str, float]) -> str:
    """Peak extra memory of the vision request, in bodies."""
    return markdown(["peak memory", *memory], [["request vision", *(f"{number(value)}x" for value in memory.values())]])
