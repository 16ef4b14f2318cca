"""Cases: streams."""

from __future__ import annotations

from tests.fidelity.cases.forms import (
    EMPTY,
    HI,
    JSON,
    OVERLOADED,
    Case,
    Check,
    asks,
    block,
    ends,
    function,
    gives,
    says,
    start,
    stream,
    use,
)
from tests.fidelity.cases.replies import AS_JSON, MAPPED

PLAIN = stream(block(0, EMPTY, says("Hel"), says("lo")), ends())
WITH_TOOLS = asks(HI, tools=[function(), function("g")])
NOT_WHOLE: tuple[Check, ...] = (("not_whole",),)


def begun(call_id: str, name: str = "f") -> JSON:
    return use(call_id, name)


STREAMS = [
    Case(
        "text streams",
        "Streaming",
        asks(HI),
        (("is", "content", "Hello"), ("is", "finish_reason", "stop")),
        events=PLAIN,
    ),
    Case(
        "the first chunk has the role, once",
        "Streaming",
        asks(HI),
        (("is", "roles", 1), ("is", "first_role", True)),
        events=PLAIN,
    ),
    Case("an empty reply has the role too", "Streaming", asks(HI), (("is", "roles", 1),), events=stream(ends())),
    Case("chunks share id, created and model", "Streaming", asks(HI), (("is", "heads", 1),), events=PLAIN),
    Case(
        "indexes count calls, not blocks",
        "Streaming",
        WITH_TOOLS,
        (("is", "tool_calls[*].index", [0, 1]),),
        events=stream(
            block(0, EMPTY, says("a")),
            block(1, begun("t1"), gives("{}")),
            block(2, begun("t2", "g"), gives("{}")),
            ends("tool_use"),
        ),
    ),
    Case(
        "a call without arguments is an empty object",
        "Streaming",
        WITH_TOOLS,
        (("json", "tool_calls[0].arguments", {}),),
        events=stream(block(0, begun("t1"), gives("")), ends("tool_use")),
    ),
    Case(
        "arguments have no empty object in front",
        "Streaming",
        WITH_TOOLS,
        (("json", "tool_calls[0].arguments", {"a": 1}),),
        events=stream(block(0, begun("t1"), gives('{"a"'), gives(": 1}")), ends("tool_use")),
    ),
    Case(
        "deltas go by the index of their event",
        "Streaming",
        WITH_TOOLS,
        (("json", "tool_calls[0].arguments", {"a": 1}), ("json", "tool_calls[1].arguments", {"b": 2})),
        events=stream(
            block(0, begun("t1"))[0],
            block(1, begun("t2", "g"))[0],
            {"type": "content_block_delta", "index": 1, "delta": gives('{"b": 2}')},
            {"type": "content_block_delta", "index": 0, "delta": gives('{"a": 1}')},
            block(0, EMPTY)[-1],
            block(1, EMPTY)[-1],
            ends("tool_use"),
        ),
    ),
    Case(
        "text behind a call still arrives",
        "Streaming",
        WITH_TOOLS,
        (("is", "content", "after"),),
        events=stream(block(0, begun("t1"), gives("{}")), block(1, EMPTY, says("after")), ends("tool_use")),
    ),
    Case(
        "a limit in the middle of arguments is length",
        "Streaming",
        WITH_TOOLS,
        (("is", "finish_reason", "length"), ("is", "tool_calls[0].arguments", '{"a": "b')),
        events=stream(block(0, begun("t1"), gives('{"a": "b')), ends("max_tokens")),
    ),
    Case(
        "calls that end with end_turn finish with tool_calls, streamed",
        "Streaming",
        WITH_TOOLS,
        (("is", "finish_reason", "tool_calls"),),
        events=stream(block(0, begun("t1"), gives("{}")), ends("end_turn")),
    ),
    Case(
        "the service's own calls never appear in a stream",
        "Streaming",
        asks(HI),
        (("is", "tool_calls", []), ("is", "content", "a")),
        events=stream(
            block(
                0, {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}, gives('{"query": "x"}')
            ),
            block(1, EMPTY, says("a")),
            ends(),
        ),
    ),
    Case(
        "usage of a delta replaces that of the start",
        "Streaming",
        asks(HI, stream_options={"include_usage": True}),
        (("is", "usage.prompt_tokens", 12), ("is", "usage.completion_tokens", 5)),
        events=stream(block(0, EMPTY, says("a")), ends(input_tokens=12)),
    ),
    Case(
        "usage of the operator's own arrives in a stream",
        "Streaming",
        asks(HI, stream_options={"include_usage": True}),
        (("is", "usage.credits_consumed", 9),),
        events=stream(block(0, EMPTY, says("a")), ends(credits_consumed=9), first=start(credits_consumed=1)),
    ),
    Case("without include_usage there is none", "Streaming", asks(HI), (("is", "usage", None),), events=PLAIN),
    Case("a stream that ends before its message is not whole", "Streaming", asks(HI), NOT_WHOLE, events=PLAIN[:-2]),
    Case(
        "a stream that ends behind its stop reason is not whole",
        "Streaming",
        asks(HI),
        (("error",),),
        events=PLAIN[:-1],
    ),
    Case(
        "an error in mid-stream is told",
        "Streaming",
        asks(HI),
        (("error",), ("not_whole",)),
        events=(*PLAIN[:3], OVERLOADED),
    ),
    Case("an error as the first event is told", "Streaming", asks(HI), (("error",),), events=(OVERLOADED,)),
    Case(
        "pings are no chunks",
        "Streaming",
        asks(HI),
        (("is", "content", "Hello"),),
        events=(PLAIN[0], {"type": "ping"}, *PLAIN[1:]),
    ),
    Case(
        "unknown events, deltas and blocks are skipped",
        "Streaming",
        asks(HI),
        (("is", "content", "a"),),
        events=stream(
            {"type": "novelty"},
            block(0, {"type": "hologram"}, {"type": "hologram_delta"}),
            block(1, EMPTY, {"type": "odd_delta"}, says("a")),
            ends(),
        ),
    ),
    Case(
        "JSON by a tool streams as content",
        "Streaming",
        AS_JSON,
        (("json", "content", {"a": 1}), ("is", "tool_calls", []), ("is", "finish_reason", "stop")),
        events=stream(block(0, use("t1", "$json"), gives('{"a":'), gives(" 1}")), ends("tool_use")),
    ),
    Case(
        "thinking streams as reasoning_content",
        "Streaming",
        asks(HI),
        (("is", "reasoning_content", "hm"),),
        events=stream(
            block(
                0,
                {"type": "thinking", "thinking": "", "signature": ""},
                {"type": "thinking_delta", "thinking": "hm"},
                {"type": "signature_delta", "signature": "s"},
            ),
            block(1, EMPTY, says("a")),
            ends(),
        ),
    ),
    Case(
        "mapped tool names are mapped back in a stream",
        "Streaming",
        MAPPED,
        (("is", "tool_calls[0].name", "a.b"),),
        events=stream(block(0, use("t1", "$native:a.b"), gives("{}")), ends("tool_use")),
    ),
    Case(
        "two calls of one id get distinct ids in a stream",
        "Streaming",
        WITH_TOOLS,
        (("distinct", "tool_calls[*].id"),),
        events=stream(block(0, begun("t1"), gives("{}")), block(1, begun("t1"), gives("{}")), ends("tool_use")),
    ),
    Case(
        "a refusal in a stream is content_filter",
        "Streaming",
        asks(HI),
        (("is", "finish_reason", "content_filter"),),
        events=stream(block(0, EMPTY, says("a")), ends("refusal")),
    ),
]
