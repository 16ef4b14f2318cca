"""The fate of each line and field in the report of the inspector, and the limits of the report."""

import json
import re
from pathlib import Path

import chatcompat.request
from chatcompat import translate
from chatcompat.inspector.reasons import REASONS, UNKNOWN
from chatcompat.inspector.report import MAX_FIELDS, MAX_LINES, MAX_TEXT, reason
from chatcompat.request.fields import FATES, Mapped
from tests.inspector.service import inspector, report
from tests.inspector.test_report import CHAT, fields


def test_the_fate_and_the_reason_are_those_of_the_table() -> None:
    found = fields(seed=1, n=1, store=None, stop="x", stream_options={"include_usage": True}, stream=True)
    assert found["seed"] == ("ignored", "no native field")
    assert found["stop"] == ("mapped", "stop_sequences")
    assert found["n"] == ("neutral", "this value changes nothing")
    assert found["store"] == ("neutral", "null means not set")
    assert found["stream_options"] == ("mapped", "a last chunk with the usage")
    assert "odd" not in fields(odd=None)  # says nothing, so nothing is lost


def test_a_value_that_is_sent_changed_is_adjusted() -> None:
    made = report(json.dumps(CHAT | {"temperature": 1.5}).encode())
    (line,) = [line for line in made["lines"] if line["path"] == "temperature"]
    assert (line["text"], line["fate"]) == ('"temperature": 1.0', "adjusted")
    assert line["why"] == "temperature, capped at the dialect's maximum"
    assert fields(temperature=1.5)["temperature"][0] == "adjusted"
    assert fields(temperature=0.5)["temperature"][0] == "mapped"


def test_a_mapped_field_that_cannot_be_sent_is_ignored() -> None:
    fate, why = fields(temperature=0.2, reasoning_effort="low", max_tokens=9_000)["temperature"]
    assert (fate, why) == ("ignored", "not in this request; usually temperature, capped at the dialect's maximum")


def test_of_several_places_only_the_changed_ones_are_named() -> None:
    tools = [
        {
            "type": "function",
            "function": {"name": name, "parameters": {"type": "object", "properties": {"n": schema}}, "strict": True},
        }
        for name, schema in (("a", {"type": "integer", "minimum": 1}), ("b", {"type": "integer"}))
    ]
    tools[1]["function"]["parameters"]["additionalProperties"] = False  # type: ignore[index]
    made = report(json.dumps(CHAT | {"tools": tools}).encode())
    (field,) = [field for field in made["fields"] if field["path"] == "tools[].function.parameters"]
    assert (field["fate"], field["places"]) == ("adjusted", ["tools[0].function.parameters"])
    adjusted = {line["sources"][0] for line in made["lines"] if line["fate"] == "adjusted"}
    assert all(source.startswith("tools[0].") for source in adjusted)


def test_an_unknown_field_is_ignored_at_its_place() -> None:
    message = {"role": "user", "content": "hi", "mood": "good"}
    made = report(json.dumps(CHAT | {"messages": [message], "odd.name": 1}).encode())
    found = {field["path"]: field for field in made["fields"]}
    assert (found["messages[].mood"]["why"], found["messages[].mood"]["places"]) == (UNKNOWN, ["messages[0].mood"])
    assert found["odd.name"]["fate"] == "ignored"


def test_a_first_turn_that_is_added_adjusts_the_role() -> None:
    made = report(
        json.dumps(CHAT | {"messages": [{"role": "assistant", "content": "hello"}, *CHAT["messages"]]}).encode()
    )
    found = {field["path"]: field["fate"] for field in made["fields"]}
    assert found["messages[0].role"] == "adjusted"
    assert made["lines"][5]["why"] == "added: the first turn must be the user's"


def test_a_model_that_has_an_alias_is_adjusted() -> None:
    made = report(json.dumps(CHAT).encode(), model_aliases={"m": "caicaini/auto"})
    (line,) = [line for line in made["lines"] if line["path"] == "model"]
    assert (line["text"], line["fate"], line["why"]) == (
        '"model": "caicaini/auto",',
        "adjusted",
        "an alias of this server",
    )


def test_a_refusal_has_the_reason_of_the_table() -> None:
    answer = json.loads(inspector().translate(json.dumps(CHAT | {"modalities": ["audio"]}).encode()))
    refusal = answer["refusal"]
    assert (refusal["status"], refusal["param"], refusal["code"]) == (400, "modalities", "unsupported_parameter")
    assert refusal["why"] == "replies are text"
    assert json.loads(inspector().translate(b"{"))["refusal"] == {
        "status": 400,
        "message": "The request is not valid JSON. Send a JSON object.",
        "param": None,
        "code": "invalid_json",
        "why": "",
    }


def test_strict_mode_refuses_here_too() -> None:
    answer = json.loads(inspector(strict=True).translate(json.dumps(CHAT | {"seed": 1}).encode()))
    assert answer["refusal"]["param"] == "seed"


def test_each_path_that_is_reported_has_a_reason() -> None:
    """The paths are read from the code, so that a new one is not forgotten."""
    code = "".join(path.read_text() for path in Path(chatcompat.request.__path__[0]).glob("*.py"))
    told = set(re.findall(r'ignored(?:\.append\(| \+= \[)f?"([a-z_.\[\]]+)"', code))
    assert len(told) > 30
    assert {path for path in told if reason(path) == UNKNOWN} == set()
    assert all(REASONS.values())


def test_each_field_has_the_fate_of_the_table() -> None:
    assert {name for name in FATES if reason(name) == UNKNOWN} == set()
    assert all(isinstance(FATES[name], Mapped) or reason(name) == FATES[name].why for name in FATES)  # type: ignore[union-attr]


# ---------------------------------------------------------------- bounds


def test_a_long_text_is_cut_and_says_so() -> None:
    lines = report(json.dumps(CHAT | {"messages": [{"role": "user", "content": "x" * 5_000}]}).encode())["lines"]
    (line,) = [line for line in lines if line["path"] == "messages[0].content"]
    assert len(line["text"]) < MAX_TEXT + 50
    assert line["text"].endswith("more characters")


def test_what_would_not_be_seen_is_written_as_an_escape() -> None:
    said = "a\u202eb\u200bc\u0007\ud83d\ude00"
    lines = report(json.dumps(CHAT | {"messages": [{"role": "user", "content": said}]}).encode())["lines"]
    (line,) = [line for line in lines if line["path"] == "messages[0].content"]
    assert line["text"] == '"content": "a\\u202eb\\u200bc\\u0007\U0001f600"'


def test_numbers_are_shown_as_they_are_sent() -> None:
    schema = b'{"type":"object","properties":{"n":{"const":1.50e3}}}'
    tool = b'{"type":"function","function":{"name":"f","parameters":%b}}' % schema
    body = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"tools":[%b]}' % tool
    sent = translate(body).body
    (line,) = [line for line in report(body)["lines"] if line["path"].endswith(".const")]
    assert line["text"].removeprefix('"const": ').encode() in sent


def test_a_large_request_has_a_bounded_report() -> None:
    said = [{"role": "user" if index % 2 == 0 else "assistant", "content": f"{index}"} for index in range(1_001)]
    said[0]["name"] = "ann"
    made = report(json.dumps(CHAT | {"messages": said, "temperature": 1.5, "seed": 1}).encode())
    assert made["more"]
    assert len(made["lines"]) == MAX_LINES + 1  # and a header
    assert len(made["fields"]) <= MAX_FIELDS
    found = {field["path"]: field["fate"] for field in made["fields"]}
    assert (found["temperature"], found["seed"]) == ("adjusted", "ignored")
