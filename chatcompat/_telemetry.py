"""What metrics and spans take from an `ExchangeRecord`: labels of a bounded number, and counts."""

import re
from typing import Any, Final

from chatcompat.record import ExchangeRecord

# Seconds. Boundaries of gen_ai.server.request.duration and gen_ai.server.time_to_first_token
# (https://github.com/open-telemetry/semantic-conventions/blob/v1.41.1/docs/gen-ai/gen-ai-metrics.md).
DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_BUCKETS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)

_MAX_NAME: Final = 100
_MAX_COUNT: Final = 2**53  # exact as a float, which is what a sample is

_INDEX: Final = re.compile(r"\[\d+\]")
_STEP: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(?:\[\])?")
_MAX_STEPS: Final = 6


class BoundedLabels:
    """The first `limit` distinct texts; a client makes the texts, so later ones get no label of their own."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def add(self, text: str) -> str | None:
        """The text if it has, or now gets, a label."""
        if len(self._known) < self._limit:
            self._known.add(text)
        return self.find(text)

    def find(self, text: str) -> str | None:
        """The text if it has a label."""
        return text if text in self._known else None


def label_model(models: BoundedLabels, model: str | None, record: ExchangeRecord) -> str | None:
    """The label of a model: one that never gave a whole reply has none, so that made-up names take no room."""
    if model is None:
        return None
    name = to_name(model)
    return models.find(name) if record.finish_reason is None else models.add(name)


def to_name(text: str) -> str:
    """An id that another side made: bounded, and without control characters."""
    return "".join(char if char.isprintable() else "_" for char in text[:_MAX_NAME])


def to_place(ignored: str) -> str:
    """The place of an ignored field, without indices: `messages[].content[].detail`.

    A field that a client made up is `*` unless it looks like the name of a field.
    """
    steps: list[str] = []
    for step in _INDEX.sub("[]", ignored).split(".", _MAX_STEPS):
        if _STEP.fullmatch(step) is None:
            return ".".join([*steps, "*"])
        steps.append(step)
    return ".".join(steps)


def count(usage: dict[str, Any] | None, *path: str) -> int | None:
    """A count of tokens in a chat usage: `count(usage, "prompt_tokens_details", "cached_tokens")`."""
    found = amount(usage, *path)
    return found if isinstance(found, int) else None


def amount(usage: dict[str, Any] | None, *path: str) -> float | None:
    """A number in a chat usage; None for what is none that can be added up. Native fields come as they were sent."""
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= _MAX_COUNT else None
