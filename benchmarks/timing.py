"""How time and memory are measured in process."""

from __future__ import annotations

import ctypes
import gc
import platform
import tracemalloc
from collections.abc import Callable, Mapping
from time import process_time
from typing import TypeVar

Key = TypeVar("Key")
Run = Callable[[], object]

SAMPLE_SECONDS = 0.02
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def sample(run: Run, calls: int) -> float:
    """CPU seconds a call."""
    began = process_time()
    for _ in range(calls):
        run()
    return (process_time() - began) / calls


def interleave(runs: Mapping[Key, Run], rounds: int) -> dict[Key, list[float]]:
    """CPU seconds a call of each run, one value a round.

    All runs take turns within a round, so that noise hits them alike, and each round starts with another run. The
    garbage collector stays on; what exists before is frozen.
    """
    gc.collect()
    gc.freeze()
    calls = {}
    for key, run in runs.items():
        run()
        calls[key] = max(1, round(SAMPLE_SECONDS / max(sample(run, 3), 1e-8)))
    keys, taken = list(runs), {key: list[float]() for key in runs}
    for turn in range(rounds):
        start = turn % len(keys)
        for key in keys[start:] + keys[:start]:
            taken[key].append(sample(runs[key], calls[key]))
    gc.unfreeze()
    return taken


def peak_memory(run: Run) -> int:
    """Peak bytes above what there was before, with the result of the run."""
    run()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    run()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak


def keep_freed_memory() -> str:
    """Keep the C library from giving freed memory back, and say whether it does.

    Whether glibc gives back a block of 100 kB and more depends on what the process did before, and to take it again can
    cost more than the work itself: the same work would run at one of two speeds by chance. Only glibc can be told.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt, largest = ctypes.CDLL(None).mallopt, (1 << 31) - 1
        if mallopt(M_TRIM_THRESHOLD, largest) and mallopt(M_MMAP_THRESHOLD, largest):
            return "freed memory is kept"
    return "the allocator's defaults"
