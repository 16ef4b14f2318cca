"""Rules for tools."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from chatcompat.check.endpoint import Endpoint, need, read
from chatcompat.check.rule import Rule
from chatcompat.check.shapes import Choice, Chunk
from chatcompat.check.streams import choices_of, finish_of

_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_ASK: Final = "What is the weather in Paris? Use get_weather."


def _tool(name: str, description: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": _SCHEMA}}


_TOOLS: Final = [_tool("get_weather", "The weather of a city."), _tool("get_time", "The time in a city.")]


class _Arguments(Struct):
    city: Annotated[str, Meta(min_length=1)]


async def _called(endpoint: Endpoint, **fields: object) -> Choice:
    """Return a choice with calls."""
    choice = (await endpoint.complete(_ASK, **({"tools": _TOOLS, "tool_choice": "required"} | fields))).first
    need(choice.calls, "wanted tool_calls", choice)
    return choice


async def _streamed(endpoint: Endpoint) -> list[Chunk]:
    return await endpoint.chunks("Call both get_weather and get_time for Paris.", tools=_TOOLS, tool_choice="required")


async def _calls(endpoint: Endpoint) -> None:
    choice = await _called(endpoint)
    names = {call.function.name for call in choice.calls}
    need(names <= {"get_weather", "get_time"}, "wanted calls of the offered tools", choice.calls)


async def _finish(endpoint: Endpoint) -> None:
    choice = await _called(endpoint)
    need(choice.finish_reason == "tool_calls", "wanted finish_reason tool_calls", choice)


async def _arguments(endpoint: Endpoint) -> None:
    for call in (await _called(endpoint)).calls:
        read(call.function.arguments.encode(), _Arguments)


async def _ids(endpoint: Endpoint) -> None:
    ask = "Call both get_weather and get_time for Paris."
    choice = (await endpoint.complete(ask, tools=_TOOLS, tool_choice="required")).first
    ids = [call.id for call in choice.calls]
    need(ids and len(set(ids)) == len(ids), "wanted calls with different ids", ids)


async def _stream_parts(endpoint: Endpoint) -> None:
    seen: dict[int, str] = {}
    for call in (call for choice in choices_of(await _streamed(endpoint)) for call in choice.delta.tool_calls or ()):
        if call.index not in seen:
            need(call.index == len(seen), "wanted indexes 0, 1, 2 and so on", call)
            need(call.id and call.function.name, "wanted id and name in the first delta of a call", call)
            need(call.id not in seen.values(), "wanted calls with different ids", call)
            seen[call.index] = call.id or ""
        else:
            need(
                not (call.id or call.function.name),
                "wanted id and name only once per call, since clients join them",
                call,
            )
    need(seen, "wanted deltas of tool_calls", "none")


async def _stream_arguments(endpoint: Endpoint) -> None:
    joined: dict[int, str] = {}
    for choice in choices_of(await _streamed(endpoint)):
        for call in choice.delta.tool_calls or ():
            joined[call.index] = joined.get(call.index, "") + (call.function.arguments or "")
    need(joined, "wanted deltas of tool_calls", "none")
    for arguments in joined.values():
        read(arguments.encode(), _Arguments)


async def _stream_finish(endpoint: Endpoint) -> None:
    reasons = finish_of(await _streamed(endpoint))
    need(reasons == ["tool_calls"], "wanted one finish_reason, tool_calls", reasons)


async def _loop(endpoint: Endpoint) -> None:
    function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": _ASK},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 21 degrees."},
    ]
    choice = (await endpoint.complete(turns, tools=_TOOLS)).first
    need(choice.text.strip() and choice.finish_reason == "stop", "wanted a text answer", choice)


async def _none(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete(_ASK, tools=_TOOLS, tool_choice="none")).first
    need(not choice.calls and choice.text, "wanted text and no calls", choice)


async def _required(endpoint: Endpoint) -> None:
    choice = (await endpoint.complete("Hello", tools=_TOOLS, tool_choice="required")).first
    need(choice.calls, "wanted a call", choice)


async def _named(endpoint: Endpoint) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    names = {call.function.name for call in (await _called(endpoint, tool_choice=named)).calls}
    need(names == {"get_time"}, "wanted only calls of get_time", sorted(names))


async def _single(endpoint: Endpoint) -> None:
    ask = "Call both get_weather and get_time for Paris."
    fields: dict[str, object] = {"tools": _TOOLS, "tool_choice": "required", "parallel_tool_calls": False}
    calls = (await endpoint.complete(ask, **fields)).first.calls
    need(len(calls) == 1, "wanted one call", calls)


RULES: Final = (
    Rule("tool-calls", "calls have an id, a type, the name of an offered tool, and arguments as text", _calls),
    Rule("tool-finish-reason", "a reply with calls finishes with tool_calls", _finish),
    Rule("tool-arguments", "arguments are JSON that fits the schema", _arguments),
    Rule("tool-ids", "each call has its own id", _ids),
    Rule("tool-stream", "streamed calls have an index, and id and name once", _stream_parts),
    Rule("tool-stream-arguments", "streamed arguments join to JSON that fits the schema", _stream_arguments),
    Rule("tool-stream-finish-reason", "a stream with calls finishes with tool_calls", _stream_finish),
    Rule("tool-loop", "the result of a call is accepted, and gets a text answer", _loop),
    Rule("tool-choice-none", "tool_choice none: no calls", _none),
    Rule("tool-choice-required", "tool_choice required: at least one call", _required),
    Rule("tool-choice-named", "tool_choice with a function: only that function is called", _named),
    Rule("parallel-tool-calls", "parallel_tool_calls false: one call", _single),
)
