"""Cases: native keys, blocks and shapes in chat requests, and thinking as clients ask for it."""

from __future__ import annotations

from tests.fidelity.cases.forms import HI, Case, asks
from tests.fidelity.cases.sessions import SESSIONS

_USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}
_RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
_FLAT = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
_LOOP = (HI, {"role": "assistant", "content": [_USE]}, {"role": "user", "content": [_RESULT]})
_THINKING = {"type": "enabled", "budget_tokens": 2000}

NATIVE = [
    Case(
        "native thinking passes",
        "Parameters",
        asks(HI, thinking=_THINKING, max_tokens=9000),
        (("is", "thinking", _THINKING),),
    ),
    Case("top_k passes", "Parameters", asks(HI, top_k=5), (("is", "top_k", 5),)),
    Case(
        "a native context management passes",
        "Parameters",
        asks(HI, context_management={"edits": [{"type": "clear_tool_uses_20250919"}]}),
        (("is", "context_management.edits[0].type", "clear_tool_uses_20250919"),),
    ),
    Case(
        "a budget of reasoning is the thinking budget",
        "Parameters",
        asks(HI, reasoning={"max_tokens": 2000}, max_tokens=9000),
        (("is", "thinking.budget_tokens", 2000), ("absent", "reasoning")),
    ),
    Case(
        "a native call and its result are paired",
        "Messages",
        asks(*_LOOP, tools=[_FLAT]),
        (
            ("is", "messages[1].content[0].input", {"a": 1}),
            ("is", "messages[2].content[0].type", "tool_result"),
            ("same", "messages[2].content[0].tool_use_id", "messages[1].content[0].id"),
        ),
    ),
    Case("a flat function is a tool", "Tools", asks(HI, tools=[_FLAT]), (("is", "tools[0].name", "f"),)),
    Case(
        "a native choice passes",
        "Tools",
        asks(HI, tools=[_FLAT], tool_choice={"type": "any"}),
        (("is", "tool_choice.type", "any"),),
    ),
    *SESSIONS,
]
