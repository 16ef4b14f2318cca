"""Translate one exchange, bytes to bytes: the request to send, and the reply that comes back."""

import time
from typing import ClassVar, Final

from msgspec import Struct

from chatcompat._options import check_number, check_type
from chatcompat.dialect import DEFAULT_DIALECT, Dialect, DialectOption, check_dialect, to_dialect
from chatcompat.errors import ErrorReply, InvalidRequest, to_param
from chatcompat.record import Operation
from chatcompat.reply.collector import CompletionCollector, to_chat_completion
from chatcompat.reply.context import ReplyContext
from chatcompat.reply.errors import to_chat_error
from chatcompat.reply.fast_deltas import FastChunkStream
from chatcompat.reply.stream import MAX_HELD_BYTES, ChunkStream
from chatcompat.reply.summary import ReplySummary
from chatcompat.reply.text_only import to_plain_completion
from chatcompat.reply.token_count import to_chat_count, to_count_error
from chatcompat.request import Decoded, TranslatedRequest, decode_chat_request, to_messages_request
from chatcompat.request.bounds import DEFAULT_BOUNDS, RequestBounds
from chatcompat.request.prefix import follows
from chatcompat.request.token_count import to_count_request
from chatcompat.wire.decode import decode_message, to_native_error
from chatcompat.wire.sse import MAX_EVENT_BYTES

__all__ = ["TokenCount", "Translation", "translate"]


THINKING: Final = "messages[].reasoning_details"
"""How `Translation.ignored` names thinking that is left out."""
_PLAIN_THINKING: Final = ("messages[].reasoning_content", "messages[].reasoning")
"""Thinking whose signature a client's library has dropped. Strict mode allows it: its user cannot change that."""


class Translation(Struct, frozen=True, gc=False):
    """A translated request. Its methods translate the reply.

    Attributes:
        body: The messages request, as JSON.
        dialect: What the inner app accepts, for the model of this request.
        version: The `anthropic-version` header to send with it.
        model: The model that the client named.
        streaming: Whether the client asked for a stream.
        ignored: Paths of the request fields that were dropped or changed (`seed`, `messages[].name`). Each path once,
            in order.
        may_pause: Whether the request offers tools that the service runs itself. Only then can it pause a turn.
        context: What the reply needs from the request.
        choices: How many choices the client asked for (`n`). Send the body, and translate its reply, so many times.
        betas: The names in the `anthropic-beta` header to send with it.
        may_be_unchanged: Whether a 304 is a valid reply. Never, for a chat completion.
        operation: `operation` of the `ExchangeRecord`.
    """

    body: bytes
    dialect: Dialect
    version: str
    model: str
    streaming: bool
    ignored: tuple[str, ...]
    may_pause: bool
    context: ReplyContext
    choices: int = 1
    betas: tuple[str, ...] = ()
    may_be_unchanged: ClassVar[bool] = False
    operation: ClassVar[Operation] = "chat"

    def reply(self, body: bytes) -> bytes:
        """Translate a whole messages reply into a chat completion.

        Args:
            body: The reply, as JSON.

        Raises:
            InvalidReply: The reply is not a message.
        """
        return self.whole_reply(body)[0]

    def whole_reply(self, body: bytes) -> tuple[bytes, ReplySummary]:
        """Translate a whole messages reply into a chat completion, with a summary of it.

        Args:
            body: The reply, as JSON.

        Raises:
            InvalidReply: The reply is not a message.
        """
        return to_plain_completion(body, self.context) or to_chat_completion(decode_message(body), self.context)

    def error(self, status: int, body: bytes) -> bytes:
        """Translate a native error reply into a chat error body.

        Args:
            status: The HTTP status of the reply.
            body: The reply. If it is not a native error, the error body is made from the status.
        """
        return self.error_reply(status, body).body

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        """Translate a native error reply like `error`, and keep its status and type.

        Args:
            status: The HTTP status of the reply.
            body: The reply. If it is not a native error, the error body is made from the status.
        """
        return to_chat_error(to_native_error(body), status)

    def stream(self, *, max_event_bytes: int = MAX_EVENT_BYTES, max_held_bytes: int = MAX_HELD_BYTES) -> ChunkStream:
        """Return a new translator from a messages stream to a chat-completions stream.

        Args:
            max_event_bytes: The largest event, in bytes. A larger one ends the stream with an error.
            max_held_bytes: How many bytes of the message may be held until it is complete. Signed thinking is held, and
                text before JSON.
        """
        check_number("max_event_bytes", max_event_bytes, int, above=0)
        check_number("max_held_bytes", max_held_bytes, int, above=0)
        return FastChunkStream(self.context, max_event_bytes=max_event_bytes, max_held_bytes=max_held_bytes)

    def collector(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> CompletionCollector:
        """Return a new translator from a messages stream to a whole chat completion.

        Args:
            max_event_bytes: The largest event, in bytes. A larger one raises `InvalidReply`.
        """
        check_number("max_event_bytes", max_event_bytes, int, above=0)
        return CompletionCollector(self.context, max_event_bytes=max_event_bytes)

    def event_reader(self, *, max_event_bytes: int, max_held_bytes: int) -> ChunkStream | CompletionCollector:
        """Return `stream(...)` if the client asked for a stream, else `collector(...)`.

        Args:
            max_event_bytes: The largest event, in bytes.
            max_held_bytes: How many bytes of a streamed message may be held until it is complete.
        """
        if self.streaming:
            return self.stream(max_event_bytes=max_event_bytes, max_held_bytes=max_held_bytes)
        return self.collector(max_event_bytes=max_event_bytes)

    def token_count(self) -> "TokenCount":
        """Return the request that counts the tokens of this one, for `POST /v1/messages/count_tokens`."""
        body, not_counted = to_count_request(self.body)
        return TokenCount(
            body=body,
            dialect=self.dialect,
            version=self.version,
            model=self.model,
            ignored=self.ignored + not_counted,
            betas=self.betas,
        )


class TokenCount(Struct, frozen=True):
    """A request that counts the tokens of a translated request. Its methods translate the reply.

    Attributes:
        body: The body of `POST /v1/messages/count_tokens`, as JSON.
        dialect: What the inner app accepts, for the model of this request.
        version: The `anthropic-version` header to send with it.
        model: The model that the client named.
        ignored: Paths of the request fields that were dropped or changed, and of those that are not counted.
        betas: The names in the `anthropic-beta` header to send with it.
        streaming: Whether the reply is a stream. Never, for a count.
        may_be_unchanged: Whether a 304 is a valid reply. Never, for a count.
        operation: `operation` of the `ExchangeRecord`.
    """

    body: bytes
    dialect: Dialect
    version: str
    model: str
    ignored: tuple[str, ...]
    betas: tuple[str, ...] = ()
    streaming: ClassVar[bool] = False
    may_be_unchanged: ClassVar[bool] = False
    operation: ClassVar[Operation] = "count_tokens"

    def reply(self, body: bytes) -> bytes:
        """Translate the native count.

        Args:
            body: The reply, as JSON.

        Raises:
            InvalidReply: The reply is not a count of tokens.
        """
        return to_chat_count(body)

    def whole_reply(self, body: bytes) -> tuple[bytes, ReplySummary]:
        """Translate the native count, with an empty summary: counting uses no tokens.

        Args:
            body: The reply, as JSON.

        Raises:
            InvalidReply: The reply is not a count of tokens.
        """
        return to_chat_count(body), ReplySummary()

    def error(self, status: int, body: bytes) -> bytes:
        """Translate a native error reply into a chat error body.

        Args:
            status: The HTTP status of the reply.
            body: The reply. If it is not a native error, the error body is made from the status.
        """
        return self.error_reply(status, body).body

    def error_reply(self, status: int, body: bytes) -> ErrorReply:
        """Translate a native error reply like `error`, and keep its status and type.

        Args:
            status: The HTTP status of the reply.
            body: The reply. If it is not a native error, the error body is made from the status.
        """
        return to_count_error(status, body)

    def event_reader(self, *, max_event_bytes: int, max_held_bytes: int) -> None:
        """Return None: a count is never an event stream.

        Args:
            max_event_bytes: Not used.
            max_held_bytes: Not used.
        """


def translate(
    body: bytes,
    *,
    dialect: DialectOption = DEFAULT_DIALECT,
    created: int | None = None,
    version: str | None = None,
    strict: bool = False,
    bounds: RequestBounds = DEFAULT_BOUNDS,
    betas: tuple[str, ...] = (),
) -> Translation:
    """Translate the body of `POST /v1/chat/completions` into a messages request.

    Args:
        body: The chat-completions request, as JSON.
        dialect: What the inner app accepts, or a function from the model id to that.
        created: `created` of the reply, in seconds since the epoch. Default: the current time.
        version: The `anthropic-version` header that the client sent. Default: the dialect's version.
        strict: Refuse a request if any of its fields would be ignored.
        bounds: How much a request may hold.
        betas: The names in the `anthropic-beta` header that the client sent.

    Raises:
        InvalidRequest: The request cannot be translated.
        TypeError: An argument has the wrong type.
    """
    is_usual = type(body) is bytes and type(dialect) is Dialect and bounds is DEFAULT_BOUNDS
    # The checks of the arguments take longer than the translation of a short request.
    if not (is_usual and created is None and version is None and strict is False and betas == ()):
        check_type("body", body, bytes | bytearray)
        body = bytes(body)
        check_dialect(dialect)
        check_type("created", created, int | None)
        check_type("version", version, str | None)
        check_type("strict", strict, bool)
        check_type("bounds", bounds, RequestBounds)
        check_type("betas", betas, tuple[str, ...])
    return translate_decoded(
        decode_chat_request(body, bounds),
        dialect=dialect,
        created=created,
        version=version,
        strict=strict,
        bounds=bounds,
        betas=betas,
    )


def translate_decoded(
    decoded: Decoded,
    *,
    dialect: DialectOption = DEFAULT_DIALECT,
    created: int | None = None,
    version: str | None = None,
    strict: bool = False,
    bounds: RequestBounds = DEFAULT_BOUNDS,
    betas: tuple[str, ...] = (),
) -> Translation:
    """Translate a request that is decoded already. The arguments are those of `translate`."""
    chat = decoded.chat
    accepted = to_dialect(dialect, chat.model)
    version = version or accepted.version
    outcome = to_messages_request(decoded, dialect=accepted, version=version, bounds=bounds, betas=betas)
    body = outcome.encode()
    if decoded.restored and not follows(
        body, {outcome.places[index]: prefix for index, prefix in decoded.restored.items()}
    ):
        decoded.forget_restored()
        outcome = to_messages_request(decoded, dialect=accepted, version=version, bounds=bounds, betas=betas)
        body = outcome.encode()
    ignored = tuple(dict.fromkeys(outcome.ignored)) if outcome.ignored else ()
    if strict and (lost := [path for path in ignored if path not in _PLAIN_THINKING]):
        raise InvalidRequest(
            "This field would be ignored or changed, and strict mode does not allow that. Remove it.",
            param=to_param(lost[0]),
            code="unsupported_parameter",
        )
    if decoded.thinking_lost and THINKING not in ignored:  # even strict mode goes on: the client cannot change this
        ignored += (THINKING,)
    return Translation(
        body=body,
        dialect=accepted,
        version=version,
        betas=outcome.betas,
        model=chat.model,
        streaming=bool(chat.stream),
        ignored=ignored,
        may_pause=outcome.may_pause,
        context=_to_reply_context(decoded, outcome, int(time.time()) if created is None else created),
        choices=outcome.choices,
    )


def _to_reply_context(decoded: Decoded, outcome: TranslatedRequest, created: int) -> ReplyContext:
    chat, names, output = decoded.chat, outcome.names, outcome.output
    include_usage = chat.stream_options is not None and bool(chat.stream_options.include_usage)
    if names is None or output is None:
        return ReplyContext(created=created, include_usage=include_usage, service_tier=chat.service_tier is not None)
    return ReplyContext(
        created=created,
        prefill=outcome.prefill,
        include_usage=include_usage,
        tool_names=names.restored,
        json_tool=output.tool.name if output.tool is not None else None,
        json_wrapped=output.wrapped,
        custom_tools=frozenset(names.custom),
        legacy_functions=bool(decoded.whole().functions),
        service_tier=chat.service_tier is not None,
        keeps_turn=bool(decoded.restored),
        hides_reasoning=outcome.hides_reasoning,
    )
