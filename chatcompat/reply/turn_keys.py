"""The key under which the thinking of a turn is stored, derived from the content of the turn and of what it answers.

A turn is identified by its text, by the names and arguments of its calls, and by the user messages or results right
before it. Ids are not part of the key: some servers number the calls of each reply from zero, and some clients renumber
them. Blank text counts as empty, since clients drop it. Arguments are compared as JSON, since clients reformat them and
reorder their keys.

The messages that a turn answers distinguish two conversations that make the same call. So do the earlier turns of its
tool loop, since each key contains the previous one. Messages before the loop are not part of the key. The stored value
has a digest of them (see `chatcompat.request.prefix`), so that a changed prefix is detected and reported.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct

from chatcompat.errors import DECODE_ERRORS
from chatcompat.reply.text_digest import CALL_BYTES, MAX_SAID_BYTES, Call, KeptText, TextDigest, digest_of
from chatcompat.wire import digests
from chatcompat.wire.chat_native import NativeImagePart, RedactedThinkingPart, ThinkingPart, ToolUsePart
from chatcompat.wire.chat_request import (
    AssistantMessage,
    DocumentPart,
    FilePart,
    FunctionMessage,
    ImagePart,
    Message,
    ReasoningDetail,
    SearchResultPart,
    TextPart,
    ToolMessage,
    ToolResultPart,
    UserMessage,
)
from chatcompat.wire.reasoning import holds_thinking

MAX_LOOKUPS: Final = 1_024
"""How many turns of a tool loop are looked up. In a longer loop none are, since a part would be refused."""

CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key"})
"""Headers that identify the client."""

_encode = msgspec.json.Encoder().encode
_decode_str = msgspec.json.Decoder(str).decode


class Turn(Struct, frozen=True):
    """The content of a turn, and its thinking.

    Attributes:
        text: The digest of its text, from `digest_of`.
        calls: Its tool calls, in order.
        details: Its thinking, with the positions of text and calls.
        ids: The native ids of its calls, if they are known.
    """

    text: bytes
    calls: list[Call]
    details: list[ReasoningDetail]
    ids: list[str] = []


class SaidTurn(Struct, eq=False, gc=False):  # noqa: PLW1641 - nothing needs its hash
    """The content of a reply that may become a `Turn`. Most replies are not stored, and never do."""

    content: TextDigest | KeptText
    calls: Callable[[], list[Call]]
    details: list[ReasoningDetail]
    ids: list[str] = []

    def to_turn(self) -> Turn | None:
        """Return the turn, or None if it has no calls: then no results follow that need its thinking."""
        calls = self.calls()
        return Turn(self.content.digest, calls, self.details, self.ids) if calls else None

    def __eq__(self, other: object) -> bool:
        """Compare the content, whichever way it was collected."""
        return isinstance(other, SaidTurn) and self.to_turn() == other.to_turn()


def to_turn(message: AssistantMessage) -> Turn:
    """Return the turn of a message. It is the same for a reply and for the history that a client sends back."""
    native = [part for part in _parts(message.content) if isinstance(part, ToolUsePart)]
    calls: list[Call] = [("function", part.name, _input_of(part)) for part in native]
    copied = {part.id for part in native}
    for call in message.tool_calls or ():
        if call.id in copied:
            continue
        if call.custom is not None:
            calls.append(("custom", call.custom.name, call.custom.input))
        elif call.function is not None:
            calls.append(("function", call.function.name, call.function.arguments_text()))
    if (legacy := message.function_call) is not None:
        calls.append(("function", legacy.name, legacy.arguments_text()))
    return Turn(digest_of(_text(message.content)), calls, message.reasoning_details or [])


def _input_of(part: ToolUsePart) -> str:
    """Return the input of a native call as arguments. Some clients send it as a string of JSON, or null."""
    text = "null" if part.input is UNSET else bytes(part.input).decode(errors="replace")
    if text == "null":
        return ""
    return _decode_str(text) if text.startswith('"') else text


# ---------------------------------------------------------------- the key


def to_credential(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a digest of all credential headers. Clients with the same value in one may differ in the other."""
    held = sorted(header for header in headers if header[0] in CREDENTIALS)
    return digests.blake2b(_encode(held), digest_size=32).digest()


def to_key(credential: bytes, answered: bytes, turn: Turn) -> bytes | None:
    """Return a key of 32 bytes that reveals nothing of the turn, or None if its calls are too large to keep.

    `answered` is the digest of what the turn answers, followed by the link to the previous turn, from `to_link`.
    """
    if sum(CALL_BYTES + len(name) + len(arguments) for _, name, arguments in turn.calls) > MAX_SAID_BYTES:
        return None
    calls = [
        (kind, name, arguments if kind == "custom" else _canonical(arguments)) for kind, name, arguments in turn.calls
    ]
    return digests.blake2b(_encode((answered, turn.text, calls)), key=credential, digest_size=32).digest()


def to_link(key: bytes, turn: Turn) -> bytes:
    """Return the link to this turn, for the keys of later turns in the loop. Arguments are not reformatted here."""
    return digests.blake2b(_encode(turn.calls), key=key, digest_size=32).digest()


_decode_json = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


def _canonical(arguments: str) -> str:
    """Return a canonical text of JSON, with the digits of its numbers unchanged. Other text is returned unchanged."""
    try:
        return _encode_sorted(_decode_json(arguments.strip() or "{}")).decode()
    except DECODE_ERRORS:
        return arguments


def digest_of_run(messages: Iterable[Message]) -> bytes:
    """Return a digest of what a turn answers: user messages and results, without ids, names and instructions."""
    digest = digests.blake2b(digest_size=32)
    for message in messages:
        if isinstance(message, UserMessage | ToolMessage | FunctionMessage):
            for role, content in _parted(message):
                files = _files(content)
                digest.update(_encode((role, _text(content), list(map(len, files)))))
                for file in files:
                    digest.update(file)
    return digest.digest()


def _parted(
    message: UserMessage | ToolMessage | FunctionMessage,
) -> list[tuple[str, str | Sequence[object] | None]]:
    """Return the content of a message by role: native results in a user message count like tool messages."""
    content: str | Sequence[object] | None = message.content
    if not isinstance(message, UserMessage):
        return [("tool", content)]
    if not _has_results(message):
        return [("user", content)]
    results = [part for part in message.content if isinstance(part, ToolResultPart)]
    rest = [part for part in message.content if not isinstance(part, ToolResultPart)]
    return [*(("tool", result.content) for result in results), *([("user", rest)] if rest else [])]


def _has_results(message: Message) -> bool:
    """Return whether a message answers calls."""
    if isinstance(message, UserMessage) and isinstance(message.content, list):
        return any(isinstance(part, ToolResultPart) for part in message.content)
    return isinstance(message, ToolMessage | FunctionMessage)


def _parts(content: str | Sequence[object] | None) -> Sequence[object]:
    """Return the parts of a message's content, if it has any."""
    return content if isinstance(content, list) else ()


def _text(content: str | Sequence[object] | None) -> str:
    """Return the text of a message's content, which may be a string, parts or null."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content if isinstance(part, TextPart))


def _files(content: str | Sequence[object] | None) -> list[memoryview]:
    """Return the images and files of a message's content, as the JSON that the client sent."""
    files: list[memoryview] = []
    for part in _parts(content):
        match part:
            case ImagePart():
                files.append(memoryview(part.to_image_url().url))
            case FilePart():
                files.append(memoryview(_encode(part.file.file_id)))
                if isinstance(part.file.file_data, Raw):
                    files.append(memoryview(part.file.file_data))
            case NativeImagePart() | DocumentPart() | SearchResultPart():  # clients move breakpoints
                files.append(memoryview(_encode(msgspec.structs.replace(part, cache_control=None))))
    return files


# ---------------------------------------------------------------- turns without their thinking


_ASKING: Final = ("user", "system", "developer")


def last_answered(messages: Sequence[Message]) -> bytes:
    """Return the digest of what the reply to a request answers."""
    for is_turn, group in groupby(reversed(messages), _is_turn):
        if not is_turn:
            return digest_of_run(reversed([*group]))
    return digest_of_run(())


def lost_turns(messages: Sequence[Message]) -> list[tuple[AssistantMessage, bytes]]:
    """Return the turns of the current tool loop without their thinking, each with the digest of what it answers.

    The loop begins after the last user turn without results. The service expects no thinking before that.
    """
    found: list[tuple[AssistantMessage, bytes]] = []
    for message in reversed(messages):
        if message.role == "assistant":
            return found  # no results after the last turn: the most common case
        if message.role not in _ASKING or not isinstance(message.content, str):
            break
    else:
        return found
    turns: list[AssistantMessage] = []  # the turns that answer the run before them
    for is_turn, group in groupby(reversed(messages), _is_turn):
        run = [*group]
        if is_turn:
            turns = [turn for turn in run if isinstance(turn, AssistantMessage) and _is_lost(turn)]
            continue
        if turns:
            answered = digest_of_run(reversed(run))
            found += [(turn, answered) for turn in turns]
            turns = []
        if not any(map(_has_results, run)):
            return found
    answered = digest_of_run(())
    return found + [(turn, answered) for turn in turns]


def _is_turn(message: Message) -> bool:
    return isinstance(message, AssistantMessage)


_THINKING: Final = (ThinkingPart, RedactedThinkingPart)


def _is_lost(turn: AssistantMessage) -> bool:
    parts = _parts(turn.content)
    has_calls = turn.tool_calls or turn.function_call or any(isinstance(part, ToolUsePart) for part in parts)
    has_thinking = turn.thinking_blocks or any(isinstance(part, _THINKING) for part in parts)
    return bool(has_calls) and not has_thinking and not any(map(holds_thinking, turn.reasoning_details or ()))
