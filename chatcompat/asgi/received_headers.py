"""The headers of a client's request, read once.

What happens to a header depends on its name. Most clients send the same names with each request, so this is decided
once for a list of names, and cached. Only names are cached, never values: a value may be a credential.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from chatcompat.asgi.headers import NOT_POSTED, USUAL_CONNECTION, HeaderMap, Headers, to_inner_headers
from chatcompat.dialect import Dialect
from chatcompat.reply.turn_keys import CREDENTIALS

_READ: Final = CREDENTIALS | {
    b"anthropic-beta",
    b"anthropic-version",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"host",
}
_REMEMBERED: Final = 64
_BYTES: Final = {bytes}

Strings = tuple[bytes, ...]
Places = tuple[tuple[bytes, int], ...]
"""Names in lower case, with the index of their header."""


class _Plan:
    """What happens to headers with these names.

    Attributes:
        names: The names in lower case.
        first: The first header of each name that is read.
        posted: The headers that are passed to the inner app.
        credentials: The headers that identify the client.
        connections: How many `connection` headers there are.
    """

    __slots__ = ("connections", "credentials", "first", "names", "posted")

    def __init__(self, names: Strings) -> None:
        lower = tuple(bytes(name).lower() for name in names)
        places = [*zip(lower, range(len(lower)), strict=True)]
        self.names: Strings = lower
        self.first: Places = tuple({name: (name, at) for name, at in reversed(places) if name in _READ}.values())
        self.posted: Places = tuple(
            place for place in places if place[0] not in NOT_POSTED and not place[0].startswith(b"openai-")
        )
        self.credentials: Places = tuple(place for place in places if place[0] in CREDENTIALS)
        self.connections: int = lower.count(b"connection")


_plan_of = lru_cache(_REMEMBERED)(_Plan)


class ReceivedHeaders:
    """The headers of a client's request.

    Attributes:
        fields: The value of the first header of each name that this package reads.
        size: The total bytes of all names and values.
    """

    __slots__ = ("_plan", "_values", "fields", "size")

    def __init__(self, fields: HeaderMap, size: int, plan: _Plan, values: Strings) -> None:
        self.fields: HeaderMap = fields
        self.size: int = size
        self._plan = plan
        self._values = values

    @property
    def credentials(self) -> Headers:
        """The headers that identify the client."""
        return [(name, self._values[index]) for name, index in self._plan.credentials]

    def pairs(self) -> Headers:
        """All headers, with lower-case names."""
        return [*zip(self._plan.names, self._values, strict=True)]

    def to_inner(self, *, dialect: Dialect, version: str, length: int, betas: Sequence[str]) -> Headers:
        """The headers for the inner app, with those of the new body, as `to_inner_headers` makes them."""
        plan, values = self._plan, self._values
        if betas or dialect.api_key_header or not self._is_usual_connection():
            return to_inner_headers(
                self.pairs(),
                self.fields,
                dialect=dialect,
                version=version,
                length=length,
                left_out=NOT_POSTED,
                betas=betas,
            )
        inner = [(name, values[index]) for name, index in plan.posted]
        inner += (
            (b"anthropic-version", version.encode("latin-1")),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % length),
        )
        return inner

    def _is_usual_connection(self) -> bool:
        """Whether no `connection` header names other headers, which would belong to the connection."""
        if not self._plan.connections:
            return True
        return self._plan.connections == 1 and self.fields[b"connection"] in USUAL_CONNECTION


def read_headers(headers: Iterable[tuple[bytes, bytes]], max_bytes: int) -> ReceivedHeaders:
    """Read the headers of a scope. If they have more than `max_bytes`, their names are not cached."""
    both: tuple[Strings, ...] = tuple(zip(*headers, strict=True))
    names, values = both or ((), ())
    size = len(b"".join(names)) + len(b"".join(values))
    try:
        plan = _plan_of(names) if size <= max_bytes else _Plan(names)
    except TypeError:  # a server may use buffers that cannot be hashed
        plan = _plan_of(tuple(map(bytes, names)))
    if {*map(type, values)} != _BYTES:
        values = tuple(map(bytes, values))
    return ReceivedHeaders({name: values[index] for name, index in plan.first}, size, plan, values)
