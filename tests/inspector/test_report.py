"""Each line of a messages request has its true source, its fate and the reason."""

import json
import re
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from chatcompat import Dialect, InvalidRequest, translate
from chatcompat.dialect import NATIVE_2026
from chatcompat.inspector.report import to_report
from chatcompat.inspector.sources import DEFAULT
from tests.inspector.service import inspector, report
from tests.request.test_golden_requests import GOLDEN, NAMES, expected
from tests.strategies.requests import any_requests, as_body, taken_requests
from tests.vendor import Json

EXAMPLES = json.loads((files("chatcompat.inspector") / "static" / "examples.json").read_bytes())
CASES = [(example["name"], json.dumps(example["request"]).encode(), Dialect(), None) for example in EXAMPLES] + [
    (name, (GOLDEN / f"{name}.chat.json").read_bytes(), Dialect(**expected(name).get("dialect", {})), expected(name))
    for name in NAMES
]
PARAMETERS = pytest.mark.parametrize(
    ("body", "dialect", "expect"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
CHAT: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}


def described(body: bytes, dialect: Dialect, expect: Json | None) -> tuple[Any, list[Any], list[Any]]:
    translation = translate(body, dialect=dialect, version=(expect or {}).get("version"))
    made = to_report(body, translation.body, translation.ignored, [])
    return json.loads(translation.body), made.lines, made.fields


def steps(path: str) -> list[str | int]:
    """`a[0].b` as `a`, 0 and `b`. Names with a point or a bracket are not in these cases."""
    found = re.findall(r"([^.\[\]]+)|\[(\d+)\]", path)
    return [name or int(index) for name, index in found]


def at(value: Any, path: str) -> Any:
    """The value at a path, or None."""
    for step in steps(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def without(value: Any, path: str) -> Any:
    value = deepcopy(value)
    *before, last = steps(path)
    inside = value
    for step in before:
        inside = inside[step]
    del inside[last]
    return value


def fields(**more: Any) -> dict[str, tuple[str, str]]:
    """The fates and reasons of the fields of a request, by path."""
    found = report(json.dumps(CHAT | more).encode())["fields"]
    return {field["path"]: (field["fate"], field["why"]) for field in found}


# ---------------------------------------------------------------- sources


@PARAMETERS
def test_each_line_has_a_source_or_is_a_default(body: bytes, dialect: Dialect, expect: Json | None) -> None:
    chat = json.loads(body)
    native, lines, _ = described(body, dialect, expect)
    assert json.loads("\n".join(line.text for line in lines)) == native
    for line in lines:
        assert line.sources or line.fate == "added" or not line.path, line
        assert line.fate != "added" or (line.why and not line.sources), line
        for source in line.sources:
            assert at(chat, source) is not None, line


# Without these the same is sent where they say what is taken anyhow: an empty object, a tool that only a call names.
TAKEN_ANYHOW = re.compile(r".*\.(?:arguments|parameters|additionalProperties|ttl)|tools(?:\[\d+\])?")


@PARAMETERS
def test_without_its_source_a_line_is_another_or_gone(body: bytes, dialect: Dialect, expect: Json | None) -> None:
    chat = json.loads(body)
    native, lines, _ = described(body, dialect, expect)
    for source in {source for line in lines for source in line.sources if not source.endswith(".type")}:
        left = json.dumps(without(chat, source)).encode()
        try:
            made = json.loads(translate(left, dialect=dialect, version=(expect or {}).get("version")).body)
        except InvalidRequest:
            continue
        same = [line.path for line in lines if source in line.sources and at(made, line.path) == at(native, line.path)]
        # An item that is left out of a list has the next in its place.
        same = [path for path in same if made.get(steps(path)[0]) == native[steps(path)[0]]]
        assert not same or (expect is not None and TAKEN_ANYHOW.fullmatch(source)), (source, same)


@PARAMETERS
def test_text_and_names_come_from_where_they_are(body: bytes, dialect: Dialect, expect: Json | None) -> None:
    """Texts that the translation makes longer or shorter still share most of their words."""
    chat = json.loads(body)
    native, lines, _ = described(body, dialect, expect)
    for line in lines:
        value = at(native, line.path)
        if not (isinstance(value, str) and line.sources and line.path.endswith((".text", ".content", ".user_id"))):
            continue
        source = at(chat, line.sources[0])
        if isinstance(source, str):
            plain = value.removeprefix("<system>\n").removesuffix("\n</system>")
            assert source.strip() in plain or plain in source or value.startswith("sha256_"), line


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])  # a machine may have other work
@given(taken_requests() | any_requests())
def test_any_request_that_is_translated_is_described(request: Json) -> None:
    answer = json.loads(inspector().translate(as_body(request)))
    if answer["refusal"] is not None:
        return
    made = answer["report"]
    assert made["lines"][1]["text"] == "{"
    assert {line["fate"] for line in made["lines"]} <= {"mapped", "adjusted", "added"}
    assert [line for line in made["lines"] if line["path"] and not (line["sources"] or line["fate"] == "added")] == []
    assert {field["path"] for field in made["fields"]} >= {"model", "messages"}


def test_results_find_their_message_in_any_order() -> None:
    body = (GOLDEN / "parallel-results-out-of-order-with-text-between.chat.json").read_bytes()
    sources = {line["path"]: line["sources"] for line in report(body)["lines"]}
    assert sources["messages[2]"] == ["messages[2]", "messages[3]", "messages[4]", "messages[5]"]
    assert sources["messages[2].content[0].content"] == ["messages[5].content"]
    assert sources["messages[2].content[1].content"] == ["messages[3].content"]


CALL = {"type": "function", "id": "c1", "function": {"name": "f", "arguments": "{}"}}
THOUGHT = {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}
BY_PART: list[tuple[str, list[Json], dict[str, str]]] = [
    (
        "images by their URL, in any order",
        [{"role": "user", "content": [{"type": "image_url", "image_url": f"https://a.example/{n}"} for n in "ab"]}],
        {"messages[0].content[1].source.url": "messages[0].content[1].image_url"},
    ),
    (
        "a file by its data",
        [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERi0xLjQ="}}]}],
        {
            "messages[0].content[0].source.data": "messages[0].content[0].file.file_data",
            "messages[0].content[0].title": "messages[0].content[0].file.filename",
        },
    ),
    (
        "a file by its id",
        [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}],
        {"messages[0].content[0].source.file_id": "messages[0].content[0].file.file_id"},
    ),
    (
        "native blocks",
        [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "said"}]},
        ],
        {
            "messages[1].content[0].input.a": "messages[1].content[0].input.a",
            "messages[2].content[0].content": "messages[2].content[0].content",
        },
    ),
    (
        "a document in the native shape",
        [
            {
                "role": "user",
                "content": [{"type": "document", "source": {"type": "url", "url": "https://a.example/a.pdf"}}],
            }
        ],
        {"messages[0].content[0].source.url": "messages[0].content[0].source.url"},
    ),
    (
        "a search result",
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "search_result",
                        "source": "s",
                        "title": "t",
                        "content": [{"type": "text", "text": "found"}],
                    }
                ],
            }
        ],
        {"messages[0].content[0].title": "messages[0].content[0].title"},
    ),
    (
        "signed thinking, and a call of legacy functions",
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "reasoning_details": [THOUGHT], "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "said"},
        ],
        {
            "messages[1].content[0].thinking": "messages[1].reasoning_details[0]",
            "messages[1].content[1].input": "messages[1].function_call.arguments",
            "messages[2].content[0].content": "messages[2].content",
        },
    ),
    (
        "signed thinking as a part",
        [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "text", "text": "so"},
                ],
            },
            {"role": "user", "content": "go"},
        ],
        {"messages[1].content[0].signature": "messages[1].content[0].signature"},
    ),
    (
        "thinking of other gateways",
        [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": "so",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}],
            },
            {"role": "user", "content": "go"},
        ],
        {"messages[1].content[0].signature": "messages[1].thinking_blocks[0].signature"},
    ),
]


@pytest.mark.parametrize(("messages", "expected"), [case[1:] for case in BY_PART], ids=[case[0] for case in BY_PART])
def test_each_kind_of_part_finds_its_own(messages: list[Json], expected: dict[str, str]) -> None:
    lines = report(json.dumps(CHAT | {"messages": messages}).encode())["lines"]
    sources = {line["path"]: line["sources"] for line in lines}
    assert {path: sources[path] for path in expected} == {path: [source] for path, source in expected.items()}


def test_tools_of_each_kind_find_their_own() -> None:
    tools = [
        {"type": "custom", "custom": {"name": "free text!", "description": "d"}},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
        {"type": "function", "name": "flat", "parameters": {"type": "object", "properties": {}}},
    ]
    body = json.dumps(CHAT | {"tools": tools, "web_search_options": {}}).encode()
    lines = report(body, Dialect(web_search="web_search_20250305"))["lines"]
    sources = {line["path"]: line["sources"] for line in lines}
    assert [sources[f"tools[{index}].name"] for index in range(4)] == [
        ["tools[0].custom.name"],
        ["tools[1].name"],
        ["tools[2].name"],
        ["web_search_options"],
    ]
    assert sources["tools[2].input_schema"] == ["tools[2].parameters"]


def test_of_two_equal_texts_each_has_its_own_source() -> None:
    said = [{"role": role, "content": "ok"} for role in ("user", "assistant", "user")]
    lines = report(json.dumps(CHAT | {"messages": said}).encode())["lines"]
    sources = {line["path"]: line["sources"] for line in lines}
    assert [sources[f"messages[{index}].content"] for index in range(3)] == [
        [f"messages[{index}].content"] for index in range(3)
    ]


def test_what_the_dialect_adds_is_its_default() -> None:
    body = json.dumps({"model": "m", "messages": CHAT["messages"], "reasoning_effort": "low"}).encode()
    lines = {
        line["path"]: line
        for line in report(body, Dialect(display="summarized", prefix_mismatch="drop_block"))["lines"]
    }
    for path in ("max_tokens", "thinking.display", "thinking.block_binding", "anthropic-version", "anthropic-beta"):
        assert (lines[path]["fate"], lines[path]["sources"], lines[path]["why"]) == ("added", [], DEFAULT)
    assert lines["thinking.budget_tokens"]["sources"] == ["reasoning_effort"]


def test_our_own_cache_marks_are_the_dialects() -> None:
    body = json.dumps(CHAT | {"messages": [{"role": "user", "content": "hi " * 9_000}]}).encode()
    marks = [line for line in report(body, NATIVE_2026)["lines"] if "cache_control" in line["path"]]
    assert marks
    assert {line["fate"] for line in marks} == {"added"}


def test_a_mark_comes_from_the_part_the_message_or_the_options() -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}]
    messages = [{"role": "user", "content": parts, "cache_control": mark}]
    lines = report(json.dumps(CHAT | {"messages": messages}).encode())["lines"]
    sources = {line["path"]: line["sources"] for line in lines}
    assert sources["messages[0].content[0].cache_control"] == ["messages[0].content[0].cache_control"]
    assert sources["messages[0].content[1].cache_control"] == ["messages[0].cache_control"]


def test_a_tool_that_asks_for_json_comes_from_the_format() -> None:
    body = json.dumps(
        CHAT
        | {"response_format": {"type": "json_object"}, "tool_choice": "auto"}
        | {"tools": [{"type": "function", "function": {"name": "f"}}]}
    ).encode()
    sources = {line["path"]: line["sources"] for line in report(body)["lines"]}
    assert sources["tools[0].name"] == ["tools[0].function.name"]
    assert sources["tools[1].name"] == ["response_format"]
    assert sources["tool_choice"] == ["response_format"]


def test_an_instruction_of_ours_comes_from_the_format() -> None:
    body = json.dumps(CHAT | {"response_format": {"type": "json_object"}}).encode()
    sources = {line["path"]: line["sources"] for line in report(body, Dialect(forced_tools=False))["lines"]}
    assert sources["system[0].text"] == ["response_format"]
