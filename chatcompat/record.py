"""What a service is told of each exchange: numbers and names, and nothing of the conversation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from chatcompat.errors import InvalidReply
from chatcompat.stream import ChunkStream


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRecord:
    """One exchange, as it ended."""

    model: str | None
    """As the client named it; None where the request could not be read."""
    streaming: bool
    """Whether the client asked for a stream."""
    status: int | None
    """The HTTP status that the client got; None if it left before."""
    finish_reason: str | None
    """None if the reply was not whole."""
    usage: dict[str, Any] | None
    """Tokens under chat names, and the native fields that have none."""
    ignored: tuple[str, ...]
    """Places of what was not sent on."""
    time_to_first_byte: float | None
    """Seconds from the first byte of the request to the start of the reply."""
    duration: float
    """Seconds until the inner app was done."""
    error_type: str | None
    """`type` of the error that the client got, or `client_disconnected`."""


OnExchange = Callable[[ExchangeRecord], object]


class _Chosen(Struct):
    """How a choice ended."""

    finish_reason: str


class _Error(Struct):
    type: str


class Told(Struct):
    """What a reply's own bytes tell."""

    choices: list[_Chosen] = []
    usage: dict[str, Any] | None = None
    error: _Error | None = None

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of a completion."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def error_type(self) -> str | None:
        """The type of an error."""
        return self.error.type if self.error is not None else None


read_reply = msgspec.json.Decoder(Told).decode
"""Read a completion or an error body that this package wrote."""


def told_by(stream: ChunkStream) -> Told:
    """What a stream told; of one that failed, its error."""
    if stream.error is not None:
        return read_reply(stream.error.body)
    choices = [_Chosen(stream.finish_reason)] if stream.finish_reason is not None else []
    try:
        return Told(choices, msgspec.json.decode(msgspec.json.encode(stream.usage)))
    except InvalidReply:  # nobody asked for the usage of this stream, so that it could not be read was not told
        return Told(choices)
