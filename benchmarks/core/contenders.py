"""What every contender does, chatcompat as the first of them, and the floors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from benchmarks.workloads import Workload
from chatcompat import Translation, translate

Chunks = Sequence[bytes]


class Contender(Protocol):
    """Translates bytes to bytes; `replies` and `streams` prepare what many replies can share."""

    @property
    def name(self) -> str:
        """Its name in the tables."""

    @property
    def package(self) -> str | None:
        """Its distribution, for the version."""

    def request(self, chat: bytes) -> bytes:
        """Give the native request."""

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        """Give a function from a native reply to a chat completion."""

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        """Give a function from the chunks of a native stream to those of a chat stream."""

    def turn(self, chat: bytes, chunks: Chunks) -> tuple[bytes, list[bytes]]:
        """Translate a request and its streamed reply. What both need is made once."""


class SeparateTurns:
    """A turn of a contender whose request and stream share nothing."""

    def turn(self: Contender, chat: bytes, chunks: Chunks) -> tuple[bytes, list[bytes]]:
        return self.request(chat), self.streams(chat)(chunks)


def bind(contender: Contender, workload: Workload) -> Callable[[], list[bytes]]:
    """The call that is timed."""
    match workload.kind:
        case "request":
            return lambda: [contender.request(workload.chat)]
        case "reply":
            reply, native = contender.replies(workload.chat), workload.native[0]
            return lambda: [reply(native)]
        case "session":
            pairs = list(zip(workload.turns[::2], workload.turns[1::2], strict=True))

            def session() -> list[bytes]:
                out: list[bytes] = []
                for asked, answered in pairs:
                    request, chunks = contender.turn(asked.chat, answered.native)
                    out += [request, b"".join(chunks)]
                return out

            return session
        case _:
            stream = contender.streams(workload.chat)
            return lambda: stream(workload.native)


def data_lines(chunk: bytes) -> list[bytes]:
    """The data of whole frames, for contenders that leave reading them to their caller."""
    return [line[6:] for line in chunk.split(b"\n") if line.startswith(b"data: ")]


def chat_stream(convert: Callable[[bytes], Iterable[bytes]], chunks: Chunks) -> list[bytes]:
    """A chat stream of what `convert` makes of each event."""
    made = [one for chunk in chunks for data in data_lines(chunk) for one in convert(data)]
    return [*(b"data: " + one + b"\n\n" for one in made), b"data: [DONE]\n\n"]


def dumps(value: object) -> bytes:
    """JSON by the standard library, for contenders that leave it to their caller."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Ours:
    name = package = "chatcompat"

    def request(self, chat: bytes) -> bytes:
        return translate(chat).body

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        return translate(chat).reply

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        translation = translate(chat)
        return lambda chunks: _stream(translation, chunks)

    def turn(self, chat: bytes, chunks: Chunks) -> tuple[bytes, list[bytes]]:
        translation = translate(chat)
        return translation.body, _stream(translation, chunks)


def _stream(translation: Translation, chunks: Chunks) -> list[bytes]:
    stream = translation.stream()
    out = [stream.feed(chunk) for chunk in chunks]
    out.append(stream.close())
    return out


class Untranslated(SeparateTurns):
    """Decodes and encodes the same bytes, and translates nothing."""

    def __init__(
        self, name: str, package: str | None, decode: Callable[[bytes], object], encode: Callable[[object], bytes]
    ) -> None:
        self.name, self.package = name, package
        self._decode, self._encode = decode, encode

    def request(self, chat: bytes) -> bytes:
        return self._encode(self._decode(chat))

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        return self.request

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        decode, encode = self._decode, self._encode

        def run(chunks: Chunks) -> list[bytes]:
            return [
                b"".join([b"data: " + encode(decode(data)) + b"\n\n" for data in data_lines(chunk)]) for chunk in chunks
            ]

        return run


STDLIB = Untranslated("stdlib json", None, json.loads, dumps)
GENERIC = Untranslated("generic", "msgspec", msgspec.json.Decoder().decode, msgspec.json.Encoder().encode)
FLOORS = (STDLIB, GENERIC)


def copy_chunks(chunks: Chunks) -> list[bytes]:
    """The floor of a stream: a copy of its chunks."""
    return [bytes(memoryview(chunk)) for chunk in chunks]
