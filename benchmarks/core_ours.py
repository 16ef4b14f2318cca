"""What every contender is, chatcompat as the first of them, and the floors below all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from core_works import Work

from chatcompat import translate

Chunks = Sequence[bytes]

DONE = b"data: [DONE]\n\n"


class Contender(Protocol):
    """Translates bytes to bytes; what can be prepared once for many replies is prepared in `replies` and `streams`."""

    @property
    def name(self) -> str:
        """What the tables call it."""

    @property
    def package(self) -> str | None:
        """The distribution that its version is of."""

    def request(self, chat: bytes) -> bytes:
        """The native request."""

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        """What makes a chat completion of a whole native reply."""

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        """What makes the chunks of a chat stream of the chunks of a native one."""


def bind(contender: Contender, work: Work) -> Callable[[], list[bytes]]:
    """The call that is timed."""
    if work.kind == "request":
        return lambda: [contender.request(work.chat)]
    if work.kind == "reply":
        reply, native = contender.replies(work.chat), work.native[0]
        return lambda: [reply(native)]
    stream = contender.streams(work.chat)
    return lambda: stream(work.native)


def data_lines(chunk: bytes) -> list[bytes]:
    """The data of a chunk's events, for contenders that leave reading them to their caller; takes whole frames only."""
    return [line[6:] for line in chunk.split(b"\n") if line.startswith(b"data: ")]


def dumps(value: object) -> bytes:
    """JSON by the standard library, for contenders that leave it to their caller."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Ours:
    name = "chatcompat"
    package = "chatcompat"

    def request(self, chat: bytes) -> bytes:
        return translate(chat).body

    def replies(self, chat: bytes) -> Callable[[bytes], bytes]:
        return translate(chat).reply

    def streams(self, chat: bytes) -> Callable[[Chunks], list[bytes]]:
        translation = translate(chat)

        def run(chunks: Chunks) -> list[bytes]:
            stream = translation.stream()
            out = [stream.feed(chunk) for chunk in chunks]
            out.append(stream.close())
            return out

        return run


class Untranslated:
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


def copy_frames(chunks: Chunks) -> list[bytes]:
    """The floor of a stream: a copy of its chunks."""
    return [bytes(memoryview(chunk)) for chunk in chunks]
