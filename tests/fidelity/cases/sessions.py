"""Cases: conversations that go on: strict schemas, blocks of server tools, shapes of other clients, errors."""

from __future__ import annotations

import json
from typing import Any

from tests.fidelity.cases.forms import (
    HI,
    JSON,
    REFUSED,
    Case,
    Check,
    asks,
    assistant,
    call,
    function,
    message,
    result,
    start,
    stream,
    text_block,
    use,
    user,
)

NATIVE = "anthropic-claude-v1"
_USED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q", "n": 2.50}}
_FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
_SIGNED = {"type": "reasoning.text", "text": "t", "signature": "s", "format": NATIVE}
_SEARCHED = {
    "type": "search_result_location",
    "cited_text": "x",
    "search_result_index": 0,
    "source": "https://x",
    "start_block_index": 0,
    "end_block_index": 1,
    "title": "T",
}
_THINKING = {"type": "thinking", "thinking": "t", "signature": "s"}
_CLOSED = {"type": "object", "required": ["a"], "additionalProperties": False}
_TOO_LONG = "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000"


def strict(schema: Any) -> JSON:
    return asks(HI, tools=[function(strict=True, parameters={**_CLOSED, "properties": {"a": schema}})])


def opaque(block: JSON) -> JSON:
    return {"type": "reasoning.encrypted", "data": json.dumps(block), "format": NATIVE}


def sent(name: str, chat: JSON, *checks: Check, group: str = "Messages") -> Case:
    return Case(name, group, chat, checks)


def overflow(wording: str) -> JSON:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": wording}}


STRICT = [
    sent(
        "an optional field of a strict tool is compiled",
        strict({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ("is", "tools[0].strict", True),
        ("has", "tools[0].input_schema.properties.a", "null"),
        group="Tools",
    ),
    sent(
        "a limit that is not compiled moves to the description",
        strict({"type": "integer", "minimum": 1}),
        ("is", "tools[0].strict", True),
        ("absent", "tools[0].input_schema.properties.a.minimum"),
        ("has", "tools[0].input_schema.properties.a.description", "minimum"),
        group="Tools",
    ),
    sent(
        "oneOf in a strict tool is anyOf",
        strict({"oneOf": [{"type": "string"}, {"type": "null"}]}),
        ("is", "tools[0].strict", True),
        ("absent", "tools[0].input_schema.properties.a.oneOf"),
        group="Tools",
    ),
    sent(
        "a strict tool with a map loses strict",
        strict({"type": "object", "additionalProperties": {"type": "string"}}),
        ("absent", "tools[0].strict"),
        ("is", "tools[0].input_schema.properties.a.additionalProperties", {"type": "string"}),
        group="Tools",
    ),
    sent(
        "a strict tool that is recursive loses strict",
        strict({"$ref": "#"}),
        ("absent", "tools[0].strict"),
        group="Tools",
    ),
    sent(
        "the tool for a schema that is not compiled is not strict",
        asks(
            HI,
            response_format={
                "type": "json_schema",
                "json_schema": {
                    "name": "x",
                    "strict": True,
                    "schema": {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}},
                },
            },
        ),
        ("absent", "tools[0].strict"),
        ("has", "", '"minimum": 1'),
        group="Tools",
    ),
    sent(
        "of many strict tools the service takes twenty",
        asks(HI, tools=[function(f"f{n}", strict=True, parameters=_CLOSED | {"required": []}) for n in range(21)]),
        ("is", "tools[19].strict", True),
        ("absent", "tools[20].strict"),
        group="Tools",
    ),
]

HISTORIES = [
    sent(
        "the blocks of a server tool go back as they were",
        asks(HI, assistant("a", reasoning_details=[_SIGNED, opaque(_USED), opaque(_FOUND)]), user("b")),
        ("is", "messages[1].content", [_THINKING, _USED, _FOUND, text_block("a")]),
    ),
    sent(
        "a block of an unknown type goes back as it was",
        asks(HI, assistant("a", reasoning_details=[opaque({"type": "hologram", "data": [1]})]), user("b")),
        ("is", "messages[1].content[0]", {"type": "hologram", "data": [1]}),
    ),
    sent(
        "the caller of a call goes back",
        asks(
            HI,
            assistant(
                tool_calls=[call("c1")],
                reasoning_details=[opaque({"caller": {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}})],
            ),
            result("c1"),
        ),
        ("is", "messages[1].content[0].caller.tool_id", "srvtoolu_1"),
    ),
    sent(
        "the container of a reply is sent back",
        asks(HI, container={"id": "container_1", "expires_at": "2030-01-01T00:00:00Z"}),
        ("is", "container", "container_1"),
        group="Parameters",
    ),
    sent(
        "blank text behind thinking is left out",
        asks(HI, assistant(" ", reasoning_details=[_SIGNED]), user("b")),
        ("is", "messages[1].content", [_THINKING]),
    ),
]

SHAPES = [
    sent(
        "a flat list of allowed tools is taken",
        asks(
            HI,
            tools=[function(), function("g")],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]},
        ),
        ("is", "tools[*].name", ["g"]),
        group="Tools",
    ),
    sent(
        "native fields of a function pass",
        asks(HI, tools=[function("g"), {**function(), "defer_loading": True}]),
        ("is", "tools[1].defer_loading", True),
        group="Tools",
    ),
    sent(
        "the toolset of an MCP server passes",
        asks(
            HI,
            mcp_servers=[{"type": "url", "url": "https://x", "name": "s"}],
            tools=[{"type": "mcp_toolset", "mcp_server_name": "s"}],
        ),
        ("is", "mcp_servers[0].name", "s"),
        ("is", "tools[0].mcp_server_name", "s"),
        group="Tools",
    ),
    sent(
        "reasoning that is not enabled is no thinking",
        asks(HI, reasoning={"enabled": False}, max_tokens=9000),
        ("either", "thinking.type", (None, "disabled")),
        group="Parameters",
    ),
    sent(
        "a mark within a tool result stands on the result",
        asks(
            HI,
            assistant(tool_calls=[call("c1")]),
            result("c1", [{"type": "text", "text": "r", "cache_control": {"type": "ephemeral"}}]),
        ),
        ("is", "messages[2].content[0].cache_control.type", "ephemeral"),
        ("absent", "messages[2].content[0].content[0].cache_control"),
    ),
    sent(
        "a system message without content is skipped",
        asks({"role": "system"}, HI),
        ("is", "messages[0].content[0].text", "hi"),
        ("absent", "system"),
    ),
    sent(
        "a JSON schema needs no name",
        asks(HI, response_format={"type": "json_schema", "json_schema": {"schema": _CLOSED}}),
        ("has", "", '"additionalProperties": false'),
        group="Parameters",
    ),
    sent("metadata may have numbers", asks(HI, metadata={"n": 5}), ("absent", "metadata"), group="Parameters"),
    Case("a lone surrogate is refused", "Messages", asks(user("a\ud83d")), REFUSED),
    sent(
        "a long user is a short id",
        asks(HI, user="u" * 300),
        ("matches", "metadata.user_id", r"[\x20-\x7e]{1,256}"),
        group="Parameters",
    ),
    sent(
        "a PDF at a URL is a document",
        asks(user([{"type": "image_url", "image_url": {"url": "https://x/a.pdf"}}])),
        ("is", "messages[0].content[0].type", "document"),
    ),
    sent(
        "a format beside a prefill is not sent natively",
        asks(HI, assistant("{"), response_format={"type": "json_schema", "json_schema": {"schema": _CLOSED}}),
        ("absent", "output_config.format"),
        group="Parameters",
    ),
]

_REPLIED = [
    Case(
        "a search result with a URL is an annotation",
        "Replies",
        asks(HI),
        (("is", "annotations[0].url_citation.url", "https://x"),),
        reply=message({**text_block("bc"), "citations": [_SEARCHED]}),
    ),
    Case(
        "an input that is a string of JSON is the arguments",
        "Replies",
        asks(HI, tools=[function()]),
        (("json", "tool_calls[0].arguments", {"a": 1}),),
        reply=message({**use("t1"), "input": '{"a": 1}'}, stop="tool_use"),
    ),
    Case(
        "reasoning can be left out of a reply",
        "Replies",
        asks(HI, reasoning={"effort": "low", "exclude": True}, max_tokens=9000),
        (("is", "content", "a"), ("absent", "reasoning_content")),
        reply=message(_THINKING, text_block("a")),
    ),
    Case(
        "the text around a server tool is joined",
        "Replies",
        asks(HI),
        (("is", "content", "ab"), ("is", "tool_calls", [])),
        reply=message(text_block("a"), _USED, _FOUND, text_block("b")),
    ),
    *(
        Case(
            f"a prompt that does not fit has the chat API's code: {name}",
            "Streaming",
            asks(HI),
            (("is", "error_code", "context_length_exceeded"),),
            events=stream(overflow(wording), first=start()),
        )
        for name, wording in {
            "prompt": "prompt is too long: 210000 tokens > 200000 maximum",
            "sum": _TOO_LONG,
        }.items()
    ),
]

SESSIONS = [*STRICT, *HISTORIES, *SHAPES, *_REPLIED]
