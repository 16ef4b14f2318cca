"""Golden pairs: the body that the client sends, and the exact bytes that the inner app receives."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatcompat import Dialect, Translation, translate
from tests.vendor import chat_request, check_messages_request

GOLDEN = Path(__file__).parent.parent / "golden" / "requests"
NAMES = sorted(path.name.removesuffix(".chat.json") for path in GOLDEN.glob("*.chat.json"))

# What clients send although the vendor's types do not have it.
BEYOND_THE_TYPES = {
    "call-without-type-with-index",
    "calls-split-over-messages",
    "empty-assistant-messages-are-skipped",
    "images-in-results",
    "names-and-what-replies-bring",
    "refusals",
    "strict-schemas-that-are-described",
    "strict-schemas-that-are-dropped",
    "strict-schemas-that-are-kept",
    "tools",
    "unknown-fields-everywhere",
}
EXTENSIONS = ("odd", "cache_control", "is_error", "annotations", "index")


def expected(name: str) -> dict[str, Any]:
    path = GOLDEN / f"{name}.expect.json"
    return dict(json.loads(path.read_bytes())) if path.exists() else {}


def run(name: str) -> Translation:
    expect = expected(name)
    dialect = Dialect(**expect.get("dialect", {}))
    return translate((GOLDEN / f"{name}.chat.json").read_bytes(), dialect=dialect, version=expect.get("version"))


@pytest.mark.parametrize("name", NAMES)
def test_the_inner_app_gets_these_bytes(name: str) -> None:
    translation = run(name)
    assert translation.body == (GOLDEN / f"{name}.messages.json").read_bytes().removesuffix(b"\n")
    assert list(translation.ignored) == expected(name).get("ignored", [])
    assert check_messages_request(json.loads(translation.body), version=translation.version) == []


@pytest.mark.parametrize("name", sorted(set(NAMES) - BEYOND_THE_TYPES))
def test_the_clients_side_is_of_the_vendors_type(name: str) -> None:
    chat = json.loads((GOLDEN / f"{name}.chat.json").read_bytes())
    nulls = {"tools", "tool_choice", "parallel_tool_calls", "response_format", "user", "stream_options"}
    request = {key: value for key, value in chat.items() if value is not None or key not in nulls}
    request.pop("web_search_options", None)
    assert chat_request(request, allow=EXTENSIONS) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_body_without_white_space_means_the_same(name: str) -> None:
    raw = (GOLDEN / f"{name}.chat.json").read_bytes()
    if name == "duplicate-keys":
        return
    compact = json.dumps(json.loads(raw), ensure_ascii=True, separators=(",", ":")).encode()
    expect = expected(name)
    dialect = Dialect(**expect.get("dialect", {}))
    again = translate(compact, dialect=dialect, version=expect.get("version"))
    assert json.loads(again.body) == json.loads(run(name).body)
    assert again.ignored == run(name).ignored
