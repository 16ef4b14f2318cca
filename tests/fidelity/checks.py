"""The checks of the side by side: each is an operation, a path into the outcome and a value."""

from __future__ import annotations

import json
import re
from typing import Any

MISSING: Any = object()
_STEP = re.compile(r"\[(\*|\d+|\d+:)\]|\.?([^.\[]+)")


def find(value: Any, path: str) -> Any:
    """What stands at a path as `messages[1].content[*].type`; `MISSING` where there is nothing."""
    for index, name in _STEP.findall(path):
        if value is MISSING:
            return MISSING
        if index == "*":
            rest = path.partition("[*]")[2]
            return [None if (found := find(item, rest)) is MISSING else found for item in value or ()]
        if index.endswith(":"):
            value = (value or [])[int(index[:-1]) :]
        elif index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else MISSING
        else:
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
    return value


def holds(check: tuple[Any, ...], outcome: Any) -> bool:
    """Whether a check holds of an outcome; None is a refusal."""
    operation, *arguments = check
    if operation == "refused":
        return outcome is None
    if outcome is None:
        return False
    if operation == "error":
        return bool(outcome["error"])
    if operation == "not_whole":
        return bool(outcome["error"]) or outcome["finish_reason"] is None
    return bool(_COMPARISONS[operation](find(outcome, arguments[0]), *arguments[1:], outcome))


def _is(found: Any, wanted: Any, _: Any) -> bool:
    return bool((None if found is MISSING else found) == wanted)


def _text(found: Any) -> str:
    return "" if found is MISSING else json.dumps(found, ensure_ascii=False)


def _is_json(found: Any, wanted: Any, _: Any) -> bool:
    try:
        return bool(json.loads(found) == wanted)
    except (TypeError, ValueError):
        return False


def _is_distinct(found: Any, _: Any) -> bool:
    return isinstance(found, list) and len(found) > 1 and len(set(map(str, found))) == len(found)


def _is_number_below(found: Any, other: str, outcome: Any) -> bool:
    return isinstance(found, int) and found < find(outcome, other)


_COMPARISONS: dict[str, Any] = {
    "is": _is,
    "either": lambda found, wanted, _: (None if found is MISSING else found) in wanted,
    "has": lambda found, wanted, _: wanted in _text(found),
    "lacks": lambda found, wanted, _: wanted not in _text(found),
    "absent": lambda found, _: found is MISSING or found is None,
    "matches": lambda found, wanted, _: re.fullmatch(wanted, str(found)) is not None,
    "same": lambda found, other, outcome: found is not MISSING and found == find(outcome, other),
    "distinct": _is_distinct,
    "keys": lambda found, wanted, _: isinstance(found, dict) and sorted(found) == wanted,
    "below": _is_number_below,
    "json": _is_json,
}
