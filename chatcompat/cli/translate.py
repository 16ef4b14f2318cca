"""`chatcompat translate`."""

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final, cast

import anyio
import httpx2
from cyclopts import Group, Parameter
from cyclopts.types import ExistingFile
from cyclopts.validators import mutually_exclusive

from chatcompat.asgi.middleware import ChatCompatMiddleware
from chatcompat.cli.serve_options import to_upstream
from chatcompat.cli.settings import exit_with
from chatcompat.dialect import PRESETS, Dialect
from chatcompat.errors import InvalidReply, InvalidRequest
from chatcompat.reply.errors import ERROR_TYPES, status_of, to_chat_error
from chatcompat.simulator import create_app as create_simulator
from chatcompat.translation import Translation, translate
from chatcompat.upstream import Upstream
from chatcompat.wire.decode import to_native_error

if TYPE_CHECKING:
    from io import BufferedReader

_PIECE: Final = 64 * 1024  # bytes to read at once, at most
_COUNT_URL: Final = "http://chatcompat/v1/chat/completions/count_tokens"  # served in this process
_OK: Final = 200
_MODE: Final = Group("What to print", validator=mutually_exclusive)
_COUNT: Final = Group("Counting tokens")

_DIALECTS: Final = tuple(name for name, dialect in PRESETS.items() if not dialect.discover)

# The request to which a reply belongs by default: a minimal one that asks for the usage.
_MINIMAL: Final = (
    b'{"model":"any","messages":[{"role":"user","content":"Hello"}],'
    b'"stream":true,"stream_options":{"include_usage":true}}'
)


def translate_stdin(
    *,
    reply: Annotated[
        bool, Parameter(help="Translate a native reply into a chat completion.", group=_MODE, negative="")
    ] = False,
    stream: Annotated[
        bool, Parameter(help="Translate native events into a stream of chunks.", group=_MODE, negative="")
    ] = False,
    request: Annotated[
        ExistingFile | None,
        Parameter(help="The chat request of the reply. Its tools and formats affect the result."),
    ] = None,
    dialect: Annotated[str, Parameter(help="The dialect of the messages API.", choices=_DIALECTS)] = "native",
    strict: Annotated[bool, Parameter(help="Refuse requests with fields that would be ignored.", negative="")] = False,
    count: Annotated[
        bool,
        Parameter(help="Print how many tokens a chat request has, by the messages API.", group=_MODE, negative=""),
    ] = False,
    upstream: Annotated[
        str | None, Parameter(help="The messages API that counts. Defaults to a built-in simulator.", group=_COUNT)
    ] = None,
    api_key: Annotated[
        str, Parameter(help="The credential for the upstream.", env_var="OPENAI_API_KEY", group=_COUNT)
    ] = "none",
    api_key_header: Annotated[
        bool, Parameter(help="Also send it as x-api-key, as the vendor's API requires.", negative="", group=_COUNT)
    ] = False,
) -> int:
    """Translate a chat request from standard input into a messages request, or a native reply back.

    With --count, print how many tokens the chat request has, in the form that `POST {path}/count_tokens` answers.

    Ignored fields are listed on standard error, one per line. An error is printed there too, with exit status 1.
    A native error becomes the error body that a client would get, with exit status 1.
    """
    try:
        if not (reply or stream):
            body = sys.stdin.buffer.read()
            translation = translate(body, dialect=PRESETS[dialect], strict=strict)
            _name_ignored(translation.token_count().ignored if count else translation.ignored)
            if not count:
                _write(translation.body + b"\n")
                return 0
            accepted = replace(PRESETS[dialect], api_key_header=True) if api_key_header else PRESETS[dialect]
            return _print_count(body, accepted, upstream, api_key)
        body = _MINIMAL if request is None else request.read_bytes()
        translation = translate(body, dialect=PRESETS[dialect], strict=strict)
        return _translate_stream(translation) if stream else _translate_reply(translation)
    except (InvalidRequest, InvalidReply) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader closed the pipe. https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _name_ignored(ignored: tuple[str, ...]) -> None:
    for path in ignored:
        print(ascii(path)[1:-1], file=sys.stderr)  # client-chosen names: escape terminal control characters


def _print_count(body: bytes, dialect: Dialect, upstream: str | None, api_key: str) -> int:
    """Count the tokens of a chat request, and print the body that a chat client would get."""
    if not (api_key.isascii() and api_key.isprintable() and api_key):
        exit_with("--api-key must be printable ASCII characters. Check it for line breaks.")
    reply = anyio.run(_count, body, dialect, to_upstream(upstream), api_key)
    _write(reply.content + b"\n")
    return 0 if reply.status_code == _OK else 1


async def _count(body: bytes, dialect: Dialect, upstream: str | None, api_key: str) -> httpx2.Response:
    remote = None if upstream is None else Upstream(upstream)
    app = ChatCompatMiddleware(remote or create_simulator(), dialect=dialect, count_tokens=True, store=None)
    headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json"}
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)  # the reply says what went wrong
    try:
        async with httpx2.AsyncClient(transport=transport, timeout=None) as client:
            return await client.post(_COUNT_URL, content=body, headers=headers)
    finally:
        if remote is not None:
            await remote.aclose()


def _translate_reply(translation: Translation) -> int:
    body = sys.stdin.buffer.read()
    try:
        _write(translation.reply(body) + b"\n")
    except InvalidReply:
        native = to_native_error(body)
        if native.type not in ERROR_TYPES:
            raise
        _write(to_chat_error(native, status_of(native)).body + b"\n")
        return 1
    return 0


def _translate_stream(translation: Translation) -> int:
    chunks = translation.stream()
    incoming = cast("BufferedReader", sys.stdin.buffer)
    while piece := incoming.read1(_PIECE):
        _write(chunks.feed(piece))
    _write(chunks.close())
    return 1 if chunks.error is not None else 0


def _write(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
