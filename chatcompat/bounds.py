"""How much one request may hold, and how much and how long one exchange may take."""

from dataclasses import dataclass, fields
from typing import Final

from msgspec import Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """Bounds of the content of a request; one above is a 400 that names the place. Raises `ValueError` below 1."""

    messages: int = 100_000
    """How many messages there may be; the native service takes no more."""
    tools: int = 1_024
    """How many tools, or functions, there may be."""
    depth: int = 128
    """How deep free JSON (a schema, arguments, a native tool) may be nested; those that people write stay under 20."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be at least 1, not {getattr(self, field.name)}")


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
