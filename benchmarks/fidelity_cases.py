"""The cases of the side by side as data: what goes in, and what must hold of what comes out.

A case is a chat request and, for the way back, a native reply or its stream. Each check is an operation, a path into
the outcome and a value; the same checks are made for every translator. Requests are compared after text that stands as
a string was brought to a list of blocks, since both forms mean the same natively.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Check = tuple[Any, ...]
JSON = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One case; `reply` is a native message, to be read whole, or streamed if `events` has its stream."""

    name: str
    group: str
    chat: JSON
    checks: tuple[Check, ...]
    reply: JSON | None = None
    events: tuple[JSON, ...] | None = None


# ---------------------------------------------------------------- short forms


def user(content: Any) -> JSON:
    return {"role": "user", "content": content}


def assistant(content: Any = None, **more: Any) -> JSON:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> JSON:
    return {"role": "system", "content": content}


def call(call_id: str, name: str = "f", arguments: str = "{}") -> JSON:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(call_id: str, content: Any = "r", **more: Any) -> JSON:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **more}


def function(name: str = "f", **more: Any) -> JSON:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}, **more}}


def text_block(text: str) -> JSON:
    return {"type": "text", "text": text}


def asks(*messages: JSON, **fields: Any) -> JSON:
    return {"model": "claude-sonnet-4-5", "max_tokens": 256, "messages": list(messages), **fields}


HI = user("hi")
LOOP = (HI, assistant(tool_calls=[call("c1")]), result("c1"))
REFUSED: tuple[Check, ...] = (("refused",),)


def message(*content: JSON, stop: str = "end_turn", **more: Any) -> JSON:
    usage = more.pop("usage", {"input_tokens": 10, "output_tokens": 5})
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
        **more,
    }


def use(call_id: str, name: str = "f", given: Any = None) -> JSON:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given if given is not None else {}}


def start(**usage: Any) -> JSON:
    whole = message(usage={"input_tokens": 10, "output_tokens": 1, **usage})
    return {"type": "message_start", "message": {**whole, "stop_reason": None}}


def block(index: int, content: JSON, *deltas: JSON) -> list[JSON]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def says(text: str) -> JSON:
    return {"type": "text_delta", "text": text}


def gives(partial_json: str) -> JSON:
    return {"type": "input_json_delta", "partial_json": partial_json}


def ends(stop: str = "end_turn", **usage: Any) -> list[JSON]:
    end = {"stop_reason": stop, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5, **usage}},
        {"type": "message_stop"},
    ]


def stream(*events: Any, first: JSON | None = None) -> tuple[JSON, ...]:
    flat: list[JSON] = [first or start()]
    for event in events:
        flat += event if isinstance(event, list) else [event]
    return tuple(flat)


EMPTY = text_block("")
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

# ---------------------------------------------------------------- messages

M0 = "messages[0].content"
PNG = "data:image/png;base64,AAAA"


def image(url: str) -> JSON:
    return user([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}])


def image_is(source: JSON) -> tuple[Check, ...]:
    return (("is", f"{M0}[1].source", source),)


def base64(media_type: str) -> JSON:
    return {"type": "base64", "media_type": media_type, "data": "AAAA"}


MESSAGES = [
    Case(
        "leading system messages are the system, in order",
        "Messages",
        asks(system("a"), system("b"), HI),
        (("is", "system", [text_block("a"), text_block("b")]),),
    ),
    Case(
        "developer messages are system messages",
        "Messages",
        asks({"role": "developer", "content": "a"}, HI),
        (("is", "system", [text_block("a")]), ("is", "messages[0].role", "user")),
    ),
    Case(
        "a system message in mid-conversation keeps its place",
        "Messages",
        asks(HI, assistant("a"), system("be brief"), user("b")),
        (("has", "messages[2:]", "be brief"), ("lacks", "system", "be brief")),
    ),
    Case(
        "only system messages: the last one speaks as the user",
        "Messages",
        asks(system("a"), system("b")),
        (("has", M0, "b"),),
    ),
    Case(
        "consecutive messages of one role are one turn",
        "Messages",
        asks(HI, user("b"), assistant("c"), user("d")),
        (("is", "messages[*].role", ["user", "assistant", "user"]),),
    ),
    Case(
        "no prose is invented for a call without content",
        "Messages",
        asks(*LOOP, tools=[function()]),
        (("is", "messages[1].content[*].type", ["tool_use"]),),
    ),
    Case(
        "blank text parts are dropped",
        "Messages",
        asks(user([text_block(" "), text_block("a")])),
        (("is", M0, [text_block("a")]),),
    ),
    Case("a user message with nothing in it is refused", "Messages", asks(user("")), REFUSED),
    Case(
        "an empty assistant message is skipped",
        "Messages",
        asks(HI, assistant(""), user("b")),
        (("is", "messages[*].role", ["user"]),),
    ),
    Case(
        "results come first, in the order of the calls",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1"), call("c2")]),
            user("wait"),
            result("c2"),
            result("c1"),
            tools=[function()],
        ),
        (
            ("is", "messages[2].content[*].type", ["tool_result", "tool_result", "text"]),
            ("is", "messages[2].content[*].tool_use_id", ["c1", "c2", None]),
        ),
    ),
    Case(
        "a call without a result is refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1")]), user("b"), tools=[function()]),
        REFUSED,
    ),
    Case("a result without a call is refused", "Messages", asks(HI, result("c9"), tools=[function()]), REFUSED),
    Case(
        "ids that are not legal natively are mapped in pairs",
        "Messages",
        asks(HI, assistant(tool_calls=[call("a.b")]), result("a.b"), tools=[function()]),
        (
            ("matches", "messages[1].content[0].id", r"[a-zA-Z0-9_-]+"),
            ("same", "messages[1].content[0].id", "messages[2].content[0].tool_use_id"),
        ),
    ),
    Case(
        "distinct ids stay distinct",
        "Messages",
        asks(HI, assistant(tool_calls=[call("a.b"), call("a:b")]), result("a.b"), result("a:b"), tools=[function()]),
        (("distinct", "messages[1].content[*].id"),),
    ),
    Case(
        "a call without a type is a function call",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]),
            result("c1"),
            tools=[function()],
        ),
        (("is", "messages[1].content[0].name", "f"),),
    ),
    Case(
        "blank arguments are an empty object",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="")]), result("c1"), tools=[function()]),
        (("is", "messages[1].content[0].input", {}),),
    ),
    Case(
        "arguments that are no object are refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="[1]")]), result("c1"), tools=[function()]),
        REFUSED,
    ),
    Case(
        "arguments that are no JSON are refused",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments="nope")]), result("c1"), tools=[function()]),
        REFUSED,
    ),
    Case(
        "arguments cut off by a limit do not kill the session",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1", arguments='{"a": "b')]), result("c1"), tools=[function()]),
        (("is", "messages[1].content[0].input", {}),),
    ),
    Case(
        "large integers keep their digits",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1", arguments='{"a": 12345678901234567890123}')]),
            result("c1"),
            tools=[function()],
        ),
        (("is", "messages[1].content[0].input", {"a": 12345678901234567890123}),),
    ),
    Case(
        "a legacy function_call is paired with its result",
        "Messages",
        asks(
            HI,
            assistant(function_call={"name": "f", "arguments": "{}"}),
            {"role": "function", "name": "f", "content": "r"},
            functions=[function()["function"]],
        ),
        (("same", "messages[1].content[0].id", "messages[2].content[0].tool_use_id"),),
    ),
    Case(
        "an image in a result stays in it",
        "Messages",
        asks(
            HI,
            assistant(tool_calls=[call("c1")]),
            result("c1", [{"type": "image_url", "image_url": {"url": PNG}}]),
            tools=[function()],
        ),
        (("is", "messages[2].content[0].content[0].type", "image"),),
    ),
    Case(
        "is_error of a result is passed on",
        "Messages",
        asks(HI, assistant(tool_calls=[call("c1")]), result("c1", "boom", is_error=True), tools=[function()]),
        (("is", "messages[2].content[0].is_error", True),),
    ),
    Case(
        "an https image is a URL source",
        "Messages",
        asks(image("https://example.com/a.png")),
        image_is({"type": "url", "url": "https://example.com/a.png"}),
    ),
    Case("a data URL is base64", "Messages", asks(image(PNG)), image_is(base64("image/png"))),
    Case(
        "image/jpg is image/jpeg", "Messages", asks(image("data:image/jpg;base64,AAAA")), image_is(base64("image/jpeg"))
    ),
    Case("an image of another type is refused", "Messages", asks(image("data:image/svg+xml;base64,AAAA")), REFUSED),
    Case("a file URL is refused", "Messages", asks(image("file:///etc/passwd")), REFUSED),
    Case(
        "a PDF is a document with its name as title",
        "Messages",
        asks(
            user([{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}])
        ),
        (("is", f"{M0}[0].type", "document"), ("is", f"{M0}[0].title", "a.pdf")),
    ),
    Case(
        "audio is refused",
        "Messages",
        asks(user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])),
        REFUSED,
    ),
    Case("a part of an unknown type is refused", "Messages", asks(user([{"type": "video", "video": {}}])), REFUSED),
    Case("an unknown role is refused", "Messages", asks(HI, {"role": "robot", "content": "a"}), REFUSED),
    Case(
        "cache_control of a part passes",
        "Messages",
        asks(user([{**text_block("a"), "cache_control": {"type": "ephemeral"}}])),
        (("is", f"{M0}[0].cache_control", {"type": "ephemeral"}),),
    ),
    Case(
        "a prefill loses trailing white space only",
        "Messages",
        asks(HI, assistant(" one  \n")),
        (("is", "messages[1].content[0].text", " one"),),
    ),
    Case("a name on a message is not sent", "Messages", asks({**HI, "name": "Ann"}), (("absent", "messages[0].name"),)),
    Case(
        "an unknown field of a message is not sent",
        "Messages",
        asks({**HI, "odd": 1}),
        (("absent", "messages[0].odd"),),
    ),
]

# ---------------------------------------------------------------- tools

CHOICE = {
    "anyOf": [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]
}

TOOLS = [
    Case("strict arrives", "Tools", asks(HI, tools=[function(strict=True)]), (("is", "tools[0].strict", True),)),
    Case("two tools of one name are refused", "Tools", asks(HI, tools=[function(), function()]), REFUSED),
    Case(
        "a choice of a tool that is not offered is refused",
        "Tools",
        asks(HI, tools=[function()], tool_choice={"type": "function", "function": {"name": "g"}}),
        REFUSED,
    ),
    Case(
        "missing parameters are an empty object schema",
        "Tools",
        asks(HI, tools=[{"type": "function", "function": {"name": "f"}}]),
        (("is", "tools[0].input_schema.type", "object"),),
    ),
    Case(
        "a choice at the top of a schema loses no property",
        "Tools",
        asks(HI, tools=[function(parameters=CHOICE)]),
        (
            ("is", "tools[0].input_schema.type", "object"),
            ("absent", "tools[0].input_schema.anyOf"),
            ("keys", "tools[0].input_schema.properties", ["a", "b"]),
        ),
    ),
    Case(
        "definitions and references pass",
        "Tools",
        asks(
            HI,
            tools=[
                function(
                    parameters={
                        "type": "object",
                        "properties": {"a": {"$ref": "#/$defs/x"}},
                        "$defs": {"x": {"type": "string"}},
                    }
                )
            ],
        ),
        (("is", "tools[0].input_schema.$defs", {"x": {"type": "string"}}),),
    ),
    Case(
        "no other keyword of a schema is touched",
        "Tools",
        asks(
            HI,
            tools=[
                function(
                    parameters={
                        "type": "object",
                        "properties": {"a": {"type": "integer", "maximum": 3}},
                        "additionalProperties": False,
                        "examples": [{}],
                    }
                )
            ],
        ),
        (
            ("is", "tools[0].input_schema.properties.a.maximum", 3),
            ("is", "tools[0].input_schema.examples", [{}]),
            ("is", "tools[0].input_schema.additionalProperties", False),
        ),
    ),
    Case(
        "names that are not legal natively are mapped",
        "Tools",
        asks(HI, tools=[function("a.b"), function("a:b")]),
        (("matches", "tools[0].name", r"[a-zA-Z0-9_-]{1,128}"), ("distinct", "tools[*].name")),
    ),
    Case(
        "required is any",
        "Tools",
        asks(HI, tools=[function()], tool_choice="required"),
        (("is", "tool_choice.type", "any"),),
    ),
    Case(
        "none is none, and the tools stay",
        "Tools",
        asks(HI, tools=[function()], tool_choice="none"),
        (("is", "tool_choice.type", "none"), ("is", "tools[0].name", "f")),
    ),
    Case(
        "a named function is chosen",
        "Tools",
        asks(HI, tools=[function()], tool_choice={"type": "function", "function": {"name": "f"}}),
        (("is", "tool_choice.type", "tool"), ("is", "tool_choice.name", "f")),
    ),
    Case(
        "allowed tools are the listed ones only",
        "Tools",
        asks(
            HI,
            tools=[function(), function("g")],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]},
            },
        ),
        (("is", "tools[*].name", ["g"]), ("is", "tool_choice.type", "any")),
    ),
    Case(
        "one call at a time",
        "Tools",
        asks(HI, tools=[function()], parallel_tool_calls=False),
        (("is", "tool_choice", {"type": "auto", "disable_parallel_tool_use": True}),),
    ),
    Case("no tools, no choice", "Tools", asks(HI, tools=[], tool_choice="auto"), (("absent", "tool_choice"),)),
    Case(
        "a custom tool has one string",
        "Tools",
        asks(HI, tools=[{"type": "custom", "custom": {"name": "c", "description": "d"}}]),
        (("is", "tools[0].name", "c"), ("has", "tools[0].input_schema", '"type": "string"')),
    ),
    Case(
        "legacy functions are tools",
        "Tools",
        asks(HI, functions=[function()["function"]]),
        (("is", "tools[0].name", "f"),),
    ),
    Case(
        "a tool in the native shape passes",
        "Tools",
        asks(HI, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]),
        (("is", "tools[0].type", "web_search_20250305"), ("is", "tools[0].max_uses", 2)),
    ),
]

# ---------------------------------------------------------------- parameters


def ignored(name: str, value: Any) -> Case:
    return Case(
        f"{name} is not sent on", "Parameters", asks(HI, **{name: value}), (("absent", name), ("has", M0, "hi"))
    )


def neutral(name: str, value: Any) -> Case:
    return Case(f"a neutral {name} never fails", "Parameters", asks(HI, **{name: value}), (("has", M0, "hi"),))


def refused(name: str, value: Any) -> Case:
    return Case(f"{name}: {str(value).lower()[:24]} is refused", "Parameters", asks(HI, **{name: value}), REFUSED)


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

PARAMETERS = [
    Case("the newer limit wins", "Parameters", asks(HI, max_completion_tokens=7), (("is", "max_tokens", 7),)),
    Case(
        "a default limit is sent",
        "Parameters",
        {"model": "claude-sonnet-4-5", "messages": [HI]},
        (("matches", "max_tokens", r"[1-9]\d+"),),
    ),
    Case(
        "temperature above the maximum is capped", "Parameters", asks(HI, temperature=1.6), (("is", "temperature", 1),)
    ),
    Case("stop as a text is a list", "Parameters", asks(HI, stop="END"), (("is", "stop_sequences", ["END"]),)),
    Case(
        "blank stop sequences are left out",
        "Parameters",
        asks(HI, stop=["a", "\n"]),
        (("is", "stop_sequences", ["a"]),),
    ),
    Case("an empty stop list is left out", "Parameters", asks(HI, stop=[]), (("absent", "stop_sequences"),)),
    Case("user is metadata.user_id", "Parameters", asks(HI, user="u1"), (("is", "metadata.user_id", "u1"),)),
    Case(
        "safety_identifier is metadata.user_id",
        "Parameters",
        asks(HI, safety_identifier="s1"),
        (("is", "metadata.user_id", "s1"),),
    ),
    Case("an empty user is left out", "Parameters", asks(HI, user=""), (("absent", "metadata"),)),
    Case(
        "client metadata is not native metadata",
        "Parameters",
        asks(HI, metadata={"a": "b"}),
        (("absent", "metadata.a"),),
    ),
    Case(
        "service tier default is standard_only",
        "Parameters",
        asks(HI, service_tier="default"),
        (("is", "service_tier", "standard_only"),),
    ),
    Case(
        "effort turns thinking on",
        "Parameters",
        {**asks(HI, reasoning_effort="low"), "max_tokens": 9000},
        (("is", "thinking.type", "enabled"),),
    ),
    Case(
        "a budget stays below the limit",
        "Parameters",
        {**asks(HI, reasoning_effort="high"), "max_tokens": 4000},
        (("below", "thinking.budget_tokens", "max_tokens"),),
    ),
    Case(
        "thinking takes no other temperature",
        "Parameters",
        {**asks(HI, reasoning_effort="low", temperature=0.2), "max_tokens": 9000},
        (("either", "temperature", [None, 1]),),
    ),
    Case(
        "JSON mode is forced",
        "Parameters",
        asks(HI, response_format={"type": "json_object"}),
        (("is", "tool_choice.type", "tool"),),
    ),
    Case(
        "a JSON schema arrives whole",
        "Parameters",
        asks(HI, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}),
        (("has", "", '"a": {"type": "string"}'),),
    ),
    ignored("seed", 4),
    ignored("logit_bias", {"1": 5}),
    ignored("frequency_penalty", 1),
    ignored("presence_penalty", 1),
    ignored("prompt_cache_key", "k"),
    ignored("store", True),
    ignored("verbosity", "low"),
    neutral("n", 1),
    neutral("logprobs", False),
    neutral("logit_bias", {}),
    neutral("frequency_penalty", 0),
    neutral("modalities", ["text"]),
    refused("n", 2),
    refused("logprobs", True),
    refused("modalities", ["text", "audio"]),
    refused("moderation", {"model": "x"}),
    refused("max_tokens", -1),
    refused("max_tokens", "5"),
    refused("temperature", "hot"),
    refused("temperature", 3),
    refused("stop", ["a", "b", "c", "d", "e"]),
    refused("stream", "true"),
]

# ---------------------------------------------------------------- replies

CITED = {
    "type": "web_search_result_location",
    "cited_text": "x",
    "encrypted_index": "e",
    "url": "https://x",
    "title": "T",
}
MAPPED = asks(HI, tools=[function("a.b")])
AS_JSON = asks(HI, response_format={"type": "json_object"})
CACHED = {"input_tokens": 10, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30, "output_tokens": 5}


def stops(native: str, finish: str) -> Case:
    return Case(
        f"{native} is {finish}",
        "Replies",
        asks(HI),
        (("is", "finish_reason", finish),),
        reply=message(text_block("a"), stop=native),
    )


REPLIES = [
    stops("end_turn", "stop"),
    stops("stop_sequence", "stop"),
    stops("max_tokens", "length"),
    stops("model_context_window_exceeded", "length"),
    stops("refusal", "content_filter"),
    stops("some_new_reason", "stop"),
    Case(
        "calls that end with end_turn finish with tool_calls",
        "Replies",
        asks(HI, tools=[function()]),
        (("is", "finish_reason", "tool_calls"),),
        reply=message(use("t1")),
    ),
    Case(
        "text blocks are joined in order",
        "Replies",
        asks(HI),
        (("is", "content", "ab"),),
        reply=message(text_block("a"), text_block("b")),
    ),
    Case(
        "no text is null",
        "Replies",
        asks(HI, tools=[function()]),
        (("is", "content", None),),
        reply=message(use("t1"), stop="tool_use"),
    ),
    Case(
        "the service's own calls never appear",
        "Replies",
        asks(HI),
        (("is", "tool_calls", []), ("is", "content", "a")),
        reply=message({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}, text_block("a")),
    ),
    Case(
        "mapped tool names are mapped back",
        "Replies",
        MAPPED,
        (("is", "tool_calls[0].name", "a.b"),),
        reply=message(use("t1", "$native:a.b"), stop="tool_use"),
    ),
    Case(
        "two calls of one id get distinct ids",
        "Replies",
        asks(HI, tools=[function()]),
        (("distinct", "tool_calls[*].id"),),
        reply=message(use("t1"), use("t1"), stop="tool_use"),
    ),
    Case(
        "an unknown block is skipped",
        "Replies",
        asks(HI),
        (("is", "content", "a"),),
        reply=message({"type": "hologram", "data": 1}, text_block("a")),
    ),
    Case(
        "prompt tokens count the cache",
        "Replies",
        asks(HI),
        (
            ("is", "usage.prompt_tokens", 60),
            ("is", "usage.total_tokens", 65),
            ("is", "usage.prompt_tokens_details.cached_tokens", 20),
        ),
        reply=message(text_block("a"), usage=CACHED),
    ),
    Case(
        "usage of the operator's own arrives",
        "Replies",
        asks(HI),
        (("is", "usage.credits_consumed", 27),),
        reply=message(text_block("a"), usage={"input_tokens": 1, "output_tokens": 2, "credits_consumed": 27}),
    ),
    Case(
        "the id joins with the native one",
        "Replies",
        asks(HI),
        (("has", "id", "1"), ("lacks", "id", "msg_")),
        reply=message(text_block("a")),
    ),
    Case(
        "citations of the web are annotations",
        "Replies",
        asks(HI),
        (
            ("is", "annotations[0].url_citation.url", "https://x"),
            ("is", "annotations[0].url_citation.start_index", 1),
            ("is", "annotations[0].url_citation.end_index", 3),
        ),
        reply=message(text_block("a"), {**text_block("bc"), "citations": [CITED]}),
    ),
    Case(
        "thinking is reasoning_content",
        "Replies",
        asks(HI),
        (("is", "reasoning_content", "hm"),),
        reply=message({"type": "thinking", "thinking": "hm", "signature": "s"}, text_block("a")),
    ),
    Case(
        "a refusal is told",
        "Replies",
        asks(HI),
        (("is", "refusal", "No."),),
        reply=message(stop="refusal", stop_details={"type": "refusal", "category": None, "explanation": "No."}),
    ),
    Case(
        "JSON by a tool is the content",
        "Replies",
        AS_JSON,
        (("json", "content", {"a": 1}), ("is", "finish_reason", "stop")),
        reply=message(use("t1", "$json", {"a": 1}), stop="tool_use"),
    ),
    Case(
        "text before the JSON does not spoil it",
        "Replies",
        AS_JSON,
        (("json", "content", {"a": 1}),),
        reply=message(text_block("Here: "), use("t1", "$json", {"a": 1}), stop="tool_use"),
    ),
]

# ---------------------------------------------------------------- streams

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

CASES = [*MESSAGES, *TOOLS, *PARAMETERS, *REPLIES, *STREAMS]
