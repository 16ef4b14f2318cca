"""The work of a run in exact counts, the same on every machine.

Counted are the lines of the package that run, all calls of C functions, and the length of every new string, bytes, list
and dict that a name of the package gets or that stands in one: a text that is cut or joined anew for each of many items
shows, although it is one line. What C code does within one call does not: `benchmarks/worst_case.py` times that.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from msgspec import Raw

import chatcompat

PACKAGE: Final = str(Path(chatcompat.__file__).parent)
_SIZED: Final = frozenset({str, bytes, bytearray, list, dict, tuple, set})
_MOST_VALUES: Final = 20  # of a dict or an object, so that looking does not cost more than the work


class _Counter:
    def __init__(self) -> None:
        self.work = 0
        self._seen: dict[int, Any] = {}  # kept, so that no id is given again

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call":
            self.work += 1

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._trace_lines if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _trace_lines(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.work += 1
        for value in frame.f_locals.values():
            if type(value) in _SIZED:
                self._see(value, len(value))
            elif type(value) is Raw:
                self._see(value, len(memoryview(value)))
            if event == "return":
                self._see_within(value)
        return self._trace_lines

    def _see(self, value: Any, size: int) -> None:
        if id(value) not in self._seen:
            self._seen[id(value)] = value
            self.work += size

    def _see_within(self, value: Any) -> None:
        if type(value) is dict and len(value) <= _MOST_VALUES:
            within = [*value.values()]
        elif type(value).__module__.startswith("chatcompat") and not isinstance(value, type):
            names = vars(value) if hasattr(value, "__dict__") else getattr(type(value), "__slots__", ())
            within = [getattr(value, name, None) for name in names]
        else:
            return
        for inner in within:
            if type(inner) in (str, bytes):
                self._see(inner, len(inner))


def work_of(run: Callable[[], object]) -> int:
    """How much is done in one run."""
    counter = _Counter()
    tracing, profiling = sys.gettrace(), sys.getprofile()
    sys.setprofile(counter.profile)
    sys.settrace(counter.trace)
    try:
        run()
    finally:
        sys.settrace(tracing)
        sys.setprofile(profiling)
    return counter.work
