"""The simulator's prompt cache: what is written, what is read, and for how long."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from chatcompat.simulator import create_app
from chatcompat.simulator.cache import MAX_ENTRIES, Piece, PromptCache
from chatcompat.simulator.catalogue import find_model
from tests.simulator.driver import (
    EXTENSIONS,
    LATEST,
    LONG_MARK,
    MARK,
    PIXEL,
    WEATHER,
    Json,
    assistant,
    body,
    call,
    collected,
    events_of,
    post,
    result,
    text,
    tool,
    user,
)
from tests.vendor import messages_reply

SYSTEM = "s" * 4_096  # 1,024 tokens, the least that is cached


class Service:
    """A simulator with a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.app = create_app(clock=lambda: self.now)

    def ask(self, *messages: Any, key: str = "key", **options: Any) -> tuple[int, int, int, int]:
        """The tokens that a request read, wrote for 5 minutes and for an hour, and the rest."""
        client = TestClient(self.app, headers={"x-api-key": key, "anthropic-version": LATEST})
        response = client.post("/v1/messages", json=body(*messages, **options))
        assert response.status_code == 200, response.text
        reply: Json = response.json() if not options.get("stream") else collected(events_of(response.text))
        assert options.get("stream") or messages_reply(reply, allow=EXTENSIONS) == []
        usage = reply["usage"]
        written = usage["cache_creation"]
        short, long = written["ephemeral_5m_input_tokens"], written["ephemeral_1h_input_tokens"]
        assert usage["cache_creation_input_tokens"] == short + long
        return usage["cache_read_input_tokens"], short, long, usage["input_tokens"]


def marked(words: str, mark: Json = MARK) -> Json:
    return {**text(words), **mark}


def system(mark: Json = MARK) -> list[Json]:
    return [marked(SYSTEM, mark)]


# ---------------------------------------------------------------- what is written and read


def test_a_prompt_is_written_once_and_then_read() -> None:
    service = Service()
    assert service.ask("1234", system=system()) == (0, 1_024, 0, 1)
    assert service.ask("1234", system=system()) == (1_024, 0, 0, 1)
    assert service.ask("12345678", system=system()) == (1_024, 0, 0, 2)
    assert service.ask("12345678", system=system(), stream=True) == (1_024, 0, 0, 2)


def test_without_a_breakpoint_nothing_is_written_or_read() -> None:
    service = Service()
    assert service.ask("1234", system=SYSTEM) == (0, 0, 0, 1_025)
    assert service.ask("1234", system=system()) == (0, 1_024, 0, 1)
    assert service.ask("1234", system=SYSTEM) == (0, 0, 0, 1_025)


@pytest.mark.parametrize(
    ("model", "length", "written"),
    [("sim-1", 4_092, 0), ("sim-1", 4_096, 1_024), ("sim-2", 2_044, 0), ("sim-2", 2_048, 512)],
)
def test_a_prompt_below_the_models_minimum_is_not_cached(model: str, length: int, written: int) -> None:
    service = Service()
    prompt = [marked("s" * length)]
    assert service.ask("Hi", system=prompt, model=model)[1] == written
    assert service.ask("Hi", system=prompt, model=model)[0] == written


def test_a_growing_chat_reads_what_the_turn_before_wrote() -> None:
    service = Service()
    first = [user(SYSTEM)]
    second = [*first, assistant("a"), user("1234")]
    assert service.ask(*first, **MARK) == (0, 1_024, 0, 0)
    assert service.ask(*second, **MARK) == (1_024, 2, 0, 0)
    assert service.ask(*second, assistant("b"), user("1"), **MARK) == (1_026, 2, 0, 0)


def test_the_longest_prompt_that_was_written_is_read() -> None:
    service = Service()
    service.ask(user(marked("1234")), system=system())
    assert service.ask(user(marked("1234")), system=system()) == (1_025, 0, 0, 0)
    assert service.ask(user(marked("5678")), system=system()) == (1_024, 1, 0, 0)


def test_a_breakpoint_at_the_top_applies_to_the_last_markable_block() -> None:
    thinking = {"thinking": {"type": "adaptive"}, "max_tokens": 2_000}
    service = Service()
    assert service.ask(user(SYSTEM), **MARK) == (0, 1_024, 0, 0)
    client = TestClient(service.app, headers={"x-api-key": "key", "anthropic-version": LATEST})
    reply = client.post("/v1/messages", json=body(user(SYSTEM), **thinking)).json()
    thought = {"role": "assistant", "content": reply["content"][:1]}
    assert service.ask(user(SYSTEM), thought, **MARK) == (
        1_024,
        0,
        0,
        len(reply["content"][0]["thinking"] + "123") // 4,
    )


def test_a_breakpoint_at_the_top_of_a_marked_block_changes_nothing() -> None:
    service = Service()
    assert service.ask(user(marked(SYSTEM)), **MARK) == (0, 1_024, 0, 0)
    assert service.ask(user(marked(SYSTEM))) == (1_024, 0, 0, 0)


def test_both_lifetimes_are_written_where_they_end() -> None:
    service = Service()
    blocks = user(marked("1234", LONG_MARK), marked("12345678"), text("1234"))
    assert service.ask(blocks, system=system(LONG_MARK)) == (0, 2, 1_025, 1)
    assert service.ask(blocks, system=system(LONG_MARK)) == (1_027, 0, 0, 1)
    longer = user(*blocks["content"], marked("1234"))
    assert service.ask(longer, system=system(LONG_MARK)) == (1_027, 2, 0, 0)


# ---------------------------------------------------------------- look-back


@pytest.mark.parametrize(("added", "read"), [(1, 1_024), (19, 1_024), (20, 0), (40, 0)])
def test_a_breakpoint_looks_back_twenty_positions(added: int, read: int) -> None:
    service = Service()
    service.ask(user(marked(SYSTEM)))
    assert service.ask(user(text(SYSTEM), *[text("1")] * added), **MARK)[0] == read


def test_a_second_breakpoint_looks_back_from_where_it_is() -> None:
    service = Service()
    service.ask(user(marked(SYSTEM)))
    assert service.ask(user(marked(SYSTEM), *[text("1")] * 40), **MARK) == (1_024, 40, 0, 0)


def test_a_run_of_calls_is_one_position_and_so_is_a_run_of_results() -> None:
    service = Service()
    service.ask(user(marked(SYSTEM)), tools=[WEATHER])
    calls = [call(f"t{number}") for number in range(30)]
    results = [result(f"t{number}") for number in range(30)]
    assert service.ask(SYSTEM, assistant(*calls), user(*results), tools=[WEATHER], **MARK)[0] > 1_024
    steps = [step for number in range(10) for step in (assistant(calls[number]), user(results[number]))]
    assert service.ask(SYSTEM, *steps[:18], tools=[WEATHER], **MARK)[0] > 1_024
    other = Service()
    other.ask(user(marked(SYSTEM)), tools=[WEATHER])
    assert other.ask(SYSTEM, *steps, tools=[WEATHER], **MARK)[0] == 0


# ---------------------------------------------------------------- for how long, and for whom


@pytest.mark.parametrize(("mark", "seconds"), [(MARK, 300), (LONG_MARK, 3_600)])
def test_what_was_written_is_kept_for_its_lifetime_after_each_use(mark: Json, seconds: int) -> None:
    service = Service()
    for now, read in ((0, 0), (seconds - 1, 1_024), (2 * seconds - 2, 1_024), (3 * seconds - 2, 0)):
        service.now = now
        assert service.ask("Hi", system=system(mark))[0] == read


def test_a_longer_mark_does_not_prolong_what_is_there() -> None:
    service = Service()
    service.ask("Hi", system=system())
    assert service.ask("Hi", system=system(LONG_MARK))[:3] == (1_024, 0, 0)
    service.now = 301
    assert service.ask("Hi", system=system(LONG_MARK))[:3] == (0, 0, 1_024)


def test_another_credential_reads_nothing() -> None:
    service = Service()
    service.ask("Hi", system=system())
    assert service.ask("Hi", system=system(), key="other")[:2] == (0, 1_024)
    assert service.ask("Hi", system=system())[:2] == (1_024, 0)


def test_another_model_reads_nothing() -> None:
    service = Service()
    service.ask("Hi", system=system())
    assert service.ask("Hi", system=system(), model="sim-2")[:2] == (0, 1_024)


def test_a_request_that_fails_writes_nothing() -> None:
    service = Service()
    client = TestClient(service.app, headers={"x-api-key": "key", "anthropic-version": LATEST})
    failed = client.post("/v1/messages", json=body(system=system()), headers={"x-simulate": "error=overloaded_error"})
    assert failed.status_code == 529
    assert service.ask(system=system())[:2] == (0, 1_024)


def test_memory_is_bounded_and_what_was_used_last_is_kept() -> None:
    cache, model = PromptCache(lambda: 0.0), find_model("sim-1")
    for number in range(MAX_ENTRIES + 9):
        cache.use([Piece(2_000, b"%d" % number, 1, "5m")], model)
        cache.use([Piece(2_000, b"0", 1, "5m")], model)
    assert len(cache) == MAX_ENTRIES
    assert cache.use([Piece(2_000, b"0", 1, "5m")], model).read == 2_000
    assert cache.use([Piece(2_000, b"1", 1, "5m")], model).read == 0


# ---------------------------------------------------------------- what breaks the cache

TOOLS = [tool("a", **{f"p{number}": {"type": "string"} for number in range(200)})]
MARKED_TOOLS = [{**TOOLS[0], **MARK}]
BASE: Json = {"tools": MARKED_TOOLS, "system": system(), "tool_choice": {"type": "auto"}}
FORMAT = {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}

# Each change, and what is read in spite of it: all, up to the system prompt, up to the tools, or nothing.
CHANGES: dict[str, tuple[Json, str]] = {
    "none": ({}, "all"),
    "max_tokens": ({"max_tokens": 9}, "all"),
    "stop sequences": ({"stop_sequences": ["x"]}, "all"),
    "metadata": ({"metadata": {"user_id": "u"}}, "all"),
    "stream": ({"stream": True}, "all"),
    "thinking turned off": ({"thinking": {"type": "disabled"}}, "system"),
    "a deferred tool": ({"tools": [*MARKED_TOOLS, {**tool("z"), "defer_loading": True}]}, "all"),
    "tool_choice": ({"tool_choice": {"type": "none"}}, "system"),
    "parallel calls": ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "system"),
    "thinking": ({"thinking": {"type": "adaptive"}}, "system"),
    "effort": ({"output_config": {"effort": "low"}}, "system"),
    "an image": ({"messages": [user(marked("1234"), IMAGE)]}, "system"),
    "a message": ({"messages": [user(marked("1235"))]}, "system"),
    "the system prompt": ({"system": [marked("t" * 4_096)]}, "tools"),
    "a format": ({"output_config": FORMAT}, "tools"),
    "speed": ({"speed": "fast"}, "tools"),
    "a tool": ({"tools": [{**TOOLS[0], "description": "d", **MARK}]}, "none"),
    "one more tool": ({"tools": [*MARKED_TOOLS, tool("z")]}, "tools"),
    "the order of keys": (
        {"tools": [{**TOOLS[0], "input_schema": {"properties": {}, "type": "object"}, **MARK}]},
        "none",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_breaks_the_cache_from_there_on(name: str) -> None:
    service = Service()
    base = {**BASE, "messages": [user(marked("1234"))]}
    changed, kept = CHANGES[name]
    written = sum(service.ask(**base)[:3])
    tokens = {"none": 0, "tools": written - 1_025, "system": written - 1, "all": written}
    assert service.ask(**{**base, **changed})[0] == tokens[kept]


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        (
            body(tools=[tool("a"), {**tool("b"), "defer_loading": True, **MARK}]),
            "Tools with defer_loading cannot use prompt caching",
        ),
        (body(user(marked("a", LONG_MARK)), **MARK), "Top-level cache_control has ttl='5m'"),
        (body(user(marked("a")), **LONG_MARK), "Top-level cache_control has ttl='1h'"),
        (body(system=[marked("a")], **LONG_MARK), "must not come after a ttl='5m'"),
        (body(user(*[marked("a")] * 5)), "A maximum of 4 blocks"),
        (body(user(*[marked("a")] * 4), **MARK), "Found 5"),
        (body("a", tools=[{**tool(name), **MARK} for name in "abcde"]), "Found 5"),
    ],
)
def test_marks_that_cannot_be_are_refused(request_body: Json, message: str) -> None:
    response = post(request_body)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


def test_a_shorter_automatic_mark_may_follow_a_longer_one() -> None:
    assert post(body("a", system=[marked("a", LONG_MARK)], **MARK)).status_code == 200


def test_tokens_are_counted_with_those_of_the_cache() -> None:
    request = body("1234", system=system())
    del request["max_tokens"]
    assert post(request, "/v1/messages/count_tokens").json() == {"input_tokens": 1_025}


def test_reading_costs_a_tenth_and_writing_more_than_the_price() -> None:
    service = Service()
    client = TestClient(service.app, headers={"x-api-key": "key", "anthropic-version": LATEST})
    prices = []
    for mark in (LONG_MARK, LONG_MARK, {}):
        usage = json.loads(client.post("/v1/messages", json=body("1234", max_tokens=1, system=system(mark))).text)[
            "usage"
        ]
        prices.append(usage["credits_consumed"])
    assert prices == [1_025, 53, 513]
