"""Small parts of the translation, tested by tables rather than whole bodies."""

import json
from typing import Any

import msgspec
import pytest

from chatcompat import Dialect, InvalidRequest, translate
from chatcompat.asgi.headers import to_client_headers, to_header_map, to_ignored_header, to_inner_headers
from chatcompat.dialect import NATIVE_KEYS
from chatcompat.request.bounds import DEFAULT_BOUNDS
from chatcompat.request.fields import FATES
from chatcompat.request.tool_names import ToolNames
from chatcompat.wire.chat_request import ChatCompletionRequest
from tests.vendor import chat_request_fields

HI = [{"role": "user", "content": "hi"}]


# ---------------------------------------------------------------- fates


def test_each_field_of_the_vendors_request_type_has_a_fate() -> None:
    assert chat_request_fields() - FATES.keys() == set(), "fields that a newer release has"
    extensions = NATIVE_KEYS | {"reasoning", "include_reasoning"}
    assert FATES.keys() - chat_request_fields() == extensions, "fields that the vendor's type does not have"


def test_the_fates_stand_in_the_order_of_the_requests_fields() -> None:
    fields = [field.name for field in msgspec.structs.fields(ChatCompletionRequest)]
    unsent = [name for name in FATES if type(FATES[name]).__name__ != "Mapped"]
    assert fields[-len(unsent) :] == unsent


# ---------------------------------------------------------------- tool names


def test_no_two_names_collide_and_each_is_stable() -> None:
    chat_names = ["a.b", "a:b", "a b", "\u00e9", "", "x" * 129, "x" * 130, "a_b"]
    names = ToolNames()
    names.offered = chat_names
    native = [names.to_native(name) for name in chat_names]
    assert len(set(native)) == len(chat_names)
    assert [names.to_native(name) for name in chat_names] == native
    assert {name: names.restored[made] for name, made in zip(chat_names, native, strict=True) if made != name} == {
        name: name for name in chat_names if name != "a_b"
    }
    clash = ToolNames()
    clash.offered = ["a.b", native[0]]
    assert clash.to_native("a.b") not in clash.offered


def test_the_branches_of_a_schema_are_bounded() -> None:
    def ask(count: int) -> bytes:
        parameters: dict[str, Any] = {"anyOf": [{"properties": {str(number): {}}} for number in range(count)]}
        tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
        return json.dumps({"model": "m", "messages": HI, "tools": [tool]}).encode()

    assert b'"199":{}' in translate(ask(DEFAULT_BOUNDS.schema_branches)).body
    with pytest.raises(InvalidRequest, match="too many branches"):
        translate(ask(DEFAULT_BOUNDS.schema_branches + 1))


# ---------------------------------------------------------------- headers


def inner(headers: list[tuple[bytes, bytes]], dialect: Dialect | None = None) -> dict[bytes, bytes]:
    body = json.dumps({"model": "m", "messages": HI}).encode()
    of = translate(body, dialect=dialect or Dialect())
    return dict(
        to_inner_headers(headers, to_header_map(headers), dialect=of.dialect, version=of.version, length=len(of.body))
    )


@pytest.mark.parametrize(
    ("credential", "key"),
    [(b"Bearer k", b"k"), (b"bearer  k ", b"k"), (b"Basic k", None), (b"Bearer ", None), (b"Bearer", None)],
)
def test_the_bearer_token_is_copied_and_nothing_else(credential: bytes, key: bytes | None) -> None:
    headers = inner([(b"authorization", credential)], Dialect(api_key_header=True))
    assert headers.get(b"x-api-key") == key
    assert headers[b"authorization"] == credential
    assert b"x-api-key" not in inner([(b"authorization", credential)])


def test_a_key_that_the_client_sends_itself_is_kept() -> None:
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b")]
    assert inner(headers, Dialect(api_key_header=True))[b"x-api-key"] == b"b"


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("reset", "duration"),
    [
        (b"2023-11-14T22:13:21Z", b"1s"),
        (b"2023-11-14T22:19:20Z", b"6m0s"),
        (b"2023-11-15T00:13:21+00:00", b"2h0m1s"),
        (b"2023-11-14T22:13:21", b"1s"),
        (b"2020-01-01T00:00:00Z", b"0s"),
        (b"soon", b"soon"),
        (b"\xff", b"\xff"),
    ],
)
def test_an_instant_of_reset_becomes_a_duration(reset: bytes, duration: bytes) -> None:
    headers = dict(to_client_headers([(b"anthropic-ratelimit-tokens-reset", reset)], {}, (), NOW))
    assert headers[b"x-ratelimit-reset-tokens"] == duration


def test_names_that_are_there_already_are_kept() -> None:
    headers = [
        (b"request-id", b"a"),
        (b"x-request-id", b"b"),
        (b"anthropic-ratelimit-requests-limit", b"1"),
        (b"x-ratelimit-limit-requests", b"2"),
    ]
    assert to_client_headers(headers, {}, (), NOW) == headers


@pytest.mark.parametrize("pair", [(b"x-a", b"1\r\nset-cookie: b"), (b"x-a\n", b"1"), (b"x-a", b"\x00")])
def test_a_header_that_would_forge_another_is_left_out(pair: tuple[bytes, bytes]) -> None:
    assert to_client_headers([pair, (b"x-b", b"2")], {}, (), NOW) == [(b"x-b", b"2")]


@pytest.mark.parametrize(
    ("ignored", "header"),
    [
        ([], b""),
        (["seed", "messages[].name"], b"seed, messages[].name"),
        (["a\r\nset-cookie: x"], b"a__set-cookie__x"),
        (["\u00e9" * 99], b"_" * 64),
        ([str(number) for number in range(40)], ", ".join([*map(str, range(32)), "... 8 more"]).encode()),
    ],
)
def test_the_report_is_safe_and_bounded(ignored: list[str], header: bytes) -> None:
    assert to_ignored_header(ignored) == header


# ---------------------------------------------------------------- dialect


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "today"),
        ("max_tokens", 0),
        ("max_temperature", 0),
        ("max_temperature", 2.5),
        ("reasoning", "efforts"),
        ("prefix_mismatch", "drop"),
    ],
)
def test_a_dialect_is_checked_when_it_is_made(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Dialect(**{field: value})


def test_a_dialect_may_be_chosen_by_the_model() -> None:
    def choose(model: str) -> Dialect:
        return Dialect(max_tokens=len(model))

    body = json.dumps({"model": "abc", "messages": HI}).encode()
    translation = translate(body, dialect=choose)
    assert json.loads(translation.body)["max_tokens"] == 3
    assert translation.dialect == Dialect(max_tokens=3)


def test_the_time_of_a_reply_is_now_unless_it_is_given() -> None:
    body = json.dumps({"model": "m", "messages": HI}).encode()
    assert translate(body, created=5).context.created == 5
    assert translate(body).context.created > 1_700_000_000
