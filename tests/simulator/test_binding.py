"""sim-2 binds its thinking to its prefix."""

from typing import Any

import pytest

from chatcompat.simulator.prefix import BETA
from tests.simulator.driver import MARK, Json, assistant, client, result, text, tool, user

ASKED: Json = {"model": "sim-2", "max_tokens": 500, "thinking": {"type": "adaptive"}, "tools": [tool("f")]}
DROP: Json = {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}}
NEW_TEXT = [text("new")]


def post(body: Json, *, beta: str = "") -> Any:
    return client().post("/v1/messages", json=body, headers={"anthropic-beta": beta} if beta else {})


def turn(**fields: Any) -> Json:
    """The second request of a loop, with the thinking of its first reply."""
    body = {**ASKED, **fields, "messages": [user("use f")]}
    reply = post(body).json()["content"]
    assert [block["type"] for block in reply] == ["thinking", "text", "tool_use"]
    return {**body, "messages": [*body["messages"], assistant(*reply), user(result(reply[2]["id"]), "use f")]}


def test_thinking_is_taken_behind_its_own_prefix() -> None:
    body = turn(system="s")
    assert post(body).status_code == 200
    marked = [text("s") | MARK]
    assert post(body | {"system": marked, "tools": [tool("f") | MARK]}).status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"system": NEW_TEXT}, {"tools": [tool("f"), tool("g")]}, {"messages": [user("use f now")]}],
    ids=["system", "tools", "messages"],
)
def test_thinking_is_refused_behind_a_changed_prefix(change: Json) -> None:
    body = turn()
    if "messages" in change:
        change = {"messages": [*change["messages"], *body["messages"][1:]]}
    refused = post(body | change)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("messages.1.content.0: `thinking` block does not match")
    dropped = post(body | change | DROP, beta=f"other, {BETA}")
    assert dropped.status_code == 200
    assert dropped.json()["input_transformations"] == [
        {"path": "messages.1.content.0", "reason": "prefix_binding_mismatch", "type": "thinking_dropped"}
    ]


def test_a_loop_with_a_hole_is_refused() -> None:
    body = turn()
    reply = post(body).json()["content"]
    body["messages"] += [assistant(*reply), user(result(reply[2]["id"]))]
    assert post(body).status_code == 200
    del body["messages"][1]["content"][0]
    assert post(body).status_code == 400


def test_block_binding_needs_its_beta() -> None:
    refused = post(ASKED | DROP | {"messages": [user("hi")]})
    assert refused.json()["error"]["message"] == "thinking.adaptive.block_binding: Extra inputs are not permitted"
    budget = {"type": "enabled", "budget_tokens": 1024, "block_binding": {}}
    refused = post(ASKED | {"model": "sim-1", "max_tokens": 2000, "thinking": budget, "messages": [user("hi")]})
    assert refused.json()["error"]["message"] == "thinking.enabled.block_binding: Extra inputs are not permitted"
