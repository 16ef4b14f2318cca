"""`chatcompat translate`, as it is typed into a shell."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatcompat.cli import app
from tests.asgi.driver import HELLO, REPLY, chat, frame
from tests.cli.test_serve import served
from tests.extensions import EXTENSIONS
from tests.vendor import chat_error, chat_sse, check_chat_reply, check_messages_request

COMMAND = [sys.executable, "-m", "chatcompat", "translate"]
TOOL = {"type": "function", "function": {"name": "look.up", "parameters": {"type": "object", "properties": {}}}}


def run(body: bytes, *arguments: str) -> tuple[int, bytes, list[str]]:
    """The command in this process: exit status, standard output, lines of standard error."""
    out, stderr = io.BytesIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
        patch.setattr(sys, "stdout", io.TextIOWrapper(out))
        patch.setattr(sys, "stderr", stderr)
        try:
            status = app(["translate", *arguments], result_action="return_value")
        except SystemExit as exit_:
            status = exit_.code
        written = out.getvalue()
    return status, written, stderr.getvalue().splitlines()


def test_a_request_is_translated_and_what_was_ignored_is_named() -> None:
    status, out, stderr = run(chat(seed=3, messages=[{"role": "user", "content": "hi", "name": "x"}]))
    assert (status, stderr) == (0, ["seed", "messages[].name"])
    assert check_messages_request(json.loads(out)) == []
    assert json.loads(out)["messages"] == [{"role": "user", "content": "hi"}]


def test_a_field_named_by_the_client_steers_no_terminal() -> None:
    assert run(chat(**{"\x1b[2J\n": 1}))[2] == [r"\x1b[2J\n"]


@pytest.mark.parametrize(
    ("arguments", "body", "place"),
    [
        ([], chat(messages=[{"role": "user", "content": 7}]), "messages[0].content"),
        (["--strict"], chat(seed=3), "seed"),
        (["--dialect", "native-2026-10-21"], chat(messages=[{"role": "assistant", "content": "I"}]), "messages[0]"),
    ],
)
def test_a_refusal_names_its_place(arguments: list[str], body: bytes, place: str) -> None:
    status, out, stderr = run(body, *arguments)
    assert (status, out, len(stderr)) == (1, b"", 1)
    assert stderr[0].startswith(f"{place}: ")


def test_a_reply_becomes_a_completion() -> None:
    status, out, stderr = run(json.dumps(REPLY).encode(), "--reply")
    assert (status, stderr) == (0, [])
    assert check_chat_reply(json.loads(out), allow=EXTENSIONS) == []
    assert json.loads(out)["choices"][0]["message"]["content"] == "Hello"


def test_a_reply_is_translated_in_the_light_of_its_request(tmp_path: Path) -> None:
    asked = tmp_path / "request.json"
    asked.write_bytes(chat(tools=[TOOL]))
    name = json.loads(run(asked.read_bytes())[1])["tools"][0]["name"]
    call = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}
    body = json.dumps(REPLY | {"content": [call], "stop_reason": "tool_use"}).encode()
    calls = json.loads(run(body, "--reply", "--request", str(asked))[1])["choices"][0]["message"]["tool_calls"]
    assert name != "look.up"
    assert calls[0]["function"]["name"] == "look.up"


def test_a_native_error_becomes_the_error_that_a_client_gets() -> None:
    native = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    status, out, stderr = run(json.dumps(native).encode(), "--reply")
    assert (status, stderr) == (1, [])
    assert chat_error(json.loads(out)) == []
    assert json.loads(out)["error"]["message"] == "Overloaded"


def test_what_is_no_reply_is_an_error() -> None:
    status, out, stderr = run(b"<html>", "--reply")
    assert (status, out, len(stderr)) == (1, b"", 1)


def test_events_become_chunks_as_they_come() -> None:
    with subprocess.Popen([*COMMAND, "--stream"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        out = b""
        for event in HELLO:
            process.stdin.write(frame(event))
            process.stdin.flush()
            if event["type"] == "content_block_delta":
                while event["delta"]["text"].encode() not in out:
                    out += (line := process.stdout.readline())
                    assert line
        process.stdin.close()
        out += process.stdout.read()
    assert process.returncode == 0
    assert chat_sse(out, include_usage=True, allow=EXTENSIONS) == []
    assert out.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("cut", [0, 3])
def test_a_stream_that_is_not_whole_ends_with_the_error_frame(cut: int) -> None:
    status, out, _ = run(b"".join(map(frame, HELLO[:cut])), "--stream")
    assert status == 1
    assert b"[DONE]" not in out
    last: dict[str, Any] = json.loads(out.rstrip().rpartition(b"data: ")[2])
    assert chat_error(last) == []


def test_a_reader_that_leaves_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(COMMAND, input=chat(), stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "arguments",
    [["--reply", "--stream"], ["--dialect", "none"], ["--dialect", "discover"], ["--request", "/none"]],
)
def test_what_makes_no_sense_is_refused(arguments: list[str]) -> None:
    status, out, stderr = run(b"", *arguments)
    assert status != 0
    assert out == b""
    assert not any("Traceback" in line for line in stderr)


# ---------------------------------------------------------------- counting tokens

COUNTED = b'{"object":"chat.completion.input_tokens","input_tokens":1,"prompt_tokens":1}\n'
MODEL = "caicaini/auto"


def test_tokens_are_counted_by_the_simulator() -> None:
    status, out, stderr = run(chat(model=MODEL, seed=3, container="c"), "--count")
    assert (status, out, stderr) == (0, COUNTED, ["seed", "container"])


def test_tokens_are_counted_by_the_upstream(tmp_path: Path) -> None:
    with served(tmp_path) as upstream:
        status, out, stderr = run(chat(model=MODEL), "--count", "--upstream", f"{upstream.url}/v1", "--api-key-header")
        assert (status, out) == (0, COUNTED)
        assert len(stderr) == 1
        assert "/v1 is left out" in stderr[0]
        (line,) = upstream.lines(1)
        assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/messages/count_tokens", 200)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--api-key", "invalid"], "invalid x-api-key"),
        (["--upstream", "http://127.0.0.1:1"], "The upstream messages service cannot be reached, or sent no reply."),
    ],
)
def test_a_count_that_fails_is_the_error_that_a_client_gets(arguments: list[str], message: str) -> None:
    status, out, _ = run(chat(model=MODEL), "--count", *arguments)
    assert (status, json.loads(out)["error"]["message"], chat_error(json.loads(out))) == (1, message, [])


def test_a_refused_request_is_not_counted() -> None:
    status, out, stderr = run(chat(temperature=9), "--count", "--upstream", "http://127.0.0.1:1")
    assert (status, out, len(stderr)) == (1, b"", 1)
    assert "temperature: Send a number" in stderr[0]


@pytest.mark.parametrize("key", ["", "line\nbreak", "caf\u00e9"])
def test_a_key_that_cannot_be_sent_is_refused(key: str) -> None:
    status, out, stderr = run(chat(), "--count", "--api-key", key)
    assert (status, out, len(stderr)) == (2, b"", 1)
    assert "--api-key must be printable ASCII" in stderr[0]
    assert not key or key not in stderr[0]


@pytest.mark.parametrize("other", ["--reply", "--stream"])
def test_counting_goes_with_no_reply(other: str) -> None:
    assert run(chat(), "--count", other)[0] != 0
