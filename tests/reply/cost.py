"""What an object builds, step by step: sizes and not times, so that a test of it is exact."""

import gc
import types
from collections.abc import Iterable, Iterator
from typing import Any

_CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_SIZED = (str, bytes, bytearray, list, dict)


def built(holder: Any, steps: Iterable[Any]) -> int:
    """Characters, bytes and entries of all that `holder` came to hold, summed over the steps.

    What grows in place counts by its growth, and what is built anew by its whole size: a text that each step copies
    into a longer one makes the sum a square.
    """
    seen: dict[int, tuple[Any, int]] = {}  # the object stays alive, so that its id stays its own
    total = 0
    for _ in steps:
        for part in _parts(holder):
            before = seen[id(part)][1] if id(part) in seen else 0
            total += max(0, len(part) - before)
            seen[id(part)] = (part, len(part))
    return total


def _parts(holder: Any) -> Iterator[Any]:
    """Every string and collection that can be reached."""
    waiting, found = [holder], {id(holder)}
    while waiting:
        part = waiting.pop()
        if isinstance(part, _SIZED):
            yield part
        for inner in gc.get_referents(part):
            if id(inner) not in found and not isinstance(inner, _CODE):
                found.add(id(inner))
                waiting.append(inner)
