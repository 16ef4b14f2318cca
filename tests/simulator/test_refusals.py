"""What is refused, and in which words."""

from typing import Any

import pytest

from chatcompat.simulator.signature import sign
from tests.simulator.driver import (
    LATEST,
    OLD,
    PIXEL,
    ask,
    assistant,
    body,
    call,
    image,
    post,
    refused,
    result,
    text,
    tool,
    user,
)

WEATHER = tool("get_weather")
MARK = {"cache_control": {"type": "ephemeral"}}
LONG_MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
BUDGET: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
FORMAT = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": sign("hm")}
SYSTEM = {"role": "system", "content": "Be kind."}


def without(request: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != name}


def document(source: dict[str, Any]) -> dict[str, Any]:
    return {"type": "document", "source": source}


def schema_tool(schema: Any) -> dict[str, Any]:
    return {"name": "a", "input_schema": schema}


SHAPES: dict[str, tuple[Any, str]] = {
    "unknown field": (body(n=1), "n: Extra inputs are not permitted"),
    "unknown field in a block": (
        body(user({**text("a"), "foo": 1})),
        "messages.0.content.0.foo: Extra inputs are not permitted",
    ),
    "odd name of an unknown field": (body(**{"a` - at `$.b": 1}), "a: Extra inputs are not permitted"),
    "name on a message": (body({**user("a"), "name": "b"}), "messages.0.name: Extra inputs are not permitted"),
    "metadata beside user_id": (body(metadata={"a": "b"}), "metadata.a: Extra inputs are not permitted"),
    "cache_control on thinking": (
        body("a", assistant({**THOUGHT, **MARK})),
        "messages.1.content.0.cache_control: Extra inputs",
    ),
    "parallel flag on none": (
        body(tools=[WEATHER], tool_choice={"type": "none", "disable_parallel_tool_use": True}),
        "tool_choice.disable_parallel_tool_use: Extra inputs are not permitted",
    ),
    "no max_tokens": (without(body(), "max_tokens"), "max_tokens: Field required"),
    "no model": (without(body(), "model"), "model: Field required"),
    "no messages": (without(body(), "messages"), "messages: Field required"),
    "null": (body(max_tokens=None), "max_tokens: Input should be a valid integer"),
    "null where others may be": (body(stop_sequences=None), "stop_sequences: Input should be a valid list"),
    "number as text": (body(max_tokens="5"), "max_tokens: Input should be a valid integer"),
    "number of another kind": (body(max_tokens=1.5), "max_tokens: Input should be a valid integer"),
    "number out of range": (b'{"temperature": 1e999}', "temperature: Input should be a finite number"),
    "content as a number": (
        body({"role": "user", "content": 1}),
        "messages.0.content: Input should be a valid string or list",
    ),
    "content as null": (
        body({"role": "user", "content": None}),
        "messages.0.content: Input should be a valid string or list",
    ),
    "block as text": (
        body({"role": "user", "content": ["a"]}),
        "messages.0.content.0: Input should be a valid dictionary",
    ),
    "input as text": (
        body("a", assistant({**call("t"), "input": "{}"})),
        "messages.1.content.0.input: Input should be a valid dictionary",
    ),
    "schema as null": (
        body(tools=[schema_tool(None)]),
        "tools.0.custom.input_schema: Input should be a valid dictionary",
    ),
    "strict as text": (
        body(tools=[{**WEATHER, "strict": "yes"}]),
        "tools.0.custom.strict: Input should be a valid boolean",
    ),
    "role": (
        body({"role": "tool", "content": "a"}),
        "messages.0.role: Input should be 'assistant' or 'system' or 'user'",
    ),
    "role as a number": (body({"role": 1, "content": "a"}), "messages.0.role: Input should be a valid string"),
    "block of no type": (body(user({"text": "a"})), "messages.0.content.0.type: Field required"),
    "block of another API": (
        body(user({"type": "image_url", "image_url": {"url": "u"}})),
        "messages.0.content.0: Input tag found using 'type' does not match any of the expected tags: ",
    ),
    "type as a number": (body(user({"type": 1})), "messages.0.content.0: Input tag found using 'type' does not match"),
    "image media type": (
        body(user(image(media_type="image/svg+xml"))),
        "messages.0.content.0.source.media_type: Input should be "
        "'image/gif' or 'image/jpeg' or 'image/png' or 'image/webp'",
    ),
    "document media type": (
        body(user(document({"type": "base64", "media_type": "text/html", "data": PIXEL}))),
        "messages.0.content.0.source.media_type: Input should be 'application/pdf'",
    ),
    "effort": (body(output_config={"effort": "minimal"}), "output_config.effort: Input should be 'high' or 'low' or "),
    "service tier": (body(service_tier="default"), "service_tier: Input should be 'auto' or 'standard_only'"),
    "tool choice as text": (
        body(tools=[WEATHER], tool_choice="auto"),
        "tool_choice: Input should be a valid dictionary",
    ),
    "tool of another API": (
        body(tools=[{"type": "function", "function": {"name": "a"}}]),
        "tools.0: Input tag found using 'type' does not match any of the expected tags: 'custom', ",
    ),
    "tool as text": (body(tools=["a"]), "tools.0: Input should be a valid dictionary"),
    "tool type as a number": (body(tools=[{"type": 1}]), "tools.0.type: Input should be a valid string"),
    "field of another tool": (
        body(tools=[{"type": "web_search_20260318", "name": "web_search", "input_schema": {}}]),
        "tools.0.web_search_20260318.input_schema: Extra inputs are not permitted",
    ),
    "list": (b"[]", "Input should be a valid dictionary"),
    "no JSON": (b"{", "The request body is not valid JSON: "),
    "nothing": (b"", "The request body is not valid JSON: "),
    "NaN": (b'{"max_tokens": NaN}', "The request body is not valid JSON: "),
    "lone surrogate": (b'{"model": "\\ud800"}', "The request body is not valid JSON: "),
    "not UTF-8": (b'{"model": "\xff"}', "The request body is not valid JSON: it is not UTF-8"),
    "not UTF-8 behind an error": (
        b'{"service_tier": "x", "model": "\xff"}',
        "The request body is not valid JSON: it is not UTF-8",
    ),
    "too deep": (
        b'{"tools": [{"name": "a", "input_schema": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}]}",
        "nested too deeply",
    ),
    "too deep behind an error": (
        b'{"service_tier": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "nested too deeply",
    ),
}

CONVERSATIONS: dict[str, tuple[Any, str]] = {
    "no message": (body() | {"messages": []}, "messages: at least one message is required"),
    "first is not the user's": (body(assistant("a"), "b"), 'messages: first message must use the "user" role'),
    "empty text": (body(user("a", "")), "messages: text content blocks must be non-empty"),
    "blank text": (body(" \n"), "messages: text content blocks must contain non-whitespace text"),
    "empty content": (body(user("")), "messages.0: all messages must have non-empty content"),
    "no blocks": (body({"role": "user", "content": []}), "messages.0: all messages must have non-empty content"),
    "empty assistant in the middle": (
        body("a", assistant(""), "b"),
        "messages.1: all messages must have non-empty content",
    ),
    "empty system": (body(system=""), "system: text content blocks must be non-empty"),
    "blank system block": (
        body(system=[text("a"), text(" ")]),
        "system: text content blocks must contain non-whitespace",
    ),
    "call in a user turn": (
        body(user(call("t")), tools=[WEATHER]),
        "messages.0.content.0: `tool_use` blocks can only be in `assistant`",
    ),
    "thinking in a user turn": (body(user(THOUGHT)), "`thinking` blocks can only be in `assistant` messages"),
    "redacted thinking in a user turn": (
        body(user({"type": "redacted_thinking", "data": "x"})),
        "`redacted_thinking` blocks can only be in `assistant` messages",
    ),
    "result in an assistant turn": (
        body("a", assistant(result("t"))),
        "`tool_result` blocks can only be in `user` messages",
    ),
    "image in an assistant turn": (
        body("a", assistant(image())),
        "messages.1.content.0: `image` blocks can only be in `user`",
    ),
    "image in a system turn": (
        body("a", {"role": "system", "content": [image()]}, model="sim-2"),
        "can only have `text` blocks",
    ),
    "bad base64": (body(user(image("@@@"))), "messages.0.content.0.source.data: invalid base64 data"),
    "base64 that is not ASCII": (body(user(image("\u00e9"))), "messages.0.content.0.source.data: invalid base64 data"),
    "no base64": (body(user(image(""))), "messages.0.content.0.source.data: invalid base64 data"),
    "bad base64 of a PDF": (
        body(user(document({"type": "base64", "media_type": "application/pdf", "data": "@"}))),
        "messages.0.content.0.source.data: invalid base64 data",
    ),
    "bad base64 in a result": (
        body("a", assistant(call("t")), user(result("t", [text("a"), image("@")])), tools=[WEATHER]),
        "messages.2.content.0.content.1.source.data: invalid base64 data",
    ),
    "image by another scheme": (
        body(user({"type": "image", "source": {"type": "url", "url": "ftp://a"}})),
        "messages.0.content.0.source.url: Only HTTP and HTTPS URLs are supported",
    ),
    "id of a call": (
        body("a", assistant(call("t.1"))),
        "messages.1.content.0.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "name of a call": (
        body("a", assistant(call("t", "a.b"))),
        "messages.1.content.0.name: String should match pattern",
    ),
    "same id twice": (
        body("a", assistant(call("t"), call("t")), user(result("t")), tools=[WEATHER]),
        "messages.1.content.1: `tool_use` ids must be unique",
    ),
    "call without a result": (
        body("a", assistant(call("t"), call("u")), user(result("t"), "b"), tools=[WEATHER]),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: u. ",
    ),
    "call at the end": (
        body("a", assistant(call("t")), tools=[WEATHER]),
        "ids were found without `tool_result` blocks immediately after: t. ",
    ),
    "result behind text": (
        body("a", assistant(call("t")), user("b", result("t")), tools=[WEATHER]),
        "ids were found without `tool_result` blocks immediately after: t. ",
    ),
    "system between call and result": (
        body("a", assistant(call("t")), SYSTEM, user(result("t")), tools=[WEATHER], model="sim-2"),
        "messages.2: a system message must follow a user message",
    ),
    "result without a call": (
        body(user(result("t")), tools=[WEATHER]),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. ",
    ),
    "result of an earlier call": (
        body("a", assistant(call("t")), user(result("t")), assistant("b"), user(result("t")), tools=[WEATHER]),
        "messages.4.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t. ",
    ),
    "two results": (
        body("a", assistant(call("t")), user(result("t"), result("t")), tools=[WEATHER]),
        "messages.2.content.1: each tool_use must have a single result. Found multiple `tool_result` blocks with id: t",
    ),
    "image in an error": (
        body("a", assistant(call("t")), user(result("t", [image()], is_error=True)), tools=[WEATHER]),
        "messages.2.content.0: all content must be type `text` if `is_error` is true",
    ),
    "altered thinking": (
        body("a", assistant({**THOUGHT, "thinking": "ho"}, "b"), "c"),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "calls without tools": (
        body("a", assistant(call("t")), user(result("t"))),
        "Requests which have `tool_use` or `tool_result` blocks in `messages` must define tools.",
    ),
    "system role on an old model": (body("a", SYSTEM), "messages.1: role 'system' is not supported on this model"),
    "system before a user message": (
        body("a", SYSTEM, "b", model="sim-2"),
        "messages.1: a system message must be last or be followed by an assistant message",
    ),
    "prefill on a new model": (
        body("a", assistant("b"), model="sim-2"),
        "This model does not support assistant message prefill.",
    ),
    "prefill with a format": (body("a", assistant("b"), **FORMAT), "output_config.format: not supported together with"),
    "prefill that ends in space": (
        body("a", assistant("b ")),
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "document in an assistant turn": (
        body("a", assistant(document({"type": "text", "media_type": "text/plain", "data": "b"})), "c"),
        "messages.1.content.0: `document` blocks can only be in `user` messages",
    ),
    "citations of the user": (
        body(
            user(
                {
                    **text("a"),
                    "citations": [
                        {
                            "type": "web_search_result_location",
                            "cited_text": "a",
                            "encrypted_index": "b",
                            "title": None,
                            "url": "c",
                        }
                    ],
                }
            )
        ),
        "messages.0.content.0.citations: Extra inputs are not permitted",
    ),
    "five breakpoints": (
        body(user(*[{**text("a"), **MARK}] * 4), **MARK),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "breakpoints within results": (
        body("a", assistant(call("t")), user({**result("t", [{**text("a"), **MARK}] * 4), **MARK}), tools=[WEATHER]),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "long breakpoint behind a short one": (
        body(user({**text("a"), **LONG_MARK}), system=[{**text("a"), **MARK}]),
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block",
    ),
}

OPTIONS: dict[str, tuple[Any, str]] = {
    "max_tokens of 0": (body(max_tokens=0), "max_tokens: must be greater than or equal to 1"),
    "too many max_tokens": (body(max_tokens=128_001), "max_tokens: 128001 > 128000, which is the maximum allowed"),
    "blank stop": (body(stop_sequences=["a", "\n"]), "stop_sequences: each stop sequence must contain non-whitespace"),
    "tool name": (
        body(tools=[tool("a.b")]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "long tool name": (body(tools=[tool("a" * 129)]), "tools.0.custom.name: String should match pattern"),
    "same tool twice": (body(tools=[WEATHER, WEATHER]), "tools: Tool names must be unique."),
    "schema of no type": (body(tools=[schema_tool({})]), "tools.0.custom.input_schema.type: Field required"),
    "schema of another type": (
        body(tools=[schema_tool({"type": "string"})]),
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "choice at the top of a schema": (
        body(tools=[WEATHER, schema_tool({"type": "object", "oneOf": []})]),
        "tools.1.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "schema that is none": (
        body(tools=[schema_tool({"type": "object", "properties": {"a": {"type": "text"}}})]),
        "tools.0.custom.input_schema: JSON schema is invalid.",
    ),
    "format that is none": (
        body(output_config={"format": {"type": "json_schema", "schema": {"type": 1}}}),
        "output_config.format.schema: JSON schema is invalid.",
    ),
    "choice without tools": (
        body(tool_choice={"type": "auto"}),
        "tool_choice may only be specified while providing tools.",
    ),
    "choice of no tools": (
        body(tools=[], tool_choice={"type": "none"}),
        "tool_choice may only be specified while providing tools.",
    ),
    "choice of an unknown tool": (
        body(tools=[WEATHER], tool_choice={"type": "tool", "name": "b"}),
        "tool_choice: Tool 'b' not found in provided tools",
    ),
    "forced tool on a new model": (
        body(tools=[WEATHER], tool_choice={"type": "any"}, model="sim-2"),
        'tool_choice: type "tool" and "any" are not supported for this model.',
    ),
    "forced tool with a budget": (
        body(tools=[WEATHER], tool_choice={"type": "any"}, **BUDGET),
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "budget on a new model": (
        body(**BUDGET, model="sim-2"),
        '"thinking.type.enabled" is not supported for this model.',
    ),
    "small budget": (
        body(thinking={"type": "enabled", "budget_tokens": 1023}, max_tokens=2000),
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    "budget of all tokens": (
        body(thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=2000),
        "max_tokens: must be greater than `thinking.budget_tokens`",
    ),
    "loop that does not begin with its thinking": (
        body("a", assistant(call("t")), user(result("t")), tools=[WEATHER], **BUDGET),
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
    ),
    "prefill with a budget": (
        body("a", assistant("b"), **BUDGET),
        "Expected `thinking` or `redacted_thinking`, but found `text`.",
    ),
}

SAMPLING: list[tuple[str, dict[str, Any], str]] = [
    (LATEST, {"temperature": 1}, "temperature: Extra inputs are not permitted"),
    (LATEST, {"top_p": 1}, "top_p: Extra inputs are not permitted"),
    (LATEST, {"top_k": 1}, "top_k: Extra inputs are not permitted"),
    (OLD, {"temperature": 1, "model": "sim-2"}, "temperature: `temperature` is deprecated for this model."),
    (OLD, {"temperature": 1.1}, "temperature: Input should be less than or equal to 1"),
    (OLD, {"top_p": -0.1}, "top_p: Input should be greater than or equal to 0"),
    (OLD, {"top_k": -1}, "top_k: Input should be greater than or equal to 0"),
    (OLD, {"temperature": None}, "temperature: Input should be a valid number"),
    (OLD, {"temperature": 0.5, "thinking": {"type": "adaptive"}}, "`temperature` may only be set to 1 when thinking"),
    (OLD, {"top_k": 1, **BUDGET}, "`top_k` must be unset when thinking"),
    (OLD, {"top_p": 0.9, **BUDGET}, "`top_p` must be greater than or equal to 0.95 or unset"),
]


@pytest.mark.parametrize(("request_body", "message"), SHAPES.values(), ids=SHAPES)
def test_a_body_of_another_shape_is_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


@pytest.mark.parametrize(("request_body", "message"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_that_cannot_be_is_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


@pytest.mark.parametrize(("request_body", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_do_not_go_together_are_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


@pytest.mark.parametrize(("version", "options", "message"), SAMPLING)
def test_sampling_is_refused_by_version_model_and_range(version: str, options: dict[str, Any], message: str) -> None:
    refused(post(body(**options), anthropic_version=version), 400, "invalid_request_error", message)


def test_errors_do_not_quote_the_conversation() -> None:
    for name, (request_body, _) in {**SHAPES, **CONVERSATIONS}.items():
        if isinstance(request_body, dict) and request_body.get("messages") and name != "first is not the user's":
            secret = {**request_body, "messages": [user("sesame"), assistant("sesame"), *request_body["messages"]]}
            response = post(secret)
            assert response.status_code == 400
            assert "sesame" not in response.text
    assert "sesame" not in post(body({"role": "sesame", "content": "a"})).text
    assert "sesame" not in post(body(user({"type": "sesame"}))).text


def test_more_than_100000_messages_are_refused() -> None:
    message = "messages: List should have at most 100000 items"
    refused(post(body(*["a"] * 100_001)), 400, "invalid_request_error", message)


@pytest.mark.parametrize("depth", [150, 250, 350, 600])
def test_a_schema_is_served_or_refused_however_deep_it_is(depth: int) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    response = post(body(tools=[schema_tool(schema)]))
    if response.status_code != 200:
        refused(response, 400, "invalid_request_error", "The request is nested too deeply")


def test_a_schema_that_has_no_end_of_properties_is_refused() -> None:
    wide = {f"p{index}": {"$ref": f"#/$defs/d{index}"} for index in range(12)}
    defs = {f"d{index}": {"type": "object", "properties": wide, "required": list(wide)} for index in range(12)}
    schema = {"type": "object", "properties": wide, "required": list(wide), "$defs": defs}
    refused(post(body(tools=[schema_tool(schema)])), 400, "invalid_request_error", "Schema is too complex.")


# ---------------------------------------------------------------- what must not be refused


def test_a_running_loop_begins_with_its_thinking() -> None:
    loop = ["a", assistant(THOUGHT, call("t")), user(result("t"))]
    assert ask(*loop, tools=[WEATHER], **BUDGET)["stop_reason"] == "end_turn"
    redacted = {"type": "redacted_thinking", "data": "x"}
    loop[1] = assistant(redacted, call("t"))
    assert ask(*loop, tools=[WEATHER], **BUDGET)["stop_reason"] == "end_turn"


def test_an_earlier_loop_needs_no_thinking() -> None:
    loop = ["a", assistant(call("t")), user(result("t")), assistant("b"), "c"]
    assert ask(*loop, tools=[WEATHER], tool_choice={"type": "none"}, **BUDGET)["stop_reason"] == "end_turn"
    assert ask("a", {"role": "assistant", "content": []}, **BUDGET)["stop_reason"] == "end_turn"


def test_the_old_version_takes_documents_of_the_assistant_and_citations_of_the_user() -> None:
    cited = [
        {
            "type": "char_location",
            "cited_text": "a",
            "document_index": 0,
            "document_title": None,
            "start_char_index": 0,
            "end_char_index": 1,
        }
    ]
    paper = document({"type": "text", "media_type": "text/plain", "data": "b"})
    reply = ask(user({**text("a"), "citations": cited}), assistant(paper), "c", version=OLD)
    assert reply["stop_reason"] == "end_turn"


def test_every_option_of_the_service_is_taken() -> None:
    reply = ask(
        user(
            {
                "type": "image",
                "source": {"type": "file", "file_id": "f"},
                "transformations": {"oversized_image": "error"},
            }
        ),
        container={"id": None},
        diagnostics={"previous_message_id": None},
        inference_geo="us",
        metadata={"user_id": "u"},
        output_config={"effort": "xhigh"},
        service_tier="standard_only",
        speed="fast",
        system=[{**text("Be kind."), **LONG_MARK}],
        tools=[
            {
                **WEATHER,
                "type": "custom",
                "description": "d",
                "strict": True,
                "eager_input_streaming": None,
                **LONG_MARK,
            }
        ],
        cache_control={"type": "ephemeral", "ttl": "5m"},
    )
    assert reply["stop_reason"] == "tool_use"


def test_empty_text_in_a_result_is_taken() -> None:
    loop = ["a", assistant({**call("t"), "caller": {"type": "direct"}}), user(result("t", [text("")]))]
    assert ask(*loop, tools=[WEATHER])["stop_reason"] == "end_turn"
