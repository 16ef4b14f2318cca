"""The size and time limits of one exchange."""

import msgspec
from msgspec import Struct

from chatcompat._options import check_number

_MAY_BE_ZERO = ("disconnect_grace", "max_continuations")


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one exchange, as described for `ChatCompatMiddleware`. Raises `TypeError` and `ValueError`."""

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
        """Check the limits."""
        for field in msgspec.structs.fields(type(self)):
            least, above = (0, None) if field.name in _MAY_BE_ZERO else (None, 0)
            check_number(field.name, getattr(self, field.name), field.type, least=least, above=above)
