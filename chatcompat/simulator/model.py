"""Builds the parts of a reply from the request alone."""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.json import encode

from chatcompat.simulator.beta_wire import MCPToolset
from chatcompat.simulator.blocks import Block, Document, Image, SearchResult, Text, ToolResult, ToolUse
from chatcompat.simulator.faults import Faults
from chatcompat.simulator.prompt_schema import is_open, prompted_example
from chatcompat.simulator.reply import StopDetails
from chatcompat.simulator.schema import example
from chatcompat.simulator.server_tools import (
    Container,
    compaction,
    container_of,
    found_page,
    name_in_text,
    run,
)
from chatcompat.simulator.tokens import CHARACTERS, tokens
from chatcompat.simulator.turns import Turn
from chatcompat.simulator.wire import (
    CustomTool,
    MessagesRequest,
    ServerTool,
    ThinkingAdaptive,
    ThinkingBetweenTools,
    ThinkingDisabled,
    ThinkingEnabled,
    Tool,
    ToolChoiceAny,
    ToolChoiceNone,
    ToolChoiceTool,
    ToolSearch,
    WebSearch,
)

MAX_QUOTE: Final = 400  # characters of the user's text
FENCE: Final = "```json"  # a user who writes this wants JSON in a code block
REFUSAL: Final = StopDetails("refusal", "general_harms", "The simulator was asked to refuse this request.")

_WORD: Final = re.compile(r"[^\s,;:!?\"'`()\[\]{}<>]+")
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")


class Part(Struct, frozen=True, kw_only=True):
    """A content block before encoding. Only `body` counts as output tokens."""

    body: str
    complete: bool = True  # false if `max_tokens` cut it


class Said(Part, frozen=True):
    """Text, and the citations for it."""

    citations: list[dict[str, object]] | None = None


class Thought(Part, frozen=True):
    """Thinking. `shown` says whether the client gets its text."""

    shown: bool
    prefix: bytes = b""  # the digest of the prefix it is bound to


class Call(Part, frozen=True):
    """A tool call. `body` is its input as JSON."""

    id: str
    name: str


class Ran(Part, frozen=True):
    """A block that the service made itself. `body` is the input of a call as JSON."""

    block: dict[str, object]


class Answer(Struct, frozen=True):
    """The parts of a reply, and its stop reason."""

    parts: list[Part]
    stop_reason: str
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    container: Container | UnsetType = UNSET


class Prefix(Protocol):
    """The prefix of a reply."""

    def bind(self, parts: list[Part]) -> None:
        """Bind each thought to its prefix."""


def answer(
    request: MessagesRequest,
    tools: list[Tool],
    turns: list[Turn],
    key: str,
    faults: Faults,
    *,
    prefix: Prefix,
    shows_thinking: bool,
) -> Answer:
    """Answer a request that passed `chatcompat.simulator.rules`. Ids are derived from `key`."""
    asked = next(turn for turn in reversed(turns) if turn.role == "user")
    chosen = [] if faults.refuse else _chosen_tools(request, tools, turns, asked)
    running = [] if faults.refuse else _running(request, tools, asked)
    parts: list[Part] = [*_ran(request, turns, running, key, asked, shows_thinking=shows_thinking)]
    parts += _thoughts(request, asked, chosen, shows_thinking=shows_thinking)
    if any(isinstance(tool, WebSearch) for tool in running):
        parts.append(Said(body="I have found a page.", citations=[found_page()]))
    parts += _words(request, turns, asked, chosen)
    parts += [
        Call(body=_input(tool.input_schema, request, asked), id=call_id(key, index), name=tool.name)
        for index, tool in enumerate(chosen)
    ]
    if faults.refuse:
        parts = [*parts[:-1], msgspec.structs.replace(parts[-1], body=parts[-1].body[: len(parts[-1].body) // 2])]
    parts, stop_sequence = _stopped(parts, [] if request.stop_sequences is UNSET else request.stop_sequences)
    parts, is_cut = _limited(parts, request.max_tokens)
    prefix.bind(parts)
    container = container_of(request, [part.block for part in parts if isinstance(part, Ran)], key)
    if faults.stop is not None:
        return Answer(parts, faults.stop, container=container)
    if faults.refuse:
        return Answer(parts, "refusal", stop_details=REFUSAL)
    if is_cut:
        return Answer(parts, "max_tokens", container=container)
    if stop_sequence is not None:
        return Answer(parts, "stop_sequence", stop_sequence, container=container)
    return Answer(parts, "tool_use" if chosen else "end_turn", container=container)


def call_id(key: str, index: int) -> str:
    """The id of the call at `index` in the reply to the request with this `key`."""
    return f"toolu_01{sha256(f'{key} {index}'.encode()).hexdigest()[:22]}"


# ---------------------------------------------------------------- tools


def _chosen_tools(request: MessagesRequest, tools: list[Tool], turns: list[Turn], asked: Turn) -> list[CustomTool]:
    """The tools to call, in the order they are offered."""
    choice = request.tool_choice
    offered = [tool for tool in tools if isinstance(tool, CustomTool)]
    if isinstance(choice, ToolChoiceTool):
        return [tool for tool in offered if tool.name == choice.name]
    if isinstance(choice, ToolChoiceNone) or not offered:
        return []
    text = "\n".join(_texts(asked))
    named = [tool for tool in offered if _names(text, tool.name)]
    runs = bool(_running(request, tools, asked)) and not isinstance(choice, ToolChoiceAny)
    if not named and not runs and (isinstance(choice, ToolChoiceAny) or not _is_prefilled(turns)):
        if not _results(asked):
            named = offered[:1]
        elif isinstance(choice, ToolChoiceAny):
            called = set(_called(turns).values())
            named = [next((tool for tool in offered if tool.name not in called), offered[-1])]
    is_single = choice is not UNSET and not isinstance(choice, ToolChoiceNone) and choice.disable_parallel_tool_use
    return named[:1] if is_single else named


def _running(request: MessagesRequest, tools: list[Tool], asked: Turn) -> list[ServerTool | MCPToolset]:
    """The tools that the service runs."""
    if isinstance(request.tool_choice, ToolChoiceNone | ToolChoiceTool):
        return []
    text = "\n".join(_texts(asked))
    runnable = [tool for tool in tools if not isinstance(tool, CustomTool | ToolSearch)]
    return [tool for tool in runnable if _names(text, name_in_text(tool))]


def _ran(
    request: MessagesRequest,
    turns: list[Turn],
    running: list[ServerTool | MCPToolset],
    key: str,
    asked: Turn,
    *,
    shows_thinking: bool,
) -> Iterator[Part]:
    """What the service does before it answers: a summary, and calls of its tools after a thought."""
    if (summary := compaction(request, turns)) is not None:
        yield Ran(body=str(summary["content"]), block=summary)
    for tool in running:
        yield from _thoughts(request, asked, [tool], shows_thinking=shows_thinking)
        call, result = run(tool, key)
        yield Ran(body=encode(call["input"]).decode(), block=call)
        yield Ran(body="", block=result)


def _names(text: str, name: str) -> bool:
    """Whether the text contains the tool's name.

    Gateways rename tools with invalid names: they replace characters and may add a suffix. So a word that is not a
    valid name also matches the tool names that begin with its sanitized form.
    """
    if re.search(rf"(?<![a-zA-Z0-9_-]){re.escape(name)}(?![a-zA-Z0-9_-])", text):
        return True
    for word in _WORD.findall(text):
        legal = _NOT_IN_NAME.sub("_", word.rstrip("."))
        if legal != word.rstrip(".") and legal.strip("_") and (name == legal or name.startswith(f"{legal}_")):
            return True
    return False


def _called(turns: list[Turn]) -> dict[str, str]:
    """Map the id of each call in the conversation to its tool name."""
    blocks = (placed.block for turn in turns for placed in turn.blocks)
    return {block.id: block.name for block in blocks if isinstance(block, ToolUse)}


def _is_prefilled(turns: list[Turn]) -> bool:
    return turns[-1].role == "assistant"


# ---------------------------------------------------------------- text


def _words(request: MessagesRequest, turns: list[Turn], asked: Turn, chosen: list[CustomTool]) -> Iterator[Said]:
    """The text of the reply: none before a forced call, JSON if a format is requested."""
    config = request.output_config
    if chosen:
        if request.tool_choice is UNSET or not isinstance(request.tool_choice, ToolChoiceAny | ToolChoiceTool):
            yield Said(body=f"I will call {' and '.join(tool.name for tool in chosen)}.")
    elif config is not UNSET and config.format is not None:
        yield Said(body=encode(example(config.format.schema)).decode())
    elif FENCE in "\n".join(_texts(asked)) and (prompted := prompted_example(request, asked)) is not UNSET:
        yield Said(body=f"{FENCE}\n{encode(prompted).decode()}\n```")
    else:
        yield Said(body=" ".join(_sentences(turns, asked)))


def _input(schema: dict[str, object], request: MessagesRequest, asked: Turn) -> str:
    """An input for a tool's schema. If that allows any object, an input for the schema in the prompt, if any."""
    prompted = prompted_example(request, asked) if is_open(schema) else UNSET
    return encode(example(schema) if prompted is UNSET else prompted).decode()


def _sentences(turns: list[Turn], asked: Turn) -> Iterator[str]:
    names = _called(turns)
    for result in _results(asked):
        verb = "failed" if result.is_error else "says"
        yield f"The tool {names[result.tool_use_id]} {verb}: {_quote(_result_text(result))}."
    if text := "\n".join(_texts(asked)):
        yield f"I have read your message. You wrote: {_quote(text)}."
    if seen := [label for placed in asked.blocks if (label := _label(placed.block))]:
        yield f"I have seen: {', '.join(seen)}."


def _texts(turn: Turn) -> list[str]:
    return [placed.block.text for placed in turn.blocks if isinstance(placed.block, Text)]


def _results(turn: Turn) -> list[ToolResult]:
    return [placed.block for placed in turn.blocks if isinstance(placed.block, ToolResult)]


def _result_text(result: ToolResult) -> str:
    if isinstance(result.content, str):
        return result.content
    blocks = [] if result.content is UNSET else result.content
    return " ".join(block.text if isinstance(block, Text) else _label(block) for block in blocks)


def _label(block: Block) -> str:
    """Describe an image, document or search result; "" for any other block."""
    match block:
        case Image(source=source) | Document(source=source):
            kind = "an image" if isinstance(block, Image) else "a document"
            return f"{kind} ({getattr(source, 'media_type', source.__struct_config__.tag)})"
        case SearchResult():
            return "a search result"
        case _:
            return ""


def _quote(text: str) -> str:
    text = text.strip()
    return f'"{text}"' if len(text) <= MAX_QUOTE else f'"{text[:MAX_QUOTE]}\u2026"'


# ---------------------------------------------------------------- thinking


def _thoughts(
    request: MessagesRequest, asked: Turn, chosen: Sequence[Tool], *, shows_thinking: bool
) -> Iterator[Thought]:
    config = request.thinking
    if config is UNSET or isinstance(config, ThinkingDisabled):
        return
    results = len(_results(asked))
    if isinstance(config, ThinkingBetweenTools) and not results:
        return
    plan = f"call {', '.join(tool.name for tool in chosen)}" if chosen else "answer in words"
    display = config.display if isinstance(config, ThinkingEnabled | ThinkingAdaptive) else None
    shown = shows_thinking if display is None else display != "omitted"
    body = f"The last turn has {len(asked.blocks)} blocks, {results} of them results of tools. I should {plan}."
    yield Thought(body=body, shown=shown)


# ---------------------------------------------------------------- limits


def _stopped(parts: list[Part], stops: list[str]) -> tuple[list[Part], str | None]:
    """Cut the reply before the first stop sequence in its text."""
    for index, part in enumerate(parts):
        if isinstance(part, Said):
            found = [(at, stop) for stop in stops if (at := part.body.find(stop)) >= 0]
            if found:
                at, stop = min(found)
                kept = [msgspec.structs.replace(part, body=part.body[:at])] if at else []
                return [*parts[:index], *kept], stop
    return parts, None


def _limited(parts: list[Part], max_tokens: int) -> tuple[list[Part], bool]:
    """Cut the reply after `max_tokens` tokens, even within a part."""
    left = max_tokens
    for index, part in enumerate(parts):
        if tokens(part.body) > left:
            cut = msgspec.structs.replace(part, body=part.body[: left * CHARACTERS], complete=False)
            return [*parts[:index], *([cut] if left and not isinstance(part, Ran) else [])], True
        left -= tokens(part.body)
    return parts, False
