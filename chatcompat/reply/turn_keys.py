"""Which turn thinking belongs to: the key under which it is kept, made of what the turn says and what it answers.

A turn is known by its words: its text, its calls by name and arguments, and the user messages or results right before
it. Ids are left out: some servers number the calls of every reply from zero, and some clients number them anew.
Arguments are compared as JSON, since clients write them again with other spaces and in another order of keys.

What a turn answers tells apart two conversations that call the same function alike. Nothing before that is part of the
key: clients trim old messages and change their system prompt, and the thinking would be lost with every change. So two
turns of one credential share their thinking only if they say the same in answer to the same.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Raw, Struct

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.text_digest import CALL_BYTES, MAX_SAID_BYTES, Call, digest_of
from chatcompat.wire.chat_request import (
    AssistantMessage,
    FilePart,
    FunctionMessage,
    ImagePart,
    Message,
    ReasoningDetail,
    TextPart,
    ToolMessage,
    UserMessage,
)

MAX_LOOKUPS: Final = 64
"""How many turns of one tool loop are looked up, the last ones."""

CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key"})
"""Headers that say who asks."""

_encode = msgspec.json.Encoder().encode


class Turn(Struct, frozen=True):
    """What a turn says, and its thinking.

    Attributes:
        text: The digest of its text, made by `digest_of`.
        calls: Its tool calls, in order.
        details: Its thinking, with the places of text and calls.
    """

    text: bytes
    calls: list[Call]
    details: list[ReasoningDetail]


def to_turn(message: AssistantMessage) -> Turn:
    """What a message says: the same of one that this package sent and of one that came back."""
    calls: list[Call] = []
    for call in message.tool_calls or ():
        if call.custom is not None:
            calls.append(("custom", call.custom.name, call.custom.input))
        elif call.function is not None:
            calls.append(("function", call.function.name, call.function.arguments or ""))
    if (legacy := message.function_call) is not None:
        calls.append(("function", legacy.name, legacy.arguments or ""))
    return Turn(digest_of(_text(message.content)), calls, message.reasoning_details or [])


# ---------------------------------------------------------------- the key


def to_credential(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A digest of all that says who asks: a placeholder in one header does not join those who differ in another."""
    held = sorted(header for header in headers if header[0] in CREDENTIALS)
    return blake2b(_encode(held), digest_size=32).digest()


def to_key(credential: bytes, answered: bytes, turn: Turn) -> bytes | None:
    """32 bytes from which nothing can be read; None for a turn whose calls are too large to be kept."""
    if sum(CALL_BYTES + len(name) + len(arguments) for _, name, arguments in turn.calls) > MAX_SAID_BYTES:
        return None
    calls = [
        (kind, name, arguments if kind == "custom" else _canonical(arguments)) for kind, name, arguments in turn.calls
    ]
    return blake2b(_encode((answered, turn.text, calls)), key=credential, digest_size=32).digest()


_decode_json = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


def _canonical(arguments: str) -> str:
    """The same text for the same JSON, with the digits of its numbers as they are; what is no JSON stays as it is."""
    try:
        return _encode_sorted(_decode_json(arguments.strip() or "{}")).decode()
    except DECODE_ERRORS:
        return arguments


def digest_of_run(messages: Iterable[Message]) -> bytes:
    """A digest of what a turn answers: user messages and results, without their ids, names and instructions."""
    digest = blake2b(digest_size=32)
    for message in messages:
        if isinstance(message, UserMessage | ToolMessage | FunctionMessage):
            files = _files(message.content)
            role = "user" if isinstance(message, UserMessage) else "tool"
            digest.update(_encode((role, _text(message.content), list(map(len, files)))))
            for file in files:
                digest.update(file)
    return digest.digest()


def _text(content: str | Sequence[object] | None) -> str:
    """The text of a message's content: clients send one text as a string, as parts, or as nothing."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content if isinstance(part, TextPart))


def _files(content: str | Sequence[object] | None) -> list[memoryview]:
    """The images and files of a message's content, as the JSON that came."""
    files: list[memoryview] = []
    for part in content if isinstance(content, list) else ():
        match part:
            case ImagePart():
                files.append(memoryview(part.image_url.url))
            case FilePart():
                files.append(memoryview(_encode(part.file.file_id)))
                if isinstance(part.file.file_data, Raw):
                    files.append(memoryview(part.file.file_data))
    return files


# ---------------------------------------------------------------- what is missed


def last_answered(messages: Sequence[Message]) -> bytes:
    """What the reply to a request answers."""
    for is_turn, group in groupby(reversed(messages), _is_turn):
        if not is_turn:
            return digest_of_run(reversed([*group]))
    return digest_of_run(())


def lost_turns(messages: Sequence[Message]) -> list[tuple[AssistantMessage, bytes]]:
    """The turns of the running tool loop that came back without their thinking, and what each one answers.

    From the end back to a user turn without results: only up to there does the native side want the thinking.
    """
    found: list[tuple[AssistantMessage, bytes]] = []
    if _is_turn(messages[-1]):
        return found
    turns: list[AssistantMessage] = []  # those that answer the run before them
    for is_turn, group in groupby(reversed(messages), _is_turn):
        run = [*group]
        if is_turn:
            turns = [turn for turn in run if isinstance(turn, AssistantMessage) and _is_lost(turn)]
            continue
        if turns:
            answered = digest_of_run(reversed(run))
            found += [(turn, answered) for turn in turns[: MAX_LOOKUPS - len(found)]]
            turns = []
        if len(found) == MAX_LOOKUPS or not any(isinstance(message, ToolMessage | FunctionMessage) for message in run):
            return found
    answered = digest_of_run(())
    return found + [(turn, answered) for turn in turns[: MAX_LOOKUPS - len(found)]]


def _is_turn(message: Message) -> bool:
    return isinstance(message, AssistantMessage)


def _is_lost(turn: AssistantMessage) -> bool:
    return bool(turn.tool_calls or turn.function_call) and not turn.reasoning_details
