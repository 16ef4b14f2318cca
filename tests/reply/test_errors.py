"""Native errors and the bodies that clients get for them; a message is kept word for word."""

import json

import pytest

from chatcompat import ChatCompatError, InvalidReply
from chatcompat.reply.errors import ERROR_TYPES, status_of
from chatcompat.wire.messages import NativeError
from tests.reply.support import CHAT, Json, frame, frames, start, translation
from tests.vendor import chat_error, messages_error


def native(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}).encode()


def error(status: int, body: bytes) -> Json:
    """The error object that a client gets."""
    reply = json.loads(translation(CHAT).error(status, body))
    assert chat_error(reply) == []
    fields: Json = reply["error"]
    return fields


EXPECTED: list[tuple[int, str, str, str | None]] = [
    (400, "invalid_request_error", "invalid_request_error", None),
    (401, "authentication_error", "authentication_error", "invalid_api_key"),
    (402, "billing_error", "insufficient_quota", "insufficient_quota"),
    (403, "permission_error", "permission_error", None),
    (404, "not_found_error", "invalid_request_error", None),
    (409, "conflict_error", "conflict_error", None),
    (413, "request_too_large", "invalid_request_error", None),
    (429, "rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
    (500, "api_error", "server_error", None),
    (504, "timeout_error", "server_error", "timeout"),
    (529, "overloaded_error", "server_error", "overloaded"),
]
MESSAGE = 'messages.1: "x" is\n\u2028 not 🙂 <b>valid</b>'


@pytest.mark.parametrize(("status", "kind", "error_type", "code"), EXPECTED)
def test_native_error_is_translated(status: int, kind: str, error_type: str, code: str | None) -> None:
    body = native(kind, MESSAGE)
    assert error(status, body) == {"message": MESSAGE, "type": error_type, "param": None, "code": code}
    if kind != "conflict_error":  # in the docs, not in the types
        assert messages_error(json.loads(body)) == []
    assert status_of(NativeError(kind)) == status


def test_every_native_type_is_tested() -> None:
    assert {kind for _, kind, _, _ in EXPECTED} == ERROR_TYPES.keys()


@pytest.mark.parametrize(("status", "kind", "error_type", "code"), EXPECTED)
def test_error_event_keeps_its_own_type_as_the_code(status: int, kind: str, error_type: str, code: str | None) -> None:
    chunks = translation().stream()
    chunks.feed(frame(start()))
    last = chunks.feed(frame(native(kind, MESSAGE)))
    assert chunks.error is not None
    assert chunks.error.status == status
    assert "\u2028".encode() not in last
    body = json.loads(last.removeprefix(b"data: "))
    assert body == json.loads(chunks.error.body)
    assert chat_error(body) == []
    assert body["error"] == {"message": MESSAGE, "type": error_type, "param": None, "code": kind}


@pytest.mark.parametrize(("status", "error_type"), [(418, "invalid_request_error"), (503, "server_error")])
def test_newer_native_type_goes_by_the_status_and_is_kept_as_the_code(status: int, error_type: str) -> None:
    fields = error(status, native("teapot_error", "Short and stout"))
    assert fields == {"message": "Short and stout", "type": error_type, "param": None, "code": "teapot_error"}
    assert status_of(NativeError("teapot_error")) == 500


@pytest.mark.parametrize("kind", ["invalid_request_error", "request_too_large", "new_error"])
def test_prompt_that_is_too_long_has_the_code_that_clients_know(kind: str) -> None:
    message = "Prompt is too long: 210000 tokens > 200000 maximum"
    assert error(400, native(kind, message))["code"] == "context_length_exceeded"
    assert error(400, native(kind, message))["message"] == message


@pytest.mark.parametrize(
    ("kind", "message", "code"),
    [
        ("not_found_error", "model: claude-9", "model_not_found"),
        ("not_found_error", "The requested model does not exist.", "model_not_found"),
        ("not_found_error", "file: modelling.pdf", None),
        ("permission_error", "model: no access", None),
    ],
)
def test_unknown_model_has_the_code_that_clients_know(kind: str, message: str, code: str | None) -> None:
    assert error(404, native(kind, message))["code"] == code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"SECRET",
        b"<html><h1>502 SECRET</h1></html>",
        b"SECRET: Traceback (most recent call last)",
        b'{"error":{"message":"SECRET',
        b'{"detail":["SECRET"]}',
        b'{"error":null}',
        b'{"error":[{"message":"SECRET"}]}',
        b'["SECRET"]',
        b"null",
        b"5",
        b"{}",
        b'{"error":{}}',
        b'{"error":{"type":5,"message":["SECRET"]}}',
        b'{"error":{"type":"api_error","message":"SECRET\xff"}}',
        b'{"error":{"type":"api_error","message":"SECRET\\ud800"}}',
        b'{"error":' * 100_000,
        b"[" * 100_000,
        b"\x1f\x8b\x08\x00SECRET",
    ],
    ids=lambda body: repr(body[:40]),
)
@pytest.mark.parametrize(("status", "error_type"), [(404, "invalid_request_error"), (502, "server_error")])
def test_body_of_another_form_becomes_an_error_and_is_not_quoted(body: bytes, status: int, error_type: str) -> None:
    message = f"The messages service answered with status {status} and no message."
    assert error(status, body) == {"message": message, "type": error_type, "param": None, "code": None}


@pytest.mark.parametrize("name", ["error", "message", "detail"])
def test_message_in_the_form_of_a_web_framework_is_kept(name: str) -> None:
    fields = error(403, json.dumps({name: "Not yours."}).encode())
    assert fields == {"message": "Not yours.", "type": "permission_error", "param": None, "code": None}


@pytest.mark.parametrize(
    ("status", "error_type", "code"),
    [
        (401, "authentication_error", "invalid_api_key"),
        (418, "invalid_request_error", None),
        (429, "rate_limit_error", "rate_limit_exceeded"),
        (503, "server_error", None),
        (529, "server_error", "overloaded"),
    ],
)
def test_error_without_a_type_goes_by_its_status(status: int, error_type: str, code: str | None) -> None:
    fields = error(status, b"<html>")
    assert (fields["type"], fields["code"]) == (error_type, code)


def test_message_without_a_type_that_can_be_read_is_kept() -> None:
    for kind in ("null", "504", "[]"):
        fields = error(504, b'{"error":{"message":"upstream timed out","type":%b,"param":null}}' % kind.encode())
        assert fields == {"message": "upstream timed out", "type": "server_error", "param": None, "code": "timeout"}
    assert error(400, b'{"error":{"message":"Bad"}}')["message"] == "Bad"


def test_type_without_a_message_is_kept() -> None:
    expected = "The messages service answered with status 529 and no message."
    for body in (b'{"error":{"type":"overloaded_error"}}', b'{"error":{"type":"overloaded_error","message":null}}'):
        assert error(529, body) == {"message": expected, "type": "server_error", "param": None, "code": "overloaded"}
        chunks = translation().stream()
        chunks.feed(frames(start()))
        assert json.loads(chunks.feed(frame(body)).removeprefix(b"data: "))["error"]["message"] == expected


def test_invalid_reply_has_a_body_to_answer_with() -> None:
    failure = InvalidReply("The reply is odd.", code="odd", status=500)
    assert isinstance(failure, ChatCompatError)
    assert (str(failure), failure.message, failure.code, failure.status) == ("The reply is odd.",) * 2 + ("odd", 500)
    assert failure.body == b'{"error":{"message":"The reply is odd.","type":"server_error","param":null,"code":"odd"}}'
    assert (InvalidReply("x").status, InvalidReply("x").code) == (502, "invalid_reply")
    assert chat_error(json.loads(failure.body)) == []
