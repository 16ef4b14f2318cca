"""The request that counts the tokens of a chat request, and the reply to it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from anthropic.types import MessageCountTokensParams
from anthropic.types.beta import MessageCountTokensParams as BetaCountTokensParams

from chatcompat import InvalidReply, InvalidRequest, RequestBounds, translate
from chatcompat.dialect import PRESETS
from chatcompat.request.token_count import COUNTED, UNCOUNTED_PROMPT
from chatcompat.wire.messages import MessagesRequest
from tests.asgi.driver import chat

GOLDEN = sorted((Path(__file__).parent.parent / "golden" / "requests").glob("*.chat.json"))
# Fields that add nothing to the prompt.
HARMLESS = {
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
}


def test_the_fields_are_those_that_the_vendor_counts() -> None:
    counted = {*get_type_hints(MessageCountTokensParams), *get_type_hints(BetaCountTokensParams)}
    assert set(MessagesRequest.__struct_fields__) & counted == COUNTED


def test_each_field_of_a_request_is_counted_harmless_or_reported() -> None:
    assert set(MessagesRequest.__struct_fields__) == COUNTED | HARMLESS | {UNCOUNTED_PROMPT}


@pytest.mark.parametrize("dialect", PRESETS.values(), ids=PRESETS.keys())
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.removesuffix(".chat.json"))
def test_each_counted_field_is_sent_as_it_would_be_answered(path: Path, dialect: Any) -> None:
    try:
        translation = translate(path.read_bytes(), dialect=dialect, bounds=RequestBounds(choices=8))
    except InvalidRequest:
        return
    answered, count = json.loads(translation.body), translation.token_count()
    counted = json.loads(count.body)
    assert counted == {name: value for name, value in answered.items() if name in COUNTED}
    assert list(counted) == [name for name in answered if name in COUNTED]  # the order is the cache's
    assert count.ignored == translation.ignored + ("container",) * ("container" in answered)
    assert (count.version, count.betas, count.model) == (translation.version, translation.betas, translation.model)


def test_bytes_of_a_counted_field_stay_as_they_are() -> None:
    text = "caf\u00e9 \u2028 " + "x" * 9000  # large enough for a mark of the cache
    translation = translate(chat(messages=[{"role": "user", "content": text}], temperature=0.5, stream=True))
    body = translation.token_count().body
    assert b'"cache_control":{"type":"ephemeral"}' in body
    assert body == translation.body.replace(b'"max_tokens":9,', b"").replace(b',"temperature":0.5', b"").replace(
        b',"stream":true', b""
    )


COUNT = translate(chat()).token_count()


def test_the_reply_has_the_words_of_both_chat_apis() -> None:
    assert (
        COUNT.reply(b' {"input_tokens": 31}')
        == b'{"object":"chat.completion.input_tokens","input_tokens":31,"prompt_tokens":31}'
    )


def test_further_fields_of_the_reply_are_kept() -> None:
    native = b'{"input_tokens":31,"context_management":{"original_input_tokens":12345678901234567890123},"object":1}'
    assert json.loads(COUNT.reply(native)) == {
        "object": "chat.completion.input_tokens",
        "input_tokens": 31,
        "prompt_tokens": 31,
        "context_management": {"original_input_tokens": 12345678901234567890123},
    }


@pytest.mark.parametrize(
    "native",
    [
        b"",
        b"[]",
        b"{}",
        b'{"input_tokens":-1}',
        b'{"input_tokens":"31"}',
        b'{"input_tokens":null}',
        b'{"input_tokens":true}',
        b'{"input_tokens":1.5}',
        b'{"input_tokens":31',
        b'{"input_tokens":31,"a":"\xff"}',
        b'{"input_tokens":' + b"9" * 5000 + b"}",
        b'{"input_tokens":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_not_a_count_is_an_invalid_reply(native: bytes) -> None:
    with pytest.raises(InvalidReply, match="not a count of tokens"):
        COUNT.reply(native)


def test_a_field_that_is_nested_deeply_is_refused_or_kept_whole() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    counted = None
    with suppress(InvalidReply):  # how deep the decoder goes depends on the version of Python
        counted = COUNT.reply(b'{"input_tokens":1,"a":' + deep + b"}")
    assert counted is None or b'"a":' + deep in counted


def error(status: int, body: Any) -> tuple[int, dict[str, Any]]:
    raw = body if isinstance(body, bytes) else json.dumps({"type": "error", "error": body}).encode()
    reply = COUNT.error_reply(status, raw)
    assert COUNT.error(status, raw) == reply.body
    shown = json.loads(reply.body)["error"]
    assert (reply.type, reply.code) == (shown["type"], shown["code"])
    return reply.status, shown


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("body", [b"Not Found", b"", {"type": "not_found_error", "message": "Not Found"}])
def test_a_service_that_cannot_count_is_explained(status: int, body: Any) -> None:
    told, shown = error(status, body)
    assert (told, shown["type"], shown["code"]) == (404, "invalid_request_error", "count_tokens_not_found")
    assert shown["message"].startswith("The messages service cannot count tokens: it has no POST /v1/messages/count_")
    assert shown["message"].endswith("It says: Not Found" if isinstance(body, dict) else "count_tokens.")


def test_an_unknown_model_is_not_a_missing_path() -> None:
    told, shown = error(404, {"type": "not_found_error", "message": "model: m9"})
    assert (told, shown["message"], shown["code"]) == (404, "model: m9", "model_not_found")


def test_any_other_error_is_as_for_a_completion() -> None:
    native = {"type": "rate_limit_error", "message": "slow down"}
    told, shown = error(429, native)
    assert (told, shown["type"], shown["message"]) == (429, "rate_limit_error", "slow down")
    body = json.dumps({"type": "error", "error": native}).encode()
    assert COUNT.error(429, body) == translate(chat()).error(429, body)
