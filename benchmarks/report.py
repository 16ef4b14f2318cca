"""Shared by all benchmarks: options, a description of the machine, and Markdown tables."""

from __future__ import annotations

import argparse
import math
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


def make_parser(doc: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help="how many times each is measured (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    return parser


def headline(packages: Iterable[str], *more: str) -> str:
    """One paragraph: Python, the machine, the versions of the installed packages, and what else matters."""
    facts = [f"{platform.python_implementation()} {platform.python_version()}", _cpu(), f"{os.cpu_count()} cores"]
    facts.append(platform.system())
    for package in packages:
        try:
            facts.append(f"{package} {version(package)}{' (compiled)' * (package == 'chatcompat' and _is_compiled())}")
        except PackageNotFoundError:
            continue
    return ", ".join([*facts, *more])


def _is_compiled() -> bool:
    """Whether chatcompat's modules are compiled, see docs/speed.md."""
    found = find_spec("chatcompat.asgi.exchange")
    return found is not None and not str(found.origin).endswith(".py")


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):,.{digits}f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are numbers."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
