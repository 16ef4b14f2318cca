"""How much one request may hold, and how much and how long one exchange may take."""

from dataclasses import dataclass, fields
from typing import Final

from msgspec import Struct

from chatcompat.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """Bounds of the content of a request; one above is a 400 that names the place. Raises `ValueError` below 1."""

    messages: int = 100_000
    """How many messages there may be; the native service takes no more."""
    tools: int = 1_024
    """How many tools, or functions, there may be."""
    parts: int = 4_096
    """How many content parts, or entries of `reasoning_details`, one message may have."""
    calls: int = 1_024
    """How many tool calls one message may have."""
    depth: int = 128
    """How deep free JSON (a schema, arguments, a native tool) may be nested; those that people write stay under 20.
    What is sent for a schema is held to it too."""
    schema_branches: int = 200
    """How many branches (`allOf`, `anyOf`, `oneOf`) the top of a schema may have, those in branches and behind
    references included: the native service takes none there, so that they are merged."""
    schema_properties: int = 10_000
    """How many properties and required names these branches may have together."""
    growth: int = 65_536
    """By how many bytes one schema or text file may grow when it is rewritten for the native service, as by a
    definition that a reference copies to the top."""
    unknown_fields: int = 1_000
    """How many different fields there may be that the API does not have."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be at least 1, not {getattr(self, field.name)}")


def grows_too_much(place: str, bounds: RequestBounds) -> InvalidRequest:
    """The refusal of what would be sent on larger than it came, by more than the bound."""
    return InvalidRequest(
        f"The messages request would need more than {bounds.growth} bytes beyond the size of this.",
        param=place,
        code="grows_too_much",
    )


def check_count(name: str, count: int, bound: int, place: str) -> None:
    """Raise `InvalidRequest` where a list is longer than its bound; `name` is what it holds."""
    if count > bound:
        raise InvalidRequest(
            f"There are {count} {name}; this service takes {bound}.", param=place, code="array_above_max_length"
        )


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one exchange; see `ChatCompatMiddleware` for each. Raises `ValueError`."""

    max_body_bytes: int
    max_reply_bytes: int
    max_event_bytes: int
    max_header_bytes: int
    keep_alive: float
    first_byte_timeout: float
    idle_timeout: float
    disconnect_grace: float
    store_timeout: float
    max_continuations: int

    def __post_init__(self) -> None:
        """Check the bounds; a comparison with NaN is false."""
        for name in self.__struct_fields__:
            bound = getattr(self, name)
            if name in ("disconnect_grace", "max_continuations"):
                if not bound >= 0:
                    raise ValueError(f"{name} must be at least 0, not {bound}")
            elif not bound > 0:
                raise ValueError(f"{name} must be above 0, not {bound}")


DEFAULT_BOUNDS: Final = RequestBounds()
