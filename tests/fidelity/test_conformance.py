"""Every request and reply of the cases, against the types that the vendors publish, and what ours have beyond them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chatcompat import InvalidRequest, Translation, translate
from tests.extensions import EXTENSIONS
from tests.fidelity.cases import CASES, Case
from tests.fidelity.cases.forms import REFUSED
from tests.fidelity.ours import frame, named
from tests.vendor import chat_error, chat_sse, check_chat_reply, check_messages_request

ROOT = Path(__file__).parents[2]
BETA_KEYS = ("context_management", "mcp_servers")  # in the vendor's types for betas only


def translated(case: Case) -> Translation:
    """The translation of a case."""
    chat = {**case.chat, "stream": True} if case.events else case.chat
    return translate(json.dumps(chat).encode())


def native(case: Case, translation: Translation, value: Any) -> Any:
    return named(value, json.loads(translation.body))


def without_untyped(body: Any) -> Any:
    """A request without what these types lack: tools of a beta, and blocks of an unknown future type."""
    tools = [tool for tool in body.get("tools", ()) if tool.get("type") != "mcp_toolset"]
    messages = [message | {"content": known(message["content"])} for message in body["messages"]]
    body = {name: value for name, value in body.items() if name != "tools"} | ({"tools": tools} if tools else {})
    return body | {"messages": messages}


def known(content: Any) -> Any:
    return content if isinstance(content, str) else [block for block in content if block["type"] != "hologram"]


@pytest.mark.parametrize("case", [case for case in CASES if case.checks != REFUSED], ids=lambda case: case.name)
def test_the_native_request_is_as_the_vendor_has_it(case: Case) -> None:
    translation = translated(case)
    body = without_untyped(json.loads(translation.body))
    assert check_messages_request(body, version=translation.version, allow=BETA_KEYS) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.checks == REFUSED], ids=lambda case: case.name)
def test_the_error_is_as_the_vendor_has_it(case: Case) -> None:
    with pytest.raises(InvalidRequest) as refused:
        translated(case)
    assert chat_error(json.loads(refused.value.body)) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.reply], ids=lambda case: case.name)
def test_the_completion_is_as_the_vendor_has_it(case: Case) -> None:
    translation = translated(case)
    completion = json.loads(translation.reply(json.dumps(native(case, translation, case.reply)).encode()))
    assert check_chat_reply(completion, allow=EXTENSIONS) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.events], ids=lambda case: case.name)
def test_the_chunks_are_as_the_vendor_has_them(case: Case) -> None:
    translation = translated(case)
    stream = translation.stream()
    out = stream.feed(b"".join(map(frame, native(case, translation, case.events)))) + stream.close()
    usage = bool((case.chat.get("stream_options") or {}).get("include_usage"))
    assert chat_sse(out, include_usage=usage, allow=EXTENSIONS) == []


def test_each_field_beyond_the_vendors_types_is_documented() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")])
    assert [name for name in EXTENSIONS if not re.search(rf"`[^`]*\b{name}\b[^`]*`", text)] == []
