"""Each rule holds for chatcompat, and detects its planted fault."""

import anyio
import httpx2
import pytest

from chatcompat.check import RULES, Endpoint, Outcome, Rule, judge
from chatcompat.check.endpoint import MAX_BYTES, MAX_PAUSE, MAX_QUOTE, Broken, quote
from chatcompat.check.rule import MAX_WHY
from tests.check.table import FAULTS, ORIGIN

pytestmark = pytest.mark.anyio
KEY = "cai_api_test"


@pytest.fixture
def anyio_backend() -> str:
    """Give asyncio alone: under trio the HTTP client leaves generators of its own unfinished, which is a warning."""
    return "asyncio"


async def tried(rule: Rule, base: str) -> Outcome:
    async with httpx2.AsyncClient(timeout=60) as client:
        return await judge(rule, Endpoint(client, f"{base}/v1", "caicaini/auto", KEY, ORIGIN))


async def test_all_rules_hold_for_ours(server: str) -> None:
    assert [outcome for rule in RULES if (outcome := await tried(rule, server)).why is not None] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
async def test_each_rule_finds_its_fault(server: str, rule: Rule) -> None:
    assert rule.id in FAULTS, "no fault is planted for this rule"
    outcome = await tried(rule, f"{server}/{rule.id}")
    assert outcome.why is not None
    assert len(outcome.why) <= MAX_WHY + 1
    assert "the connection failed" not in outcome.why


def test_each_fault_has_its_rule_and_ids_are_there_once() -> None:
    assert sorted(FAULTS) == sorted(rule.id for rule in RULES)


def test_a_quotation_is_bounded_and_steers_no_terminal() -> None:
    assert quote("\x1b[2J\u202e") == r"\x1b[2J\u202e"
    assert quote(b"\xff") == "\ufffd"
    assert quote("") == "nothing"
    assert len(quote("x" * 9_000)) == MAX_QUOTE + 1


# ---------------------------------------------------------------- servers that are worse than wrong


def endpoint(body: bytes, *, key: str | None = None) -> Endpoint:
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, headers=headers, content=body))
    return Endpoint(httpx2.AsyncClient(transport=transport), "http://x/v1", "m", key)


async def test_a_refusal_of_log_probabilities_is_as_good_as_a_reply() -> None:
    body = b'{"error":{"message":"No.","type":"invalid_request_error","param":"logprobs","code":null}}'
    transport = httpx2.MockTransport(lambda request: httpx2.Response(400, content=body))
    rule = next(rule for rule in RULES if rule.id == "logprobs")
    async with httpx2.AsyncClient(transport=transport) as client:
        assert (await judge(rule, Endpoint(client, "http://x/v1", "m"))).why is None


async def why(asked: Endpoint) -> str:
    async def probe(asked: Endpoint) -> None:
        await asked.chunks()

    outcome = await judge(Rule("x", "x", probe), asked)
    assert outcome.why is not None
    return outcome.why


async def test_what_a_server_sends_is_bounded() -> None:
    assert "wanted a reply of at most" in await why(endpoint(b"x" * (MAX_BYTES + 1)))
    assert "wanted a stream of chunks" in await why(endpoint(b"data: x\n" * (MAX_BYTES // 8)))


async def test_a_key_that_is_echoed_is_not_shown() -> None:
    assert KEY not in await why(endpoint(b"data: %b\n\n" % KEY.encode(), key=KEY))


async def test_a_stand_in_for_a_key_leaves_what_is_shown_readable() -> None:
    assert "seen: example" in await why(endpoint(b"data: example\n\n", key="x"))


async def test_a_key_that_a_quotation_ends_within_is_not_shown_either() -> None:
    reason = await why(endpoint(b"data: %bsecret_key\n\n" % (b"x" * (MAX_QUOTE - 4)), key="secret_key"))
    assert reason.endswith("x***\u2026")


class Answers:
    """Gives one answer after the other; an error is raised."""

    def __init__(self, *answers: int | Exception, **headers: str) -> None:
        self.left, self.headers = list(answers), headers

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx2.Response(answer, headers=self.headers, content=b"{}")

    async def status(self) -> int:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(self)) as client:
            return (await Endpoint(client, "http://x/v1", "m").post()).status


CLOSED = httpx2.RemoteProtocolError("Server disconnected without sending a response.")


@pytest.mark.parametrize("error", [CLOSED, httpx2.ReadError(""), httpx2.WriteError("")])
async def test_a_kept_connection_that_was_closed_is_not_the_next_rules_fault(error: Exception) -> None:
    assert await Answers(error, 200).status() == 200
    with pytest.raises(type(error)):
        await Answers(error, error).status()


@pytest.mark.parametrize("error", [httpx2.ConnectError(""), httpx2.RemoteProtocolError("illegal status line")])
async def test_other_failures_are_not_tried_again(error: Exception) -> None:
    with pytest.raises(type(error)):
        await Answers(error, 200).status()


async def test_a_rate_limit_is_waited_for_and_is_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    for retry_after in ("7", "3600", "Mon, 23 Nov 2026 00:00:00 GMT", "-1"):
        assert await Answers(429, 200, **{"retry-after": retry_after}).status() == 200
    assert pauses == [7, MAX_PAUSE, 1, 1]
    assert await Answers(429, 429, 429, 200).status() == 429


async def test_one_of_many_requests_at_once_that_fails_is_the_reason() -> None:
    rule = next(rule for rule in RULES if rule.id == "at-once")
    assert "Input data was truncated; seen: {" in ((await judge(rule, endpoint(b"{"))).why or "")


async def test_a_long_reason_is_cut() -> None:
    async def probe(asked: Endpoint) -> None:
        raise Broken("x" * 9_000)

    outcome = await judge(Rule("x", "x", probe), endpoint(b""))
    assert len(outcome.why or "") == MAX_WHY + 1


async def test_silence_and_no_connection_are_outcomes() -> None:
    outcome = await judge(Rule("x", "x", lambda asked: anyio.sleep(60)), endpoint(b""), seconds=0.05)
    assert outcome.why == "no outcome after 0.05 seconds"

    async def fail(asked: Endpoint) -> None:
        raise httpx2.ConnectError("no route")

    assert "the connection failed" in ((await judge(Rule("x", "x", fail), endpoint(b""))).why or "")
