"""The numbers and names in a record are limited, and those that cannot be read are left out."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from prometheus_client import CollectorRegistry

from chatcompat import ChatCompatMiddleware, ExchangeRecord, translate
from chatcompat.asgi.outcome import bounded
from chatcompat.cli.log import JsonFormatter
from chatcompat.cli.request_log import RequestLog, log_exchange
from chatcompat.prometheus import PrometheusMetrics
from chatcompat.record import combine_observers
from chatcompat.reply.usage import readable_usage
from tests.asgi.driver import Inner
from tests.asgi.faults.server import HELLO, REPLY, Server, chat, upload
from tests.asgi.faults.server import streaming as fast
from tests.asgi.faults.test_records import record

pytestmark = pytest.mark.anyio


UNREADABLE = {
    "too large a float": b"1e999",
    "thousands of digits": b"9" * 5000,
    "hundreds of digits": b"9" * 400,
    "more than 64 bits": b"9223372036854775808",
    "inside an object": b'{"a":[1,1e999]}',
    "inside a list": b'[{"a":-9223372036854775809}]',
    "deep": b"[" * 900 + b"]" * 900,
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}])
async def test_a_number_that_cannot_be_read_loses_neither_reply_nor_record(
    value: bytes, streams: bool, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    usage = b'{"input_tokens":3,"output_tokens":2,"odd":%b,"credits_consumed":7}' % value
    plain = json.dumps(REPLY["usage"]).encode()
    start = json.dumps(HELLO[0]).encode().replace(plain, usage)
    assert usage in start
    app = fast(b"event: message_start\ndata: %b\n\n" % start, *HELLO[1:])
    if not streams:
        app = Inner(json.dumps(REPLY).encode().replace(plain, usage))
    records: list[ExchangeRecord] = []
    metrics = PrometheusMetrics(registry=CollectorRegistry())
    server = Server(upload([chat(**fields)]))
    served = ChatCompatMiddleware(app, on_exchange=combine_observers(records.append, log_exchange, metrics))
    with caplog.at_level("INFO", "chatcompat.access"):
        seen = await server.run(RequestLog(served, enabled=True, client_address=False))
    (outcome,) = records
    assert (seen.status, outcome.status, outcome.finish_reason, outcome.error_type) == (200, 200, "stop", None)
    assert outcome.usage is not None
    assert outcome.usage.pop("odd", None) is None or value.startswith(b"[[[")
    assert outcome.usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "credits_consumed": 7}
    (line,) = [JsonFormatter().format(entry) for entry in caplog.records if entry.name == "chatcompat.access"]
    assert json.loads(line)["finish_reason"] == "stop"
    if fields != {"stream": True}:
        assert value in seen.body  # the client gets it as it came


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


COUNTS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@given(st.dictionaries(st.text().map("its own {}".format), _JSON))
def test_of_a_usage_a_record_has_all_that_any_consumer_can_take(usage: dict[str, Any]) -> None:
    read = readable_usage({name: Raw(json.dumps(value).encode()) for name, value in usage.items()})
    assert read is not None
    msgspec.msgpack.encode(read)
    assert read == COUNTS | {name: value for name, value in usage.items() if name in read}


@given(st.binary().filter(lambda raw: not raw.strip().lstrip(b"-").isdigit()))  # a plain number can be read
def test_a_usage_that_nobody_can_read_costs_no_record(raw: bytes) -> None:
    for value in (raw, b"[" * 100_000):
        read = readable_usage({"odd": Raw(value)})
        assert read is not None
        assert read.items() >= COUNTS.items()
        assert readable_usage({"output_tokens": Raw(value)}) in (None, COUNTS)


async def test_names_in_a_record_and_in_the_header_are_bounded() -> None:
    unknown = {f"x{number}_{'x' * 1000}": 1 for number in range(100)}
    server = Server(upload([chat(model="m" * 9999, **unknown)]))
    outcome = await record(Inner(), server)
    assert outcome.ignored == (*[name[:200] for name in [*unknown][:64]], "... 36 more")
    assert outcome.model == "m" * 200
    header = server.seen.header(b"x-chatcompat-ignored")
    assert header == ", ".join([*[name[:64] for name in [*unknown][:32]], "... 68 more"]).encode()
    assert len(translate(chat(**unknown)).ignored) == 100


def test_a_few_names_are_told_as_they_are() -> None:
    assert bounded(("seed", "messages[].name")) == ("seed", "messages[].name")
    assert bounded(["a"] * 64) == ("a",) * 64
