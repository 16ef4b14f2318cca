"""Edges of bound thinking: results made of parts, turns of thinking alone, and counted prompts."""

from typing import Any

import pytest

from chatcompat.simulator.prefix import BETA
from tests.simulator.driver import Json, assistant, client, image, result, text, user
from tests.simulator.test_binding import ASKED, DROP, post, turn

PARTS = [text("r"), image()]


def second_call(content: Any) -> Json:
    """The third request of a loop, whose first result has this content and whose thinking is bound to it."""
    body = turn()
    call_id = body["messages"][2]["content"][0]["tool_use_id"]
    body["messages"][2] = user(result(call_id, content), "use f")
    reply = post(body).json()["content"]
    assert [block["type"] for block in reply] == ["thinking", "text", "tool_use"]
    return {**body, "messages": [*body["messages"], assistant(*reply), user(result(reply[2]["id"]))]}


def with_first_result(body: Json, content: Any) -> Json:
    first = body["messages"][2]["content"][0] | {"content": content}
    messages = [*body["messages"][:2], user(first, "use f"), *body["messages"][3:]]
    return body | {"messages": messages}


def test_a_result_as_text_or_as_a_block_is_no_change() -> None:
    assert post(with_first_result(second_call("r"), [text("r")])).status_code == 200


@pytest.mark.parametrize(
    ("given", "later"),
    [("r", "s"), ("r", [text("r"), text("r")]), (PARTS, PARTS[::-1]), (PARTS, [text("r")]), ([], [text("r")])],
)
def test_another_result_is_a_change(given: Any, later: Any) -> None:
    body = with_first_result(second_call(given), later)
    refused = post(body)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("messages.3.content.0: `thinking` block does not match")
    dropped = post(body | DROP, beta=BETA).json()
    assert [one["path"] for one in dropped["input_transformations"]] == ["messages.3.content.0"]


def test_all_thinking_behind_a_change_is_dropped() -> None:
    body = second_call("r") | {"system": "new"} | DROP
    dropped = post(body, beta=BETA).json()["input_transformations"]
    assert [one["path"] for one in dropped] == ["messages.1.content.0", "messages.3.content.0"]


def test_a_turn_of_thinking_alone_may_be_dropped() -> None:
    body = turn()
    body["messages"] = [body["messages"][0], assistant(body["messages"][1]["content"][0]), user("go on")]
    assert post(body).status_code == 200
    dropped = post(body | {"system": "new"} | DROP, beta=BETA)
    assert dropped.status_code == 200
    assert len(dropped.json()["input_transformations"]) == 1


def test_a_prompt_that_is_counted_is_checked_too() -> None:
    def count(prompt: Json, beta: str = "") -> Any:
        counted = {name: value for name, value in prompt.items() if name != "max_tokens"}
        return client().post("/v1/messages/count_tokens", json=counted, headers={"anthropic-beta": beta})

    body = turn()
    whole = count(body).json()["input_tokens"]
    assert count(body | {"system": "new"}).status_code == 400
    assert count(body | DROP).status_code == 400
    kept = count(body | DROP, BETA).json()["input_tokens"]
    assert kept >= whole
    assert count(body | {"system": "new"} | DROP, BETA).status_code == 200


@pytest.mark.parametrize("behavior", [None, "error"])
def test_binding_that_asks_for_no_drop_refuses(behavior: str | None) -> None:
    binding = {"prefix_mismatch_behavior": behavior}
    asked = {"thinking": {"type": "adaptive", "block_binding": binding}, "system": "new"}
    assert post(turn() | asked, beta=BETA).status_code == 400


def test_a_model_that_binds_nothing_takes_thinking_anywhere() -> None:
    budget = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    body = ASKED | {"model": "sim-1", **budget, "messages": [user("use f")]}
    reply = post(body).json()["content"]
    assert [block["type"] for block in reply] == ["thinking", "text", "tool_use"]
    messages = [user("use f now"), assistant(*reply), user(result(reply[2]["id"]))]
    after = post(body | {"system": "new", "messages": messages})
    assert after.status_code == 200
    assert "input_transformations" not in after.json()
