"""The request header `x-simulate`, which makes a request fail. See `chatcompat.simulator`."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.json import encode

from chatcompat.simulator.errors import ERRORS, ErrorBody, ErrorDetail, Failure, invalid

HEADER: Final = "x-simulate"
MAX_DELAY: Final = 60.0  # seconds
OVERFLOW: Final = "prompt is too long: 210000 tokens > 200000 maximum"


class Faults(Struct, frozen=True):
    """The faults that the header requests."""

    error: str | None = None  # a native error type
    after: int | None = None  # events before the error
    delay: float = 0.0  # seconds
    cut: int | None = None  # whole events before the end
    cut_inside: bool = False  # whether half of the next event is sent too
    refuse: bool = False
    stop: str | None = None  # a stop reason
    overflow: bool = False

    def raise_early(self, *, streamed: bool) -> None:
        """Raise a failure that replaces the reply. `after` only applies to streams."""
        if self.overflow:
            raise invalid(OVERFLOW)
        if self.error is not None and not (streamed and self.after is not None):
            raise Failure(self.error, ERRORS[self.error][1])

    def frames(self, events: Iterable[bytes], request_id: str) -> Iterator[bytes]:
        """Yield the frames of a stream up to the fault, then the error if there is one."""
        for sent, frame in enumerate(events):
            if sent == self.after:
                break
            if sent == self.cut:
                if self.cut_inside:
                    yield frame[: len(frame) // 2]
                return
            yield frame
        if self.error is not None:
            body = ErrorBody(ErrorDetail(self.error, ERRORS[self.error][1]), request_id)
            yield b"event: error\ndata: " + encode(body) + b"\n\n"


def parse_faults(headers: Iterable[str]) -> Faults:
    """Parse the header's values. An unknown item or an invalid value is a 400."""
    items = [item.strip() for value in headers for item in value.split(";")]
    wanted: dict[str, object] = {}
    for item in filter(None, items):
        name, _, value = (part.strip() for part in item.partition("="))
        if name not in _ITEMS:
            raise invalid(f"{HEADER}: unknown item {name!r}; known items are {', '.join(sorted(_ITEMS))}")
        wanted |= _ITEMS[name](name, value)
    if "after" in wanted and "error" not in wanted:
        raise invalid(f"{HEADER}: after needs error")
    return msgspec.convert(wanted, Faults)


def _error(name: str, value: str) -> dict[str, object]:
    if value not in ERRORS:
        raise invalid(f"{HEADER}: {name} needs one of {', '.join(ERRORS)}")
    return {"error": value}


def _after(name: str, value: str) -> dict[str, object]:
    return {"after": int(_matching(name, value, "[0-9]{1,6}", "a number of events"))}


def _delay(name: str, value: str) -> dict[str, object]:
    delay = float(_matching(name, value, r"[0-9]{1,2}(\.[0-9]{1,6})?", "seconds"))
    if delay > MAX_DELAY:
        raise invalid(f"{HEADER}: {name} is at most {MAX_DELAY:g} seconds")
    return {"delay": delay}


def _cut(name: str, value: str) -> dict[str, object]:
    count, _, half = _matching(name, value, r"[0-9]{1,6}(\.5)?", "a number of events").partition(".")
    return {"cut": int(count), "cut_inside": bool(half)}


def _cut_inside(name: str, value: str) -> dict[str, object]:
    return {"cut": int(_matching(name, value, "[0-9]{1,6}", "a number of events")), "cut_inside": True}


def _stop(name: str, value: str) -> dict[str, object]:
    return {"stop": _matching(name, value, "[a-z_]{1,64}", "a stop reason")}


def _flag(name: str, value: str) -> dict[str, object]:
    _matching(name, value, "", "no value")
    return {name: True}


def _matching(name: str, value: str, pattern: str, what: str) -> str:
    if not re.fullmatch(pattern, value):
        raise invalid(f"{HEADER}: {name} needs {what}")
    return value


_ITEMS: Final[dict[str, Callable[[str, str], dict[str, object]]]] = {
    "after": _after,
    "cut": _cut,
    "cut-inside": _cut_inside,
    "delay": _delay,
    "error": _error,
    "overflow": _flag,
    "refuse": _flag,
    "stop": _stop,
}
