"""Cases: cache marks of the client, and how it asks for caching."""

from __future__ import annotations

from tests.fidelity.cases.forms import HI, JSON, Case, asks, assistant, call, function, result, text_block, user

_SHORT = {"type": "ephemeral"}
_HOUR = {"type": "ephemeral", "ttl": "1h"}
_LONG = user("word " * 600)
_RESULT = "messages[2].content[0]"


def _marked(text: str, mark: JSON) -> JSON:
    return {**text_block(text), "cache_control": mark}


CACHING = [
    Case(
        "a mark within a tool result is on the result",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1")]), result("c1", [_marked("a", _SHORT)]), tools=[function()]),
        (("is", f"{_RESULT}.cache_control", _SHORT), ("absent", f"{_RESULT}.content[0].cache_control")),
    ),
    Case(
        "an hour's mark behind a shorter one raises that one",
        "Messages",
        asks(user([_marked("a", _SHORT), _marked("b", _HOUR)])),
        (("is", "messages[0].content[0].cache_control", _HOUR),),
    ),
    Case(
        "of five marks the last four are kept",
        "Messages",
        asks(user([_marked(text, _SHORT) for text in "abcde"])),
        (
            ("absent", "messages[0].content[0].cache_control"),
            *(("is", f"messages[0].content[{index}].cache_control", _SHORT) for index in range(1, 5)),
        ),
    ),
    Case(
        "a native tool's mark counts towards the four",
        "Tools",
        asks(
            user([_marked(text, _SHORT) for text in "abcd"]),
            tools=[{"name": "f", "input_schema": {"type": "object"}, "cache_control": _SHORT}],
        ),
        (("absent", "tools[0].cache_control"), ("is", "messages[0].content[0].cache_control", _SHORT)),
    ),
    Case(
        "a mark on a deferred tool moves to the one before",
        "Tools",
        asks(HI, tools=[function("f"), {**function("g"), "defer_loading": True, "cache_control": _SHORT}]),
        (("is", "tools[0].cache_control", _SHORT), ("absent", "tools[1].cache_control")),
    ),
    Case(
        "the client's automatic mark keeps the order",
        "Parameters",
        asks(user([_marked("a", _SHORT)]), cache_control=_HOUR),
        (("is", "cache_control", _HOUR), ("is", "messages[0].content[0].cache_control", _HOUR)),
    ),
    Case("a large prompt is cached", "Parameters", asks(_LONG), (("is", "cache_control", _SHORT),)),
    Case(
        "explicit caching without breakpoints caches nothing",
        "Parameters",
        asks(_LONG, prompt_cache_options={"mode": "explicit"}),
        (("absent", "cache_control"), ("absent", "prompt_cache_options")),
    ),
    Case(
        "a cache lifetime of half an hour is an hour",
        "Parameters",
        asks(_LONG, prompt_cache_options={"ttl": "30m"}),
        (("is", "cache_control", _HOUR), ("absent", "prompt_cache_options")),
    ),
    Case(
        "a retention of a day is an hour",
        "Parameters",
        asks(_LONG, prompt_cache_retention="24h"),
        (("is", "cache_control", _HOUR), ("absent", "prompt_cache_retention")),
    ),
]
