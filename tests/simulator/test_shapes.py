"""Malformed bodies: each is refused with an error that names the path."""

from typing import Any

import pytest

from tests.simulator.driver import (
    MARK,
    PIXEL,
    THOUGHT,
    WEATHER,
    assistant,
    body,
    call,
    document,
    image,
    keeps_quiet,
    post,
    refused,
    schema_tool,
    text,
    user,
)


def without(request: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != name}


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
    "system block of no type": (body(system=[{"text": "a"}]), "system.0.type: Field required"),
    "system block of another type": (body(system=[image()]), "system.0.type: Input should be 'text'"),
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


@pytest.mark.parametrize(("request_body", "message"), SHAPES.values(), ids=SHAPES)
def test_a_body_of_another_shape_is_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


def test_errors_do_not_quote_the_conversation() -> None:
    keeps_quiet(SHAPES)
    assert "sesame" not in post(body({"role": "sesame", "content": "a"})).text
    assert "sesame" not in post(body(user({"type": "sesame"}))).text
