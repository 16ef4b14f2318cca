"""A field that no struct has is reported by its path, and changes nothing else: at each place of a request."""

import json
import re
from typing import Any, Final

import msgspec
import pytest

from chatcompat import InvalidRequest, translate
from chatcompat.dialect import PRESETS
from chatcompat.request.open_structs import open_struct
from chatcompat.wire.chat_request import ChatCompletionRequest
from tests.cost.completed import completed
from tests.cost.shapes import HOLE, Place, dumps, places, split

OBJECTS: Final = [place for place in places(ChatCompletionRequest) if "many unknown fields" in place.fills]
DIALECT: Final = PRESETS["native"]


def filled(place: Place, value: str = "") -> bytes:
    """The request with an object at the place, which has one more field, `u`, where there is a value for it."""
    before, after = split(place.document, HOLE)
    known = json.loads(place.fills["many unknown fields"](1))
    del known["u0"]
    if value:
        known["u"] = HOLE
    whole = dumps(completed(json.loads(before + dumps(known) + after)))
    return whole.replace(json.dumps(HOLE).encode(), value.encode())


def outcome(body: bytes) -> tuple[bytes | str | None, tuple[str, ...]]:
    """The inner body and the report; of a refused request, what is wrong and where."""
    try:
        translation = translate(body, dialect=DIALECT, created=1)
    except InvalidRequest as error:
        return f"{error} {error.param}", ()
    return translation.body, translation.ignored


def path_of(place: Place) -> str:
    """The path of a field `u` in the place, as a report names it: without the tags of objects."""
    path = re.sub("<[^>]*>", "", place.name)
    return f"{path}.u" if path != "top" else "u"


@pytest.mark.parametrize("place", OBJECTS, ids=lambda place: place.name)
def test_an_unknown_field_is_reported_and_changes_nothing_else(place: Place) -> None:
    known, reported = outcome(filled(place))
    for value in ('"x"', "0.50", '{"a":[1]}', "1" * 5_000, "1e999", '"\\ud83d\\ude42"'):
        body, ignored = outcome(filled(place, value))
        assert body == known
        if isinstance(known, bytes):
            assert sorted(ignored) == sorted([path_of(place), *reported])


@pytest.mark.parametrize("place", OBJECTS, ids=lambda place: place.name)
def test_an_unknown_field_that_is_null_says_nothing(place: Place) -> None:
    assert outcome(filled(place, "null")) == outcome(filled(place))


def test_open_structs_differ_from_the_strict_ones_in_nothing_else() -> None:
    waiting: list[Any] = [ChatCompletionRequest]
    looked_at = set()
    while waiting:
        struct = waiting.pop()
        if struct in looked_at:
            continue
        looked_at.add(struct)
        opened = open_struct(struct)
        assert opened.__struct_fields__ == struct.__struct_fields__
        assert opened.__match_args__ == struct.__match_args__
        for name in ("tag", "tag_field", "omit_defaults", "gc", "array_like"):
            assert getattr(opened.__struct_config__, name) == getattr(struct.__struct_config__, name)
        assert not opened.__struct_config__.forbid_unknown_fields
        for strict, loose in zip(msgspec.structs.fields(struct), msgspec.structs.fields(opened), strict=True):
            assert (strict.encode_name, strict.default) == (loose.encode_name, loose.default)
            waiting += structs_in(strict.type)
    assert len(looked_at) > 50


def structs_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [struct for part in getattr(annotation, "__args__", ()) for struct in structs_in(part)]


def test_what_is_taken_from_elsewhere_keeps_its_digits() -> None:
    arguments = '{"a":1.50,"b":1e400,"c":0.12345678901234567890123,"d":123456789012345678901234567890}'
    call = f'{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}'
    for holder in (
        f'"content":"a","provider_specific_fields":{{"tool_calls":[{call}]}}',
        f'"content":[{{"type":"text","text":"a","tool_calls":[{call}]}}]',
        f'"content":"a","tool_calls":[{call}]',
    ):
        body = (
            '{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant",'
            + holder
            + '},{"role":"tool","tool_call_id":"c","content":"r"}]}'
        )
        translation = translate(body.encode())
        assert f'"input":{arguments}'.encode() in translation.body
        assert translation.ignored == ()


def ignored_of(chat: Any) -> tuple[str, ...]:
    return translate(chat if isinstance(chat, bytes) else json.dumps(chat).encode(), dialect=DIALECT).ignored


USER: Final = {"role": "user", "content": "hi"}
TOOL: Final = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
TEXT: Final = {"text": "s", "x": 1}  # the only part that may be here, so that its type may be left out


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"role": "system", "content": [TEXT]}, "messages[].content[].x"),
        ({"role": "developer", "content": [TEXT]}, "messages[].content[].x"),
        (
            {"role": "system", "content": [{"text": "s", "cache_control": {"type": "ephemeral", "scope": "x"}}]},
            "messages[].content[].cache_control.scope",
        ),
        (
            {"role": "user", "content": [{"type": "search_result", "source": "s", "title": "t", "content": [TEXT]}]},
            "messages[].content[].content[].x",
        ),
    ],
)
def test_an_unknown_field_of_a_part_without_a_type_is_reported(message: Any, path: str) -> None:
    assert ignored_of({"model": "m", "messages": [message, USER]}) == (path,)


@pytest.mark.parametrize("value", [[], [{"role": "user", "content": ""}]], ids=str)
def test_what_looks_like_nothing_is_reported_beside_known_tools(value: Any) -> None:
    chat = {"model": "m", "messages": [USER], "tools": [TOOL]}
    assert ignored_of({**chat, "x": value}) == ("x",)
    assert ignored_of({**chat, "messages": [{**USER, "x": value}]}) == ("messages[].x",)


def test_copies_of_the_tools_and_the_messages_are_no_loss_anywhere() -> None:
    chat = {"model": "m", "messages": [USER], "tools": [TOOL]}
    assert ignored_of({**chat, "x": [TOOL], "y": [USER]}) == ()
    assert ignored_of({**chat, "messages": [{**USER, "tools": [TOOL]}]}) == ()
    assert ignored_of({**chat, "response_format": {"type": "text", "x": [USER]}}) == ()
    assert ignored_of({**chat, "x": [USER, USER]}) == ("x",)


LONG: Final = "1" * 5_000


def test_long_numbers_beside_fields_from_elsewhere_are_no_fault() -> None:
    call = '{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"index":%s}'
    holder = '{"role":"assistant","content":[{"type":"text","text":"a","tool_calls":[%s]}],"x":%s}'
    around = '{"model":"m","messages":[{"role":"user","content":"a"},%s,{"role":"tool","tool_call_id":"c"}]}'
    fine = around.replace("%s", holder.replace("%s", call.replace("%s", "0"), 1).replace("%s", LONG))
    assert ignored_of(fine.encode()) == ("messages[].x",)
    with pytest.raises(InvalidRequest) as refused:
        ignored_of(fine.replace('"index":0', f'"index":{LONG}').encode())
    assert refused.value.param == "messages[1].tool_calls[0].index"


def test_digits_behind_an_escape_stay_text() -> None:
    text = '"\\u0031' + "1" * 4_300 + '"'
    chat = f'{{"model":"m","messages":[{{"role":"user","content":{text},"x":[{LONG}],"y":{text}}}]}}'
    assert ignored_of(chat.encode()) == ("messages[].x", "messages[].y")


def test_values_that_differ_in_a_long_number_are_no_copies() -> None:
    known = f'"annotations":[{LONG}1]'
    for digit, ignored in (("1", ()), ("2", ("messages[].x",))):
        message = f'{{"role":"assistant","content":"a",{known},"x":[{LONG}{digit}]}}'
        chat = f'{{"model":"m","messages":[{json.dumps(USER)},{message},{json.dumps(USER)}]}}'
        assert ignored_of(chat.encode()) == ignored


def test_what_stands_around_many_copies_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def encode(value: Any) -> bytes:
        written.append(msgspec.json.encode(value))
        return written[-1]

    monkeypatch.setattr("chatcompat.request.unknown_fields._encode", encode)
    chat = {"model": "m", "messages": [{**USER, "tools": [TOOL]}] * 200, "tools": [TOOL]}
    assert ignored_of(chat) == ()
    assert sum(map(len, written)) < 4 * len(json.dumps(chat))
