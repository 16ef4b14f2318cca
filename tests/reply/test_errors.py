"""Native errors and the bodies that clients get for them; a message is kept word for word."""

import json

import pytest

from chatcompat import ChatCompatError, InvalidReply
from chatcompat.reply.errors import ERROR_TYPES, status_of
from chatcompat.wire.message_reply import NativeError
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


TOO_LONG = [
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 199000 + 16000 > 200000, decrease input length and try again",
    "Input is too long for requested model.",
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
    "the request exceeds the available context size, try increasing it",
    "Please reduce the length of the messages.",
    "The input token count (40000) exceeds the maximum number of tokens allowed (32768).",
    "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    "Invalid request: Your request exceeded model token limit: 8192",
    "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    "prompt too long; exceeded max context length by 5 tokens",
    "Your input exceeds the context window of this model.",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
]


@pytest.mark.parametrize("message", TOO_LONG)
@pytest.mark.parametrize("body", ["native", "without a type", "detail", "listed"])
def test_each_wording_of_a_too_long_prompt_has_the_code(message: str, body: str) -> None:
    raw = {
        "native": native("invalid_request_error", message),
        "without a type": json.dumps({"error": {"message": message}}).encode(),
        "detail": json.dumps({"detail": message}).encode(),
        "listed": json.dumps({"detail": [{"loc": ["body", "messages"], "msg": message}]}).encode(),
    }[body]
    fields = error(400, raw)
    assert fields["code"] == "context_length_exceeded"
    assert message in fields["message"]


@pytest.mark.parametrize("kind", ["exceed_context_size_error", "context_length_exceeded"])
def test_type_or_code_of_a_too_long_prompt_needs_no_wording(kind: str) -> None:
    assert error(400, native(kind, "No."))["code"] == "context_length_exceeded"
    assert error(400, coded("invalid_request_error", kind))["code"] == "context_length_exceeded"


@pytest.mark.parametrize("message", TOO_LONG)
def test_prompt_that_is_too_long_has_its_code_in_a_stream_too(message: str) -> None:
    chunks = translation().stream()
    chunks.feed(frame(start()))
    last = json.loads(chunks.feed(frame(native("invalid_request_error", message))).removeprefix(b"data: "))
    assert last["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("invalid_request_error", "max_tokens: 99 > 64, which is the maximum allowed number of output tokens for m"),
        ("invalid_request_error", "tools.0.name: String should have at most 128 characters"),
        ("invalid_request_error", "messages.0.content.0.image.source: image exceeds 5 MB maximum"),
        ("invalid_request_error", "metadata.user_id: String is too long"),
        ("request_too_large", "Request exceeds the maximum size"),
        ("rate_limit_error", "This request would exceed your limit of input tokens. Shorten the context length."),
        ("authentication_error", "prompt is too long"),
    ],
)
def test_other_limits_are_not_taken_for_a_too_long_prompt(kind: str, message: str) -> None:
    assert error(400, native(kind, message))["code"] != "context_length_exceeded"


def coded(kind: str, code: object) -> bytes:
    details = {"error_code": code, "error_visibility": "user_facing"}
    return json.dumps({"type": "error", "error": {"type": kind, "message": "No.", "details": details}}).encode()


@pytest.mark.parametrize("kind", [kind for _, kind, _, _ in EXPECTED])
def test_own_code_of_an_error_is_kept_where_chat_has_no_name(kind: str) -> None:
    names = {kind: code for _, kind, _, code in EXPECTED}
    assert error(400, coded(kind, "tool_name_conflict"))["code"] == (names[kind] or "tool_name_conflict")
    chunks = translation().stream()
    chunks.feed(frame(start()))
    last = json.loads(chunks.feed(frame(coded(kind, "tool_name_conflict"))).removeprefix(b"data: "))
    assert last["error"]["code"] == (kind if names[kind] else "tool_name_conflict")


def test_own_code_of_an_error_of_a_newer_type_is_kept() -> None:
    assert error(400, coded("teapot_error", "short_and_stout"))["code"] == "short_and_stout"
    assert error(400, coded("", "short_and_stout"))["code"] == "short_and_stout"


@pytest.mark.parametrize("code", [None, 5, "", "SECRET text", "x" * 65, ["a"]])
def test_own_code_in_another_form_is_left_out(code: object) -> None:
    assert error(400, coded("invalid_request_error", code))["code"] is None
    body = b'{"error":{"type":"invalid_request_error","message":"No.","details":[1]}}'
    assert error(400, body)["code"] is None


def test_faults_that_a_web_framework_lists_are_told_with_their_places() -> None:
    faults = [
        {"type": "missing", "loc": ["body", "messages", 0, "content"], "msg": "Field required", "input": "SECRET"},
        {"type": "value_error", "loc": ["query", "SECRET key", None], "msg": "Value error", "ctx": {"error": "SECRET"}},
        {"loc": ["body"], "msg": "Not an object"},
        {"loc": [None], "msg": "Odd"},
        {"msg": "No place"},
        {"loc": ["body", "x"]},
        "SECRET",
    ]
    fields = error(422, json.dumps({"detail": faults}).encode())
    assert fields["message"] == (
        "messages[0].content: Field required; query.*: Value error; Not an object; *: Odd; No place"
    )
    assert (fields["type"], fields["code"]) == ("invalid_request_error", None)


def test_long_list_of_faults_is_cut_and_counted() -> None:
    faults = [{"loc": ["body", "x"] + ["y"] * 1000, "msg": "m" * 10_000}] * 10_000
    message = error(422, json.dumps({"detail": faults}).encode())["message"]
    assert message.endswith("; and 9992 more")
    assert len(message) < 8 * 300


@pytest.mark.parametrize(
    "detail",
    [{"message": "Bad"}, {"msg": "Bad"}, {"error": "Bad"}, {"error": {"message": "Bad"}}, [{"message": "Bad"}]],
)
def test_detail_that_is_an_object_gives_its_message(detail: object) -> None:
    assert error(422, json.dumps({"detail": detail}).encode())["message"] == "Bad"


NATIVE: Json = {"type": "rate_limit_error", "message": "Slow down.", "details": {"error_code": "burst"}}


@pytest.mark.parametrize("detail", [{"type": "error", "error": NATIVE}, {"error": NATIVE}, NATIVE])
@pytest.mark.parametrize("status", [429, 400, 500])
def test_native_error_as_the_detail_of_a_web_framework_keeps_its_type(detail: Json, status: int) -> None:
    fields = error(status, json.dumps({"detail": detail}).encode())
    assert fields == error(status, json.dumps({"type": "error", "error": NATIVE}).encode())
    assert (fields["message"], fields["type"]) == ("Slow down.", "rate_limit_error")


def test_code_in_the_detail_of_a_web_framework_is_kept() -> None:
    for fields in (
        {"message": "No.", "code": "no_credits"},
        {"message": "No.", "details": {"error_code": "no_credits"}},
    ):
        for body in ({"detail": fields}, {"detail": {"error": fields}}, {"error": fields}):
            assert error(402, json.dumps(body).encode())["code"] == "insufficient_quota"  # the chat name of a 402
            assert error(418, json.dumps(body).encode())["code"] == "no_credits"


@pytest.mark.parametrize("code", [429, "429", None, ["SECRET"]])
def test_code_that_repeats_the_status_is_left_out(code: object) -> None:
    assert error(418, json.dumps({"error": {"message": "No.", "code": code}}).encode())["code"] is None


def refused(**details: object) -> tuple[Json, Json]:
    """The choice of a refusal, whole and as the last chunk of a stream with its refusal."""
    stop = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details or None}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}} | stop
    whole: Json = json.loads(translation(CHAT).reply(json.dumps(message).encode()))["choices"][0]
    events = [frame(start()), frame({"type": "message_delta", "delta": stop}), frame({"type": "message_stop"})]
    chunks = [json.loads(line[6:]) for line in translation().stream().feed(b"".join(events)).split(b"\n\n")[:-2]]
    said = [
        choice["delta"]["refusal"] for chunk in chunks for choice in chunk["choices"] if "refusal" in choice["delta"]
    ]
    streamed: Json = {**chunks[-1]["choices"][0], "message": {"refusal": said[0] if said else None}}
    return whole, streamed


def test_refusal_keeps_its_category() -> None:
    details: Json = {"type": "refusal", "category": "cyber", "explanation": "No.", "newer": [1.50]}
    for choice in refused(**details):
        assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "No.")
        assert choice["stop_details"] == details


@pytest.mark.parametrize("explanation", [None, "", 5])
def test_refusal_without_an_explanation_names_its_category(explanation: object) -> None:
    for choice in refused(type="refusal", category="bio", explanation=explanation):
        assert choice["message"]["refusal"] == "bio"


def test_refusal_without_details_has_no_text() -> None:
    for choice in (*refused(), *refused(type="refusal", category=None, explanation=None)):
        assert choice["message"]["refusal"] is None
    assert "stop_details" not in refused()[0]
    assert "stop_details" not in refused()[1]
