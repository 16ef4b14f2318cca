"""Options that conflict, and options that do not."""

from typing import Any

import pytest

from tests.simulator.driver import (
    BUDGET,
    LATEST,
    LONG_MARK,
    OLD,
    THOUGHT,
    WEATHER,
    ask,
    assistant,
    body,
    call,
    post,
    refused,
    result,
    schema_tool,
    text,
    tool,
    user,
)

OPTIONS: dict[str, tuple[Any, str]] = {
    "max_tokens of 0": (body(max_tokens=0), "max_tokens: must be greater than or equal to 1"),
    "too many max_tokens": (body(max_tokens=128_001), "max_tokens: 128001 > 128000, which is the maximum allowed"),
    "blank stop": (body(stop_sequences=["a", "\n"]), "stop_sequences: each stop sequence must contain non-whitespace"),
    "long user id": (
        body(metadata={"user_id": "u" * 257}),
        "metadata.user_id: String should have at most 256 characters",
    ),
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
    "later call of such a loop with its thinking": (
        body(
            *("a", assistant(call("t")), user(result("t"))),
            *(assistant(THOUGHT, call("u")), user(result("u"))),
            tools=[WEATHER],
            **BUDGET,
        ),
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


@pytest.mark.parametrize(("request_body", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_do_not_go_together_are_refused(request_body: Any, message: str) -> None:
    refused(post(request_body), 400, "invalid_request_error", message)


@pytest.mark.parametrize(("version", "options", "message"), SAMPLING)
def test_sampling_is_refused_by_version_model_and_range(version: str, options: dict[str, Any], message: str) -> None:
    refused(post(body(**options), anthropic_version=version), 400, "invalid_request_error", message)


@pytest.mark.parametrize("depth", [100, 150, 250, 350, 450])
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
                "input_schema": {**WEATHER["input_schema"], "additionalProperties": False},
                "strict": True,
                "eager_input_streaming": None,
                **LONG_MARK,
            }
        ],
        cache_control={"type": "ephemeral", "ttl": "5m"},
    )
    assert reply["stop_reason"] == "tool_use"
