"""What client libraries add to a request is no loss where it says nothing new, and is used where it says something."""

import json
from typing import Any

import pytest

from chatcompat import Dialect, InvalidRequest, translate

USER = {"role": "user", "content": "hi"}
SAFE = {"minimum": -9007199254740991, "maximum": 9007199254740991}
CALL: dict[str, Any] = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
ANSWERED = {"role": "tool", "tool_call_id": "call_1", "content": "so"}
SIGNED = {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "c2ln"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
PDF = "JVBERi0xLjEK"


def run(*messages: Any, strict: bool = False, **more: Any) -> tuple[Any, tuple[str, ...]]:
    chat = {"model": "m", "messages": messages, **more}
    translation = translate(json.dumps(chat).encode(), dialect=Dialect(caching="off", json_schema=True), strict=strict)
    return json.loads(translation.body), translation.ignored


def spoken(*speakers: str) -> list[dict[str, str]]:
    """Messages of `role:name`; without a colon they have no name."""
    messages = []
    for speaker in speakers:
        role, _, name = speaker.partition(":")
        messages.append({"role": role, "content": "a"} | ({"name": name} if name else {}))
    return messages


@pytest.mark.parametrize(
    "speakers",
    [
        ["user:user"],
        ["user:User", "assistant:assistant", "user:user"],
        ["system:helper", "user"],
        ["developer:helper", "system:helper", "user"],
        ["system:system", "user", "assistant:helper", "user:user", "assistant:helper", "user"],
        ["user", "assistant", "user", "assistant:helper", "user"],
        ["user", "system:helper", "user"],
        ["system:assistant", "user", "assistant:helper", "user"],
    ],
)
def test_a_name_that_tells_no_speakers_apart_is_no_loss(speakers: list[str]) -> None:
    assert run(*spoken(*speakers), strict=True)[1] == ()


@pytest.mark.parametrize(
    "speakers",
    [
        ["user:Ann"],
        ["user:user", "assistant", "user:Ann"],
        ["user", "assistant:ann", "user", "assistant:bob", "user"],
        ["system:example_user", "system:example_assistant", "user"],
        ["developer:example_user", "system:example_assistant", "user"],
        ["system:a", "user", "system:b", "user"],
    ],
)
def test_a_name_that_tells_who_speaks_is_reported(speakers: list[str]) -> None:
    assert run(*spoken(*speakers))[1] == ("messages[].name",)
    with pytest.raises(InvalidRequest) as raised:
        run(*spoken(*speakers), strict=True)
    assert raised.value.param == "messages[].name"


@pytest.mark.parametrize(
    "message",
    [
        {"content": '{"a":1}', "parsed": {"a": 1, "b": None}},
        {"content": "[1]", "parsed": [1]},
        {
            "content": None,
            "parsed": None,
            "tool_calls": [{**CALL, "function": {**CALL["function"], "parsed_arguments": {"a": 1}}}],
        },
    ],
)
def test_what_the_vendors_client_has_parsed_is_no_loss(message: Any) -> None:
    following = [ANSWERED] if "tool_calls" in message else []
    run(USER, {"role": "assistant", **message}, *following, USER, strict=True)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"role": "assistant", "content": None, "parsed": {"a": 1}}, "messages[].parsed"),
        ({"role": "assistant", "content": [{"type": "text", "text": "a", "parsed": 1}]}, "messages[].content[].parsed"),
        ({"role": "assistant", "content": "a", "parsed_arguments": 1}, "messages[].parsed_arguments"),
    ],
)
def test_parsed_values_of_nothing_are_reported(message: Any, path: str) -> None:
    assert run(USER, message, USER)[1] == (path,)


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "file": fields}


@pytest.mark.parametrize(
    ("part", "kind", "ignored"),
    [
        (image(PIXEL, format="image/png"), "image", ()),
        (image(PIXEL, format=None), "image", ()),
        (image(PIXEL, format=""), "image", ()),
        (image(PIXEL, format="image/gif"), "image", ("messages[].content[].image_url.format",)),
        (image("https://a.example/b", format="image/jpg"), "image", ()),
        (image("https://a.example/b", format="application/pdf"), "document", ()),
        (image("https://a.example/b", format="video/mp4"), "image", ("messages[].content[].image_url.format",)),
        (file(file_data="data:application/pdf;base64," + PDF, format="application/PDF"), "document", ()),
        (
            file(file_data="data:application/pdf;base64," + PDF, format="text/csv"),
            "document",
            ("messages[].content[].file.format",),
        ),
        (file(file_data=PDF, format="application/pdf"), "document", ()),
        (file(file_data="https://a.example/b", format="application/pdf"), "document", ()),
        (file(file_id="file_1", format="application/pdf"), "document", ()),
        (file(file_id="file_1", format="text/plain"), "document", ("messages[].content[].file.format",)),
    ],
)
def test_a_media_type_beside_the_data_is_compared_or_used(part: Any, kind: str, ignored: tuple[str, ...]) -> None:
    body, reported = run({"role": "user", "content": [part]})
    assert (body["messages"][0]["content"][0]["type"], reported) == (kind, ignored)


def strict_schema(integer: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": integer}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize("kind", ["integer", ["integer"], ["integer", "null"], ["null", "integer"]])
def test_the_limits_of_safe_integers_cost_a_schema_nothing(kind: Any) -> None:
    schema, native = strict_schema({"type": kind, **SAFE}), strict_schema({"type": kind})
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": schema}}
    body, ignored = run(USER, tools=[tool], strict=True)
    assert (body["tools"][0]["strict"], body["tools"][0]["input_schema"], ignored) == (True, native, ())
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    body, ignored = run(USER, response_format=wanted, strict=True)
    assert (body["output_config"]["format"]["schema"], ignored) == (native, ())


@pytest.mark.parametrize(
    "limited",
    [
        {"type": "integer", "minimum": 0, "maximum": SAFE["maximum"]},
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "number", **SAFE},
        {"type": ["integer", "string"], **SAFE},
    ],
)
def test_any_other_limit_still_moves_to_the_description(limited: Any) -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": strict_schema(limited)}}
    body, ignored = run(USER, tools=[tool])
    assert "description" in body["tools"][0]["input_schema"]["properties"]["a"]
    assert ignored == ("tools[].function.parameters",)


FIELDS: dict[str, Any] = {
    "name": "helper",
    "refusal": "no",
    "annotations": [{"type": "url_citation"}],
    "citations": [],
    "reasoning_content": "hm",
    "reasoning": "hm",
    "reasoning_details": [SIGNED],
    "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}],
    "tool_calls": [CALL],
}


def elsewhere(where: str, fields: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A message of the assistant, with `own` fields, and `fields` in another place."""
    part = {"type": "text", "text": "a"}
    if where == "part":
        return {"role": "assistant", "content": [{**part, **fields, "role": "assistant"}], **own}
    return {"role": "assistant", "content": [part], "provider_specific_fields": fields, **own}


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("where", ["part", "provider_specific_fields"])
@pytest.mark.parametrize("name", [*FIELDS, "all"])
def test_a_field_of_a_message_is_taken_from_where_it_stands(name: str, where: str, repeated: bool) -> None:
    fields = FIELDS if name == "all" else {name: FIELDS[name]}
    following = [ANSWERED] if "tool_calls" in fields else []
    usual = {"role": "assistant", "content": [{"type": "text", "text": "a"}], **fields}
    turned = {key: dict(reversed(value[0].items())) for key, value in fields.items() if key == "tool_calls"}
    own = {**fields, **{key: [value] for key, value in turned.items()}} if repeated else {}
    assert run(USER, elsewhere(where, fields, own), *following, USER) == run(USER, usual, *following, USER)


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        (elsewhere("part", {"tool_calls": [CALL]}, {"refusal": "x"}), ()),
        (elsewhere("part", {"refusal": "y"}, {"refusal": "x"}), ("messages[].content[].refusal",)),
        (elsewhere("part", {"else": 1}, {}), ("messages[].content[].else",)),
        (elsewhere("", {"refusal": "y"}, {"refusal": "x"}), ("messages[].provider_specific_fields",)),
        (elsewhere("", {"refusal": None, "else": 1}, {}), ("messages[].provider_specific_fields",)),
        (elsewhere("", {"refusal": None, "else": {}}, {}), ()),
        ({**USER, "provider_specific_fields": {"name": "x"}}, ("messages[].provider_specific_fields",)),
        ({**USER, "content": [{"type": "text", "text": "a", "role": "user"}]}, ("messages[].content[].role",)),
        (
            {"role": "assistant", "content": "a", "provider_specific_fields": 7},
            ("messages[].provider_specific_fields",),
        ),
    ],
)
def test_what_a_message_says_otherwise_is_reported(message: Any, paths: tuple[str, ...]) -> None:
    following = [ANSWERED] if "call_1" in json.dumps(message) else []
    assert run(USER, message, *following, USER)[1] == paths


def test_each_text_part_may_repeat_a_field() -> None:
    parts = [{"type": "text", "text": text, "tool_calls": [{**CALL, "type": "function"}]} for text in "ab"]
    body, ignored = run(USER, {"role": "assistant", "content": parts, "tool_calls": [CALL]}, ANSWERED, strict=True)
    assert ([block["type"] for block in body["messages"][1]["content"]], ignored) == (["text", "text", "tool_use"], ())


def test_large_copies_are_compared_byte_by_byte() -> None:
    large, other = "x" * 1_100_000, "y" * 1_100_000
    for said, ignored in (
        (large, ()),
        (other, ("messages[].content[].refusal",)),
        ("x", ("messages[].content[].refusal",)),
    ):
        message = elsewhere("part", {"refusal": said}, {"refusal": large})
        assert run(USER, message, USER)[1] == ignored


def test_a_native_part_keeps_its_name() -> None:
    used = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}, "else": 1}
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "so"}
    body, ignored = run(USER, {"role": "assistant", "content": [used]}, result, USER)
    assert body["messages"][1]["content"][0]["name"] == "f"
    assert ignored == ("messages[].content[].else",)


def test_parts_that_are_no_objects_are_refused_where_they_stand() -> None:
    with pytest.raises(InvalidRequest) as raised:
        run(USER, {"role": "assistant", "content": [7], "provider_specific_fields": {}}, USER)
    assert raised.value.param == "messages[1].content[0]"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_strict_allows_thinking_whose_signature_a_library_dropped(name: str) -> None:
    plain = {"role": "assistant", "content": "a", name: "hm"}
    assert run(USER, plain, USER, strict=True)[1] == (f"messages[].{name}",)
    assert run(USER, {**plain, "reasoning_details": [SIGNED]}, USER, strict=True)[1] == ()
    with pytest.raises(InvalidRequest) as raised:
        run(USER, plain, USER, strict=True, seed=7)
    assert raised.value.param == "seed"


TOOL = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "f"}}


def untyped(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key != "type"}


@pytest.mark.parametrize("tool", [TOOL, CUSTOM])
def test_a_tool_and_a_choice_without_a_type_have_that_of_their_definition(tool: Any) -> None:
    usual = run(USER, tools=[tool], tool_choice=tool)
    assert run(USER, tools=[tool], tool_choice=untyped(tool), strict=True) == usual
    assert run(USER, tools=[untyped(tool)], tool_choice=tool, strict=True) == usual


@pytest.mark.parametrize(
    "tools", [[untyped(TOOL) | {"x": 1}], [untyped(TOOL), {"type": "custom", "custom": {"name": "g"}, "x": 1}]]
)
def test_unknown_fields_beside_a_tool_without_a_type_are_reported(tools: Any) -> None:
    usual = run(USER, tools=[{"type": "custom" if "custom" in tool else "function"} | tool for tool in tools])
    assert usual[1] == ("tools[].x",)
    assert run(USER, tools=tools) == usual


@pytest.mark.parametrize("choice", [{}, {"name": "f"}, {"type": None, "function": {"name": "f"}}])
def test_a_choice_that_names_no_kind_is_refused(choice: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        run(USER, tools=[TOOL], tool_choice=choice)
    assert raised.value.param == "tool_choice.type"


SCHEMA = strict_schema({"type": "integer"})
AS_SCHEMA = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}


@pytest.mark.parametrize("name", ["schema", "value"])
def test_the_schema_of_a_json_object_is_used(name: str) -> None:
    wanted = {"type": "json_object", name: SCHEMA}
    assert run(USER, response_format=wanted, strict=True) == run(USER, response_format=AS_SCHEMA)
    assert run(USER, response_format={"type": "json_object", name: None}, strict=True) == run(
        USER, response_format={"type": "json_object"}
    )
    with pytest.raises(InvalidRequest) as raised:
        run(USER, response_format={"type": "json_object", name: 7})
    assert raised.value.param == f"response_format.{name}"


@pytest.mark.parametrize(
    "wanted", [{**AS_SCHEMA, "value": SCHEMA}, {"type": "json_object", "schema": SCHEMA, "value": {"type": "object"}}]
)
def test_a_second_schema_is_reported(wanted: Any) -> None:
    assert run(USER, response_format=wanted) == (run(USER, response_format=AS_SCHEMA)[0], ("response_format.value",))


@pytest.mark.parametrize(
    ("asked", "ends", "ignored"),
    [
        ({"usage": {"include": True}}, True, ()),
        ({"usage": {"include": False}}, False, ()),
        ({"usage": {}}, False, ()),
        ({"usage": None}, False, ()),
        ({"usage": {"include": True}, "stream": False}, False, ()),
        ({"usage": {"include": True}, "stream_options": {"include_usage": False}}, False, ()),
        ({"usage": {"include": True, "else": 1}}, False, ("usage",)),
        ({"usage": True}, False, ("usage",)),
    ],
)
def test_usage_asks_for_the_last_chunk(asked: Any, ends: bool, ignored: tuple[str, ...]) -> None:
    chat = {"model": "m", "messages": [USER], "stream": True, **asked}
    translation = translate(json.dumps(chat).encode())
    assert (translation.context.include_usage, translation.ignored) == (ends, ignored)
