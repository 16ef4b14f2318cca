"""The size and time limits of one exchange."""

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one exchange, as described for `ChatCompatMiddleware`. Raises `ValueError`."""

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
        """Check the limits. NaN is refused too: it compares false."""
        for name in self.__struct_fields__:
            bound = getattr(self, name)
            if name in ("disconnect_grace", "max_continuations"):
                if not bound >= 0:
                    raise ValueError(f"{name} must be at least 0, not {bound}")
            elif not bound > 0:
                raise ValueError(f"{name} must be above 0, not {bound}")
