"""An error body repeats only known words and plain ids of the client's text, and stays below 1 KiB."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import chatcompat
from chatcompat import Dialect, InvalidRequest, translate
from chatcompat.errors import to_param
from chatcompat.request.decode_error import to_invalid_request
from chatcompat.wire.chat_request import ChatCompletionRequest

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "requests").glob("*.chat.json"))
HI: list[Any] = [{"role": "user", "content": "hi"}]

# Each contains the canary, and looks like a decoder's message, a path or a quoted value.
CANARY = "a canary"
TEXTS = [
    CANARY,
    f"x' - at `$.{CANARY}`",
    f"{CANARY} - at `$.canary`",
    f"Expected `int`, got `{CANARY}`\n",
    "x" * 100_000 + CANARY,
    "canary",
]


def refused(body: bytes, **options: Any) -> bytes:
    """The error body, or empty bytes if the request is accepted."""
    refusal: InvalidRequest | None = None
    try:
        translate(body, **options)
    except InvalidRequest as error:
        refusal = error
    if refusal is None:
        return b""
    assert len(refusal.body) < 1024
    assert CANARY not in str(refusal) + repr(refusal)
    return refusal.body


def changed(value: Any, text: str) -> Iterator[Any]:
    """`value` with `text` once for each string, number, key and object in it, and once beside each key."""
    yield text
    if isinstance(value, dict):
        yield value | {text: 1}
        for key, inner in value.items():
            yield {text if name == key else name: kept for name, kept in value.items()}
            yield from ({**value, key: other} for other in changed(inner, text))
    elif isinstance(value, list):
        yield [*value, {text: text}]
        for index, inner in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in changed(inner, text))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.removesuffix(".chat.json"))
def test_no_error_repeats_a_text_wherever_a_client_puts_it(path: Path) -> None:
    request = json.loads(path.read_bytes())
    for text in TEXTS[:-1]:  # a plain word may be an id, or the name of a field
        for body in changed(request, text):
            raw = json.dumps(body).encode()
            for strict in (False, True):
                assert b"canary" not in refused(raw, strict=strict, dialect=Dialect(prefill=False))


FORMS: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": [{"role": "{}", "content": "x"}]}, "Invalid value", "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "{}"}]}]}, "Invalid value", "messages[0].content[0]"),
    ({"tools": [{"type": "{}"}]}, "Invalid value", "tools[0]"),
    ({"tool_choice": {"type": "{}"}}, "Invalid value", "tool_choice"),
    ({"tool_choice": "{}"}, "Invalid enum value", "tool_choice"),
    ({"reasoning_effort": "{}"}, "Invalid enum value", "reasoning_effort"),
    ({"response_format": {"type": "{}"}}, "Invalid enum value", "response_format"),
    ({"logit_bias": {"{}": "{}"}}, "Expected `float`, got `str`", "logit_bias[...]"),
    ({"logit_bias": {"{}": 10**400}}, "Number out of range", "logit_bias[...]"),
    ({"seed": "{}"}, "Expected `int | null`, got `str`", "seed"),
    ({"model": ""}, "Expected `str` of length >= 1", "model"),
    ({"temperature": -0.5}, "Expected `float` >= 0.0", "temperature"),
    ({"frequency_penalty": -3}, "Expected `float` >= -2.0", "frequency_penalty"),
    ({"messages": [{"role": 5}]}, "Expected `str`", "messages[0].role"),
    ({"messages": [{"content": "{}"}]}, "Object missing required field", "messages[0].role"),
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("fields", "form", "param"), FORMS, ids=[f"{param}: {form}" for _, form, param in FORMS])
def test_no_form_of_the_decoders_errors_is_repeated(fields: dict[str, Any], form: str, param: str, text: str) -> None:
    body = json.dumps({"model": "m", "messages": HI, **fields}).replace("{}", json.dumps(text)[1:-1]).encode()
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(body, type=ChatCompletionRequest)
    assert str(raised.value).startswith(form)
    error = json.loads(refused(body))["error"]
    assert error["param"] == param
    assert "canary" not in error["message"]


@pytest.mark.parametrize(
    "sentence",
    [
        f"Object contains unknown field `{CANARY}`",
        f"Object contains unknown field `{CANARY}` - at `$.messages[0]`",
        f"Invalid value '{CANARY}'",
        f"Expected `{CANARY}`",
        f"A new wording of '{CANARY}' - at `key in $.metadata`",
        f"Invalid value 'x' - at `$.{CANARY}`",
    ],
)
def test_a_wording_that_is_not_known_is_not_repeated(sentence: str) -> None:
    error = to_invalid_request(msgspec.ValidationError(sentence))
    assert CANARY not in str(error)
    assert error.param in (None, "messages[0]", "metadata")


def test_a_known_word_is_repeated() -> None:
    for kind in ("video", "input_audio", "thinking"):
        messages = [{"role": "user", "content": [{"type": kind}]}]
        assert f"'{kind}'".encode() in refused(json.dumps({"model": "m", "messages": messages}).encode())


def test_of_ids_and_media_types_plain_ones_are_repeated() -> None:
    call = {"id": "toolu_1-A", "function": {"name": "f"}}
    asked = json.dumps({"model": "m", "messages": [*HI, {"role": "assistant", "tool_calls": [call]}]}).encode()
    assert b"'toolu_1-A'" in refused(asked)
    for chat_id in ("x" * 65, "a b", "\u00e9", ""):
        error = json.loads(refused(asked.replace(b"toolu_1-A", chat_id.encode())))["error"]
        assert error["message"] == (
            "messages[1].tool_calls[0]: The tool call with this id has no result. Add a tool message with its id."
        )
        assert error["param"] == "messages[1].tool_calls[0]"
    for media, named in (("image/svg+xml", True), ("image/x-canary", False)):
        image = {"type": "image_url", "image_url": {"url": f"data:{media};base64,AAAA"}}
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [image]}]}).encode()
        assert (media.encode() in refused(body)) == named


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("seed", "seed"),
        ("messages[0].role", "messages[0].role"),
        ("messages[].content[].odd_Field1", "messages[].content[].odd_Field1"),
        ("a canary", "*"),
        ("messages[].a canary", "messages[].*"),
        ("messages[].", "messages[].*"),
        ("x" * 65, "*"),
        (".".join("abcdefghijk"), "a.b.c.d.e.f.g.h.*"),
    ],
)
def test_a_place_is_named_as_far_as_it_is_plain(path: str, param: str) -> None:
    assert to_param(path) == param


# The values that messages of `InvalidRequest` may interpolate, and why none is the client's text. Add new ones here.
INTERPOLATED = {
    "count": "a count",
    "PATH": "a path of our own",
    "'POST' if is_post else 'GET'": "a method of our own",
    "name": "a plural of our own",
    "message": "a sentence of our own about a schema or a type",
    "word": "a keyword of JSON schema",
    "bound": "an option",
    "seconds": "an option",
    "self._length": "a count",
    "self._taken": "a count",
    "name.decode()[:64]": "the name of a header, a token",
    "bounds.growth": "an option",
    "max_depth": "an option",
    "self._bound": "an option",
    "max_bytes": "an option",
    "max_objects": "an option",
    "max_body_bytes": "an option",
    "fate.why": "our own words",
    "named": "a known word or media type, or nothing",
    "_named(chat_id)": "a plain id, or nothing",
    "_named(call.chat_id)": "a plain id, or nothing",
}


def test_each_sentence_of_a_refusal_is_made_of_known_things() -> None:
    found: set[str] = set()
    for path in Path(chatcompat.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "InvalidRequest":
                sentence = node.args[0]
                values = [part for part in ast.walk(sentence) if isinstance(part, ast.FormattedValue)]
                found |= {ast.unparse(part.value) for part in values}
                assert values or ast.unparse(sentence)[0] in "\"'", ast.unparse(node)
    assert found <= INTERPOLATED.keys()
