"""Asks the inner app what a model can do, for a `Dialect` with `discover`.

One `GET /v1/models/{id}` serves all requests of a client for a model. It is sent with the client's own credentials, and
the answer is used for that client only. If anything goes wrong, the request uses the dialect unchanged.
"""

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import anyio
import msgspec
from anyio.lowlevel import checkpoint
from msgspec import Struct
from starlette.types import ASGIApp, Message, Scope

from chatcompat.asgi.headers import (
    NOT_POSTED,
    HeaderMap,
    Headers,
    is_encoded,
    is_json,
    lowered,
    media_type,
    to_header_map,
    to_inner_headers,
)
from chatcompat.asgi.http import hide_extensions
from chatcompat.asgi.routes import to_count_path
from chatcompat.dialect import Dialect
from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.turn_keys import to_credential
from chatcompat.wire import digests

_logger: Final = logging.getLogger(__name__)

TIMEOUT: Final = 5.0
"""How long a request waits for an answer, in seconds."""

KEPT_FOR: Final = 3_600.0
"""How long an answer is kept, in seconds."""

FAILED_FOR: Final = 60.0
"""How long to wait before asking again after a failure, in seconds."""

MAX_KEPT: Final = 1_024
"""How many answers, failures and credentials are kept, each. The least recently used are dropped first."""

QUESTIONS_PER_MINUTE: Final = 64
"""How many questions are sent with one credential."""

MAX_ANSWER_BYTES: Final = 1024 * 1024

_MINUTE: Final = 60.0
_OK: Final = 200
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:@/-]{1,200}")
_NO_STEPS: Final = frozenset({"", ".", ".."})  # an id such as `../files` would name another path
_NOT_ASKED: Final = NOT_POSTED | {b"accept"}

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

Value = TypeVar("Value")


class ExpiringCache(Generic[Value]):
    """A cache whose values expire. It holds at most `MAX_KEPT` values."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> Value | None:
        """The value, unless it has expired."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= self._clock():
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: bytes, value: Value, seconds: float) -> None:
        """Keep a value for this number of seconds."""
        self._entries[key] = self._clock() + seconds, value
        self._entries.move_to_end(key)
        if len(self._entries) > MAX_KEPT:
            self._entries.popitem(last=False)


class _Known(Struct, frozen=True):
    """The dialect of a model, and the dialect that it was derived from."""

    base: Dialect
    dialect: Dialect


class Discovery:
    """Finds the dialects of models.

    `path` and `messages_path` are those of the middleware. The models are beside the messages. `clock` is in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        messages_path: str,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._paths = (to_count_path(path), path)
        self._models_path = f"{messages_path.rpartition('/')[0]}/models/"
        self._timeout = timeout
        self._known: ExpiringCache[_Known] = ExpiringCache(clock)
        self._failed: ExpiringCache[bool] = ExpiringCache(clock)
        self._questions: ExpiringCache[list[int]] = ExpiringCache(clock)  # questions in the last minute, by credential
        self._pending: dict[bytes, anyio.Event] = {}  # set when the question is answered

    async def find(self, model: str, base: Dialect, headers: Headers, fields: HeaderMap, scope: Scope) -> Dialect:
        """Return `base` with what the inner app says about the model, or `base` if it does not answer in time."""
        if _PLAIN.fullmatch(model) is None or not _NO_STEPS.isdisjoint(model.split("/")):
            _logger.warning("The model id is not plain, so the dialect is the default one.")
            return base
        path: str = scope["path"]
        prefix = path.removesuffix(next(filter(path.endswith, self._paths), ""))
        credential = to_credential(headers)
        key = digests.blake2b(_encode((credential, fields.get(b"host"), prefix, model)), digest_size=32).digest()
        found = self._find(key, base)
        if found is not None:
            return found
        with anyio.move_on_after(self._timeout) as wait:
            while self._find(key, base) is None and (pending := self._pending.get(key)) is not None:
                await pending.wait()  # if the request that asked is cancelled, one that waits asks again
        found = self._find(key, base)
        is_free = key not in self._pending and not wait.cancelled_caught
        if found is None and is_free and self._may_ask(credential):
            asks = to_inner_headers(headers, fields, dialect=base, version=base.version, length=0, left_out=_NOT_ASKED)
            found = await self._ask(key, model, base, self._to_question(prefix, model, asks, scope))
        return base if found is None else found

    def _find(self, key: bytes, base: Dialect) -> Dialect | None:
        known = self._known.get(key)
        if known is not None and (known.base is base or known.base == base):
            return known.dialect
        return None if self._failed.get(key) is None else base

    def _may_ask(self, credential: bytes) -> bool:
        """Count a question. Returns whether this credential may ask it."""
        count = self._questions.get(credential)
        if count is None:
            count = [0]
            self._questions.put(credential, count, _MINUTE)
        count[0] += 1
        if count[0] == QUESTIONS_PER_MINUTE + 1:
            _logger.warning("A client asked for too many models in a minute, so their dialect is the default one.")
        return count[0] <= QUESTIONS_PER_MINUTE

    def _to_question(self, prefix: str, model: str, headers: Headers, scope: Scope) -> Scope:
        """The scope of the question. `headers` are the headers for the inner app."""
        path = prefix + self._models_path
        question = {
            **scope,
            "method": "GET",
            "path": path + model,
            "query_string": b"",
            "headers": [header for header in headers if not header[0].startswith(b"content-")],
        }
        if question.get("raw_path") is not None:
            question["raw_path"] = f"{quote(path)}{quote(model, safe='')}".encode()
        hide_extensions(question)
        return question

    async def _ask(self, key: bytes, model: str, base: Dialect, question: Scope) -> Dialect:
        """Ask the inner app, and keep the answer or the failure."""
        answered = self._pending[key] = anyio.Event()
        try:
            dialect = Dialect.from_capabilities(await self._answer(question), base=base)
        except ValueError as error:
            _logger.warning("Nothing is known of model %s, so its dialect is the default one: %s", model, error)
            self._failed.put(key, value=True, seconds=FAILED_FOR)
            return base
        else:
            self._known.put(key, _Known(base, dialect), KEPT_FOR)
            return dialect
        finally:
            del self._pending[key]
            answered.set()

    async def _answer(self, question: Scope) -> Mapping[str, Any]:
        """The model as the inner app describes it. Raises `ValueError`."""
        raised = ""
        with anyio.move_on_after(self._timeout) as limit:
            answer = _ModelReply(limit)
            try:
                await self._app(question, answer.receive, answer.send)
            except Exception as error:  # noqa: BLE001 - no failure here may fail the request
                raised = type(error).__name__
        if not answer.complete.is_set():
            late = f"the inner app did not answer within {self._timeout:g} s" if limit.cancelled_caught else ""
            raise ValueError(late or f"the inner app {f'raised {raised}' if raised else 'sent half an answer'}")
        return answer.model()


class _ModelReply:
    """Receives the reply to one question. A reply that is too large cancels the app through `limit`."""

    def __init__(self, limit: anyio.CancelScope) -> None:
        self.complete = anyio.Event()
        self._limit = limit
        self._status = 0
        self._fields: HeaderMap = {}
        self._body = bytearray()
        self._received = False

    async def receive(self) -> Message:
        """Return an empty body, then a disconnect once the reply is complete.

        A client that leaves does not end the question, since others may wait for its answer.
        """
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.complete.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Handle a message of the reply."""
        await checkpoint()  # otherwise an app that never stops sending would never wait
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._fields = to_header_map(lowered(message.get("headers", ())))
        elif message["type"] == "http.response.body" and not self.complete.is_set():
            self._body += message.get("body", b"")
            if len(self._body) > MAX_ANSWER_BYTES:
                self.complete.set()
                self._limit.cancel()
            elif not message.get("more_body", False):
                self.complete.set()

    def model(self) -> Mapping[str, Any]:
        """The decoded body of the reply. Raises `ValueError`, which quotes nothing of it."""
        if self._status != _OK:
            raise ValueError(f"the inner app answered with status {self._status}")
        if len(self._body) > MAX_ANSWER_BYTES:
            raise ValueError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        if not is_json(media_type(self._fields)) or is_encoded(self._fields):
            raise ValueError("the answer is not JSON")
        try:
            return _decode(self._body)
        except DECODE_ERRORS:
            raise ValueError("the answer is not a JSON object") from None
