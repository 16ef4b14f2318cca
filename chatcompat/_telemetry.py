"""Labels and counts from an `ExchangeRecord`, for metrics and spans."""

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
_MAX_COUNT: Final = 2**53  # samples are floats, which are exact up to here

_INDEX: Final = re.compile(r"\[\d+\]")
_STEP: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(?:\[\])?")
_MAX_STEPS: Final = 6


class BoundedLabels:
    """Labels for the first `limit` distinct texts. Clients choose the texts, so their number needs a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def add(self, text: str) -> str | None:
        """Add a label while there is room. Returns the text if it has a label."""
        if len(self._known) < self._limit:
            self._known.add(text)
        return self.find(text)

    def find(self, text: str) -> str | None:
        """The text if it has a label, or None."""
        return text if text in self._known else None


def label_model(models: BoundedLabels, model: str | None, record: ExchangeRecord) -> str | None:
    """The label of a model, or None. Only a complete reply adds a label, so that invented names take no room."""
    if model is None:
        return None
    name = to_name(model)
    return models.find(name) if record.finish_reason is None else models.add(name)


def to_name(text: str) -> str:
    """An id from a client or the inner app, shortened and without control characters."""
    return "".join(char if char.isprintable() else "_" for char in text[:_MAX_NAME])


def to_place(ignored: str) -> str:
    """The path of an ignored field, without indices, such as `messages[].content[].detail`.

    A step that does not look like a field name becomes `*`, and ends the path.
    """
    steps: list[str] = []
    for step in _INDEX.sub("[]", ignored).split(".", _MAX_STEPS):
        if _STEP.fullmatch(step) is None:
            return ".".join([*steps, "*"])
        steps.append(step)
    return ".".join(steps)


def count(usage: dict[str, Any] | None, *path: str) -> int | None:
    """A number of tokens in a chat usage, such as `count(usage, "prompt_tokens_details", "cached_tokens")`."""
    number = amount(usage, *path)
    return number if isinstance(number, int) else None


def amount(usage: dict[str, Any] | None, *path: str) -> float | None:
    """A number in a chat usage. None unless the value is a finite, non-negative number, at most 2**53."""
    value: Any = usage
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= _MAX_COUNT else None
